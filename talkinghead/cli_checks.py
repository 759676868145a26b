"""`talkinghead evaluate` and `talkinghead doctor`: how good the models are, and whether all is there. Knows options only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from talkinghead.cli_options import CheckpointOption, check_extra
from talkinghead.cli_progress import loading, say, stages


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: talkinghead evaluate --split eval --data ../shared/data --only lips,timing -o report/")(
        evaluate
    )
    app.command()(doctor)


def evaluate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report.")],
    split: Annotated[str, typer.Option(help="Which clips: eval or train.")] = "eval",
    data: Annotated[Path, typer.Option(help="Folder of the clips, with manifest.jsonl.")] = Path("../shared/data"),
    only: Annotated[str, typer.Option(help="Tables to make, as in lips,timing. (Default: all.)")] = "",
    prepared: Annotated[
        Path | None, typer.Option(help="What scripts/prepare_data.py tracked. (Default: the clips are tracked now.)")
    ] = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """Measure the models on held-out clips: lips, timing, contacts, emotion, pictures; each beside its baseline."""
    tables = [name.strip() for name in only.split(",") if name.strip()]
    if not tables or "pictures" in tables:
        check_extra("evaluate")
    from talkinghead import evaluation

    with stages() as begin:
        report = evaluation.evaluate(split, data, output, checkpoint, begin, tables, prepared)
    typer.echo(report.read_text())
    say(str(output))


def doctor(checkpoint: CheckpointOption = None) -> None:
    """Versions, device, models, what is missing, and the remedy."""
    from talkinghead.doctor import report

    with loading():
        lines, is_well = report(checkpoint)
    typer.echo("\n".join(lines))
    raise typer.Exit(0 if is_well else 1)
