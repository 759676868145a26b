"""`talkinghead prepare`: a research archive -> shards to train and measure on. Knows options; the rest is `preparation`'s."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from talkinghead.cli_options import CheckpointOption
from talkinghead.cli_progress import loading
from talkinghead.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from talkinghead.corpus.sources import Found

SETS: Final = ("mead", "cremad", "ravdess", "hdtf", "grid", "csv")
MAX_WORKERS: Final = 256
LINE_S: Final = 60.0
HOURS_FROM_MIN: Final = 120


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: talkinghead prepare mead /data/MEAD -o data/mead --workers 8")(prepare)


def prepare(
    name: Annotated[str, typer.Argument(metavar="SET", help="mead, cremad, ravdess, hdtf, grid or csv.")],
    root: Annotated[
        Path, typer.Argument(help="Its folder, as downloaded (tars and zips are read in place); of csv the table.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the prepared set.")],
    workers: Annotated[int, typer.Option(help="How many clips at a time.")] = 1,
    ray_address: Annotated[
        str | None, typer.Option(help="A Ray cluster that sees the same files: auto, host:port, or local. (Extra ray.)")
    ] = None,
    views: Annotated[str, typer.Option(help="Of MEAD: as in front,left_30; or all.")] = "front",
    actors: Annotated[str, typer.Option(help="Of MEAD: as in M003,W009. (Default: everybody.)")] = "",
    transcripts: Annotated[
        Path | None, typer.Option(help="A CSV key,transcript; a key may be a clip's or, of MEAD, as angry_1_001.")
    ] = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """Clips of a research archive -> tracked, cropped, fitted and heard, in WebDataset shards with a manifest and a report.

    Stopped or killed, it goes on where it was; a clip that cannot be used costs itself and is named in left_out.csv.
    """
    if name not in SETS:
        raise InputError(f"SET {name}: is none of those known; choose from {', '.join(SETS)}.")
    if not 1 <= workers <= MAX_WORKERS:
        raise InputError(f"--workers {workers}: out of range; give 1 to {MAX_WORKERS}.")
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: is a file; give a folder.")
    found, splits = _found(name, root, views, actors)
    if transcripts is not None:
        from talkinghead.corpus.sources import with_transcripts

        with_transcripts(found, _texts(transcripts))
    _make(found, output, name, splits, workers, ray_address, checkpoint, {"views": views, "actors": actors})


def _found(name: str, root: Path, views: str, actors: str) -> tuple[Found, tuple[str, ...]]:
    """What is in the archive, and which splits the set has."""
    from talkinghead.corpus.splits import OWN

    if name == "mead":
        from talkinghead.corpus.names import VIEWS
        from talkinghead.corpus.sources import mead_clips
        from talkinghead.corpus.splits import SPLITS

        wanted = list(VIEWS) if views == "all" else [view.strip() for view in views.split(",") if view.strip()]
        unknown = [view for view in wanted if view not in VIEWS]
        if unknown or not wanted:
            came = ", ".join(unknown) or "of nothing"
            raise InputError(f"--views {came}: MEAD has {', '.join(VIEWS)}; give some of them, or all.")
        people = [actor.strip() for actor in actors.split(",") if actor.strip()]
        return mead_clips(root, wanted, people), tuple(split for split in SPLITS if split != OWN)
    if actors or views != "front":
        raise InputError(f"--actors, --views: are MEAD's alone; leave them out for {name}.")
    from talkinghead.corpus.adapters import ADAPTERS

    return ADAPTERS[name](root), (OWN,)


def _texts(file: Path) -> dict[str, str]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as table:
            reader = csv.DictReader(table)
            return {row["key"].strip(): row["transcript"].strip() for row in reader}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
        raise InputError(f"--transcripts {file}: is no CSV with the columns key,transcript ({error}); mend it.") from error


class MinuteLines:
    """For hours in a log instead of at a terminal: a line a minute says how far it is and how long it will take."""

    def __init__(self, console: Console) -> None:
        self.console, self.began, self.first = console, time.monotonic(), -1
        self.last = self.began

    def __call__(self, done: int, total: int) -> None:
        """done, total: clips; those that were there when it began do not count for how fast it goes."""
        now = time.monotonic()
        self.first = done if self.first < 0 else self.first
        if self.console.is_terminal or now - self.last < LINE_S:
            return
        self.last = now
        a_minute = 60 * (done - self.first) / (now - self.began)
        minutes = (total - done) / a_minute if a_minute > 0 else 0
        left = f"{minutes:.0f} min" if minutes < HOURS_FROM_MIN else f"{minutes / 60:.1f} h"
        rate = f", {a_minute:.1f} a minute, {left} left" if a_minute > 0 else ""
        self.console.print(f"{done} of {total} clips{rate}", markup=False, highlight=False, soft_wrap=True)


def _make(
    found: Found,
    output: Path,
    name: str,
    splits: tuple[str, ...],
    workers: int,
    ray_address: str | None,
    checkpoint: Path | None,
    options: dict[str, str],
) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from talkinghead.preparation.run import prepare as make

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)
    with progress:
        task = progress.add_task(name, total=len(found.clips))

        lines = MinuteLines(console)

        def tell(done: int, total: int, left_out: str) -> None:
            progress.update(task, completed=done, total=total)
            lines(done, total)
            if left_out and console.is_terminal:
                progress.console.print(f"left out {left_out}", markup=False, highlight=False)

        summary = make(found, output, name, splits, workers, ray_address, checkpoint, options, tell, loading)
    typer.echo(f"{summary.clips} clips, {summary.left_out} left out; see {output / 'report.md'}")
    if summary.made:
        rate = 60 * summary.made / summary.seconds
        busy = sum(summary.times.values()) or 1.0
        stages = ", ".join(f"{stage} {seconds / busy:.0%}" for stage, seconds in summary.times.items())
        each = busy / summary.made
        typer.echo(f"{summary.made} in {summary.seconds:.0f} s, {rate:.1f} a minute, {each:.2f} s of a core each ({stages})")
