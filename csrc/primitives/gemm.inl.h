// Blocked matrix product C = A B (+ C). One operand is read where it lies, the other is packed block by block
// into panels whose columns are the lanes: B, or A where that is less to pack, and C is then turned as it is
// written. An element of C is summed over k in one fixed order, whichever is packed and whatever the strides;
// work is split by shape alone.
#pragma once

#include "core/allocator.h"
#include "core/thread_pool.h"
#include "primitives/activation.inl.h"
#include "primitives/lane_tile.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// A matrix by strides, so that a transpose costs nothing.
template <class T>
struct Matrix {
  const T* elements;
  std::int64_t row_stride, column_stride;
  const T& operator()(std::int64_t row, std::int64_t column) const {
    return elements[row * row_stride + column * column_stride];
  }
  Matrix transposed() const { return {elements, column_stride, row_stride}; }
};

/// C (rows x columns, rows `c_stride` apart, columns side by side) = A B + bias, or C += A B where
/// `accumulate`. `bias` (columns) may be null and does not go with `accumulate`. C is activated last.
template <class T>
struct Product {
  std::int64_t rows, columns, depth;
  Matrix<T> a, b;
  const T* bias;
  bool accumulate;
  T* c;
  std::int64_t c_stride;
  Activation activation = {};
};

/// How a product is cut: `turned` packs A in place of B. Lines are the rows of the operand that is not
/// packed.
struct GemmPlan {
  bool turned;
  std::int64_t lines, width;  // of the product seen so that the packed operand's columns are the lanes
  EvenCut line_cut, panel_cut;
  std::int64_t chunks() const { return line_cut.pieces * panel_cut.pieces; }
};

/// Cost of packing an element: a copy, or a turn.
template <class T>
double packing_cost(std::int64_t lane_stride) {
  return (lane_stride == 1 ? 2.0 : 5.0) / lanes<T>;
}

template <class T>
GemmPlan plan_gemm(const Product<T>& p) {
  constexpr std::int64_t wanted_chunks = 16, chunk_work = 1 << 19, most_lines = 256, most_panels = 4;
  const auto filled = [](std::int64_t size) {
    return static_cast<double>(ceil_div(size, lanes<T>) * lanes<T>);
  };
  const double rows = static_cast<double>(p.rows), columns = static_cast<double>(p.columns);
  const double straight =
      rows * filled(p.columns) / (2 * lanes<T>)+columns * packing_cost<T>(p.b.column_stride);
  const double turned = columns * filled(p.rows) / (2 * lanes<T>)+rows * packing_cost<T>(p.a.row_stride);
  const double write =
      rows * columns * 5.0 / lanes<T> / static_cast<double>(std::max<std::int64_t>(1, p.depth));
  const bool turn = turned + write < straight;
  const std::int64_t lines = turn ? p.columns : p.rows, width = turn ? p.rows : p.columns;
  const std::int64_t panels = ceil_div(width, panel_width<T>);
  const std::int64_t work = std::max<std::int64_t>(1, lines * width * std::max<std::int64_t>(1, p.depth));
  const std::int64_t chunks = std::clamp<std::int64_t>(work / chunk_work, 1, wanted_chunks);
  EvenCut line_cut(lines, most_lines), panel_cut(panels, most_panels);
  // More chunks by fewer panels first: every cut of the lines packs again.
  if (line_cut.pieces * panel_cut.pieces < chunks)
    panel_cut.pieces = std::min(panels, ceil_div(chunks, line_cut.pieces));
  if (line_cut.pieces * panel_cut.pieces < chunks)
    line_cut.pieces = std::clamp<std::int64_t>(ceil_div(chunks, panel_cut.pieces), 1,
                                               std::max<std::int64_t>(1, lines / (4 * tile_rows)));
  return {turn, lines, width, line_cut, panel_cut};
}

/// Packs columns [column, column + count) of rows [k, k + depth) of b: (depth, vectors * lanes), zeros
/// beyond.
template <class T>
void pack_panel(const Matrix<T>& b, std::int64_t k, std::int64_t depth, std::int64_t column, int count,
                T* to) {
  const int vectors = count > lanes<T> ? tile_vectors : 1;
  const std::int64_t width = vectors * lanes<T>;
  for (int v = 0; v < vectors; ++v) {
    const int used = std::min<int>(lanes<T>, count - v * lanes<T>);
    const T* from = &b(k, column + v * lanes<T>);
    T* at = to + v * lanes<T>;
    if (b.column_stride == 1) {
      for (std::int64_t d = 0; d < depth; ++d)
        store(at + d * width, load_up_to(from + d * b.row_stride, used));
    } else if (b.row_stride == 1) {
      for (std::int64_t d = 0; d < depth; d += lanes<T>)
        turn_rows(from + d, b.column_stride, used,
                  static_cast<int>(std::min<std::int64_t>(lanes<T>, depth - d)), width, at + d * width);
    } else {
      for (std::int64_t d = 0; d < depth; ++d)
        for (int j = 0; j < lanes<T>; ++j)
          at[d * width + j] = j < used ? from[d * b.row_stride + j * b.column_stride] : T(0);
    }
  }
}

/// Lines [begin, end) of `a` times a packed panel.
template <class T>
void multiply_lines(const Matrix<T>& a, std::int64_t begin, std::int64_t end, std::int64_t k,
                    std::int64_t depth, const T* panel, int vectors, TileTarget<T> to) {
  static constexpr std::int64_t here = 0;
  const DepthWalk walk{depth, a.column_stride, &here, 1};
  const bool run = a.row_stride == 1;
  const EvenCut cut(end - begin, run ? run_rows : scattered_rows);
  std::int64_t offsets[scattered_rows];
  for (int i = 0; i < scattered_rows; ++i) offsets[i] = i * a.row_stride;
  for (std::int64_t i = 0; i < cut.pieces; ++i) {
    const int rows = static_cast<int>(cut.size(i));
    const auto tile = run ? lane_tile<false, T>(rows, vectors) : lane_tile<true, T>(rows, vectors);
    const T* first = a.elements + (begin + cut.begin(i)) * a.row_stride + k * a.column_stride;
    tile(walk, first, offsets, panel, to);
    to.c += rows * to.row_pitch;
  }
}

/// A chunk's results before they are written: (lines, panels * panel_width).
template <class T>
struct LineResults {
  const T* values;
  std::int64_t pitch;
};

/// C from results that lie as C does.
template <class T>
void write_straight(const Product<T>& p, std::int64_t row, std::int64_t rows, std::int64_t column, int count,
                    const LineResults<T>& results) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (int v = 0; v * lanes<T> < count; ++v) {
      const int used = std::min<int>(lanes<T>, count - v * lanes<T>);
      T* c = p.c + (row + i) * p.c_stride + column + v * lanes<T>;
      Vec<T> sum = load(results.values + i * results.pitch + v * lanes<T>);
      if (p.accumulate) sum += load_up_to(c, used);
      if (p.bias) sum += load_up_to(p.bias + column + v * lanes<T>, used);
      store_up_to(c, activated<T>(p.activation, sum), used);
    }
  }
}

/// C from results whose lines are C's columns.
template <class T>
void write_turned(const Product<T>& p, std::int64_t column, std::int64_t columns, std::int64_t row, int count,
                  const LineResults<T>& results) {
  Vec<T> block[lanes<T>];
  for (std::int64_t j = 0; j < columns; j += lanes<T>) {
    const int width = static_cast<int>(std::min<std::int64_t>(lanes<T>, columns - j));
    const Vec<T> bias = p.bias ? load_up_to(p.bias + column + j, width) : Vec<T>{};
    for (int v = 0; v * lanes<T> < count; ++v) {
      const T* values = results.values + j * results.pitch + v * lanes<T>;
#pragma GCC unroll 16
      for (int i = 0; i < lanes<T>; ++i) block[i] = i < width ? load(values + i * results.pitch) : Vec<T>{};
      transpose(block);
      for (int i = 0; i < std::min<int>(lanes<T>, count - v * lanes<T>); ++i) {
        T* c = p.c + (row + v * lanes<T> + i) * p.c_stride + column + j;
        Vec<T> sum = block[i];
        if (p.accumulate) sum += load_up_to(c, width);
        if (p.bias) sum += bias;
        store_up_to(c, activated<T>(p.activation, sum), width);
      }
    }
  }
}

/// Scratch memory of a chunk: a block of one packed panel, and results.
template <class T>
struct GemmScratch {
  std::int64_t depth, panels, pitch;
  std::size_t bytes;

  GemmScratch(const Product<T>& p, const GemmPlan& plan) {
    depth = std::min(p.depth, lane_depth);
    panels = ceil_div(plan.panel_cut.count, std::max<std::int64_t>(1, plan.panel_cut.pieces));
    pitch = panels * panel_width<T>;
    const std::int64_t lines = ceil_div(plan.lines, std::max<std::int64_t>(1, plan.line_cut.pieces));
    bytes = static_cast<std::size_t>(depth * panel_width<T> + lines * pitch) * sizeof(T);
  }
  T* results(void* memory) const { return static_cast<T*>(memory) + depth * panel_width<T>; }
};

/// One chunk of a product. `memory`: GemmScratch.
template <class T>
void multiply_chunk(const Product<T>& p, const GemmPlan& plan, std::int64_t chunk, void* memory) {
  const GemmScratch<T> scratch(p, plan);
  const Matrix<T> a = plan.turned ? p.b.transposed() : p.a, b = plan.turned ? p.a.transposed() : p.b;
  const std::int64_t line = plan.line_cut.begin(chunk % plan.line_cut.pieces),
                     line_end = plan.line_cut.begin(chunk % plan.line_cut.pieces + 1);
  const std::int64_t piece = chunk / plan.line_cut.pieces, first = plan.panel_cut.begin(piece),
                     last = plan.panel_cut.begin(piece + 1);
  T* const packed = static_cast<T*>(memory);
  T* const results = scratch.results(memory);
  std::int64_t k = 0;
  do {  // once even for depth 0: C must be written
    const std::int64_t depth = std::min(lane_depth, p.depth - k);
    for (std::int64_t panel = first; panel < last; ++panel) {
      const std::int64_t column = panel * panel_width<T>;
      const int count = static_cast<int>(std::min<std::int64_t>(panel_width<T>, plan.width - column));
      const int vectors = count > lanes<T> ? tile_vectors : 1;
      T* const at = results + (panel - first) * panel_width<T>;
      if (depth > 0) pack_panel(b, k, depth, column, count, packed);
      multiply_lines(a, line, line_end, k, depth, packed, vectors, {at, scratch.pitch, nullptr, k > 0});
      if (k + depth < p.depth) continue;
      const auto write = plan.turned ? write_turned<T> : write_straight<T>;
      write(p, line, line_end - line, column, count, {at, scratch.pitch});
    }
    k += depth;
  } while (k < p.depth);
}

template <class T>
void run_product(const Product<T>& product) {
  if (product.rows == 0 || product.columns == 0) return;
  const GemmPlan plan = plan_gemm(product);
  const std::size_t bytes = GemmScratch<T>(product, plan).bytes;
  parallel_for(plan.chunks(), [&](std::int64_t chunk) {
    const Workspace memory(bytes);
    multiply_chunk(product, plan, chunk, memory.data());
  });
}

/// run_product, its operands one by one.
template <class T>
void gemm(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Matrix<T>& a, const Matrix<T>& b,
          const T* column_bias, bool accumulate, T* c, std::int64_t c_row_stride) {
  run_product(Product<T>{rows, columns, depth, a, b, column_bias, accumulate, c, c_row_stride});
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
