"""A file or a folder is there whole or not at all: written beside its place and renamed. Knows nothing of what is in it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from talkinghead.errors import OutputError


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` when the block ends without an error, and is gone otherwise.

    The name is always the same: what a killed writer left is written over, and two may not write one path at once.
    An error is raised as it is, for who has words of their own for it.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """As `beside`, with one line for what the disk refuses.

    Raises:
        OutputError: the place cannot be written.
    """
    try:
        with beside(path) as part:
            yield part
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"output {path}: cannot be written ({reason}); choose another place or free some space.") from error


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder` to fill; it takes its place when the block ends without an error, and is gone otherwise.

    What stood there stays until then. It is put aside for the renaming alone: who is killed just there finds it again by
    `take_back`, which this begins with. A link is followed. An error is raised as it is.

    Raises:
        NotADirectoryError: a file stands there.
    """
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    take_back(folder)
    part, old = _names_beside(folder)
    part.mkdir(parents=True)
    try:
        yield part
        if folder.is_dir():
            folder.replace(old)
        part.replace(folder)
    finally:
        take_back(folder)


def take_back(folder: Path) -> None:
    """Take back what `whole_folder` had put aside when it was killed, and clear away what it had not finished."""
    folder = folder.resolve()
    part, old = _names_beside(folder)
    shutil.rmtree(part, ignore_errors=True)
    if folder.is_dir():
        shutil.rmtree(old, ignore_errors=True)
    elif old.is_dir():
        old.replace(folder)


def _names_beside(folder: Path) -> tuple[Path, Path]:
    """Of the folder that is being filled, and of the one that is put aside."""
    return folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")
