#include "core/array_lists.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/error.h"

namespace fastdl {
namespace {

/// What an array's elements lie in, from the first byte to behind the last.
std::pair<const char*, const char*> byte_bounds(const py::array& array) {
  const auto* begin = static_cast<const char*>(array.data());
  if (array.size() == 0) return {begin, begin};
  const char* end = begin + array.itemsize();
  for (py::ssize_t i = 0; i < array.ndim(); ++i) {
    const py::ssize_t reach = array.strides(i) * (array.shape(i) - 1);
    (reach < 0 ? begin : end) += reach;
  }
  return {begin, end};
}

/// Whether two arrays whose bounds overlap have an element in common.
bool share_memory(const py::array& a, const py::array& b) {
  return py::cast<bool>(py::module_::import("numpy").attr("shares_memory")(a, b));
}

/// "grads[17]", made in place: most lists are long and right, and their elements' names never read.
class ElementName {
 public:
  explicit ElementName(const char* list) : length_(std::min(std::strlen(list), sizeof text_ - 24)) {
    std::memcpy(text_, list, length_);
    text_[length_] = '[';
  }

  const char* of(std::size_t i) {
    char* const end = std::to_chars(text_ + length_ + 1, text_ + sizeof text_ - 2, i).ptr;
    end[0] = ']';
    end[1] = '\0';
    return text_;
  }

 private:
  char text_[64];
  std::size_t length_;
};

}  // namespace

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
  if (list == 0) {
    begins_.reserve(length);
    arrays_.reserve(lists_.size() * length);
    views_.reserve(lists_.size() * length);
    results_.reserve(lists_.size() * length);
  } else if (used(list))
    check_length(argument, length);
  else if (length > 0)
    throw ValueError(concat("[", op_, "] ", argument,
                            ": expected an empty list, as these options use none, got ", length, " arrays"));
  std::int64_t begin = 0;
  ElementName element_name(argument);
  for (std::size_t i = 0; i < length; ++i) {
    const char* const element = element_name.of(i);
    const auto object = py::object(py::reinterpret_borrow<py::sequence>(arrays)[i]);
    py::array array = as_array(op_, element, object);
    if (list == 0) {
      views_.push_back(dense_array(op_, element, array));
      check_floating(op_, element, views_.back().dtype());
      begins_.push_back(begin);
      begin += numel(i);
    } else {
      views_.push_back(dense_array_like(op_, element, array, views_[i]));
    }
    if (use == ArrayList::written)
      results_.emplace_back(op_, element, object, views_.back(), /*in_place=*/true);
    arrays_.push_back(std::move(array));
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
    const py::array* array;
    bool written;
  };
  std::vector<Range> ranges;
  ranges.reserve(arrays_.size());
  for (std::size_t list = 0; list < lists_.size(); ++list)
    for (std::size_t i = 0; used(list) && i < size(); ++i) {
      const py::array& array = arrays_[first_views_[list] + i];
      const auto [begin, end] = byte_bounds(array);
      if (begin != end)
        ranges.push_back({begin, end, list, i, &array, lists_[list].use == ArrayList::written});
    }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<Range> reaching;  // of the ranges so far, those that reach beyond the begin of this one
  for (const Range& range : ranges) {
    std::erase_if(reaching, [&](const Range& other) { return other.end <= range.begin; });
    for (const Range& other : reaching)
      if ((range.written || other.written) && share_memory(*range.array, *other.array))
        throw ValueError(concat("[", op_, "] ", name(range.list, range.i),
                                ": expected memory of its own, got an array that overlaps ",
                                name(other.list, other.i)));
    reaching.push_back(range);
  }
}

void* ArrayLists::data(std::size_t list, std::size_t i) const {
  return used(list) ? views_[first_views_[list] + i].data() : nullptr;
}

void ArrayLists::finish() const {
  for (const ElementwiseResult& result : results_) result.finish();
}

}  // namespace fastdl
