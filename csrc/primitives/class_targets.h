#pragma once

#include "core/backend.h"
#include "core/shape.h"

namespace fastdl {

/// The shape of the rows of scores: (N, C, d...) -> (N, d...), and (C) -> ().
Shape without_classes(const Shape& input);

/// bad_index for the first index outside [0, classes) that is not ignore_index.
Status check_class_indices(const std::int64_t* indices, std::int64_t rows, std::int64_t classes,
                           std::int64_t ignore_index);

}  // namespace fastdl
