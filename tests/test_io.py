"""safetensors files and checkpoints: round trips, errors with names, and the old file after a crash."""

import copy
import json
import os
import signal
import stat
import subprocess
import sys

import fastdl
import numpy as np
import pytest
from fastdl import io, nn
from fastdl.optim import Optimizer, lr_scheduler

BASE = np.arange(24, dtype=np.float32).reshape(4, 6)
ARRAYS = {
    "plain": BASE,
    "transposed": BASE.T,
    "strided": BASE[::-2, 1::2],
    "broadcast": np.broadcast_to(np.float64(3), (2, 3)),
    "swapped": np.arange(3, dtype=">f4"),
    "scalar": np.array(2.5, np.float32),
    "nothing": np.zeros((2, 0, 3), np.float32),
    "flags": np.array([True, False]),
    "half": np.array([0.5, 1.5], np.float16),
    **{
        f"int_{t}": np.array([1, 2], t)
        for t in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    },
}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(np.arange(6, dtype=np.float32).reshape(2, 3))
        self.tied = self.weight
        self.register_buffer("count", fastdl.tensor(np.array(3, np.int64)))


class Momentum(Optimizer):
    """Plain momentum on a Tensor that is kept as state."""

    def __init__(self, params, lr=0.5):
        super().__init__(params, {"lr": lr, "betas": (0.9, 0.99)})

    def _update_group(self, group):
        for param in group["params"]:
            state = self.state[param]
            state["step"] = state.get("step", 0) + 1
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = fastdl.tensor(np.zeros(param.shape, param.dtype))
            state["momentum_buffer"].data += param.grad.data
            param.data -= group["lr"] * state["momentum_buffer"].data


def zeroed(net):
    for tensor in net.state_dict().values():
        tensor.data[...] = 0
    return net


def train(net, optimizer, scheduler, steps):
    for step in range(steps):
        net.weight.grad = fastdl.tensor(np.full((2, 3), step + 1, np.float32))
        optimizer.step()
        scheduler.step()


def files(directory):
    return sorted(os.listdir(directory))


def test_round_trip(tmp_path):
    path = tmp_path / "a.safetensors"
    io.save_file(ARRAYS, path, {"made": "by hand"})
    loaded = io.load_file(str(path))
    assert set(loaded) == set(ARRAYS)
    for key, array in ARRAYS.items():
        assert loaded[key].shape == array.shape and loaded[key].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(loaded[key], array)
    assert io.load_metadata(path) == {"made": "by hand"}
    assert files(tmp_path) == ["a.safetensors"]


def test_bfloat16(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    io.save_file({"b": np.array([1.5, -2], ml_dtypes.bfloat16)}, tmp_path / "b")
    loaded = io.load_file(tmp_path / "b")["b"]
    assert loaded.dtype == ml_dtypes.bfloat16 and loaded.tolist() == [1.5, -2]


def written(path, dtype):
    """A file of one tensor of two zeros, by hand."""
    size = 4 if dtype == "BF16" else 2
    header = json.dumps({"net.w": {"dtype": dtype, "shape": [2], "data_offsets": [0, size]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    return path


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
def test_dtypes_that_numpy_lacks(tmp_path, dtype):
    with pytest.raises(ValueError, match=rf"\[load_file\] tensors\['net.w'\]: expected .*, got {dtype}"):
        io.load_file(written(tmp_path / "f", dtype))


@pytest.mark.parametrize("installed", [True, False])
def test_bfloat16_in_a_new_process(tmp_path, installed):
    if installed:
        pytest.importorskip("ml_dtypes")
    program = (
        "import sys\n"
        + ("" if installed else "sys.modules['ml_dtypes'] = None\n")
        + "import fastdl\n"
        + "try:\n    print(fastdl.io.load_file(sys.argv[1])['net.w'].dtype)\n"
        + "except ValueError as error:\n    print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, written(tmp_path / "b", "BF16")], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    if installed:
        assert told.stdout.strip() == "bfloat16"
    else:
        assert (
            "tensors['net.w']: expected a dtype that NumPy has, got BF16; `pip install fastdl[bf16]`"
            in told.stdout
        )


def test_tensors_that_share_memory(tmp_path):
    tensor = fastdl.tensor(BASE, requires_grad=True)
    io.save_file({"a": tensor, "b": tensor, "row": tensor.data[1]}, tmp_path / "t")
    loaded = io.load_file(tmp_path / "t")
    np.testing.assert_array_equal(loaded["a"], BASE)
    np.testing.assert_array_equal(loaded["b"], BASE)
    np.testing.assert_array_equal(loaded["row"], BASE[1])
    loaded["a"][...] = 0  # loaded arrays are writable and their own
    np.testing.assert_array_equal(loaded["b"], BASE)


def test_empty(tmp_path):
    io.save_file({}, tmp_path / "e")
    assert io.load_file(tmp_path / "e") == {} and io.load_metadata(tmp_path / "e") == {}


def test_model(tmp_path):
    net = Net()
    io.save_model(net, tmp_path / "m")
    fresh = zeroed(Net())
    assert io.load_model(fresh, tmp_path / "m") == ([], [])
    np.testing.assert_array_equal(fresh.weight.data, net.weight.data)
    assert fresh.count.item() == 3 and fresh.tied is fresh.weight
    io.save_file({"weight": np.zeros((2, 3))}, tmp_path / "m")
    assert io.load_model(fresh, tmp_path / "m", strict=False).missing_keys == ["tied", "count"]
    with pytest.raises(RuntimeError, match="missing"):
        io.load_model(fresh, tmp_path / "m")


def test_files_go_to_torch_and_back(tmp_path):
    pytest.importorskip("torch")
    torch_files = pytest.importorskip("safetensors.torch")
    io.save_file({"w": BASE.T}, tmp_path / "t")
    tensors = torch_files.load_file(tmp_path / "t")
    np.testing.assert_array_equal(tensors["w"].numpy(), BASE.T)
    torch_files.save_file({"w": tensors["w"] + 1}, tmp_path / "t")
    np.testing.assert_array_equal(io.load_file(tmp_path / "t")["w"], BASE.T + 1)


@pytest.mark.parametrize(
    ("message", "tensors", "metadata"),
    [
        (r"tensors\['x'\]: expected a Tensor or an array, got list", {"x": [1]}, None),
        (r"tensors\['x'\].* got complex64", {"x": np.zeros(2, np.complex64)}, None),
        (r"tensors\['x'\].* got dtype object", {"x": np.array([None])}, None),
        (r"tensors\['x'\].* got <U1", {"x": np.array(["a"])}, None),
        (r"names of type str, got 3", {3: BASE}, None),
        (r"metadata\['n'\]: expected a str, got int", {"x": BASE}, {"n": 3}),
    ],
)
def test_bad_input_writes_nothing(tmp_path, message, tensors, metadata):
    with pytest.raises(TypeError, match=message):
        io.save_file(tensors, tmp_path / "x", metadata)
    assert files(tmp_path) == []


def test_bad_files(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(FileNotFoundError):
        io.load_file(path)
    io.save_file({"x": BASE}, path)
    whole = path.read_bytes()
    for damaged in (b"", b"no safetensors file", whole[:-1], whole[:20]):
        path.write_bytes(damaged)
        for load in (io.load_file, io.load_metadata, io.load_checkpoint):
            with pytest.raises(ValueError, match="whole safetensors file"):
                load(path)
    with pytest.raises(FileNotFoundError):
        io.save_file({"x": BASE}, tmp_path / "no" / "such" / "folder")


def test_failed_replace_leaves_the_old_file_only(tmp_path, monkeypatch):
    path = tmp_path / "x"
    io.save_file({"x": BASE}, path)

    def fail(source, target):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        io.save_file({"x": BASE + 1}, path)
    np.testing.assert_array_equal(io.load_file(path)["x"], BASE)
    assert files(tmp_path) == ["x"]


KILLED = """
import os, signal, sys
import numpy as np
from fastdl import io
os.{hook} = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
io.save_file({{"x": np.ones(4, np.float32)}}, sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process with SIGKILL")
@pytest.mark.parametrize("hook", ["fsync", "replace"])
def test_killed_in_the_middle(tmp_path, hook):
    path = tmp_path / "x"
    io.save_file({"x": BASE}, path)
    result = subprocess.run(
        [sys.executable, "-c", KILLED.format(hook=hook), str(path)], env=child_environment()
    )
    assert result.returncode == -signal.SIGKILL
    np.testing.assert_array_equal(io.load_file(path)["x"], BASE)


def child_environment():
    package = os.path.dirname(os.path.dirname(fastdl.__file__))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_permissions(tmp_path):
    path = tmp_path / "x"
    previous = os.umask(0o027)
    try:
        io.save_file({"x": BASE}, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        io.save_file({"x": BASE + 1}, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(previous)


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_symbolic_links_are_followed(tmp_path):
    (tmp_path / "data").mkdir()
    real, link = tmp_path / "data" / "real", tmp_path / "link"
    io.save_file({"x": BASE}, real)
    link.symlink_to(real)
    io.save_file({"x": BASE + 1}, link)
    assert link.is_symlink() and not real.is_symlink()
    np.testing.assert_array_equal(io.load_file(real)["x"], BASE + 1)
    assert files(tmp_path) == ["data", "link"] and files(tmp_path / "data") == ["real"]


def test_checkpoint_goes_on_where_it_was(tmp_path):
    def start():
        net = Net()
        optimizer = Momentum([net.weight])
        return net, optimizer, lr_scheduler.MultiStepLR(optimizer, [2, 4], 0.5)

    whole = start()
    train(*whole, 3)
    path = tmp_path / "c"
    net, optimizer, scheduler = whole
    io.save_checkpoint(path, model=net, optimizer=optimizer, scheduler=scheduler, epoch=3)
    train(*whole, 3)
    resumed = start()
    zeroed(resumed[0])
    extra = io.load_checkpoint(path, model=resumed[0], optimizer=resumed[1], scheduler=resumed[2])
    assert extra == {"epoch": 3}
    assert resumed[1].state[resumed[0].weight]["step"] == 3
    assert resumed[1].param_groups[0]["betas"] == (0.9, 0.99)
    train(*resumed, 3)
    np.testing.assert_array_equal(resumed[0].weight.data, net.weight.data)
    assert resumed[2].get_last_lr() == scheduler.get_last_lr() == [0.125]


def test_checkpoint_extras(tmp_path):
    extra = {
        "best": 0.5,
        "infinite": float("-inf"),
        "name": "run",
        "none": None,
        "flag": True,
        "nested": {"list": [1, (2, "three")], "by_number": {0: "zero", 10: {"$tensor": 1}}, "array": BASE},
        "philox": np.random.Philox(3).state,
    }
    io.save_checkpoint(tmp_path / "c", **extra)
    loaded = io.load_checkpoint(tmp_path / "c")
    np.testing.assert_array_equal(loaded["nested"].pop("array"), BASE)
    state, expected = loaded.pop("philox"), extra.pop("philox")
    generator, same = np.random.Philox(0), np.random.Philox(3)
    generator.state = state
    assert generator.random_raw() == same.random_raw() and set(state) == set(expected)
    del extra["nested"]["array"]
    assert loaded == extra


def test_checkpoint_errors(tmp_path):
    path = tmp_path / "c"
    with pytest.raises(TypeError, match=r"extra\.nested\.1: expected arrays, .*, got object"):
        io.save_checkpoint(path, nested=[1, object()])
    with pytest.raises(TypeError, match=r"extra\.d: expected keys of type str or int, got \(1, 2\)"):
        io.save_checkpoint(path, d={(1, 2): 3})
    assert files(tmp_path) == []
    io.save_checkpoint(path, epoch=1)
    net = Net()
    with pytest.raises(KeyError, match="model"):
        io.load_checkpoint(path, model=net)
    io.save_file({"x": BASE}, path)
    with pytest.raises(ValueError, match="save_checkpoint"):
        io.load_checkpoint(path)


@pytest.mark.parametrize("unfit", ["model", "optimizer", "scheduler"])
def test_a_checkpoint_is_loaded_whole_or_not_at_all(tmp_path, unfit):
    def start(schedules):
        net = Net()
        optimizer = Momentum([net.weight])
        chained = [lr_scheduler.ConstantLR(optimizer) for _ in range(schedules)]
        return net, optimizer, lr_scheduler.ChainedScheduler(chained)

    saved, (net, optimizer, scheduler) = start(1 if unfit == "scheduler" else 2), start(2)
    train(*saved, 2)
    train(net, optimizer, scheduler, 3)
    zeroed(net)
    io.save_checkpoint(tmp_path / "c", model=saved[0], optimizer=saved[1], scheduler=saved[2])
    parts = {"model": net, "optimizer": optimizer, "scheduler": scheduler}
    if unfit == "model":
        parts["model"] = nn.Linear(2, 3)
    elif unfit == "optimizer":
        parts["optimizer"] = Momentum([nn.Parameter(BASE), nn.Parameter(BASE)])
    moments = {name: np.copy(value) for name, value in optimizer.state[net.weight].items()}
    rates = copy.deepcopy(optimizer.param_groups[0]["lr"]), copy.deepcopy(scheduler.state_dict())
    with pytest.raises((RuntimeError, ValueError)):
        io.load_checkpoint(tmp_path / "c", **parts)
    assert not net.weight.data.any()
    assert moments["step"] == 3 and optimizer.state[net.weight].keys() == moments.keys()
    for name, value in moments.items():
        np.testing.assert_array_equal(np.asarray(optimizer.state[net.weight][name]), value)
    assert (optimizer.param_groups[0]["lr"], scheduler.state_dict()) == rates


def test_checkpoint_keys_with_dots(tmp_path):
    values = {"a.b": np.ones(2), "a": {"b": np.zeros(3)}}
    io.save_checkpoint(tmp_path / "c", **values)
    found = io.load_checkpoint(tmp_path / "c")
    assert found["a.b"].tolist() == [1, 1] and found["a"]["b"].tolist() == [0, 0, 0]


def test_names_that_the_format_or_the_file_system_does_not_take(tmp_path):
    with pytest.raises(ValueError, match=r"\[save_file\] tensors: expected names other"):
        io.save_file({"__metadata__": np.ones(2)}, tmp_path / "f")
    io.save_file({"x": np.ones(2)}, tmp_path / ("f" * 250))
    with pytest.raises(TypeError, match=r"\[save_checkpoint\] extra\.z: expected"):
        io.save_checkpoint(tmp_path / "c", z=np.complex64(1))
