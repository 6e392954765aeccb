"""Datasets, samplers and the loader."""

from collections import Counter, namedtuple

import fastdl
import numpy as np
import pytest
from fastdl.data import (
    ArrayDataset,
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)

X = np.arange(44.0, dtype=np.float32).reshape(11, 4)
Y = np.arange(11) * 10


class Squares(Dataset):
    """A dataset that knows single samples only."""

    def __len__(self):
        return 7

    def __getitem__(self, index):
        return np.float32(index), index * index


def generator(seed=0):
    return fastdl.Generator(seed)


def order(loader):
    return np.concatenate([batch[0][:, 0] for batch in loader]).astype(int) // 4


def test_batches_in_order():
    loader = DataLoader(ArrayDataset(X, Y), batch_size=4)
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    assert [x.shape for x, _ in batches] == [(4, 4), (4, 4), (3, 4)]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), X)
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), Y)
    assert batches[0][0].dtype == np.float32 and batches[0][1].dtype == Y.dtype
    batches[0][0][...] = -1  # a batch is a copy
    assert X[0, 0] == 0


def test_drop_last():
    loader = DataLoader(ArrayDataset(X), 4, drop_last=True)
    assert len(loader) == len(list(loader)) == 2


def test_defaults_are_single_samples():
    loader = DataLoader(ArrayDataset(X))
    assert len(loader) == 11 and next(iter(loader))[0].shape == (1, 4)


def test_shuffling_is_seeded_and_differs_by_epoch():
    loader = DataLoader(ArrayDataset(X, Y), 4, shuffle=True, seed=5)
    epochs = [order(loader) for _ in range(3)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(11))
    assert len({tuple(epoch) for epoch in [*epochs, np.arange(11)]}) == 4
    again = DataLoader(ArrayDataset(X, Y), 4, shuffle=True, seed=5)
    np.testing.assert_array_equal([order(again) for _ in range(3)], epochs)
    by_generator = DataLoader(ArrayDataset(X, Y), 3, shuffle=True, generator=generator(5))
    np.testing.assert_array_equal(order(by_generator), epochs[0])
    assert tuple(order(DataLoader(ArrayDataset(X, Y), 4, shuffle=True, seed=6))) != tuple(epochs[0])


def test_rows_stay_together():
    for x, y in DataLoader(ArrayDataset(X, Y), 3, shuffle=True, seed=1):
        np.testing.assert_array_equal(x[:, 0] / 4 * 10, y)


def test_manual_seed_governs_the_default():
    orders = []
    for _ in range(2):
        fastdl.manual_seed(11)
        loader = DataLoader(ArrayDataset(X), 4, shuffle=True)
        orders.append([order(loader), order(loader)])
    np.testing.assert_array_equal(*orders)
    assert tuple(orders[0][0]) != tuple(orders[0][1])


def test_tensors_give_tensors():
    x, y = next(iter(DataLoader(TensorDataset(fastdl.tensor(X), Y), 2)))
    assert isinstance(x, fastdl.Tensor) and isinstance(y, np.ndarray)
    np.testing.assert_array_equal(x.data, X[:2])


def test_plain_datasets_are_collated():
    batches = list(DataLoader(Squares(), 3))
    np.testing.assert_array_equal(batches[1][0], [3, 4, 5])
    np.testing.assert_array_equal(batches[1][1], [9, 16, 25])
    assert batches[0][0].dtype == np.float32 and batches[0][1].dtype == np.int64
    (first,) = DataLoader([1.0, 2.0], 2)  # any sequence will do
    np.testing.assert_array_equal(first, np.array([1, 2], np.float32))


def test_collate_fn():
    (batch,) = DataLoader(Squares(), 7, collate_fn=lambda samples: sum(square for _, square in samples))
    assert batch == 91
    assert next(iter(DataLoader(ArrayDataset(Y), 2, collate_fn=list))) == [(0,), (10,)]


def test_default_collate():
    Pair = namedtuple("Pair", "a b")
    batch = default_collate(
        [
            {
                "x": np.ones(2),
                "n": 1,
                "f": 0.5,
                "t": True,
                "s": "one",
                "p": Pair(1, (2, fastdl.tensor([3.0]))),
            },
            {
                "x": np.zeros(2),
                "n": 2,
                "f": 1.5,
                "t": False,
                "s": "two",
                "p": Pair(4, (5, fastdl.tensor([6.0]))),
            },
        ]
    )
    np.testing.assert_array_equal(batch["x"], [[1, 1], [0, 0]])
    assert batch["n"].dtype == np.int64 and batch["f"].dtype == np.float32 and batch["t"].dtype == np.bool_
    assert batch["s"] == ["one", "two"]
    assert isinstance(batch["p"], Pair) and batch["p"].a.tolist() == [1, 4]
    assert batch["p"].b[1].tolist() == [[3], [6]]


def test_samplers_and_batch_samplers():
    assert [x[0, 0] for (x,) in DataLoader(ArrayDataset(X), sampler=[5, 2])] == [20, 8]
    loader = DataLoader(ArrayDataset(Y), batch_sampler=[[0, 3], [5], [1, 2, 4]])
    assert [y.tolist() for (y,) in loader] == [[0, 30], [50], [10, 20, 40]] and len(loader) == 3
    assert list(BatchSampler(SequentialSampler(range(5)), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(SequentialSampler(range(5)), 2, True)) == [[0, 1], [2, 3]]


def test_random_sampler():
    assert sorted(RandomSampler(range(9), generator=generator())) == list(range(9))
    longer = list(RandomSampler(range(4), num_samples=10, generator=generator()))
    assert len(longer) == 10 and sorted(longer[:4]) == sorted(longer[4:8]) == [0, 1, 2, 3]
    drawn = Counter(RandomSampler(range(4), replacement=True, num_samples=4000, generator=generator()))
    assert all(860 < drawn[i] < 1140 for i in range(4))  # five standard deviations
    assert sorted(SubsetRandomSampler([3, 8, 5], generator())) == [3, 5, 8]


def test_weighted_sampler():
    drawn = Counter(WeightedRandomSampler([1, 0, 3], 4000, generator=generator()))
    assert drawn[1] == 0 and 2860 < drawn[2] < 3140  # five standard deviations
    assert sorted(WeightedRandomSampler([1, 2, 3], 3, replacement=False, generator=generator())) == [0, 1, 2]


def test_subset():
    subset = Subset(ArrayDataset(X, Y), [7, 1, 4])
    assert len(subset) == 3 and subset[1][1] == 10
    (batch,) = DataLoader(subset, 5)
    np.testing.assert_array_equal(batch[1], [70, 10, 40])
    np.testing.assert_array_equal(next(iter(DataLoader(Subset(subset, [2, 0]), 2)))[1], [40, 70])
    np.testing.assert_array_equal(next(iter(DataLoader(Subset(Squares(), [2, 6]), 2)))[1], [4, 36])


def test_concat():
    both = ArrayDataset(X, Y) + ArrayDataset(X[:2], Y[:2] + 1)
    assert isinstance(both, ConcatDataset) and len(both) == 13
    assert [both[i][1] for i in (0, 10, 11, 12, -1)] == [0, 100, 1, 11, 11]
    (batch,) = DataLoader(both, 13)
    np.testing.assert_array_equal(batch[1], [*Y, 1, 11])
    with pytest.raises(IndexError):
        both[13]


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [([8, 3], [8, 3]), ([0.5, 0.25, 0.25], [6, 3, 2]), ([0.3, 0.7], [4, 7]), ([11, 0], [11, 0])],
)
def test_random_split(lengths, sizes):
    parts = random_split(ArrayDataset(Y), lengths, generator())
    assert [len(part) for part in parts] == sizes
    assert sorted(y for part in parts for (y,) in part) == list(Y)
    again = random_split(ArrayDataset(Y), lengths, generator())
    assert all((a.indices == b.indices).all() for a, b in zip(parts, again, strict=True))


def test_empty_dataset():
    loader = DataLoader(ArrayDataset(X[:0]), 4, shuffle=True, seed=0)
    assert len(loader) == 0 and list(loader) == []


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (ValueError, lambda: ArrayDataset()),
        (ValueError, lambda: ArrayDataset(X, Y[:5])),
        (ValueError, lambda: ArrayDataset(np.float32(3))),
        (TypeError, lambda: ArrayDataset([1, 2])),
        (ValueError, lambda: DataLoader(Squares(), 0)),
        (ValueError, lambda: DataLoader(Squares(), 2.5)),
        (ValueError, lambda: DataLoader(Squares(), 2, shuffle=True, sampler=[1])),
        (ValueError, lambda: DataLoader(Squares(), 2, batch_sampler=[[1]])),
        (ValueError, lambda: DataLoader(Squares(), shuffle=True, seed=1, generator=generator())),
        (ValueError, lambda: RandomSampler(range(3), num_samples=0)),
        (ValueError, lambda: WeightedRandomSampler([1, -1], 2)),
        (ValueError, lambda: WeightedRandomSampler([0, 0], 2)),
        (ValueError, lambda: WeightedRandomSampler([1, 0, 1], 3, replacement=False)),
        (ValueError, lambda: WeightedRandomSampler([1, 1], 0)),
        (ValueError, lambda: random_split(Squares(), [3, 3])),
        (ValueError, lambda: random_split(Squares(), [8, -1])),
        (ValueError, lambda: random_split(Squares(), [1.5, -0.5])),
        (ValueError, lambda: ConcatDataset([])),
        (ValueError, lambda: default_collate([(1, 2), (1,)])),
        (TypeError, lambda: default_collate([object()])),
        (TypeError, lambda: Dataset()[0]),
        (TypeError, lambda: len(Dataset())),
    ],
)
def test_bad_input(error, act):
    with pytest.raises(error):
        act()


def test_collated_numbers_of_several_kinds():
    assert default_collate([1, 2.5]).tolist() == [1.0, 2.5] and default_collate([1, 2.5]).dtype == np.float32
    assert default_collate([True, 2]).tolist() == [1, 2]
    with pytest.raises(TypeError, match=r"\[default_collate\] samples: expected numbers"):
        default_collate([1, 2**70])


def test_an_empty_batch_sampler_gives_no_batches():
    assert list(DataLoader(TensorDataset(np.arange(3)), batch_sampler=[])) == []


def test_workers_and_pinned_memory_are_refused():
    dataset = list(range(4))
    assert len(list(DataLoader(dataset, 2, num_workers=0, pin_memory=False))) == 2
    with pytest.raises(ValueError, match="num_workers: expected 0"):
        DataLoader(dataset, num_workers=2)
    with pytest.raises(ValueError, match="pin_memory: expected False"):
        DataLoader(dataset, pin_memory=True)
