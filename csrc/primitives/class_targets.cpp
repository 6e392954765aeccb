#include "primitives/class_targets.h"

namespace fastdl {

Shape without_classes(const Shape& input) {
  Shape rows;
  for (int i = 0; i < input.size(); ++i)
    if (i != (input.size() == 1 ? 0 : 1)) rows.push_back(input[i]);
  return rows;
}

Status check_class_indices(const std::int64_t* indices, std::int64_t rows, std::int64_t classes,
                           std::int64_t ignore_index) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t c = indices[row];
    if (c != ignore_index && (c < 0 || c >= classes)) return {Status::bad_index, row, c};
  }
  return {};
}

}  // namespace fastdl
