#include "primitives/convolution.h"

#include <limits>

#include "core/check.h"
#include "core/error.h"

namespace fastdl {

void check_fits(const char* op, const char* argument, Pair values) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  if (values[0] > most || values[1] > most)
    throw ValueError(concat("[", op, "] ", argument, ": expected values of at most ", most, ", got (",
                            values[0], ", ", values[1], ")"));
}

void check_window_parameters(const char* op, Pair stride, Padding padding, Pair dilation,
                             std::int64_t groups) {
  const auto check = [op](const char* argument, Pair values, std::int64_t least) {
    if (values[0] < least || values[1] < least)
      throw ValueError(concat("[", op, "] ", argument, ": expected values of at least ", least, ", got (",
                              values[0], ", ", values[1], ")"));
    check_fits(op, argument, values);
  };
  check("stride", stride, 1);
  check("padding", padding.before, 0);
  check("padding", padding.after, 0);
  check("dilation", dilation, 1);
  check_at_least(op, "groups", groups, 1);
}

}  // namespace fastdl
