"""Replacing a file as a whole: readers, and a crash at any time, see the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Gives the path of an empty file beside `path` to write to, which then takes its place.

    The permissions of a file that is replaced are kept. Where `path` is a symbolic link, the file that it
    leads to is replaced. On an exception the new file is removed and the old one stays as it was.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:40]}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    # Opened rather than made by tempfile, which ignores the umask.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        mode = (target if target.exists() else temporary).stat().st_mode
        yield str(temporary)
        # After writing: the writer may have put a file of its own, with a mode of its own, in this place.
        os.chmod(temporary, stat.S_IMODE(mode))
        _sync(temporary)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    _sync_directory(target.parent)


def _sync(path: Path) -> None:
    """Data before name: some file systems write a rename to disk before the contents."""
    # A read-only mode may have been taken over from the old file; O_RDONLY suffices for fsync on POSIX.
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    if os.name == "posix":  # elsewhere directories cannot be opened
        _sync(directory)
