"""`DataLoader`: batches of a dataset, epoch after epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from fastdl.data.dataset import Dataset
from fastdl.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from fastdl.random import Generator
from fastdl.tensor import Tensor


def default_collate(samples: list[Any]) -> Any:
    """Stack samples along a new first axis; tuples, lists and mappings are collated member by member.

    Python floats become float32 and ints int64; strings stay a list.
    """
    first = samples[0]
    if isinstance(first, Tensor):
        return Tensor(np.stack([sample.data for sample in samples]))
    if isinstance(first, (np.ndarray, np.generic)):
        return np.stack(samples)
    if isinstance(first, (bool, int, float)):
        return _numbers(samples)
    if isinstance(first, (str, bytes)):
        return samples
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, (tuple, list)):
        if any(len(sample) != len(first) for sample in samples):
            raise ValueError("[default_collate] samples: expected tuples of one length")
        members = (default_collate(list(column)) for column in zip(*samples, strict=True))
        return type(first)(*members) if hasattr(first, "_fields") else tuple(members)
    raise TypeError(
        "[default_collate] samples: expected arrays, numbers, strings, tuples or mappings, "
        f"got {type(first).__name__}"
    )


def _numbers(samples: list[Any]) -> np.ndarray:
    array = np.array(samples)
    if array.dtype.kind not in "bif":
        raise TypeError(f"[default_collate] samples: expected numbers within int64, got {samples}")
    return array.astype(np.float32) if array.dtype.kind == "f" else array


class DataLoader:
    """Iterates over a dataset in batches; each `iter()` is one epoch.

    `shuffle` draws a new order for every epoch, from `generator`, or one seeded with `seed`, or the
    one that `fastdl.manual_seed` seeds. `sampler` gives the order in place of `shuffle`,
    `batch_sampler` whole batches of indices. `collate_fn` makes a batch of a list of samples
    (`default_collate`); without it, a dataset of arrays is batched by one index per array. Batches are made in the
    process that asks for them: num_workers and pin_memory, here for PyTorch's signature, take 0 and False alone.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
        seed: int | None = None,
    ) -> None:
        if num_workers != 0:
            raise ValueError(
                f"[DataLoader] num_workers: expected 0, as batches are made in this process, got {num_workers}"
            )
        if pin_memory:
            raise ValueError("[DataLoader] pin_memory: expected False, as arrays stay on the CPU, got True")
        if shuffle and sampler is not None:
            raise ValueError("[DataLoader] sampler: expected None with shuffle=True")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError(
                "[DataLoader] batch_sampler: expected None with batch_size, shuffle, sampler or drop_last"
            )
        if generator is not None and seed is not None:
            raise ValueError("[DataLoader] seed: expected None where a generator is given")
        if seed is not None:
            generator = Generator(seed)
        if sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.dataset = dataset
        self.sampler = sampler
        if batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.collate_fn = collate_fn

    def __iter__(self) -> Iterator[Any]:
        for indices in self.batch_sampler:
            yield self._batch(indices)

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return len(self.batch_sampler)  # type: ignore[arg-type]

    def _batch(self, indices: Any) -> Any:
        if self.collate_fn is None and isinstance(self.dataset, Dataset):
            batch = self.dataset.get_batch(np.asarray(indices, dtype=np.int64))
            if batch is not NotImplemented:
                return batch
        samples = [self.dataset[index] for index in indices]
        return (self.collate_fn or default_collate)(samples)
