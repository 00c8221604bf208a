// SPDX-License-Identifier: Apache-2.0
#pragma once

// GCC 12 takes the "undefined" operands inside its own AVX-512 intrinsics for uninitialized ones (GCC bug
// 105593).
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#ifndef __clang__
#pragma GCC diagnostic pop
#endif
