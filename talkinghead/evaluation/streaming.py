"""Held-out talkers, their speech heard as it is spoken -> how close the lips are to the whole recording's and the real ones.

Knows motions; what a stream is, is `talkinghead.streaming`'s.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import numpy as np
from scipy.signal import welch

from talkinghead.evaluation.clips import HeldOut, LipCurves
from talkinghead.evaluation.correlation import MAX_LAG, Correlated, best_within, mean_by_talker, source_offsets
from talkinghead.evaluation.lips import GENERATED, MEASURES, WHO, correlate, lip_correlations
from talkinghead.evaluation.table import Table
from talkinghead.streaming import LOOK_AHEAD_FRAMES, MotionStream, joined
from talkinghead.types import FPS, SAMPLES_PER_FRAME, Audio, FaceMotion, FloatArray

CHUNK: Final = 5 * SAMPLES_PER_FRAME
EARLY_FRAMES: Final = 2 * FPS
"""A stream has heard little by then."""
TREMBLING_HZ: Final = 8.0
_SEGMENT: Final = 64
COLUMNS: Final = ("wild", "GRID others", "all but GRID", "all")


def streamed_motion(held_out: HeldOut, audio: Audio) -> FaceMotion:
    """Speech in chunks of 0.2 s -> the motion of a stream, neutral, seed 0."""
    stream = MotionStream(held_out.head)
    parts = [stream.push(audio.samples[start : start + CHUNK]) for start in range(0, len(audio.samples), CHUNK)]
    return joined([*parts, stream.finish()])


def streamed_lips(held_out: HeldOut) -> list[LipCurves]:
    """Of each of the clips."""
    return [LipCurves.of(held_out.head.rig(streamed_motion(held_out, clip.audio)).vertices) for clip in held_out.clips]


def trembling(curve: FloatArray) -> float:
    """(T,) -> its power above `TREMBLING_HZ`, NaN where it has gaps or is shorter than a window of it."""
    if len(curve) < _SEGMENT or not np.isfinite(curve).all():
        return float("nan")
    frequencies, power = welch(curve, FPS, nperseg=_SEGMENT)
    return float(power[frequencies > TREMBLING_HZ].sum() * (frequencies[1] - frequencies[0]))


def streaming_tables(held_out: HeldOut) -> list[Table]:
    """Streamed beside whole, against the real talker; and how far the one is from the other."""
    streamed, whole = held_out.once(streamed_lips), held_out.once(lip_correlations)
    rows: dict[str, dict[str, float]] = {}
    for measure in MEASURES:
        pairs = zip(held_out.clips, streamed, held_out.real, strict=True)
        clips = [correlate(clip, getattr(ours, measure), getattr(real, measure)) for clip, ours, real in pairs]
        offsets = source_offsets(whole["opening"][GENERATED])
        for name, some in (("whole", whole[measure][GENERATED]), ("streamed", clips)):
            rows[f"{measure}, {name}"] = _means(some, offsets)
    note = (
        f"Pearson r, the source's offset removed (that of the whole recording's opening), the best within {MAX_LAG} frames of "
        f"it. A stream's frame has heard {LOOK_AHEAD_FRAMES} frames beyond its own. {WHO}"
    )
    return [Table("Lips of a stream against the real talker", note, rows, ".3f"), _closeness(held_out, streamed)]


def _means(clips: list[Correlated], offsets: dict[str, int]) -> dict[str, float]:
    means = mean_by_talker(clips, lambda clip: best_within(clip.correlations, offsets[clip.source], MAX_LAG))
    return {column: means[column] for column in COLUMNS}


def _closeness(held_out: HeldOut, streamed: list[LipCurves]) -> Table:
    found: dict[str, dict[str, list[float]]] = {measure: defaultdict(list) for measure in MEASURES}
    for ours, whole, real in zip(streamed, held_out.generated, held_out.real, strict=True):
        for measure, row in found.items():
            stream, reference = getattr(ours, measure), getattr(whole, measure)
            row["r"].append(float(np.corrcoef(stream, reference)[0, 1]))
            apart = np.abs(stream - reference)
            row["mean absolute difference"].append(float(apart.mean()))
            row["after 2 s"].append(float(apart[EARLY_FRAMES:].mean()) if len(apart) > EARLY_FRAMES else float("nan"))
            row["deviation of the whole"].append(float(reference.std()))
            for name, curve in (("streamed", stream), ("whole", reference), ("real", getattr(real, measure))):
                row[f"trembling, {name}"].append(trembling(curve))
    rows: dict[str, dict[str, float]] = {}
    for measure, row in found.items():
        rows[measure] = {"lowest r": float(np.nanmin(row["r"]))}
        rows[measure] |= {name: float(np.nanmean(values)) for name, values in row.items() if not name.startswith("trembling")}
        tracked = np.array(row["trembling, real"])
        for name in ("streamed", "whole"):
            rows[measure][f"trembling, {name}"] = float(np.nanmedian(np.array(row[f"trembling, {name}"]) / tracked))
    note = (
        "Of the same clip, means over clips; differences and deviations over the distance of the outer eye corners. Trembling: "
        f"power above {TREMBLING_HZ:g} Hz over the real talker's as tracked, the median over clips."
    )
    return Table("Lips of a stream against those of the whole recording", note, rows, ".4f")
