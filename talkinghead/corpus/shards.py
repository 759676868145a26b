"""Clips as WebDataset shards: plain tars with `<key>.<suffix>` side by side, and where in its shard each member lies.

The same members give the same bytes, whoever writes them and when. A shard is written beside and renamed.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from talkinghead.files import beside

_BLOCK: Final = 512

Offsets = dict[str, tuple[int, int]]
"""Suffix -> where in the shard the member's bytes begin, and how many they are."""


def write_tar(path: Path, clips: Iterable[tuple[str, Mapping[str, bytes]]]) -> list[Offsets]:
    """Keys and their members by suffix -> a tar; where each clip's members lie in it, clip by clip."""
    offsets: list[Offsets] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as part, part.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for key, contents in clips:
                own: Offsets = {}
                for suffix, content in contents.items():
                    entry = tarfile.TarInfo(f"{key}.{suffix}")
                    entry.size, entry.mode = len(content), 0o644
                    own[suffix] = (tar.offset + _BLOCK, len(content))
                    tar.addfile(entry, io.BytesIO(content))
                offsets.append(own)
        file.flush()
        os.fsync(file.fileno())
    return offsets


def read_tar(path: Path) -> dict[str, bytes]:
    """A small tar of one clip -> its members by suffix, in their order. Raises tarfile.TarError where it is damaged."""
    contents = {}
    with tarfile.open(path, mode="r:") as tar:
        for entry in tar:
            stream = tar.extractfile(entry)
            assert stream is not None
            contents[entry.name.partition(".")[2]] = stream.read()
    return contents
