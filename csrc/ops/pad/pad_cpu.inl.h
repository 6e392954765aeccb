#include <algorithm>
#include <cstring>

#include "core/simd.h"
#include "core/thread_pool.h"
#include "ops/pad/pad.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// The source position that output position o reads; -1 for the constant.
FASTDL_INLINE std::int64_t source_position(PadMode mode, const PadAxis& axis, std::int64_t o) {
  const std::int64_t i = o - axis.before, last = axis.size - 1;
  if (mode == PadMode::circular) {
    const std::int64_t begin = std::max<std::int64_t>(0, -axis.before),
                       end = axis.size + std::min<std::int64_t>(0, axis.after);
    return i < begin ? i + (end - begin) : i >= end ? i - (end - begin) : i;
  }
  if (i >= 0 && i <= last) return i;
  if (mode == PadMode::constant) return -1;
  if (mode == PadMode::replicate) return i < 0 ? 0 : last;
  return i < 0 ? -i : 2 * last - i;
}

/// The outputs [begin, end) that read the source in order, at o - before.
struct Interior {
  std::int64_t begin, end;

  explicit Interior(const PadAxis& axis)
      : begin(std::min(axis.output(), std::max<std::int64_t>(0, axis.before))),
        end(std::max(begin, std::min(axis.output(), axis.before + axis.size))) {}
};

template <class E>
void pad_row(PadMode mode, const PadAxis& axis, const E* x, E value, E* y) {
  const Interior interior(axis);
  const auto edge = [&](std::int64_t o) {
    const std::int64_t i = source_position(mode, axis, o);
    y[o] = i < 0 ? value : x[i];
  };
  for (std::int64_t o = 0; o < interior.begin; ++o) edge(o);
  if (interior.end > interior.begin)
    std::memcpy(y + interior.begin, x + interior.begin - axis.before,
                static_cast<std::size_t>(interior.end - interior.begin) * sizeof(E));
  for (std::int64_t o = interior.end; o < axis.output(); ++o) edge(o);
}

/// Where the rows of an array over the outer axes are; counts them in C order.
struct RowCursor {
  const PadParams& params;
  std::int64_t position[Shape::max_dims] = {};

  RowCursor(const PadParams& p, std::int64_t row) : params(p) {
    for (int a = params.axes - 2; a >= 0; --a) {
      position[a] = row % params.axis[a].output();
      row /= params.axis[a].output();
    }
  }
  /// The row of the source that this output row reads; -1 for a row of the constant.
  std::int64_t source_row() const {
    std::int64_t row = 0;
    for (int a = 0; a < params.axes - 1; ++a) {
      const std::int64_t i = source_position(params.mode, params.axis[a], position[a]);
      if (i < 0) return -1;
      row = row * params.axis[a].size + i;
    }
    return row;
  }
  void next() {
    for (int a = params.axes - 2; a >= 0; --a) {
      if (++position[a] < params.axis[a].output()) return;
      position[a] = 0;
    }
  }
};

/// Calls rows(begin, end) over parts of [0, count), cut by shape alone.
template <class Rows>
FASTDL_INLINE void for_row_chunks(std::int64_t count, std::int64_t row_size, Rows&& rows) {
  constexpr std::int64_t elements_per_chunk = 32768;
  const std::int64_t step =
      std::max<std::int64_t>(1, elements_per_chunk / std::max<std::int64_t>(1, row_size));
  parallel_for((count + step - 1) / step,
               [&](std::int64_t chunk) { rows(chunk * step, std::min(count, (chunk + 1) * step)); });
}

template <class E>
void pad_array(const PadParams& params, const E* x, E* y) {
  const PadAxis& width = params.axis[params.axes - 1];
  const E value = static_cast<E>(params.value);
  std::int64_t rows = 1;
  for (int a = 0; a < params.axes - 1; ++a) rows *= params.axis[a].output();
  if (rows == 0 || width.output() == 0) return;
  for_row_chunks(rows, width.output(), [&](std::int64_t begin, std::int64_t end) {
    RowCursor cursor(params, begin);
    for (std::int64_t row = begin; row < end; ++row, cursor.next()) {
      const std::int64_t source = cursor.source_row();
      E* to = y + row * width.output();
      if (source < 0) {
        std::fill_n(to, width.output(), value);
      } else {
        pad_row(params.mode, width, x + source * width.size, value, to);
      }
    }
  });
}

/// The outputs that read one source position: at most three runs.
struct Readers {
  struct Run {
    std::int64_t begin, end;
  } runs[3];
  int count = 0;

  Readers(PadMode mode, const PadAxis& axis, std::int64_t i) {
    const std::int64_t output = axis.output(), last = axis.size - 1, o = i + axis.before;
    const auto add = [&](std::int64_t begin, std::int64_t end) {
      begin = std::max<std::int64_t>(0, begin), end = std::min(output, end);
      if (begin < end) runs[count++] = {begin, end};
    };
    if (mode == PadMode::replicate) {
      add(i == 0 ? 0 : o, i == last ? output : o + 1);
    } else if (mode == PadMode::reflect) {
      if (i > 0) add(axis.before - i, axis.before - i + 1);
      add(o, o + 1);
      if (i < last) add(axis.before + 2 * last - i, axis.before + 2 * last - i + 1);
    } else {
      const std::int64_t begin = std::max<std::int64_t>(0, -axis.before),
                         end = axis.size + std::min<std::int64_t>(0, axis.after), period = end - begin;
      if (i < begin || i >= end) return;
      add(o - period, o - period + 1);
      add(o, o + 1);
      add(o + period, o + period + 1);
    }
  }
};

/// grad_x += what one row of outputs passes to the row that it read.
template <class T>
void fold_row(PadMode mode, const PadAxis& axis, const T* grad_y, T* grad_x) {
  const Interior interior(axis);
  for (std::int64_t o = 0; o < interior.begin; ++o) grad_x[source_position(mode, axis, o)] += grad_y[o];
  std::int64_t o = interior.begin;
  for (; o + lanes<T> <= interior.end; o += lanes<T>)
    store(grad_x + o - axis.before, load(grad_x + o - axis.before) + load(grad_y + o));
  for (; o < axis.output(); ++o) grad_x[source_position(mode, axis, o)] += grad_y[o];
}

template <class T>
void fold_array(const PadParams& params, const T* grad_y, T* grad_x) {
  const PadAxis &planes = params.axis[0], &depth = params.axis[1], &height = params.axis[2],
                &width = params.axis[3];
  const std::int64_t rows = planes.size * depth.size * height.size;
  if (rows == 0 || width.size == 0) return;
  for_row_chunks(rows, width.size, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t plane = row / (depth.size * height.size);
      const Readers of_depth(params.mode, depth, row / height.size % depth.size),
          of_height(params.mode, height, row % height.size);
      T* to = grad_x + row * width.size;
      std::fill_n(to, width.size, T(0));
      for (int a = 0; a < of_depth.count; ++a)
        for (std::int64_t d = of_depth.runs[a].begin; d < of_depth.runs[a].end; ++d)
          for (int b = 0; b < of_height.count; ++b)
            for (std::int64_t h = of_height.runs[b].begin; h < of_height.runs[b].end; ++h)
              fold_row(params.mode, width,
                       grad_y + ((plane * depth.output() + d) * height.output() + h) * width.output(), to);
    }
  });
}

/// Gives back what was added, and zeros for what was taken away.
FASTDL_INLINE PadParams inverse(const PadParams& params) {
  PadParams result = params;
  result.value = 0;
  for (int a = 0; a < params.axes; ++a)
    result.axis[a] = {params.axis[a].output(), -params.axis[a].before, -params.axis[a].after};
  return result;
}

Status pad_forward(const Launch&, const PadParams& params, const void* x, void* y) {
  switch (item_size(params.dtype)) {
    case 8:
      pad_array(params, static_cast<const std::uint64_t*>(x), static_cast<std::uint64_t*>(y));
      break;
    case 4:
      pad_array(params, static_cast<const std::uint32_t*>(x), static_cast<std::uint32_t*>(y));
      break;
    default:
      pad_array(params, static_cast<const std::uint8_t*>(x), static_cast<std::uint8_t*>(y));
  }
  return {};
}

Status pad_backward(const Launch& launch, const PadParams& params, const void* grad_y, void* grad_x) {
  if (params.mode == PadMode::constant) return pad_forward(launch, inverse(params), grad_y, grad_x);
  with_type(params.dtype,
            [&]<class T>(T) { fold_array(params, static_cast<const T*>(grad_y), static_cast<T*>(grad_x)); });
  return {};
}

}  // namespace

void fill_pad(PadKernels& kernels) {
  kernels = {pad_forward, pad_backward};
}

}  // namespace fastdl::FASTDL_ISA
