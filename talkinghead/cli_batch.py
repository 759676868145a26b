"""`talkinghead batch`: a table of jobs -> a video each. Knows options; the rest is `batch`'s."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from talkinghead.cli_options import CheckpointOption, DeviceOption
from talkinghead.cli_progress import loading, say
from talkinghead.errors import InputError, OutputError

MAX_WORKERS = 256


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: talkinghead batch jobs.csv -o out/ --workers 2")(batch)


def batch(
    jobs: Annotated[Path, typer.Argument(help="A table with a heading: output,image,audio,text,voice,emotion,... or scene.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the videos and of summary.csv.")],
    workers: Annotated[int, typer.Option(help="How many jobs at a time.")] = 1,
    ray_address: Annotated[
        str | None, typer.Option(help="A Ray cluster that sees the same files: ray://host:10001, or local. (Extra ray.)")
    ] = None,
    device: DeviceOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """A table of jobs -> a video each. Called again, it makes what is missing or has changed; a job that fails costs itself.

    The exit status is 1 when a job failed.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise InputError(f"--workers {workers}: out of range; give 1 to {MAX_WORKERS}.")
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: is a file; give a folder.")
    from talkinghead.batch import SUMMARY, Outcome, run_jobs
    from talkinghead.jobs import read_jobs

    if (output / SUMMARY).exists() and jobs.exists() and jobs.samefile(output / SUMMARY):
        raise OutputError(f"{jobs}: is where the summary goes and would be overwritten; give the table another name.")
    asked = read_jobs(jobs)

    def tell(outcome: Outcome) -> None:
        if outcome.state == "failed":
            typer.echo(f"talkinghead: {jobs}:{outcome.row}: {outcome.message}", err=True)
        else:
            took = f" in {outcome.seconds:.1f} s" if outcome.seconds else ""
            say(f"{outcome.output}: {outcome.state}{took}" + (f"; {outcome.message}" if outcome.message else ""))

    outcomes = run_jobs(asked, output, jobs.parent, workers, tell, checkpoint, device, ray_address, loading)
    counts = {state: sum(outcome.state == state for outcome in outcomes) for state in ("done", "kept", "failed")}
    typer.echo(f"{counts['done']} made, {counts['kept']} kept, {counts['failed']} failed; see {output / SUMMARY}")
    raise typer.Exit(1 if counts["failed"] else 0)
