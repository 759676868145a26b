"""A table of jobs, a row each: its columns, and what is wrong with it by row. Knows tables; makes nothing."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from talkinghead.errors import InputError

COLUMNS: Final = (
    "output", "image", "audio", "text", "voice", "fit", "emotion", "intensity", "prompt", "seed", "quality", "size", "face",
    "style", "scene",
)  # fmt: skip
"""scene: a screenplay, instead of image and audio or text."""
MAX_JOBS: Final = 100_000
_SUFFIXES: Final = (".mp4", ".mov", ".mkv")


@dataclass(frozen=True)
class Job:
    """One row: its number in the table (the heading is row 1), its output's name, and the columns that it fills."""

    row: int
    output: str
    values: dict[str, str]


def read_jobs(path: Path) -> list[Job]:
    """A table with a heading, separated by commas, semicolons or tabs -> jobs.

    Raises:
        InputError: no such file, not a table, a column that there is not, no job, an output twice or outside the folder.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {what}; give a table such as jobs.csv.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not text in UTF-8; save it as CSV in UTF-8.") from error
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    rows = list(csv.reader(text.splitlines(), delimiter=separator))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or not names:
        said = f"column {unknown[0][:40]!r} is unknown" if unknown else "is empty"
        raise InputError(f"{path}:1: {said}; choose from {', '.join(COLUMNS)}.")
    if len(set(names)) < len(names):
        raise InputError(f"{path}:1: a column is given twice; leave one.")
    jobs = [_job(path, number, names, row) for number, row in enumerate(rows[1:], 2) if any(cell.strip() for cell in row)]
    if not jobs or len(jobs) > MAX_JOBS:
        raise InputError(f"{path}: holds {len(jobs)} jobs; give 1 to {MAX_JOBS}, one a row below the heading.")
    seen: dict[str, int] = {}
    for job in jobs:
        if job.output in seen:
            raise InputError(f"{path}:{job.row}: output {job.output} is that of row {seen[job.output]} as well; give another.")
        seen[job.output] = job.row
    return jobs


def _job(path: Path, number: int, names: Sequence[str], row: Sequence[str]) -> Job:
    if len(row) > len(names):
        raise InputError(f"{path}:{number}: {len(row)} cells below {len(names)} columns; put a text with a comma in quotes.")
    values = {name: cell.strip() for name, cell in zip(names, row, strict=False) if cell.strip()}
    output = values.pop("output", f"{number - 1:04d}.mp4")
    name = Path(output)
    if name.is_absolute() or ".." in name.parts or name.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path}:{number}: output {output[:60]!r}; give a name such as clip.mp4, inside the output folder.")
    return Job(number, output, values)
