"""All tables in one Markdown file, with a contact sheet of the re-enactments beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import imageio.v3 as iio
import numpy as np

from talkinghead.errors import InputError, OutputError
from talkinghead.evaluation.lips import closure_table, emotion_table, lip_table, talking_clips
from talkinghead.evaluation.picture import Pair, PictureTable, picture_table
from talkinghead.pipeline import TalkingHead
from talkinghead.training import read_manifest
from talkinghead.types import ByteArray


def evaluate(
    split: str, data: Path, output: Path, checkpoint: Path | None = None, say: Callable[[str], None] = lambda _: None
) -> Path:
    """Score a checkpoint on the clips of a split and write `report.md`, `report.json` and `reenactment.png` into a folder.

    Raises:
        InputError: the data are not there, or the split is unknown.
        OutputError: the report's folder is a file.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: is a file; give the name of a folder for the report.")
    rows = read_manifest(data)
    splits = sorted({row["split"] for row in rows})
    if split not in splits:
        raise InputError(f"split: '{split}' is not in {data / 'manifest.jsonl'}; choose from {', '.join(splits)}.")
    head = TalkingHead.from_pretrained(checkpoint)
    output.mkdir(parents=True, exist_ok=True)
    say("tracking the talkers")
    clips = list(talking_clips(head, data, split))
    if not clips:
        raise InputError(f"split: '{split}' of {data} has no clip with sound of a person who is in no training clip.")
    say("lips")
    lips = lip_table(head, clips)
    say("closures")
    closures = closure_table(head, data, split)
    say("emotions")
    emotions = emotion_table(head, max((clip.audio for clip in clips), key=lambda audio: audio.duration_s))
    say("pictures")
    videos = [data / row["file"] for row in _one_a_person(rows, split)]
    pictures = picture_table(head, videos)
    iio.imwrite(output / "reenactment.png", np.vstack([_sheet_row(pair) for pair in pictures.sheet]))
    figures = {
        "lip opening, Pearson r": lips,
        "closures": {row: {"part": part, "count": count} for row, (part, count) in closures.items()},
        "emotion": emotions,
        "re-enactment": {row: {region: asdict(s) for region, s in scores.items()} for row, scores in pictures.scores.items()},
    }
    (output / "report.json").write_text(json.dumps(figures, indent=1))
    (output / "report.md").write_text(_markdown(lips, closures, emotions, pictures))
    return output / "report.md"


def _one_a_person(rows: list[dict[str, str]], split: str) -> list[dict[str, str]]:
    """The first clip of each identity that is in no training clip."""
    first: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["split"] == split and not row.get("identity_in_train", False):
            first.setdefault(row["identity"], row)
    return list(first.values())


def _sheet_row(pair: Pair) -> ByteArray:
    pictures = [*[*pair.pictures.values()][:5], pair.real]
    row: ByteArray = np.hstack([cv2.resize(picture, (256, 256)) for picture in pictures]).astype(np.uint8)
    return row


def _markdown(
    lips: dict[str, dict[str, float]],
    closures: dict[str, tuple[float, int]],
    emotions: dict[str, list[float]],
    pictures: PictureTable,
) -> str:
    lines = ["# Evaluation", "", "Lip opening against the real talker: Pearson r, lag at most 2 frames, one vote a talker.", ""]
    columns = sorted({name for row in lips.values() for name in row}, key=lambda n: (n not in ("mean", "talkers"), n))
    lines += ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in lips.items():
        cells = [f"{row[c]:.0f}" if c == "talkers" else f"{row[c]:.2f}" if c in row else "" for c in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", "Lips closed at word-initial p, b, m of GRID's talker s1.", "", "| | closed | of |", "|---|---|---|"]
    lines += [f"| {name} | {part:.0%} | {count} |" for name, (part, count) in closures.items()]
    lines += ["", "Mean of each emotion's own columns by intensity.", "", "| | 0 | 0.25 | 0.5 | 0.75 | 1 |", "|---" * 6 + "|"]
    lines += [f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |" for name, row in emotions.items()]
    lines += [
        "",
        f"Self re-enactment from the first frame, {pictures.num_clips} clips, a person each, up to three frames of each.",
        "",
    ]
    header = [f"{region} {unit}" for region in ("whole", "mouth", "eyes") for unit in ("PSNR", "SSIM", "FLIP", "sharpness")]
    lines += ["| | " + " | ".join(header) + " |", "|---" * (len(header) + 1) + "|"]
    for name, regions in pictures.scores.items():
        cells = [f"{s.psnr_db:.2f} | {s.ssim:.3f} | {s.perceptual:.3f} | {s.sharpness:.2f}" for s in regions.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
