"""In which order the samples of a dataset are visited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np

from fastdl.random import Generator, default_generator


class Sampler:
    """Base of samplers: iterates over indices."""

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"{type(self).__name__} defines no __iter__()")


class SequentialSampler(Sampler):
    """0, 1, 2, …"""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """All samples in an order that is drawn anew in every epoch; with `replacement`, independent draws.

    `num_samples` may differ from the number of samples: fewer are a part of the order, more begin a new
    one.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if num_samples is not None and (not isinstance(num_samples, int) or num_samples <= 0):
            raise ValueError(f"[RandomSampler] num_samples: expected an int > 0, got {num_samples!r}")
        self.data_source = data_source
        self.replacement = replacement
        self.num_samples = num_samples
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        draws = (self.generator or default_generator).draw()
        size, left = len(self.data_source), len(self)
        while left > 0:
            count = min(size, left)
            if self.replacement:
                yield from draws.integers(0, size, count).tolist()
            else:
                yield from draws.permutation(size)[:count].tolist()
            left -= count

    def __len__(self) -> int:
        return len(self.data_source) if self.num_samples is None else self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices in an order that is drawn anew in every epoch."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        order = (self.generator or default_generator).draw().permutation(len(self.indices))
        return (self.indices[i] for i in order.tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """`num_samples` indices drawn with probabilities in proportion to `weights`."""

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        values = np.asarray(weights, dtype=np.float64)
        if values.ndim != 1 or not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
            raise ValueError(
                "[WeightedRandomSampler] weights: expected finite numbers ≥ 0, not all of them 0"
            )
        if not isinstance(num_samples, int) or num_samples <= 0:
            raise ValueError(f"[WeightedRandomSampler] num_samples: expected an int > 0, got {num_samples!r}")
        if not replacement and num_samples > np.count_nonzero(values):
            raise ValueError(
                "[WeightedRandomSampler] num_samples: expected at most the number of positive weights "
                f"({np.count_nonzero(values)}) without replacement, got {num_samples}"
            )
        self.weights = values
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        draws = (self.generator or default_generator).draw()
        probabilities = self.weights / self.weights.sum()
        chosen = draws.choice(len(probabilities), self.num_samples, replace=self.replacement, p=probabilities)
        return iter(chosen.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` indices from another sampler; the last may be shorter unless `drop_last`."""

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size <= 0:
            raise ValueError(f"[BatchSampler] batch_size: expected an int > 0, got {batch_size!r}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"[BatchSampler] drop_last: expected a bool, got {drop_last!r}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        batch: list[Any] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
