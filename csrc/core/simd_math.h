#pragma once
#include <cmath>
#include "core/simd.h"
namespace fastdl::FASTDL_ISA { namespace {
template <FloatVec V> V exp(V x) { for (int i = 0; i < lanes<Lane<V>>; ++i) x[i] = std::exp(x[i]); return x; }
template <FloatVec V> V log(V x) { for (int i = 0; i < lanes<Lane<V>>; ++i) x[i] = std::log(x[i]); return x; }
}}
