"""A training step that has warmed up takes no page fault, and gives its memory back without the garbage collector."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import fastdl
import numpy as np
import pytest
from fastdl import nn, optim

TRAIN = """
import resource
import numpy as np, fastdl
from fastdl import nn, optim

fastdl.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10),
)
optimizer = optim.Adam(model.parameters())
rng = np.random.default_rng(0)
x, y = rng.standard_normal((64, 3, 64, 64)).astype(np.float32), rng.integers(0, 10, 64)

def step():
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(fastdl.tensor(x)), y)
    loss.backward()
    optimizer.step()

for _ in range(30):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults by Linux's ru_minflt")
def test_no_page_faults_in_twenty_warm_steps():
    """A single buffer of a step that went to the system and back would fault hundreds of times."""
    environment = {**os.environ, "FASTDL_POISON_MEMORY": "0"}
    done = subprocess.run([sys.executable, "-c", TRAIN], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 4  # the interpreter's own small objects may take a page


class Training:
    """A small model and its optimiser."""

    def __init__(self) -> None:
        self.model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 4))
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.x = np.ones((4, 3, 16, 16), np.float32)

    def step(self) -> None:
        self.optimizer.zero_grad()
        nn.functional.mse_loss(self.model(fastdl.tensor(self.x)), fastdl.zeros((4, 4))).backward()
        self.optimizer.step()


def test_memory_is_freed_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        start = fastdl.memory_stats()["allocated_bytes"]
        training = Training()
        training.step()
        training.step()
        warm = fastdl.memory_stats()["allocated_bytes"]
        for _ in range(10):
            training.step()
        assert fastdl.memory_stats()["allocated_bytes"] == warm > start
        del training
        assert fastdl.memory_stats()["allocated_bytes"] == start
    finally:
        gc.enable()
