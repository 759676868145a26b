"""Words with known times -> do the lips meet at p, b and m, and the lower lip the upper teeth at f and v.

The sentences are GRID's, of a talker of whom other sentences were heard in training.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.evaluation.clips import HeldOut, TalkingClip
from talkinghead.evaluation.table import Table
from talkinghead.types import FPS, Audio, FloatArray

CLOSED_GAPS: Final = (0.035, 0.06)
"""Lips count as closed when their gap is under this part of the mouth's width, strictly and leniently."""
AROUND_S: Final = 0.12
"""A consonant is looked for from this long before its word begins to this long after."""
LABIODENTAL_AROUND_S: Final = 0.08
RAISED: Final = (1.055, 1.0)
"""The lower lip is at the upper teeth when it is this near to the nose, over where it is when the lips are shut.

In GRID's `train` sentences of talker s1 it comes within 1.055 at 90 % of the word-initial f and v, at 28 % of `OTHER_WORDS` and
at 13 % of nine, two, eight, zero and six; within 1.0, higher than in shut lips, at 46 %, 6 % and 4 %. (The gap of the lips does
not tell f from e: its area under the curve is .64, this measure's .90.)"""
MIN_SHUT_FRAMES: Final = 3
LABIODENTAL_WORDS: Final = ("four", "five", "v")
OTHER_WORDS: Final = frozenset(
    ("nine", "two", "eight", "zero", "six", "seven", "in", "at", "green", "red", "lay", "set", "i", "e", "a", "u", "o")
)
COUNTS: Final = ("words", "f and v", "others", "p, b, m", "f, v", "vowels")
WORDS: Final = Path("grid_align/grid_s1_words.tsv")


Hits = dict[str, list[bool]]
"""Column -> whether each of its words was hit; a column of `COUNTS` has True for each word that there was."""


def lip_gap(points: FloatArray) -> FloatArray:
    """(T, 478 or more, 3) -> (T,) the gap between the inner lips as it is seen, mean of five places, over the mouth's width.

    Depth does not count: an angry jaw pushed forward leaves no gap between lips that meet.
    """
    upper, lower = points[:, [81, 82, 13, 312, 311], :2], points[:, [178, 87, 14, 317, 402], :2]
    gap = np.linalg.norm(upper - lower, axis=2).mean(1)
    width = np.maximum(np.linalg.norm(points[:, 61, :2] - points[:, 291, :2], axis=1), 1e-9)
    return np.asarray(gap / width, np.float32)


def lower_lip_height(points: FloatArray) -> FloatArray:
    """(T, 478 or more, 3) -> (T,) how far under the nose the lower lip's inner edge is, over where it is in shut lips.

    1 in shut lips, less when it is tucked up to the teeth, more in an open mouth. Seen, as `lip_gap`: from under the nose (2)
    to three places of the edge (87, 14, 317), over the eye distance. Shut: the frames with a gap under the strict limit, or
    the three narrowest where there are not so many.
    """
    eyes = np.linalg.norm(points[:, 33, :2] - points[:, 263, :2], axis=1)
    height = np.linalg.norm(points[:, [87, 14, 317], :2] - points[:, [2], :2], axis=2).mean(1) / np.maximum(eyes, 1e-9)
    gap = lip_gap(points)
    shut = gap < CLOSED_GAPS[0]
    if shut.sum() < MIN_SHUT_FRAMES:
        shut = np.zeros_like(shut)
        shut[np.argsort(np.where(np.isfinite(gap), gap, np.inf))[:MIN_SHUT_FRAMES]] = True
    return np.asarray(height / np.nanmedian(height[shut]), np.float32)


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
    """Closures at word-initial p, b, m, and the lower lip at the teeth at f, v: real, generated, happy, and by chance."""
    words = timed_words(held_out.data / WORDS)
    closures: dict[str, Hits] = defaultdict(lambda: defaultdict(list))
    labiodentals: dict[str, Hits] = defaultdict(lambda: defaultdict(list))
    for clip in held_out.common_clips:
        for row, points in _rows(held_out, clip):
            add_closures(closures[row], lip_gap(points), words[Path(clip.file).stem])
            add_labiodentals(labiodentals[row], lower_lip_height(points), words[Path(clip.file).stem])
    closure_note = (
        f"Part of the word-initial p, b, m of GRID's talker s1, in sentences that were never heard, at which the lips' seen "
        f"gap falls under a part of the mouth's width within {AROUND_S} s of the word's start."
    )
    labiodental_note = (
        f"The same at f and v (four, five, v): part of the words within {LABIODENTAL_AROUND_S} s of whose start the lower "
        f"lip's inner edge is so near to the nose, over where it is in shut lips. {RAISED[0]} was chosen on training "
        f"sentences, for 90 % of the real talker's f and v; within {RAISED[1]:g} it is higher than in shut lips. Beside: "
        "words that begin with no labial, where there should be few."
    )
    return [
        Table("Closure of the lips", closure_note, parts(closures), ".0%", {"words": ".0f"}),
        Table("Labiodental contact", labiodental_note, parts(labiodentals), ".0%", {"f and v": ".0f", "others": ".0f"}),
    ]


def add_closures(hits: Hits, gap: FloatArray, words: list[TimedWord]) -> None:
    """gap: (T,) as `lip_gap`, words: of the same clip -> whether the lips met at each word-initial p, b, m."""
    for word in words:
        if word.text[0] in "pbm" and word.text != "m":  # the letter begins with a vowel
            for limit in CLOSED_GAPS:
                hits[f"gap under {limit}"].append(reaches(gap, word.start_s - AROUND_S, word.start_s + AROUND_S, limit))
            hits["words"].append(True)


def add_labiodentals(hits: Hits, height: FloatArray, words: list[TimedWord]) -> None:
    """height: (T,) as `lower_lip_height`, words: of the same clip -> whether the lip was raised at f, v, and at other words."""
    for word in words:
        if word.text in LABIODENTAL_WORDS or word.text in OTHER_WORDS:
            kind = "f and v" if word.text in LABIODENTAL_WORDS else "others"
            start_s, end_s = word.start_s - LABIODENTAL_AROUND_S, word.start_s + LABIODENTAL_AROUND_S
            for limit in RAISED:
                hits[f"at {kind}, within {limit:g}"].append(reaches(height, start_s, end_s, limit))
            hits[kind].append(True)


def parts(of_rows: dict[str, Hits]) -> dict[str, dict[str, float]]:
    """Row -> column -> the part that was hit; a column of `COUNTS` says how many there were, and comes last."""
    table: dict[str, dict[str, float]] = {}
    for row, hits in of_rows.items():
        columns = sorted(hits, key=lambda column: (column in COUNTS, column))
        table[row] = {c: float(sum(hits[c]) if c in COUNTS else np.mean(hits[c])) for c in columns}
    return table


def _rows(held_out: HeldOut, clip: TalkingClip) -> Iterator[tuple[str, FloatArray]]:
    """Row -> its points, (T, V, 3)."""
    features = held_out.head.heard(clip.audio)
    yield "real talker", clip.points
    yield "generated motion", held_out.vertices(features)
    yield "generated, happy at 1", held_out.vertices(features, "happy", 1.0)
    yield "chance: the sound turned round", held_out.vertices(Audio(np.ascontiguousarray(clip.audio.samples[::-1])))
