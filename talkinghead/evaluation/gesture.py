"""Motions, ours and tracked ones -> how they blink, look, hold the head and brows, and answer the voice, in numbers.

Knows motion and loudness; loads no model (`scripts/measure_gesture.py` makes the performances and prints the tables).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.linalg
from scipy.signal import welch

from talkinghead import arkit
from talkinghead.motion.gesture_blinks import find_blinks
from talkinghead.motion.gesture_dataset import BROWS, GAZE, HEAD, gesture_curves
from talkinghead.motion.smoothing import moving_average
from talkinghead.types import FPS, FaceMotion, FloatArray

LIDS: Final = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]
SPREADS: Final = ("pitch", "yaw", "roll", "right", "up", "forward", "gaze yaw", "gaze pitch", "brows")
"""What `spread` measures: rad, m, rad against the head, and the mean of the brows' three coefficients."""
TREMBLING_HZ: Final = 8.0
_MIN_FRAMES: Final = 60
_FLOOR_DB: Final = 35.0
_SEGMENT: Final = 64
_WINDOW: Final = 24
_COMPONENTS: Final = 30


@dataclass(frozen=True)
class Correlation:
    """A mean over utterances and its 95 % interval."""

    mean: float
    low: float
    high: float
    count: int


def blink_statistics(motion: FaceMotion) -> tuple[float, FloatArray]:
    """A motion -> blinks a minute, and (N,) seconds that each lasts."""
    found = find_blinks(motion.blendshapes[:, LIDS].mean(1))
    lengths = np.array([closing + opening for _, closing, opening in found], np.float32)
    return 60 * FPS * len(found) / len(motion), lengths


def spread(motion: FaceMotion) -> FloatArray:
    """(9,) deviations as `SPREADS` within one clip."""
    brows = gesture_curves(motion)[:, BROWS].std(0).mean(keepdims=True)
    parts = [motion.head_rotation.std(0), motion.head_translation.std(0), motion.gaze.std(0), brows]
    result: FloatArray = np.concatenate(parts).astype(np.float32)
    return result


def per_talker(rows: Sequence[tuple[str, FloatArray]]) -> FloatArray:
    """Pairs of a talker and values -> the median over the talkers of each talker's mean: one vote a talker."""
    talkers: dict[str, list[FloatArray]] = {}
    for talker, values in rows:
        talkers.setdefault(talker, []).append(values)
    middle: FloatArray = np.median([np.mean(values, axis=0) for values in talkers.values()], axis=0).astype(np.float32)
    return middle


def drift(motion: FaceMotion, part_s: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Mean and deviation of head rotation, translation and gaze, (8,) each, over the first `part_s`, then over the last."""
    curves = np.c_[motion.head_rotation, motion.head_translation, motion.gaze]
    frames = round(part_s * FPS)
    first, last = curves[:frames], curves[-frames:]
    return first.mean(0), first.std(0), last.mean(0), last.std(0)


def brow_raise(motion: FaceMotion) -> FloatArray:
    """(T,) inner and outer brows up, less brows down, each the mean of both sides."""
    columns = {name: motion.blendshapes[:, index] for name, index in arkit.INDEX.items() if name.startswith("brow")}
    outer = (columns["browOuterUpLeft"] + columns["browOuterUpRight"]) / 2
    down = (columns["browDownLeft"] + columns["browDownRight"]) / 2
    raised: FloatArray = (columns["browInnerUp"] + outer - down).astype(np.float32)
    return raised


def head_speed(motion: FaceMotion) -> FloatArray:
    """(T,) rad/s, over a third of a second."""
    moved = np.diff(motion.head_rotation, axis=0, prepend=motion.head_rotation[:1])
    return moving_average(FPS * np.linalg.norm(moved, axis=1), 0.3)


def effort_correlations(motion: FaceMotion, loudness: FloatArray) -> tuple[float, float]:
    """loudness: (T,) dBFS -> Pearson r of vocal effort with the brows and with the head's speed; not a number where one rests.

    Vocal effort is the loudness over a syllable in dB, down to 35 dB under the loudest: not the measure that drives the model.
    The first second is left out, in which a generated head leaves the portrait's pose: it would answer any voice that begins.
    """
    effort = moving_average(np.maximum(loudness, loudness.max() - _FLOOR_DB), 0.12)
    later = slice(FPS, None)
    return _pearson(brow_raise(motion)[later], effort[later]), _pearson(head_speed(motion)[later], effort[later])


def mean_correlation(values: Sequence[float], resamples: int = 2000) -> Correlation:
    """Correlations of utterances -> their mean and the 95 % interval of it by bootstrap over utterances."""
    found = np.array([value for value in values if np.isfinite(value)])
    if not len(found):
        return Correlation(float("nan"), float("nan"), float("nan"), 0)
    picks = np.random.default_rng(0).integers(len(found), size=(resamples, len(found)))
    low, high = np.percentile(found[picks].mean(1), [2.5, 97.5])
    return Correlation(float(found.mean()), float(low), float(high), len(found))


def trembling(curves: FloatArray) -> float:
    """curves: (T, N), T at least 64 -> their power above 8 Hz, summed over the curves, in the square of their unit."""
    frequencies, power = welch(curves, fs=FPS, nperseg=_SEGMENT, axis=0)
    return float(power[frequencies > TREMBLING_HZ].sum() * (frequencies[1] - frequencies[0]))


def pace_distance(ours: Sequence[FloatArray], real: Sequence[FloatArray], scale: FloatArray) -> float:
    """How far apart the paces of two sets of performances are: the Fréchet distance of Gaussians fitted to them.

    ours, real: curves (T, 12) as `gesture_dataset.CHANNELS`. scale: (12,) their unit. A sample is the change from frame to
    frame of head, brows and gaze over a second, in the real ones' first 30 principal components. Source: Heusel et al.,
    "GANs Trained by a Two Time-Scale Update Rule", 2017, with the motion itself for features.
    """
    a, b = (np.concatenate([_paces(clip / scale) for clip in clips]) for clips in (ours, real))
    components = np.linalg.svd(b - b.mean(0), full_matrices=False)[2][:_COMPONENTS].T
    a, b = a @ components, b @ components
    covariance_a, covariance_b = np.cov(a.T), np.cov(b.T)
    both = scipy.linalg.sqrtm(covariance_a @ covariance_b).real
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariance_a + covariance_b - 2 * both))


def _paces(curves: FloatArray) -> FloatArray:
    """(T, 12) -> (T // 24, 23 * 11) the frame to frame changes of each second but the lids'."""
    kept = np.c_[curves[:, HEAD], curves[:, BROWS], curves[:, GAZE]]
    seconds = kept[: len(kept) // _WINDOW * _WINDOW].reshape(-1, _WINDOW, kept.shape[1])
    result: FloatArray = np.diff(seconds, axis=1).reshape(len(seconds), -1)
    return result


def _pearson(a: FloatArray, b: FloatArray) -> float:
    if min(a.std(), b.std()) < 1e-6:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def long_enough(motion: FaceMotion) -> bool:
    """Whether a clip can be measured at all."""
    return len(motion) >= max(_MIN_FRAMES, _SEGMENT)
