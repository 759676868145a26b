"""A file is there whole or not at all: written beside its place and renamed. Knows nothing of what is in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from talkinghead.errors import OutputError


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` when the block ends without an error, and is gone otherwise.

    Raises:
        OutputError: the place cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"output {path}: cannot be written ({reason}); choose another place or free some space.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
