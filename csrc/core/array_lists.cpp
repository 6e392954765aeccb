#include "core/array_lists.h"

#include <algorithm>

#include "core/check.h"
#include "core/error.h"

namespace fastdl {

ArrayLists::ArrayLists(const char* op, std::vector<ArrayList> lists) : op_(op), lists_(std::move(lists)) {
  for (std::size_t list = 0; list < lists_.size(); ++list) add(list);
  check_disjoint();
}

void ArrayLists::add(std::size_t list) {
  const auto& [argument, arrays, use] = lists_[list];
  if (!PyList_Check(arrays.ptr()) && !PyTuple_Check(arrays.ptr()))
    throw TypeError(concat("[", op_, "] ", argument, ": expected a list of arrays, got ",
                           std::string(py::str(py::type::of(arrays).attr("__name__")))));
  const std::size_t length = py::len(arrays);
  first_views_.push_back(views_.size());
  if (list == 0)
    begins_.reserve(length);
  else if (used(list))
    check_length(argument, length);
  else if (length > 0)
    throw ValueError(concat("[", op_, "] ", argument,
                            ": expected an empty list, as these options use none, got ", length, " arrays"));
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < length; ++i) {
    const std::string element = name(list, i);
    const auto array = py::object(py::reinterpret_borrow<py::sequence>(arrays)[i]);
    if (list == 0) {
      views_.push_back(dense_array(op_, element.c_str(), array));
      check_floating(op_, element.c_str(), views_.back().dtype());
      begins_.push_back(begin);
      begin += numel(i);
    } else {
      views_.push_back(dense_array_like(op_, element.c_str(), array, views_[i]));
    }
    if (use == ArrayList::written)
      results_.emplace_back(op_, element.c_str(), array, views_.back(), /*in_place=*/true);
  }
}

std::string ArrayLists::name(std::size_t list, std::size_t i) const {
  return std::string(lists_[list].name) + '[' + std::to_string(i) + ']';
}

void ArrayLists::check_length(const char* argument, std::size_t length) const {
  if (length != size())
    throw ValueError(concat("[", op_, "] ", argument, ": expected ", size(), " of them, as ", lists_[0].name,
                            ", got ", length));
}

void ArrayLists::check_disjoint() const {
  struct Range {
    const char *begin, *end;
    std::size_t list, i;
  };
  std::vector<Range> ranges;
  for (std::size_t list = 0; list < lists_.size(); ++list)
    for (std::size_t i = 0; used(list) && i < size(); ++i) {
      const auto* begin = static_cast<const char*>(data(list, i));
      const std::size_t bytes = static_cast<std::size_t>(numel(i)) * item_size(dtype(i));
      if (bytes > 0) ranges.push_back({begin, begin + bytes, list, i});
    }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  // Of the ranges so far, the one that reaches furthest: of all, and of those that are written.
  const Range *furthest = nullptr, *furthest_written = nullptr;
  for (const Range& range : ranges) {
    const bool written = lists_[range.list].use == ArrayList::written;
    const Range* other = written ? furthest : furthest_written;
    if (other != nullptr && range.begin < other->end)
      throw ValueError(concat("[", op_, "] ", name(range.list, range.i),
                              ": expected memory of its own, got an array that overlaps ",
                              name(other->list, other->i)));
    if (furthest == nullptr || range.end > furthest->end) furthest = &range;
    if (written && (furthest_written == nullptr || range.end > furthest_written->end))
      furthest_written = &range;
  }
}

void* ArrayLists::data(std::size_t list, std::size_t i) const {
  return used(list) ? views_[first_views_[list] + i].data() : nullptr;
}

void ArrayLists::finish() const {
  for (const ElementwiseResult& result : results_) result.finish();
}

}  // namespace fastdl
