"""The tables that were asked for, in one file of Markdown and one of JSON, with a contact sheet of the re-enactments."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import cv2
import imageio.v3 as iio
import numpy as np

from talkinghead.errors import InputError, OutputError
from talkinghead.evaluation.adaptation import adaptation_tables
from talkinghead.evaluation.clips import HeldOut
from talkinghead.evaluation.contacts import contact_tables
from talkinghead.evaluation.expression import expression_tables, intensity_tables
from talkinghead.evaluation.flicker import flicker_tables
from talkinghead.evaluation.identity import identity_tables
from talkinghead.evaluation.languages import language_tables
from talkinghead.evaluation.lips import lip_tables, rendered_tables, timing_tables
from talkinghead.evaluation.picture import Pair, PictureTable, picture_table, reenactment_tables
from talkinghead.evaluation.robustness import robustness_tables
from talkinghead.evaluation.seen import seen_tables
from talkinghead.evaluation.streaming import streaming_tables
from talkinghead.evaluation.table import Table
from talkinghead.pipeline import TalkingHead
from talkinghead.training import read_manifest
from talkinghead.types import ByteArray


def evaluate(
    split: str,
    data: Path,
    output: Path,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    only: Sequence[str] = (),
    prepared: Path | None = None,
) -> Path:
    """Score a checkpoint on the clips of a split and write `report.md` and `report.json` into a folder.

    Args:
        split: which clips.
        data: folder of `manifest.jsonl`.
        output: folder of the report; with the table of the pictures it gets `reenactment.png` too.
        checkpoint: folder of the models; None is the installed one.
        say: hears which table is being made.
        only: names of `TABLES`, in any order; none is all of them.
        prepared: folder with what `scripts/prepare_data.py` tracked; what is not in it is tracked now.

    Raises:
        InputError: the data are not there, or the split or a table is unknown.
        OutputError: the report's folder is a file.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: is a file; give the name of a folder for the report.")
    if unknown := [name for name in only if name not in TABLES]:
        raise InputError(f"only: '{unknown[0]}' is no table; choose from {', '.join(TABLES)} or paper.")
    if prepared is not None and not prepared.is_dir():
        raise InputError(f"prepared: {prepared} is no folder; give what scripts/prepare_data.py wrote, or nothing.")
    splits = sorted({row["split"] for row in read_manifest(data)})
    if split not in splits:
        raise InputError(f"split: '{split}' is not in {data / 'manifest.jsonl'}; choose from {', '.join(splits)}.")
    held_out = HeldOut(TalkingHead.from_pretrained(checkpoint), data, split, prepared)
    output.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[Table]] = {}
    for name, make in TABLES.items():
        if not only or name in only:
            say(name)
            tables[name] = make(held_out)
    if "pictures" in tables:
        sheet = held_out.once(_reenacted).sheet
        iio.imwrite(output / "reenactment.png", np.vstack([_sheet_row(pair) for pair in sheet]))
    figures = {name: [table.json() for table in made] for name, made in tables.items()}
    (output / "report.json").write_text(json.dumps(figures, indent=1))
    text = "\n".join(["# Evaluation\n", *(table.markdown() for made in tables.values() for table in made)])
    (output / "report.md").write_text(text)
    return output / "report.md"


def picture_tables(held_out: HeldOut) -> list[Table]:
    """Self re-enactment from the first frame, a clip a person, and the perceptual distances against the warp's."""
    return reenactment_tables(held_out.once(_reenacted))


TABLES: Final[dict[str, Callable[[HeldOut], list[Table]]]] = {
    "lips": lip_tables,
    "timing": timing_tables,
    "robustness": robustness_tables,
    "streaming": streaming_tables,
    "contacts": contact_tables,
    "languages": language_tables,
    "expression": expression_tables,
    "intensity": intensity_tables,
    "adaptation": adaptation_tables,
    "rendered": rendered_tables,
    "pictures": picture_tables,
    "seen": seen_tables,
    "flicker": flicker_tables,
    "identity": identity_tables,
}
"""What can be asked for, in the order of the report."""


def _reenacted(held_out: HeldOut) -> PictureTable:
    return picture_table(held_out.head, held_out.one_a_person)


def _sheet_row(pair: Pair) -> ByteArray:
    pictures = [*[*pair.pictures.values()][:5], pair.real]
    row: ByteArray = np.hstack([cv2.resize(picture, (256, 256)) for picture in pictures]).astype(np.uint8)
    return row
