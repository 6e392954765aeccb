"""Collections of samples that are read by index."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdl.random import Generator, default_generator
from fastdl.tensor import Tensor

Indices = NDArray[np.int64]


class Dataset:
    """Base of datasets: `dataset[i]` is one sample, `len(dataset)` their number.

    A dataset that can fetch many samples at once overrides `get_batch` and is then not asked one by
    one.
    """

    def __getitem__(self, index: int) -> Any:
        raise TypeError(f"{type(self).__name__} defines no __getitem__()")

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__} defines no __len__()")

    def get_batch(self, indices: Indices) -> Any:
        """The samples at `indices` as a ready batch; `NotImplemented`: to be fetched and collated."""
        return NotImplemented

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class TensorDataset(Dataset):
    """Arrays or Tensors of one length along the first axis; a sample is the tuple of their rows.

    A batch is taken with one fancy index per array.
    """

    def __init__(self, *tensors: Any) -> None:
        if not tensors:
            raise ValueError("[TensorDataset] tensors: expected at least one array")
        for position, tensor in enumerate(tensors):
            if not hasattr(tensor, "shape"):
                raise TypeError(
                    f"[TensorDataset] tensors[{position}]: expected an array, got {type(tensor).__name__}"
                )
            if len(tensor.shape) == 0 or tensor.shape[0] != tensors[0].shape[0]:
                length = tensors[0].shape[0] if tensors[0].shape else "n"
                raise ValueError(
                    f"[TensorDataset] tensors[{position}]: expected shape ({length}, …), "
                    f"got {tuple(tensor.shape)}"
                )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])

    def get_batch(self, indices: Indices) -> tuple[Any, ...]:
        return tuple(_rows(tensor, indices) for tensor in self.tensors)


ArrayDataset = TensorDataset


def _rows(tensor: Any, indices: Indices) -> Any:
    if isinstance(tensor, Tensor):
        return Tensor(tensor.data.take(indices, axis=0))
    return tensor.take(indices, axis=0)


class Subset(Dataset):
    """The samples of `dataset` at `indices`."""

    def __init__(self, dataset: Dataset, indices: Sequence[int] | Indices) -> None:
        self.dataset = dataset
        self.indices: Indices = np.asarray(indices, dtype=np.int64).reshape(-1)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def __len__(self) -> int:
        return len(self.indices)

    def get_batch(self, indices: Indices) -> Any:
        return self.dataset.get_batch(self.indices[indices])


class ConcatDataset(Dataset):
    """Datasets one after another."""

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("[ConcatDataset] datasets: expected at least one")
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} samples")
        index %= len(self)
        which = bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - before]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


def random_split(
    dataset: Dataset, lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset]:
    """Subsets of the given sizes without common samples, drawn at random.

    `lengths` are counts that sum to `len(dataset)`, or fractions that sum to 1; of fractions, what
    rounding down leaves over goes to the first subsets, one each.
    """
    total = len(dataset)
    sizes = [int(length) for length in lengths]
    if math.isclose(sum(lengths), 1.0) and all(0 <= fraction <= 1 for fraction in lengths):
        sizes = [math.floor(total * fraction) for fraction in lengths]
        for position in range(total - sum(sizes)):
            sizes[position % len(sizes)] += 1
    elif sum(sizes) != total or sizes != list(lengths) or min(sizes, default=0) < 0:
        raise ValueError(
            f"[random_split] lengths: expected counts with the sum {total} or fractions with the sum 1, "
            f"got {list(lengths)}"
        )
    order = (generator or default_generator).draw().permutation(total)
    ends = accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
