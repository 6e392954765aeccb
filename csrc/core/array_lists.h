#pragma once

#include <string>
#include <vector>

#include "core/array_bridge.h"

namespace fastdl {

/// A Python list or tuple of arrays, and what becomes of them.
struct ArrayList {
  enum Use { read, written, unused };

  const char* name;  ///< of the argument
  py::handle arrays;
  Use use;  ///< an unused list must be empty
};

/// Parallel lists of arrays that a kernel goes through element by element, as an optimiser goes through
/// parameters, gradients and states: the i-th arrays of all lists share one shape and one floating dtype.
/// They may have any strides; the kernel sees blocks of memory, whose elements are in the same order for one
/// i.
class ArrayLists {
 public:
  /// The first list decides on lengths, shapes, dtypes and orders. Throws ValueError or TypeError, also where
  /// an array that is written shares memory with another.
  ArrayLists(const char* op, std::vector<ArrayList> lists);

  /// ValueError unless the argument, a list of plain values, is as long as the lists.
  void check_length(const char* argument, std::size_t length) const;

  std::size_t size() const { return begins_.size(); }
  DType dtype(std::size_t i) const { return views_[i].dtype(); }
  std::int64_t numel(std::size_t i) const { return views_[i].shape().numel(); }
  /// Elements in front of the i-th arrays, all of them taken together.
  std::int64_t begin(std::size_t i) const { return begins_[i]; }
  /// Null for an unused list.
  void* data(std::size_t list, std::size_t i) const;

  /// Once the kernel has run: copies results to those arrays that are no blocks of memory.
  void finish() const;

 private:
  std::string name(std::size_t list, std::size_t i) const;
  bool used(std::size_t list) const { return lists_[list].use != ArrayList::unused; }
  void add(std::size_t list);
  void check_disjoint() const;

  const char* op_;
  std::vector<ArrayList> lists_;
  std::vector<std::size_t> first_views_;  ///< of each list, in views_
  std::vector<py::array> arrays_;         ///< the caller's, of all lists
  std::vector<DenseView> views_;          ///< of them, or of copies; results_ refer to these, so none moves
  std::vector<ElementwiseResult> results_;
  std::vector<std::int64_t> begins_;
};

}  // namespace fastdl
