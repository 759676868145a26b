"""Held-out talkers -> do the generated lips follow the real ones, and at the right moment.

Opening: the inner lips' middles (points 13 and 14); width: the mouth's corners (61 and 291), which tells spread from rounded
lips; both over the distance of the outer eye corners (33, 263), the tracked talker's curve against the generated one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final

import numpy as np

from talkinghead.audio.speech_encoder import loudness_dbfs
from talkinghead.evaluation.clips import WILD, HeldOut, LipCurves, TalkingClip, tracked_points
from talkinghead.evaluation.correlation import (
    LAGS,
    MAX_LAG,
    MAX_OFFSET,
    Correlated,
    best_within,
    lag_correlations,
    mean_by_talker,
    source_offsets,
)
from talkinghead.evaluation.table import Table
from talkinghead.motion.dataset import trusted_leads
from talkinghead.types import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, Audio, FloatArray, Portrait
from talkinghead.video.reader import read_frames

GENERATED: Final = "generated motion"
RENDERED_FRAMES: Final = 75
MIN_TIMED_R: Final = 0.5
"""The lag of a clip is read where the best r is at least this: lower peaks are found in other people's speech too."""
TIMED_WITHIN: Final = 1
MEASURES: Final = ("opening", "width")
WHO: Final = (
    f"Wild: {', '.join(WILD)}. GRID others: people of GRID who are in no training clip. All but GRID: the wild ones, the six "
    "Javanese actors and EAMM's. One vote a talker, the mean over the talker's clips."
)
_ULIPSYNC_OPENING: Final = {"aa": 1.0, "ih": 0.4, "ou": 0.4, "ee": 0.5, "oh": 0.7}
_ULIPSYNC_WIDTH: Final = {"aa": 0.5, "ih": 0.7, "ou": 0.0, "ee": 1.0, "oh": 0.2}


def lip_tables(held_out: HeldOut) -> list[Table]:
    """Opening and width against the real talkers', each row counted in three ways.

    "offset removed": a constant lag for each source, the one within `MAX_OFFSET` frames at which the mean r of opening over all
    the source's clips is highest, chosen for each row by itself, and then the best r within `MAX_LAG` frames of it. "lag 0":
    nothing corrected. "best lag": the best r within `MAX_LAG` frames of lag 0. Width takes the offsets of the opening: they are
    the recordings', not the measure's.
    """
    rows_of = held_out.once(lip_correlations)
    offsets = {row: source_offsets(clips) for row, clips in rows_of["opening"].items()}
    note = (
        f"Pearson r. Offset removed: one constant lag a source, within {MAX_OFFSET} frames, at which the mean r of opening "
        f"over its clips is highest, chosen for each row by itself; then the best r within {MAX_LAG} frames of it in each "
        f"clip. Lag 0: nothing corrected. Best lag: the best r within {MAX_LAG} frames of lag 0. {WHO}"
    )
    tables = []
    for measure in MEASURES:
        rows = {
            f"{row}, {counting}": mean_by_talker(clips, _score(counting, offsets[row]))
            for counting in ("offset removed", "lag 0", "best lag")
            for row, clips in rows_of[measure].items()
        }
        rows["offset of the generated motion, frames"] = {s: float(lag) for s, lag in sorted(offsets[GENERATED].items())}
        tables.append(Table(f"Lip {measure} against the real talker", note, rows, forms={"talkers": ".0f"}))
    return tables


def _score(counting: str, offsets: dict[str, int]) -> Callable[[Correlated], float]:
    if counting == "offset removed":
        return lambda clip: best_within(clip.correlations, offsets[clip.source], MAX_LAG)
    reach = MAX_LAG if counting == "best lag" else 0
    return lambda clip: best_within(clip.correlations, 0, reach)


def lip_correlations(held_out: HeldOut) -> dict[str, dict[str, list[Correlated]]]:
    """Measure -> row -> its clips, each with its r at every lag against the real talker; uLipSync where it is installed."""
    found: dict[str, dict[str, list[Correlated]]] = {measure: defaultdict(list) for measure in MEASURES}
    for index, clip in enumerate(held_out.clips):
        other, loud = held_out.chance(index), loudness(clip.audio)
        rows = {
            GENERATED: held_out.generated[index],
            "loudness": LipCurves(loud, loud),
            "uLipSync (pylipsync)": _ulipsync(clip.audio),
            "chance: another clip's sound": None if other is None else held_out.generated[other],
        }
        for row, curves in rows.items():
            for measure in MEASURES if curves is not None else ():
                curve, real = getattr(curves, measure), getattr(held_out.real[index], measure)
                found[measure][row].append(correlate(clip, curve, real))
    return found


def correlate(clip: TalkingClip, generated: FloatArray, real: FloatArray) -> Correlated:
    """One clip and two curves of it, (T,) -> its r at every lag."""
    return Correlated(clip.file, clip.source, clip.identity, lag_correlations(generated, real, LAGS))


def timing_tables(held_out: HeldOut) -> list[Table]:
    """In which part of the clips the lag of best correlation is the source's own offset, within `TIMED_WITHIN` frames."""
    table: dict[str, dict[str, float]] = defaultdict(dict)
    leads = trusted_leads(held_out.data / "offsets.tsv")
    for row, clips in held_out.once(lip_correlations)["opening"].items():
        offsets = source_offsets(clips)
        groups = {"all": clips, "wild": [clip for clip in clips if clip.source in WILD]}
        groups |= {source: [clip for clip in clips if clip.source == source] for source in sorted(offsets)}
        for name, group in groups.items():
            lags = [lag - offsets[clip.source] for clip in group if (lag := clip_lag(clip)) is not None]
            table[name].setdefault("clips", float(len(group)))
            table[name][row] = _punctual(lags)
            table[name][f"{row}, timed"] = float(len(lags))
            if row == GENERATED:
                known = [lag - leads[clip.file] for clip in group if clip.file in leads if (lag := clip_lag(clip)) is not None]
                table[name]["generated, from offsets.tsv"] = _punctual(known)
                table[name]["in offsets.tsv, timed"] = float(len(known))
    chance = (2 * TIMED_WITHIN + 1) / (2 * MAX_OFFSET + 1)
    note = (
        f"Part of the clips whose lag of best r (opening, within {MAX_OFFSET} frames of lag 0) is within {TIMED_WITHIN} frame "
        f"of the source's offset, chosen for each column by itself as in the table of the lips. A clip is timed where that "
        f"best r is at least {MIN_TIMED_R}; how many are is beside. One vote a clip. Lags drawn blindly would be within "
        f"{TIMED_WITHIN} frame in {chance:.0%}. From offsets.tsv: from what another model estimated for each clip by itself, "
        "where it was sure; a source whose clips differ among themselves cannot be right by one offset."
    )
    counts = {column: ".0f" for column in table["all"] if column == "clips" or column.endswith(", timed")}
    return [Table("Timing of the lips", note, dict(table), ".0%", counts)]


def _punctual(lags: list[int]) -> float:
    """The part of the lags within `TIMED_WITHIN` frames of 0, NaN where there is none."""
    return float(np.mean(np.abs(lags) <= TIMED_WITHIN)) if lags else float("nan")


def clip_lag(clip: Correlated) -> int | None:
    """The lag of best r within `MAX_OFFSET` frames, None where that r is under `MIN_TIMED_R`."""
    centre = len(clip.correlations) // 2
    near = clip.correlations[centre - MAX_OFFSET : centre + MAX_OFFSET + 1]
    if not np.isfinite(near).any() or np.nanmax(near) < MIN_TIMED_R:
        return None
    return int(np.nanargmax(near)) - MAX_OFFSET


def rendered_tables(held_out: HeldOut) -> list[Table]:
    """A talker's first clip, its first `RENDERED_FRAMES` frames rendered from its first frame and tracked again."""
    rendered, motion = [], []
    drawn: set[tuple[str, str]] = set()
    for index, clip in enumerate(held_out.clips):
        who = clip.source, clip.identity
        if who in drawn or not np.isfinite(clip.points[0]).all():
            continue
        drawn.add(who)
        real = held_out.real[index].opening
        rendered.append(correlate(clip, _rendered(held_out, clip), real))
        motion.append(correlate(clip, held_out.generated[index].opening[:RENDERED_FRAMES], real))

    def score(clip: Correlated) -> float:
        return best_within(clip.correlations, 0, MAX_LAG)

    rows = {"rendered video, tracked again": mean_by_talker(rendered, score), GENERATED: mean_by_talker(motion, score)}
    note = (
        f"Pearson r, the best within {MAX_LAG} frames of lag 0; a talker's first clip, its first {RENDERED_FRAMES} frames, and "
        f"the motion of those very frames. {WHO}"
    )
    return [Table("Lip opening of the rendered video", note, rows, forms={"talkers": ".0f"})]


def _rendered(held_out: HeldOut, clip: TalkingClip) -> FloatArray:
    """The clip's first frame driven by its sound -> (T,) lip opening of the result as the tracker sees it."""
    head = held_out.head
    picture = next(read_frames(held_out.data / clip.file))
    motion = held_out.motion(clip.audio)[:RENDERED_FRAMES]
    portrait = Portrait(picture, np.ones(picture.shape[:2], np.float32), head.tracker.detect(picture)[0])
    return LipCurves.of(tracked_points(head.tracker.track(head.render(portrait, motion)))).opening


def loudness(audio: Audio) -> FloatArray:
    """(T,) dBFS, the last frame filled with silence."""
    return loudness_dbfs(np.pad(audio.samples, (0, audio.num_frames * SAMPLES_PER_FRAME - len(audio.samples))))


def _ulipsync(audio: Audio) -> LipCurves | None:
    """How open and wide the mouth is by uLipSync's port, None when that is absent (`pip install --no-deps pylipsync`)."""
    try:
        from pylipsync import PhonemeAnalyzer
    except ImportError:
        return None
    segments = PhonemeAnalyzer().extract_phoneme_segments(audio.samples, SAMPLE_RATE, fps=FPS)

    def curve(shape: dict[str, float]) -> FloatArray:
        return np.array([sum(shape.get(p.name, 0.0) * p.target for p in s.phonemes) for s in segments], np.float32)

    return LipCurves(curve(_ULIPSYNC_OPENING), curve(_ULIPSYNC_WIDTH))
