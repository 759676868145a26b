"""A folder of folders, tars and zips -> every file in it, and where its bytes lie; opened in place, never unpacked.

A member of a tar, and of a zip that stores it as it is, is a stretch of the archive; one that a zip has squeezed is held in
memory while it is read. A tar in a zip and a zip in a tar are seen through. An archive that breaks off gives what stands before
the break. Knows bytes and names; knows nothing of clips.
"""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from talkinghead.corpus.names import ARCHIVE_SUFFIXES
from talkinghead.errors import InputError

SQUEEZED_TARS: Final = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst")
_LOCAL_HEADER: Final = struct.Struct("<4sHHHHHIIIHH")
_MAX_SQUEEZED: Final = 2**31
_UNUSABLE: Final = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError, ValueError, struct.error)


@dataclass(frozen=True)
class Member:
    """name: its path below the root, the archives' names included. file: where its bytes are: `size` of them from `offset` on.

    squeezed: how many bytes they are in the archive when it has squeezed them (deflate); 0 where they lie as they are.
    """

    name: str
    file: str
    offset: int
    size: int
    squeezed: int = 0

    def open(self) -> BinaryIO:
        """Its bytes, to read and to seek in. Raises OSError where they cannot be read."""
        raw = Stretch(self.file, self.offset, self.squeezed or self.size)
        if not self.squeezed:
            return cast(BinaryIO, io.BufferedReader(raw, 1 << 16))
        with raw:
            try:
                return io.BytesIO(zlib.decompress(raw.read(), -zlib.MAX_WBITS))
            except zlib.error as error:
                raise OSError(f"damaged in {self.file}") from error


class Stretch(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, file: str, offset: int, size: int) -> None:
        self._file, self._offset, self._size, self._at = Path(file).open("rb", buffering=0), offset, size, 0  # noqa: SIM115

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        self._file.seek(self._offset + self._at)
        count = self._file.readinto(view) or 0
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


Complain = Callable[[str, str], None]
"""Called with what cannot be used, and why."""


def members(root: Path, complain: Complain) -> Iterator[Member]:
    """Every file of a folder, or of one archive, in the order of their names; hidden ones are passed over.

    Raises:
        InputError: there is no such folder or archive.
    """
    if not root.exists():
        raise InputError(f"root {root}: no such folder; give the one that holds the actors' folders or archives.")
    if root.is_file() and not root.name.lower().endswith(ARCHIVE_SUFFIXES):
        raise InputError(f"root {root}: is neither a folder nor a .tar or .zip; give the one that holds the actors' archives.")
    files = [root] if root.is_file() else _files(root)
    for file in files:
        # The root's own name may be an actor's.
        name = root.name if file == root else f"{root.resolve().name}/{file.relative_to(root).as_posix()}"
        try:
            size = file.stat().st_size
            with file.open("rb"):
                pass
        except OSError as error:
            complain(name, f"cannot be read ({error.strerror})")
            continue
        yield from _opened(Member(name, str(file.absolute()), 0, size), complain)


def _files(root: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if real in seen else sorted(name for name in folders if not _is_hidden(name))
        if real not in seen:
            seen.add(real)
            yield from (Path(folder) / name for name in sorted(names) if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) or name == "Thumbs.db"


def _opened(member: Member, complain: Complain) -> Iterator[Member]:
    """A member; of an archive what is in it."""
    lower = member.name.lower()
    if lower.endswith(SQUEEZED_TARS):
        complain(member.name, "is a squeezed tar, which cannot be read in place; decompress it to a .tar")
        return
    if not lower.endswith(ARCHIVE_SUFFIXES):
        yield member
        return
    if member.squeezed:
        complain(member.name, "is an archive squeezed in another, which cannot be read in place; unpack the outer one")
        return
    if not member.size:
        complain(member.name, "is empty")
        return
    try:
        inside = list((_of_tar if lower.endswith(".tar") else _of_zip)(member, complain))
    except _UNUSABLE as error:
        complain(member.name, f"is no readable archive ({' '.join(str(error).split())[:80]})")
        return
    for each in sorted(inside, key=lambda m: m.name):
        if not any(_is_hidden(part) for part in each.name.split("/")):
            yield from _opened(each, complain)


def _of_tar(member: Member, complain: Complain) -> Iterator[Member]:
    with member.open() as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        while True:
            try:
                entry = tar.next()
            except tarfile.TarError as error:
                complain(member.name, f"breaks off; what follows is lost ({' '.join(str(error).split())[:60]})")
                return
            if entry is None:
                return
            if entry.isfile() and entry.sparse is None:
                if entry.offset_data + entry.size > member.size:
                    complain(f"{member.name}/{entry.name.removeprefix('./')}", "the archive breaks off within it")
                    continue
                name = f"{member.name}/{entry.name.removeprefix('./')}"
                yield Member(name, member.file, member.offset + entry.offset_data, entry.size)
            cast(Any, tar).members = []  # it would keep them all


def _of_zip(member: Member, complain: Complain) -> Iterator[Member]:
    with member.open() as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                entries = [(e.filename, e.header_offset, e.file_size, e.compress_size, e.compress_type, e.flag_bits)
                           for e in archive.infolist()]  # fmt: skip
        except zipfile.BadZipFile:
            complain(member.name, "breaks off or is damaged; what follows is lost")
            entries = list(_entries_before_the_break(stream, member.size))
        for name, header, size, packed, method, flags in entries:
            if name.endswith("/"):
                continue
            where = f"{member.name}/{name.removeprefix('./')}"
            stream.seek(header)
            local = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
            start = header + _LOCAL_HEADER.size + local[9] + local[10]
            if flags & 1 or method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or size > _MAX_SQUEEZED < packed:
                complain(where, "is encrypted or squeezed in a way that is not read; unpack the zip")
            elif start + packed > member.size:
                complain(where, "the archive breaks off within it")
            else:
                squeezed = packed if method == zipfile.ZIP_DEFLATED else 0
                yield Member(where, member.file, member.offset + start, size, squeezed)


def _entries_before_the_break(stream: BinaryIO, size: int) -> Iterator[tuple[str, int, int, int, int, int]]:
    """A zip whose index at the end is lost: its files one after the other, as far as each says how long it is."""
    at = 0
    while at + _LOCAL_HEADER.size <= size:
        stream.seek(at)
        header = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
        signature, flags, method, packed, whole, name_length, extra = header[0], header[2], header[3], *header[7:11]
        if signature != b"PK\x03\x04" or (flags & 8 and not packed):
            return
        yield stream.read(name_length).decode("utf-8", "replace"), at, whole, packed, method, flags
        at += _LOCAL_HEADER.size + name_length + extra + packed
