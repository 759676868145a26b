"""Tracked training clips -> what the gesture model learns from: curves about each clip's own rest, and how the voice went.

A clip is a few seconds of one talker in a camera of their own, so nothing is known of where a head is in minutes or in space:
every curve is taken from the clip's own mean, brows and lids from the talker's rest. Knows channels; knows no network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.ndimage import median_filter

from talkinghead import arkit
from talkinghead.corpus.store import FEATURES, MOTION, open_clips
from talkinghead.motion.dataset import shifted, trusted_leads
from talkinghead.motion.io import load_motion
from talkinghead.motion.smoothing import moving_average
from talkinghead.types import FaceMotion, FloatArray

CHANNELS: Final[tuple[str, ...]] = (
    "pitch", "yaw", "roll", "right", "up", "forward", "browDown", "browInnerUp", "browOuterUp", "gazeYaw", "gazePitch", "lids",
)  # fmt: skip
"""rad about x, y, z; m; the means of both sides' coefficients; rad in camera space, not against the head; 1 is shut."""

HEAD: Final = slice(0, 6)
BROWS: Final = slice(6, 9)
GAZE: Final = slice(9, 11)
LIDS: Final = 11

MIRROR: Final[FloatArray] = np.array([1, -1, -1, -1, 1, 1, 1, 1, 1, -1, 1, 1], np.float32)
"""The same gesture on the other side of the face."""

LIVELINESS: Final = 3
"""How lively head, brows and gaze are: the logarithm of the head's speed, and of the others' deviation, against the usual."""

VOICE: Final = 3
"""Vocal effort, its stress, and 1 where there is a sound at all (0 is a clip without one)."""

_BROWS: Final = [[arkit.INDEX[f"{name}{side}"] for side in sides] for name, sides in (
    ("browDown", ("Left", "Right")), ("browInnerUp", ("",)), ("browOuterUp", ("Left", "Right")),
)]  # fmt: skip
_LIDS: Final = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]
_RESTING_BROW: Final = 20
MAX_LIVELINESS: Final = 4.0
LIVELINESS_S: Final = 0.7
LOUD_PERCENT: Final = 95


@dataclass(frozen=True, eq=False)
class GestureClip:
    """curves: (T, 12) as `CHANNELS`, each from the clip's own rest. voice: (T, 3) as `VOICE`. source: folder of the clip."""

    source: str
    talker: str
    curves: FloatArray
    voice: FloatArray

    def __len__(self) -> int:
        return len(self.curves)


def gesture_clips(
    data: Path,
    prepared: Path,
    part: str,
    min_frames: int,
    max_a_talker: int,
    split: str = "",
    identities: Collection[str] = (),
    emotions: Collection[str] = (),
) -> Iterator[GestureClip]:
    """The tracked clips of a part that are long enough, with and without sound, one at a time.

    Args:
        data: folder of `manifest.jsonl` and `offsets.tsv`.
        prepared: folder that holds `features` and `motion`; of a set in shards the same folder.
        part: "train" or "eval".
        min_frames: a shorter clip is left out.
        max_a_talker: clips, in the manifest's order.
        split: which of `corpus.splits` says what is what; "" is the manifest's own.
        identities, emotions: of whom and of what, as the manifest says; none is everybody and everything.

    Raises:
        InputError: no manifest.
    """
    leads = trusted_leads(data / "offsets.tsv")
    taken: dict[str, int] = {}
    clips = open_clips(data, prepared)
    for row in clips.rows_of(part, split):
        name, talker = Path(row["file"]), row["identity"]
        if (identities and talker not in identities) or (emotions and row.get("emotion") not in emotions):
            continue
        if not clips.has(row, MOTION) or taken.get(talker, 0) >= max_a_talker:
            continue
        with clips.open(row, MOTION) as stream:
            motion = load_motion(stream)
        voice = np.zeros((len(motion), VOICE), np.float32)
        if row["audio"] and clips.has(row, FEATURES):
            with clips.open(row, FEATURES) as stream, np.load(stream) as file:
                loudness = file["loudness"]
            heard, seen = shifted(min(len(loudness), len(motion)), leads.get(row["file"], 0))
            motion, voice = motion[seen], voice_curves(loudness[heard])
        if len(motion) >= min_frames:
            taken[talker] = taken.get(talker, 0) + 1
            yield GestureClip("/".join(name.parts[:-1]), talker, gesture_curves(motion), voice)


def gesture_curves(motion: FaceMotion) -> FloatArray:
    """A tracked motion -> (T, 12) as `CHANNELS`, from its own rest."""
    brows = np.stack([motion.blendshapes[:, columns].mean(1) for columns in _BROWS], 1)
    lids = motion.blendshapes[:, _LIDS].mean(1, keepdims=True)
    # The tracker loses the iris behind a lid: a median over a fifth of a second takes that away and leaves saccades sharp.
    look = median_filter(camera_gaze(motion.gaze, motion.head_rotation), (5, 1), mode="nearest")
    head = np.c_[motion.head_rotation, motion.head_translation]
    return np.concatenate(
        [
            head - head.mean(0),
            brows - np.percentile(brows, _RESTING_BROW, axis=0),
            look - np.median(look, axis=0),
            lids - np.median(lids),
        ],
        axis=1,
    ).astype(np.float32)


def camera_gaze(gaze: FloatArray, head_rotation: FloatArray) -> FloatArray:
    """gaze against the head (T, 2), head_rotation (T, 3), rad -> where the eyes look in camera space, (T, 2) rad.

    Yaw about y is to the subject's left, pitch about x is down; exact for small turns.
    """
    look: FloatArray = (gaze + np.stack([head_rotation[:, 1], -head_rotation[:, 0]], 1)).astype(np.float32)
    return look


def head_gaze(look: FloatArray, head_rotation: FloatArray) -> FloatArray:
    """The inverse of `camera_gaze`: (T, 2) rad in camera space -> against the head."""
    gaze: FloatArray = (look - np.stack([head_rotation[:, 1], -head_rotation[:, 0]], 1)).astype(np.float32)
    return gaze


def vocal_effort(loudness: FloatArray, loud: float | None = None) -> FloatArray:
    """loudness: (T,) dBFS -> (T,) 0 in silence, about 1 on the loud syllables of this recording, which are at `loud` dBFS."""
    loud = float(np.percentile(loudness, LOUD_PERCENT)) if loud is None else loud
    effort = np.clip((loudness - loud + 25) / 25, 0, 1) * (loudness > -55)
    return np.asarray(effort, np.float32)


def voice_curves(loudness: FloatArray, loud: float | None = None) -> FloatArray:
    """loudness: (T,) dBFS, loud as in `vocal_effort` -> (T, 3): effort over a syllable, how far above its second, and 1."""
    effort = vocal_effort(loudness, loud)
    syllable = moving_average(effort, 0.12)
    return np.stack([syllable, syllable - moving_average(effort, 0.7), np.ones_like(effort)], 1).astype(np.float32)


def liveliness(curves: FloatArray, scale: FloatArray, usual_speed: float) -> FloatArray:
    """How lively a clip is -> (T, 3): the head from moment to moment, brows and gaze of the whole clip.

    curves: (T, 12). scale: (12,) the usual deviations. usual_speed: as `head_speed` of the usual talker.
    """
    speed = np.log(np.clip(head_speed(curves, scale) / usual_speed, 0.1, MAX_LIVELINESS))
    shares = curves.std(0) / scale
    groups = [np.sqrt((shares[group] ** 2).mean()) for group in (BROWS, GAZE)]
    others = np.tile(np.log(np.clip(groups, 0.1, MAX_LIVELINESS)), (len(curves), 1))
    lively: FloatArray = np.c_[speed, others].astype(np.float32)
    return lively


def head_speed(curves: FloatArray, scale: FloatArray) -> FloatArray:
    """curves: (T, 12), scale: (12,) -> (T,) root mean square speed of the head over a second, usual deviations a frame."""
    moved = np.diff(curves[:, HEAD] / scale[HEAD], axis=0, prepend=curves[:1, HEAD] / scale[HEAD])
    speed: FloatArray = np.sqrt(moving_average((moved**2).mean(1), LIVELINESS_S) + 1e-8).astype(np.float32)
    return speed


def usual_head_speed(clips: list[GestureClip], scale: FloatArray) -> float:
    """The median over the talkers of the speed of their heads, each one vote."""
    talkers: dict[str, list[float]] = {}
    for clip in clips:
        talkers.setdefault(clip.talker, []).append(float(head_speed(clip.curves, scale).mean()))
    return float(np.median([np.mean(speeds) for speeds in talkers.values()]))


def effort_of_head(clips: list[GestureClip], scale: FloatArray) -> tuple[float, float]:
    """How the liveliness of the head follows vocal effort within a clip -> slope, and deviation of what it leaves unexplained.

    Least squares over clips with sound, each talker one vote.
    """
    talkers: dict[str, list[tuple[float, float, float]]] = {}
    for clip in clips:
        if clip.voice[:, 2].any():
            effort = lasting_effort(clip.voice)
            speed = np.log(np.clip(head_speed(clip.curves, scale), 1e-3, None))
            effort, speed = effort - effort.mean(), speed - speed.mean()
            moments = (float((effort * speed).mean()), float((effort**2).mean()), float((speed**2).mean()))
            talkers.setdefault(clip.talker, []).append(moments)
    if not talkers:
        return 0.0, 0.0
    both, ours, theirs = np.mean([np.mean(rows, axis=0) for rows in talkers.values()], axis=0)
    slope = max(0.0, float(both / max(ours, 1e-6)))
    return slope, float(np.sqrt(max(theirs - slope * both, 0.0)))


def lasting_effort(voice: FloatArray) -> FloatArray:
    """voice: (T, 3) -> (T,) vocal effort over a few syllables."""
    return moving_average(voice[:, 0], 0.4)


def usual_deviations(clips: list[GestureClip]) -> FloatArray:
    """(12,) of each channel within a clip: the median over the talkers, each one vote."""
    talkers: dict[str, list[FloatArray]] = {}
    for clip in clips:
        talkers.setdefault(clip.talker, []).append(clip.curves.std(0))
    typical: FloatArray = np.median([np.mean(rows, axis=0) for rows in talkers.values()], axis=0).astype(np.float32)
    return np.maximum(typical, 1e-5)
