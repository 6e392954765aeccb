"""Datasets, samplers and the loader that makes batches of them."""

from fastdl.data.dataloader import DataLoader, default_collate
from fastdl.data.dataset import ArrayDataset, ConcatDataset, Dataset, Subset, TensorDataset, random_split
from fastdl.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "ArrayDataset",
    "BatchSampler",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "random_split",
]
