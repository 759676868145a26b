"""`talkinghead evaluate` and `talkinghead doctor`: how good the models are, and whether all is there. Knows options only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from talkinghead.cli_options import CheckpointOption
from talkinghead.cli_progress import loading, say, stages
from talkinghead.cli_values import check_extra
from talkinghead.errors import InputError

PAPER: Final = "paper"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: talkinghead evaluate --checkpoint runs/mead --data data/mead --split eat -o report/")(evaluate)
    app.command()(doctor)


def evaluate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report.")],
    split: Annotated[str, typer.Option(help="Which clips: eval, train; of a prepared set eat, emote, official, own.")] = "eval",
    data: Annotated[Path, typer.Option(help="Folder of the clips, with manifest.jsonl.")] = Path("../shared/data"),
    only: Annotated[
        str, typer.Option(help="Tables to make, as in lips,timing; paper is the table of papers. (Default: all but paper.)")
    ] = "",
    prepared: Annotated[
        Path | None, typer.Option(help="What scripts/prepare_data.py tracked. (Default: the clips are tracked now.)")
    ] = None,
    networks: Annotated[
        Path | None, typer.Option(help="Of paper: folder of your inception.onnx and the like (docs/metrics.md).")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Of paper: report folder of another checkpoint, to be compared clip by clip.")
    ] = None,
    clips: Annotated[str, typer.Option(help="Of paper: which clips, as in 'M003*'. (Default: all.)")] = "",
    checkpoint: CheckpointOption = None,
) -> None:
    """Measure the models on held-out clips: lips, timing, contacts, emotion, pictures, or what papers measure."""
    tables = [name.strip() for name in only.split(",") if name.strip()]
    if _is_for_papers(tables, split, data):
        _evaluate_for_papers(output, split, data, prepared, networks, against, clips, checkpoint)
        return
    for name, value in (("networks", networks), ("against", against), ("clips", clips or None)):
        if value is not None:
            raise InputError(f"--{name} is for the table of papers; add --only {PAPER}.")
    if not tables or "pictures" in tables:
        check_extra("evaluate")
    from talkinghead import evaluation

    with stages() as begin:
        report = evaluation.evaluate(split, data, output, checkpoint, begin, tables, prepared)
    typer.echo(report.read_text())
    say(str(output))


def _is_for_papers(tables: list[str], split: str, data: Path) -> bool:
    """Whether the table of papers is asked for: by its name, or by a split or a set that has no other."""
    from talkinghead.corpus.splits import SPLITS
    from talkinghead.corpus.store import DATASET

    wanted = PAPER in tables or split in SPLITS or (data / DATASET).is_file()
    if wanted and (others := [name for name in tables if name != PAPER]):
        raise InputError(f"--only {','.join(tables)}: {PAPER} goes alone; ask for {', '.join(others)} in another run.")
    return wanted


def _evaluate_for_papers(
    output: Path, split: str, data: Path, prepared: Path | None, networks: Path | None, against: Path | None, clips: str,
    checkpoint: Path | None,
) -> None:  # fmt: skip
    from talkinghead.evaluation.paper_table import paper_evaluation

    with stages() as begin:
        table = paper_evaluation(split, data, output, checkpoint, begin, prepared, networks, against, clips)
    typer.echo(table.read_text(encoding="utf-8"))
    if against is not None:
        typer.echo(table.with_name("comparison.md").read_text(encoding="utf-8"))
    say(str(output))


def doctor(checkpoint: CheckpointOption = None) -> None:
    """Versions, device, models, what is missing, and the remedy."""
    from talkinghead.doctor import report

    with loading():
        lines, is_well = report(checkpoint)
    typer.echo("\n".join(lines))
    raise typer.Exit(0 if is_well else 1)
