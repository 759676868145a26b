"""A table of jobs, a row each: its columns, what is wrong with it by line, and the record of which have been made.

Knows tables, and the names and the content of files; makes nothing.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from talkinghead.audio.speaker import voice_files
from talkinghead.checkpoints import checkpoint_folder
from talkinghead.errors import InputError, OutputError, TalkingHeadError
from talkinghead.files import whole
from talkinghead.screenplay.rehearsal import digest, file_digest

COLUMNS: Final = (
    "output", "image", "audio", "text", "voice", "fit", "emotion", "intensity", "prompt", "seed", "quality", "size", "face",
    "style", "scene",
)  # fmt: skip
"""scene: a screenplay, instead of image and audio or text."""
EXAMPLE: Final = ("output,image,text,emotion", "one.mp4,ana.jpg,Hello,happy")
"""The heading of a small table, and a row."""
MAX_JOBS: Final = 100_000
STATE: Final = "batch.json"
_FILES: Final[tuple[str, ...]] = ("image", "audio", "style", "scene")
_SUFFIXES: Final = (".mp4", ".mov", ".mkv")


@dataclass(frozen=True)
class Job:
    """One row: the line of the table on which it begins (the heading is on 1), its output's name, the columns that it fills."""

    row: int
    output: str
    values: dict[str, str]

    def files(self, beside: Path) -> dict[str, Path]:
        """Column -> the file or folder that it names."""
        return {name: beside / Path(self.values[name]).expanduser() for name in _FILES if name in self.values}


def read_jobs(path: Path) -> list[Job]:
    """A table with a heading, separated by commas, semicolons or tabs -> jobs.

    Raises:
        InputError: no such file, not a table, a column that there is not, no job, an output twice or outside the folder.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        wanted = f"a heading such as {EXAMPLE[0]}, and rows such as {EXAMPLE[1]}"
        raise InputError(f"{path}: {what}; give a table: {wanted} (columns: {', '.join(COLUMNS)}).")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not text in UTF-8; save it as CSV in UTF-8.") from error
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    rows = list(_rows(path, text, separator))
    names = [name.strip().lower() for name in rows[0][1]] if rows else []
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or not names:
        said = f"column {unknown[0][:40]!r} is unknown" if unknown else "is empty"
        raise InputError(f"{path}:1: {said}; choose from {', '.join(COLUMNS)}.")
    if len(set(names)) < len(names):
        raise InputError(f"{path}:1: a column is given twice; leave one.")
    jobs = [_job(path, line, number, names, row) for number, (line, row) in enumerate(rows[1:], 1) if any(map(str.strip, row))]
    if not jobs or len(jobs) > MAX_JOBS:
        raise InputError(f"{path}: holds {len(jobs)} jobs; give 1 to {MAX_JOBS}, one a row below the heading.")
    seen: dict[str, int] = {}
    for job in jobs:
        if job.output in seen:
            raise InputError(f"{path}:{job.row}: output {job.output} is that of row {seen[job.output]} as well; give another.")
        seen[job.output] = job.row
    return jobs


def _rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each row, and the line on which it begins: a cell in quotes may have several."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}:{line}: is no row of a table ({error}); close its quotes.") from error


def _job(path: Path, line: int, number: int, names: Sequence[str], row: Sequence[str]) -> Job:
    if len(row) > len(names):
        raise InputError(f"{path}:{line}: {len(row)} cells below {len(names)} columns; put a text with a comma in quotes.")
    values = {name: cell.strip() for name, cell in zip(names, row, strict=False) if cell.strip()}
    output = values.pop("output", f"{number:04d}.mp4")
    name = Path(output)
    if name.is_absolute() or ".." in name.parts or name.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path}:{line}: output {output[:60]!r}; give a name such as clip.mp4, inside the output folder.")
    return Job(line, str(name), values)  # a path's text is the same for ./a.mp4 and a.mp4


@dataclass
class Record:
    """Output's name -> digest of what it was made from, kept in the output folder."""

    path: Path
    digests: dict[str, str]

    @staticmethod
    def load(folder: Path) -> Record:
        """Of an output folder, which is made.

        Raises:
            OutputError: the folder cannot be written. InputError: its record is damaged.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / STATE
            digests = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another folder.") from error
        except ValueError as error:
            raise InputError(f"{folder / STATE}: is damaged; remove it, and all jobs are made again.") from error
        if not isinstance(digests, dict):
            raise InputError(f"{folder / STATE}: is damaged; remove it, and all jobs are made again.")
        return Record(path, digests)

    def is_made(self, output: str, made_from: str | None) -> bool:
        """Whether the video is there, made from what has this digest."""
        return (self.path.parent / output).is_file() and made_from is not None and self.digests.get(output) == made_from

    def remember(self, output: str, made_from: str | None) -> None:
        """Write it down, when it is known from what the video was made."""
        if made_from is None:
            return
        self.digests[output] = made_from
        with whole(self.path) as part:
            part.write_text(json.dumps(self.digests, indent=1), encoding="utf-8")


def inputs(jobs: Sequence[Job], beside: Path) -> set[Any]:
    """The files that the table and its scenes name."""
    named: set[Any] = set()
    for job in jobs:
        found = list(job.files(beside).values())
        if "scene" in job.values:
            from talkinghead.screenplay.reading import read_scene

            with contextlib.suppress(TalkingHeadError, OSError):  # what is wrong with it is told when its turn comes
                found += read_scene(job.files(beside)["scene"]).files()
        named.update(identity(path) for path in found)
    return named


def identity(path: Path) -> Any:
    """The same for two names of one file."""
    try:
        stat = path.stat()
        return stat.st_dev, stat.st_ino
    except OSError:
        return path.resolve()


def models_digest(checkpoint: Path | None) -> str | None:
    """Sixteen letters that change with the models' content; None where there are no whole models."""
    try:
        return file_digest(checkpoint_folder(checkpoint))
    except (TalkingHeadError, OSError):
        return None


def job_digest(job: Job, beside: Path, models: str | None) -> str | None:
    """Sixteen letters that change when the row does, or a file or folder that it names; None when one cannot be read.

    None for a scene as well, which keeps its own parts.
    """
    if "scene" in job.values or models is None:
        return None
    named = [*job.files(beside).values(), *voice_files(job.values.get("voice", ""), beside)]
    try:
        files: list[Any] = [file_digest(path) for path in named]
    except OSError:
        return None
    return digest([job.values, files, models])
