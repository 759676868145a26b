"""What has been prepared so far, on disk: which clip goes to which shard, the parts that are made, the shards that are whole.

A part is one clip's tar, or why it was left out; when all parts of a shard are there they become the shard, and only when its
record is there are they deleted. Every file is written beside and renamed: whenever a run is killed, the next one finds what
was whole, and the shards come out with the same bytes. Knows files; makes no clip.
"""

from __future__ import annotations

import fcntl
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from talkinghead.corpus.shards import read_tar, write_tar
from talkinghead.errors import InputError, OutputError
from talkinghead.files import beside

SHARD_CLIPS: Final = 250
NOTES: Final = "notes.json"
_LEFT_OUT: Final = ".left_out.json"


def write_text(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_part(folder: Path, key: str, members: Mapping[str, bytes], notes: list[str]) -> None:
    """A clip that is made."""
    write_tar(folder / f"{key}.tar", [(key, {**members, NOTES: json.dumps(notes).encode()})])


def write_left_out(folder: Path, key: str, why: str) -> None:
    """A clip that cannot be."""
    write_text(folder / f"{key}{_LEFT_OUT}", json.dumps(why))


class State:
    """One output folder."""

    def __init__(self, output: Path, name: str) -> None:
        self.output, self.name = output, name
        self.parts, self.shards, self.records = output / "parts", output / "shards", output / "state"
        self.plan: list[list[str]] = []

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Raises OutputError where another run is at work in the folder, or nothing can be written there."""
        try:
            for folder in (self.parts, self.shards, self.records):
                folder.mkdir(parents=True, exist_ok=True)
            lock = (self.records / "lock").open("w")
        except OSError as error:
            raise OutputError(f"output {self.output}: cannot be written ({error.strerror}); choose another folder.") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputError(f"output {self.output}: another run prepares it now; wait for it, or stop it.") from error
            yield

    def make_plan(self, keys: Iterable[str]) -> None:
        """Which clip goes to which shard: as it was, and what is new goes to new ones."""
        file = self.records / "plan.json"
        if file.is_file():
            try:
                self.plan = [list(map(str, shard)) for shard in json.loads(file.read_text())]
            except (ValueError, TypeError) as error:
                raise InputError(f"{file}: is damaged; delete {self.output} and prepare again.") from error
        known = {key for shard in self.plan for key in shard}
        new = [key for key in keys if key not in known]
        self.plan += [new[start : start + SHARD_CLIPS] for start in range(0, len(new), SHARD_CLIPS)]
        write_text(file, json.dumps(self.plan, indent=0))

    def shard_file(self, number: int) -> Path:
        """Where a shard is, or will be."""
        return self.shards / f"{self.name}-{number:06}.tar"

    def _record(self, number: int) -> Path:
        return self.records / f"{self.name}-{number:06}.json"

    def is_whole(self, number: int) -> bool:
        """Whether a shard is finished."""
        return self._record(number).is_file() and self.shard_file(number).is_file()

    def has_part(self, key: str) -> bool:
        """Whether a clip of an unfinished shard is made, or left out."""
        return (self.parts / f"{key}.tar").is_file() or (self.parts / f"{key}{_LEFT_OUT}").is_file()

    def waiting(self) -> list[str]:
        """The clips that are neither in a shard nor made, in the order of the plan."""
        open_shards = [keys for number, keys in enumerate(self.plan) if not self.is_whole(number)]
        return [key for keys in open_shards for key in keys if not self.has_part(key)]

    def assemble(self, number: int) -> None:
        """The parts of a shard, which are all there -> the shard and its record; then they are deleted."""
        rows: list[dict[str, Any]] = []
        left_out: list[tuple[str, str]] = []
        notes: list[tuple[str, str]] = []

        def contents() -> Iterator[tuple[str, dict[str, bytes]]]:
            for key in self.plan[number]:
                if (self.parts / f"{key}{_LEFT_OUT}").is_file():
                    left_out.append((key, str(json.loads((self.parts / f"{key}{_LEFT_OUT}").read_text()))))
                    continue
                members = read_tar(self.parts / f"{key}.tar")
                notes.extend((key, note) for note in json.loads(members.pop(NOTES)))
                rows.append(json.loads(members["json"]))
                yield key, members

        if not self.is_whole(number):
            try:
                offsets = write_tar(self.shard_file(number), contents())
            except (tarfile.TarError, ValueError, KeyError) as error:
                raise OutputError(f"{self.parts}: a part is damaged ({error}); delete the folder and prepare again.") from error
            for row, own in zip(rows, offsets, strict=True):
                row |= {"shard": self.shard_file(number).name, "members": own}
            write_text(self._record(number), json.dumps({"rows": rows, "left_out": left_out, "notes": notes}))
        for key in self.plan[number]:
            (self.parts / f"{key}.tar").unlink(missing_ok=True)
            (self.parts / f"{key}{_LEFT_OUT}").unlink(missing_ok=True)

    def records_of_shards(self) -> tuple[list[dict[str, Any]], list[tuple[str, str]], list[tuple[str, str]]]:
        """Rows of the manifest, what was left out and why, and what was noted, of all shards."""
        rows: list[dict[str, Any]] = []
        left_out: list[tuple[str, str]] = []
        notes: list[tuple[str, str]] = []
        for number in range(len(self.plan)):
            record = json.loads(self._record(number).read_text())
            rows += record["rows"]
            left_out += [tuple(each) for each in record["left_out"]]
            notes += [tuple(each) for each in record["notes"]]
        return rows, left_out, notes

    def tidy(self) -> None:
        """What a killed run had not finished writing is no part of anything."""
        for folder in (self.output, self.parts, self.shards, self.records):
            for part in folder.glob("*.part"):
                part.unlink()
