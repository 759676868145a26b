"""The same speech in every emotion -> are the lips still those of the neutral speech, and does every step of intensity show.

No video is needed: the neutral performance is the measure of all others.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.evaluation.clips import HeldOut, LipCurves
from talkinghead.evaluation.contacts import CLOSED_GAPS, WORDS, Hits, add_closures, lip_gap, parts, timed_words
from talkinghead.evaluation.correlation import Correlated, best_within, mean_by_talker, talker_means
from talkinghead.evaluation.lips import correlate
from talkinghead.evaluation.table import Table
from talkinghead.landmarks import NUM_SKIN_POINTS
from talkinghead.motion.lips import LEFT_EYE, RIGHT_EYE
from talkinghead.rig.face_rig import FaceRig
from talkinghead.types import EMOTIONS, MOTION_ARRAYS, FaceMotion

FELT: Final = tuple(emotion for emotion in EMOTIONS if emotion != "neutral")
STEPS: Final = tuple(k / 10 for k in range(11))
SIGNS: Final[dict[str, tuple[str, ...]]] = {
    "angry": ("browDownLeft", "browDownRight", "eyeSquintLeft"),
    "contempt": ("mouthDimpleLeft", "mouthSmileLeft"),
    "disgusted": ("noseSneerLeft", "noseSneerRight", "mouthUpperUpLeft"),
    "fear": ("browInnerUp", "eyeWideLeft", "mouthStretchLeft"),
    "happy": ("mouthSmileLeft", "mouthSmileRight", "cheekSquintLeft"),
    "sad": ("browInnerUp", "mouthFrownLeft", "mouthFrownRight"),
    "surprised": ("browInnerUp", "browOuterUpLeft", "eyeWideLeft"),
}
"""Which columns say each emotion (EMFACS)."""


def expression_tables(held_out: HeldOut) -> list[Table]:
    """Emotion at full strength -> r of its lip opening with the neutral one's, and closures at word-initial p, b, m."""
    words = timed_words(held_out.data / WORDS)
    common = [(words[Path(clip.file).stem], held_out.head.heard(clip.audio)) for clip in held_out.common_clips]
    closures: dict[str, Hits] = defaultdict(lambda: defaultdict(list))
    rows: dict[str, dict[str, float]] = {}
    for emotion in ("neutral", *FELT):
        for said, features in common:
            add_closures(closures[emotion], lip_gap(held_out.vertices(features, emotion, 1.0)), said)
        clips = []
        for clip, features, neutral in zip(held_out.clips, held_out.features, held_out.generated, strict=True):
            felt = LipCurves.of(held_out.vertices(features, emotion, 1.0))
            clips.append(correlate(clip, felt.opening, neutral.opening))
        talkers = talker_means(clips, _at_once)
        rows[emotion] = {
            "r": float(np.mean([*talkers.values()])),
            "r, lowest talker": min(talkers.values()),
            "r, wild": mean_by_talker(clips, _at_once)["wild"],
        }
    for emotion, closed in parts(closures).items():
        rows[emotion] |= closed
    note = (
        "r: lip opening of the whole clip in the emotion at intensity 1 against the same speech in neutral, at lag 0, one vote "
        "a talker; what an emotion adds throughout falls out of a correlation. Closures: word-initial p, b, m of GRID's talker "
        "s1 in unheard sentences, as in the table of the closures."
    )
    forms = {f"gap under {limit}": ".0%" for limit in CLOSED_GAPS} | {"words": ".0f"}
    return [Table("Lips under emotion, against neutral", note, rows, ".3f", forms)]


def intensity_tables(held_out: HeldOut) -> list[Table]:
    """Emotion -> how far it moves the face at every step of intensity, on the longest clip."""
    features = max(held_out.features, key=len)
    neutral = held_out.motion(features)
    moved: dict[str, dict[str, float]] = {}
    signs: dict[str, dict[str, float]] = {}
    for emotion in FELT:
        motions = [held_out.motion(features, emotion, step) for step in STEPS]
        moved[emotion] = _rising([displacement(held_out.head.rig, motion, neutral) for motion in motions])
        moved[emotion]["0 is neutral"] = float(is_same(motions[0], neutral))
        columns = [arkit.INDEX[name] for name in SIGNS[emotion]]
        signs[emotion] = _rising([float(motion.blendshapes[:, columns].mean()) for motion in motions])
    steps = ", ".join(f"{step:g}" for step in STEPS)
    moved_note = (
        f"Mean distance of the face's points from the neutral performance of the same speech, percent of the eye distance, "
        f"without the head's own motion, at intensity {steps}. Smallest step: the least by which 0.1 more moves the face "
        "further, which must be above 0. 0 is neutral: 1 where intensity 0 gives the neutral motion, to the last bit."
    )
    signs_note = f"Mean of the ARKit columns that say each emotion (EMFACS), of intensity {steps}."
    forms = {"0 is neutral": ".0f", "smallest step": ".4f"}
    return [
        Table("Every step of intensity", moved_note, moved, ".2f", forms),
        Table("Every emotion's own columns", signs_note, signs, ".3f", forms),
    ]


def displacement(rig: FaceRig, motion: FaceMotion, neutral: FaceMotion) -> float:
    """Mean distance of the skin's points in two performances, the head held still, in percent of the eye distance."""
    points = rig(_still(motion)).vertices[:, :NUM_SKIN_POINTS]
    rest = rig(_still(neutral)).vertices[:, :NUM_SKIN_POINTS]
    eyes = np.linalg.norm(rest[:, RIGHT_EYE] - rest[:, LEFT_EYE], axis=-1).mean()
    return float(100 * np.linalg.norm(points - rest, axis=-1).mean() / eyes)


def is_same(motion: FaceMotion, other: FaceMotion) -> bool:
    """Whether two performances are equal to the last bit."""
    return all(np.array_equal(getattr(motion, name), getattr(other, name)) for name in MOTION_ARRAYS)


def _still(motion: FaceMotion) -> FaceMotion:
    rest = FaceMotion.neutral(len(motion))
    return replace(rest, blendshapes=motion.blendshapes)


def _rising(values: list[float]) -> dict[str, float]:
    row = {f"{step:g}": value for step, value in zip(STEPS, values, strict=True)}
    return row | {"smallest step": float(np.diff(values).min())}


def _at_once(clip: Correlated) -> float:
    return best_within(clip.correlations, 0, 0)
