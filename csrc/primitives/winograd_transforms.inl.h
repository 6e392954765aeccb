// The transforms of Winograd's minimal filtering F(M x M, 3 x 3), M = 2 or 4: Y = A' [(G g G') . (B' d B)] A.
// M = 2 interpolates at 0, 1, -1 and infinity (A. Lavin and S. Gray, arXiv:1509.09308). M = 4 does at 0,
// +-3/4, +-3/2 and infinity, whose error is a quarter of that of Lavin and Gray's 0, +-1, +-2: numbers near 1
// grow least in powers (B. Barabasz et al., Error Analysis and Improving the Accuracy of Winograd
// Convolution, arXiv:1803.10986), and all but G's are exact in binary.
#pragma once

#include "core/simd.h"
#include "primitives/lane_tile.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Products of a tile of M x M outputs, and elements of its input.
template <int M>
inline constexpr int tile_points = (M + 2) * (M + 2);

/// The interpolation points +-a and +-b of M = 4.
template <class T>
struct TilePoints {
  static constexpr T a = T(0.75), b = T(1.5), a2 = a * a, b2 = b * b;
};

/// B' d: one column of a tile.
template <class T>
FASTDL_INLINE void transform_input(Vec<T>& d0, Vec<T>& d1, Vec<T>& d2, Vec<T>& d3) {
  const Vec<T> first = d0 - d2, sum = d1 + d2, difference = d2 - d1, last = d1 - d3;
  d0 = first, d1 = sum, d2 = difference, d3 = last;
}

template <class T>
FASTDL_INLINE void transform_input(Vec<T>& d0, Vec<T>& d1, Vec<T>& d2, Vec<T>& d3, Vec<T>& d4, Vec<T>& d5) {
  using P = TilePoints<T>;
  const Vec<T> even_a = d4 - P::b2 * d2, odd_a = d3 - P::b2 * d1;
  const Vec<T> even_b = d4 - P::a2 * d2, odd_b = d3 - P::a2 * d1;
  d0 = d4 - (P::a2 + P::b2) * d2 + P::a2 * P::b2 * d0;
  d5 = d5 - (P::a2 + P::b2) * d3 + P::a2 * P::b2 * d1;
  d1 = even_a + P::a * odd_a, d2 = even_a - P::a * odd_a;
  d3 = even_b + P::b * odd_b, d4 = even_b - P::b * odd_b;
}

/// A' m: one column of a tile's products.
template <class T>
FASTDL_INLINE void transform_output(const Vec<T> (&m)[4], Vec<T> (&y)[2]) {
  y[0] = m[0] + m[1] + m[2];
  y[1] = m[1] - m[2] - m[3];
}

template <class T>
FASTDL_INLINE void transform_output(const Vec<T> (&m)[6], Vec<T> (&y)[4]) {
  using P = TilePoints<T>;
  const Vec<T> even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
  y[0] = m[0] + even_a + even_b;
  y[1] = P::a * odd_a + P::b * odd_b;
  y[2] = P::a2 * even_a + P::b2 * even_b;
  y[3] = P::a2 * P::a * odd_a + P::b2 * P::b * odd_b + m[5];
}

/// G g: one column of a kernel.
template <class T>
FASTDL_INLINE void transform_taps(const Vec<T> (&g)[3], Vec<T> (&u)[4]) {
  const Vec<T> ends = (g[0] + g[2]) * T(0.5), middle = g[1] * T(0.5);
  u[0] = g[0], u[1] = ends + middle, u[2] = ends - middle, u[3] = g[2];
}

template <class T>
FASTDL_INLINE void transform_taps(const Vec<T> (&g)[3], Vec<T> (&u)[6]) {
  using P = TilePoints<T>;
  constexpr T a0 = 1 / (2 * P::a2 * (P::a2 - P::b2)), b0 = 1 / (2 * P::b2 * (P::b2 - P::a2));
  const Vec<T> even_a = a0 * g[0] + a0 * P::a2 * g[2], odd_a = a0 * P::a * g[1];
  const Vec<T> even_b = b0 * g[0] + b0 * P::b2 * g[2], odd_b = b0 * P::b * g[1];
  u[0] = g[0] * (1 / (P::a2 * P::b2));
  u[1] = even_a + odd_a, u[2] = even_a - odd_a;
  u[3] = even_b + odd_b, u[4] = even_b - odd_b;
  u[5] = g[2];
}

/// Transforms one vector of tiles: `points` are where their inputs lie, the results go `point_pitch` apart.
template <int M, class T>
FASTDL_INLINE void transform_tiles(const T* at, const std::int64_t* points, std::int64_t point_pitch, T* to) {
  constexpr int n = M + 2;
  Vec<T> d[n][n];
#pragma GCC unroll 6
  for (int i = 0; i < n; ++i)
#pragma GCC unroll 6
    for (int j = 0; j < n; ++j) d[i][j] = load(at + points[n * i + j]);
#pragma GCC unroll 6
  for (int j = 0; j < n; ++j) {
    if constexpr (M == 2)
      transform_input<T>(d[0][j], d[1][j], d[2][j], d[3][j]);
    else
      transform_input<T>(d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j]);
  }
#pragma GCC unroll 6
  for (int i = 0; i < n; ++i) {
    if constexpr (M == 2)
      transform_input<T>(d[i][0], d[i][1], d[i][2], d[i][3]);
    else
      transform_input<T>(d[i][0], d[i][1], d[i][2], d[i][3], d[i][4], d[i][5]);
#pragma GCC unroll 6
    for (int j = 0; j < n; ++j) store(to + (n * i + j) * point_pitch, d[i][j]);
  }
}

/// A' m A for one tile and vector of channels; `point_pitch` from one product to the next.
template <int M, class T>
FASTDL_INLINE void transform_products(const T* at, std::int64_t point_pitch, Vec<T> (&y)[M][M]) {
  constexpr int n = M + 2;
  Vec<T> half[M][n];
#pragma GCC unroll 6
  for (int j = 0; j < n; ++j) {
    Vec<T> m[n], column[M];
#pragma GCC unroll 6
    for (int i = 0; i < n; ++i) m[i] = load(at + (n * i + j) * point_pitch);
    transform_output<T>(m, column);
#pragma GCC unroll 4
    for (int i = 0; i < M; ++i) half[i][j] = column[i];
  }
#pragma GCC unroll 4
  for (int i = 0; i < M; ++i) transform_output<T>(half[i], y[i]);
}

/// G g G' of one vector of kernels, whose 3 x 3 taps follow each other from the first to the last or,
/// flipped, from the last to the first.
template <int M, class T>
FASTDL_INLINE void transform_kernel(const T* taps, bool flip_h, bool flip_w, std::int64_t point_pitch,
                                    T* to) {
  constexpr int n = M + 2;
  Vec<T> rows[n][3];
#pragma GCC unroll 3
  for (int s = 0; s < 3; ++s) {
    Vec<T> column[3], half[n];
#pragma GCC unroll 3
    for (int r = 0; r < 3; ++r)
      column[r] = load(taps + ((flip_h ? 2 - r : r) * 3 + (flip_w ? 2 - s : s)) * lanes<T>);
    transform_taps<T>(column, half);
#pragma GCC unroll 6
    for (int i = 0; i < n; ++i) rows[i][s] = half[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < n; ++i) {
    Vec<T> results[n];
    transform_taps<T>(rows[i], results);
#pragma GCC unroll 6
    for (int j = 0; j < n; ++j) store(to + (n * i + j) * point_pitch, results[j]);
  }
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
