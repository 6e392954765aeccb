"""The rules of the house, held against the sources: who includes whom, and that no slice lacks a part."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import fastdl
import pytest
from fastdl import _core

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
PACKAGE = ROOT / "python" / "fastdl"
OPS = _core.op_names()
ARRAY_BRIDGE = ("array_bridge", "array_lists")
CPP = sorted(path for suffix in ("h", "cpp", "cu") for path in CSRC.rglob(f"*.{suffix}"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(path: str) -> str:
    """'core', 'primitives', 'backends', 'ops/conv2d', 'ops' …"""
    parts = Path(path).parts
    return "/".join(parts[:2]) if parts[0] == "ops" and len(parts) > 2 else parts[0]


def may_include(source: str, target: str) -> bool:
    allowed = {"core"}
    if source != "core":
        allowed |= {"primitives"}
    if source in ("backends", "ops", "module.cpp"):
        return True
    if source.startswith("ops/"):
        allowed |= {source}
    return target in allowed


@pytest.mark.parametrize("path", CPP, ids=relative)
def test_includes(path):
    source = room(path.relative_to(CSRC).as_posix())
    binding = path.name.endswith("_bind.cpp") or path.stem in ARRAY_BRIDGE or path.name == "module.cpp"
    assert binding or not re.search(r"\bpy(bind11)?::", path.read_text()), f"{relative(path)} uses pybind11"
    for include in re.findall(r'#include ["<]([^">]+)[">]', path.read_text()):
        if include.startswith("pybind11"):
            assert binding, f"{relative(path)} includes {include}: pybind11 is for bindings"
        elif (CSRC / include).exists() and not (binding and room(include) == "backends"):
            assert may_include(source, room(include)), f"{relative(path)} must not include {include}"


@pytest.mark.parametrize("op", OPS)
def test_slice_is_complete(op):
    parts = [
        f"csrc/ops/{op}/{op}.h",
        f"csrc/ops/{op}/{op}.cpp",
        f"csrc/ops/{op}/{op}_cpu.inl.h",
        f"csrc/ops/{op}/{op}_bind.cpp",
        f"python/fastdl/functional/{op}.py",
        f"python/fastdl/reference/{op}.py",
        f"tests/cases/{op}.py",
        f"tests/test_{op}.py",
        f"bench/bench_{op}.py",
    ]
    missing = [part for part in parts if not (ROOT / part).exists()]
    assert not missing


def test_every_slice_is_listed():
    folders = sorted(path.name for path in (CSRC / "ops").iterdir() if path.is_dir())
    assert sorted(OPS) == folders
    assert sorted(OPS) == OPS, "ops.inc is in alphabetical order"


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FORBIDDEN = {
    "reference": ("fastdl",),
    "functional": ("fastdl.nn", "fastdl.optim", "fastdl.data", "fastdl.io", "fastdl.reference"),
    "nn": ("fastdl.optim", "fastdl.data", "fastdl.io", "fastdl.reference", "fastdl._core"),
    "optim": ("fastdl.data", "fastdl.io", "fastdl.reference", "fastdl._core"),
    "data": ("fastdl.nn", "fastdl.optim", "fastdl.io", "fastdl.reference"),
}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=relative)
def test_imports(path):
    package = path.relative_to(PACKAGE).parts[0]
    found = imports(path)
    for name in found:
        assert name.split(".")[0] != "torch" or package == "torch", f"{relative(path)} imports {name}"
        for forbidden in FORBIDDEN.get(package, ()):
            inside = name.startswith(f"fastdl.{package}")
            assert inside or not (name == forbidden or name.startswith(f"{forbidden}.")), (
                f"{relative(path)} must not import {name}"
            )


def test_versions_agree():
    project = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert project and fastdl.__version__ == project[1]
    assert f"## {fastdl.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_tolerances_have_one_home():
    """No test writes a tolerance of its own."""
    literal = re.compile(r"\b(?:rtol|atol|rel|abs|tol)=\s*[0-9.]")
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        lines = [line.strip() for line in path.read_text().splitlines() if literal.search(line)]
        assert not lines, f"{relative(path)}: {lines[0]}"


def test_stub_names_what_core_has():
    stub = ast.parse((PACKAGE / "_core.pyi").read_text())
    declared = {node.name for node in stub.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    present = {name for name in dir(_core) if not name.startswith("_")}
    assert declared == present


def called_names(function: ast.FunctionDef) -> set[str]:
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}


def takes_torch(function: ast.FunctionDef) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "torch" for alias in node.names):
            return True
        if isinstance(node, ast.Call) and ast.unparse(node).startswith("pytest.importorskip('torch'"):
            return True
    return False


def test_torch_tests_are_named_after_it():
    """`pytest -k torch` is how CI runs them, so a test that skips without PyTorch has "torch" in its node id."""
    parsed = {path: ast.parse(path.read_text()) for path in sorted((ROOT / "tests").glob("*.py"))}
    functions = {
        path: [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        for path, tree in parsed.items()
    }
    everywhere = [function for path in functions for function in functions[path] if path.stem == "suite"]
    for path in functions:
        if not path.stem.startswith("test_") or "torch" in path.stem:
            continue
        known = {function.name: function for function in [*everywhere, *functions[path]]}
        found = {name for name, function in known.items() if takes_torch(function)}
        while more := {name for name, f in known.items() if called_names(f) & found} - found:
            found |= more
        unnamed = [function.name for function in functions[path] if function.name in found]
        unnamed = [name for name in unnamed if name.startswith("test_") and "torch" not in name]
        assert not unnamed, f"{relative(path)}: {unnamed[0]}"
