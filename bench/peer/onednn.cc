// SPDX-License-Identifier: Apache-2.0
//
// The other end of PeerProcess: oneDNN limited to one instruction set, one thread, weights reordered to the
// format that it prefers before anything is timed.
#include <cmath>
#include <ctime>
#include <iostream>
#include <limits>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <random>
#include <sstream>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "case.h"
#include "peer/peer_list.h"
#include "window.h"

namespace bitplane::bench {
namespace {

using dnnl::memory;
using kernels::ConvShape;
using kernels::Isa;

memory::dim dim(std::size_t size) {
  return static_cast<memory::dim>(size);
}

/// Small integers, exact in every type: no 16-bit sum of two products saturates.
std::vector<float> small_integers(std::size_t count, int low, int high, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(low + static_cast<int>(random() % (high - low + 1U)));
  return values;
}

class PeerProblem {
 public:
  PeerProblem(const PeerCase& peer, const dnnl::engine& engine)
      : peer_(peer), engine_(engine), stream_(engine) {
    const ConvShape& s = peer.shape;
    const std::size_t inputs = s.height * s.width * s.channels, weights = s.out_channels * s.filter_size();
    x_ = is_int8(peer.kind) ? small_integers(inputs, 0, 3, 1) : random_floats(inputs, 1);
    w_ = is_int8(peer.kind) ? small_integers(weights, -2, 2, 2) : random_floats(weights, 2);
    switch (peer.kind) {
      case PeerKind::Int8Matmul:
      case PeerKind::F32Matmul:
        make_matmul();
        break;
      case PeerKind::Int8InnerProduct:
      case PeerKind::F32InnerProduct:
        make_inner_product();
        break;
      case PeerKind::Int8Conv:
      case PeerKind::F32Conv:
        make_convolution();
        break;
    }
    run();
    check();
  }

  void run() {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  using Type = memory::data_type;
  using Tag = memory::format_tag;

  [[nodiscard]] Type source_type() const { return is_int8(peer_.kind) ? Type::u8 : Type::f32; }
  [[nodiscard]] Type weight_type() const { return is_int8(peer_.kind) ? Type::s8 : Type::f32; }
  /// What the next layer takes: sums of a bare product, bytes behind a convolution.
  [[nodiscard]] Type result_type() const {
    if (!is_int8(peer_.kind)) return Type::f32;
    return is_convolution() ? Type::u8 : Type::s32;
  }
  [[nodiscard]] bool is_convolution() const {
    return peer_.kind == PeerKind::Int8Conv || peer_.kind == PeerKind::F32Conv;
  }

  /// Copies `values`, dense in the order of `dims` and `tag`, into memory of the description `to`.
  memory filled(const std::vector<float>& values, const memory::dims& dims, Tag tag, const memory::desc& to) {
    memory from({dims, Type::f32, tag}, engine_, const_cast<float*>(values.data()));
    memory result(to, engine_);
    dnnl::reorder(from, result).execute(stream_, from, result);
    stream_.wait();
    return result;
  }

  void make_matmul() {
    const memory::dim n = dim(peer_.shape.out_pixels()), k = dim(peer_.shape.channels),
                      m = dim(peer_.shape.out_channels);
    const dnnl::matmul::primitive_desc description({{{n, k}, source_type(), Tag::ab},
                                                    {{k, m}, weight_type(), Tag::any},
                                                    {{n, m}, result_type(), Tag::ab}},
                                                   engine_);
    primitive_ = dnnl::matmul(description);
    result_ = memory(description.dst_desc(), engine_);
    arguments_ = {{DNNL_ARG_SRC, filled(x_, {n, k}, Tag::ab, description.src_desc())},
                  {DNNL_ARG_WEIGHTS, filled(w_, {k, m}, Tag::ba, description.weights_desc())},
                  {DNNL_ARG_DST, result_}};
  }

  void make_inner_product() {
    using Product = dnnl::inner_product_forward;
    const memory::dim n = dim(peer_.shape.out_pixels()), k = dim(peer_.shape.channels),
                      m = dim(peer_.shape.out_channels);
    const Product::primitive_desc description({dnnl::prop_kind::forward_inference,
                                               {{n, k}, source_type(), Tag::ab},
                                               {{m, k}, weight_type(), Tag::any},
                                               {{n, m}, result_type(), Tag::ab}},
                                              engine_);
    primitive_ = Product(description);
    result_ = memory(description.dst_desc(), engine_);
    arguments_ = {{DNNL_ARG_SRC, filled(x_, {n, k}, Tag::ab, description.src_desc())},
                  {DNNL_ARG_WEIGHTS, filled(w_, {m, k}, Tag::ab, description.weights_desc())},
                  {DNNL_ARG_DST, result_}};
  }

  void make_convolution() {
    using Convolution = dnnl::convolution_forward;
    const ConvShape& s = peer_.shape;
    const memory::dims x{1, dim(s.channels), dim(s.height), dim(s.width)};
    const memory::dims w{dim(s.out_channels), dim(s.channels), dim(s.kernel_h), dim(s.kernel_w)};
    const memory::dims z{1, dim(s.out_channels), dim(s.out_height()), dim(s.out_width())};
    const memory::dims bias{dim(s.out_channels)}, padding{dim(s.pad_h), dim(s.pad_w)};
    const Type bias_type = is_int8(peer_.kind) ? Type::s32 : Type::f32;
    dnnl::post_ops relu;
    relu.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(relu);
    const Convolution::primitive_desc description({dnnl::prop_kind::forward_inference,
                                                   dnnl::algorithm::convolution_direct,
                                                   {x, source_type(), Tag::any},
                                                   {w, weight_type(), Tag::any},
                                                   {bias, bias_type, Tag::a},
                                                   {z, result_type(), Tag::any},
                                                   {dim(s.stride_h), dim(s.stride_w)},
                                                   padding,
                                                   padding},
                                                  attributes, engine_);
    primitive_ = Convolution(description);
    result_ = memory(description.dst_desc(), engine_);
    const std::vector<float> no_bias(s.out_channels, 0.0F);
    arguments_ = {{DNNL_ARG_SRC, filled(x_, x, Tag::nhwc, description.src_desc())},
                  {DNNL_ARG_WEIGHTS, filled(w_, w, Tag::ohwi, description.weights_desc())},
                  {DNNL_ARG_BIAS, filled(no_bias, bias, Tag::a, description.bias_desc())},
                  {DNNL_ARG_DST, result_}};
  }

  /// The result as [pixel][out channel].
  std::vector<float> dense_result() {
    const ConvShape& s = peer_.shape;
    std::vector<float> values(s.out_pixels() * s.out_channels);
    const memory::desc dense =
        is_convolution() ? memory::desc({1, dim(s.out_channels), dim(s.out_height()), dim(s.out_width())},
                                        Type::f32, Tag::nhwc)
                         : memory::desc({dim(s.out_pixels()), dim(s.out_channels)}, Type::f32, Tag::ab);
    memory to(dense, engine_, values.data());
    dnnl::reorder(result_, to).execute(stream_, result_, to);
    stream_.wait();
    return values;
  }

  void check() {
    const std::vector<float> values = dense_result();
    for (const std::size_t at : samples(values.size())) {
      const DirectSum direct = direct_sum(peer_.shape, x_.data(), w_.data(), at);
      double expected = direct.sum;
      if (is_convolution()) expected = std::max(expected, 0.0);
      if (result_type() == Type::u8) expected = std::min(expected, 255.0);
      const double tolerance = is_int8(peer_.kind)
                                   ? 0.0
                                   : static_cast<double>(peer_.shape.filter_size()) *
                                         std::numeric_limits<float>::epsilon() * direct.magnitude;
      if (!(std::abs(static_cast<double>(values[at]) - expected) <= tolerance))
        throw std::runtime_error("wrong value at output " + std::to_string(at));
    }
  }

  PeerCase peer_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<float> x_, w_;
  dnnl::primitive primitive_;
  memory result_;
  std::unordered_map<int, memory> arguments_;
};

dnnl::cpu_isa onednn_isa(Isa isa) {
  switch (isa) {
    case Isa::Avx2:
      return dnnl::cpu_isa::avx2;
    case Isa::AvxVnni:
      return dnnl::cpu_isa::avx2_vnni;
    case Isa::Avx512:
      return dnnl::cpu_isa::avx512_core_vnni;
    case Isa::Avx512Bf16:
      return dnnl::cpu_isa::avx512_core_bf16;
    case Isa::Amx:
      return dnnl::cpu_isa::avx512_core_amx;
    case Isa::Scalar:
    case Isa::Neon:
    case Isa::NeonDot:
      break;
  }
  throw std::runtime_error("oneDNN has no such level");
}

/// The library works on this process' threads, of which there is one.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class Server {
 public:
  explicit Server(Isa isa) {
    const dnnl::cpu_isa level = onednn_isa(isa);
    if (dnnl::set_max_cpu_isa(level) != dnnl::status::success || dnnl::get_effective_cpu_isa() != level)
      throw std::runtime_error("oneDNN cannot be limited to " + std::string(kernels::isa_name(isa)));
    engine_ = dnnl::engine(dnnl::engine::kind::cpu, 0);
    problems_.resize(peer_cases().size());
  }

  std::string answer(const std::string& request) {
    std::istringstream words(request);
    std::string verb;
    std::size_t index = 0;
    words >> verb >> index;
    if (verb == "prepare") {
      problems_.at(index) = std::make_unique<PeerProblem>(peer_cases().at(index), engine_);
      return "ok";
    }
    std::int64_t runs = 0;
    words >> runs;
    PeerProblem& problem = *problems_.at(index);
    const double start = cpu_seconds();
    for (std::int64_t i = 0; i < runs; ++i) problem.run();
    std::ostringstream reply;
    reply.precision(12);
    reply << "seconds " << cpu_seconds() - start;
    return reply.str();
  }

 private:
  dnnl::engine engine_;
  std::vector<std::unique_ptr<PeerProblem>> problems_;
};

}  // namespace

int serve_peer(Isa isa) {
  std::unique_ptr<Server> server;
  for (std::string request; std::getline(std::cin, request);) {
    try {
      if (server == nullptr) server = std::make_unique<Server>(isa);
      std::cout << server->answer(request) << std::endl;
    } catch (const std::exception& error) {
      std::cout << "error: " << error.what() << std::endl;
    }
  }
  return 0;
}

bool peers_are_built() {
  return true;
}

}  // namespace bitplane::bench
