// SPDX-License-Identifier: Apache-2.0
#include "peer/peer_list.h"

#include "layers.h"

namespace bitplane::bench {

const std::vector<PeerCase>& peer_cases() {
  static const auto list = [] {
    std::vector<PeerCase> cases;
    for (const GemmShape& gemm : kGemmShapes) {
      const std::string name(gemm.name), group = gemm.n() == 1 ? "vector" : "gemm";
      cases.push_back({PeerKind::Int8Matmul, group, name, gemm.shape()});
      cases.push_back({PeerKind::Int8InnerProduct, group, name, gemm.shape()});
      cases.push_back({PeerKind::F32Matmul, "f32", name, gemm.shape()});
      cases.push_back({PeerKind::F32InnerProduct, "f32", name, gemm.shape()});
    }
    for (const ConvLayer& layer : kConvLayers) {
      cases.push_back({PeerKind::Int8Conv, "conv", layer_name(layer), layer.shape()});
      cases.push_back({PeerKind::F32Conv, "f32", layer_name(layer), layer.shape()});
    }
    return cases;
  }();
  return list;
}

std::string peer_kernel_name(PeerKind kind) {
  switch (kind) {
    case PeerKind::Int8Matmul:
    case PeerKind::F32Matmul:
      return "oneDNN matmul";
    case PeerKind::Int8InnerProduct:
    case PeerKind::F32InnerProduct:
      return "oneDNN inner product";
    case PeerKind::Int8Conv:
    case PeerKind::F32Conv:
      return "oneDNN convolution";
  }
  return {};
}

bool is_int8(PeerKind kind) {
  return kind == PeerKind::Int8Matmul || kind == PeerKind::Int8InnerProduct || kind == PeerKind::Int8Conv;
}

}  // namespace bitplane::bench
