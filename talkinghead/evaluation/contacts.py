"""Words with known times -> do the lips meet at p, b and m, and the lower lip the upper teeth at f and v.

The sentences are GRID's, of a talker of whom other sentences were heard in training.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.evaluation.clips import HeldOut
from talkinghead.evaluation.table import Table
from talkinghead.types import FPS, Audio, FloatArray

CLOSED_GAPS: Final = (0.035, 0.06)
"""Lips count as closed when their gap is under this part of the mouth's width, strictly and leniently."""
AROUND_S: Final = 0.12
"""A consonant is looked for from this long before its word begins to this long after."""
WORDS: Final = Path("grid_align/grid_s1_words.tsv")


def lip_gap(points: FloatArray) -> FloatArray:
    """(T, 478 or more, 3) -> (T,) the gap between the inner lips as it is seen, mean of five places, over the mouth's width.

    Depth does not count: an angry jaw pushed forward leaves no gap between lips that meet.
    """
    upper, lower = points[:, [81, 82, 13, 312, 311], :2], points[:, [178, 87, 14, 317, 402], :2]
    gap = np.linalg.norm(upper - lower, axis=2).mean(1)
    width = np.maximum(np.linalg.norm(points[:, 61, :2] - points[:, 291, :2], axis=1), 1e-9)
    return np.asarray(gap / width, np.float32)


@dataclass(frozen=True)
class TimedWord:
    """text: as it was said; start_s, end_s: from the start of its clip."""

    text: str
    start_s: float
    end_s: float


def timed_words(path: Path) -> dict[str, list[TimedWord]]:
    """`grid_s1_words.tsv` -> the words of each clip, by its stem."""
    words = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            words[Path(row["clip"]).stem].append(TimedWord(row["word"], float(row["start_s"]), float(row["end_s"])))
    return dict(words)


def frames_between(start_s: float, end_s: float) -> slice:
    """The frames shown from one time to the other, both included."""
    return slice(max(0, round(start_s * FPS)), round(end_s * FPS) + 1)


def reaches(curve: FloatArray, start_s: float, end_s: float, limit: float) -> bool:
    """Whether a curve, (T,), falls under a limit somewhere between two times; a time past its end is no contact."""
    part = curve[frames_between(start_s, end_s)]
    return bool(np.any(part[np.isfinite(part)] < limit))


def contact_tables(held_out: HeldOut) -> list[Table]:
    """Closures at word-initial p, b, m: the real talker, generated, happy, and the sound turned round."""
    words = timed_words(held_out.data / WORDS)
    hits: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for clip in held_out.common_clips:
        backwards = Audio(np.ascontiguousarray(clip.audio.samples[::-1]))
        features = held_out.head.heard(clip.audio)
        points = {
            "real talker": clip.points,
            "generated motion": held_out.vertices(features),
            "generated, happy at 1": held_out.vertices(features, "happy", 1.0),
            "chance: the sound turned round": held_out.vertices(backwards),
        }
        for row, of_row in points.items():
            gap = lip_gap(of_row)
            for word in words[Path(clip.file).stem]:
                if word.text[0] in "pbm":
                    for limit in CLOSED_GAPS:
                        closed = reaches(gap, word.start_s - AROUND_S, word.start_s + AROUND_S, limit)
                        hits[row][f"gap under {limit}"].append(closed)
    rows = {row: _parts(of_row) for row, of_row in hits.items()}
    note = (
        f"Part of the word-initial p, b, m of GRID's talker s1, in sentences that were never heard, at which the lips' seen "
        f"gap falls under a part of the mouth's width within {AROUND_S} s of the word's start."
    )
    return [Table("Closure of the lips", note, rows, ".0%", {"words": ".0f"})]


def _parts(of_row: dict[str, list[bool]]) -> dict[str, float]:
    count = {"words": float(len(next(iter(of_row.values()))))}
    return {column: float(np.mean(values)) for column, values in of_row.items()} | count
