"""Curves of the gesture model -> a face: head pose, brows, where the eyes look and the columns of lids and eyes.

The head begins in the portrait's own pose; the eyes go from fixation to fixation and hold the camera between glances, while the
head turns under them. Knows curves and knobs; knows no network. Source: Lee, Badler, Badler, "Eyes Alive", SIGGRAPH 2002.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from talkinghead import arkit
from talkinghead.motion.gesture_dataset import BROWS, GAZE, HEAD, head_gaze
from talkinghead.motion.smoothing import SlowNoise, binomial
from talkinghead.types import FPS, FloatArray

_SETTLE_S: Final = 0.6
_FREE_HEAD_RAD: Final = 0.09
_MAX_HEAD_RAD: Final = 0.18
_MAX_SWAY_M: Final = 0.03
_MAX_GAZE_RAD: Final = np.array([0.6, 0.4], np.float32)

GLANCE_DEVIATIONS: Final = 1.35
"""How far the model's look must be from the camera, in its own deviations, before the eyes leave it."""
_NEW_FIXATION: Final = 0.7
FIXATION_AHEAD: Final = 8
"""Frames. The model's look dips with each blink, where the tracker lost the iris: eyes that wait this long do not follow it."""
TREMOR_RAD: Final = 0.002


def settled(num_frames: int, first: int = 0) -> FloatArray:
    """(T, 1) 0 at the first frame of all, 1 after a moment: from the portrait's own pose the head goes free.

    first: which frame of the performance the first of these is.
    """
    share = np.clip((first + np.arange(num_frames, dtype=np.float32)) / (_SETTLE_S * FPS), 0, 1)[:, None]
    result: FloatArray = share * share * (3 - 2 * share)
    return result


def head_pose(curves: FloatArray, amount: float, first: int = 0) -> tuple[FloatArray, FloatArray]:
    """curves: (T, 12) -> head_rotation (T, 3) axis-angle rad and head_translation (T, 3) m, both 0 at the first frame.

    amount: 0 holds the head still, 1 moves it as tracked talkers did. Far turns are held back softly.
    first: as in `settled`.
    """
    pose = binomial(curves[:, HEAD]) * settled(len(curves), first)
    rotation = _held(pose[:, :3], _FREE_HEAD_RAD, _MAX_HEAD_RAD)
    translation = _held(pose[:, 3:], _MAX_SWAY_M / 2, _MAX_SWAY_M)
    return (amount * rotation).astype(np.float32), (amount * translation).astype(np.float32)


def _held(values: FloatArray, free: float, most: float) -> FloatArray:
    size = np.abs(values)
    held = np.minimum(size, free) + (most - free) * np.tanh(np.maximum(size - free, 0) / (most - free))
    return np.copysign(held, values).astype(np.float32)


def brow_columns(curves: FloatArray, first: int = 0) -> dict[int, FloatArray]:
    """curves: (T, 12) -> ARKit columns of the brows, both sides alike, in [0, 1] beyond rest, 0 at the first frame.

    first: as in `settled`.
    """
    down, inner, outer = (np.clip(binomial(curves[:, BROWS]), 0, 1) * settled(len(curves), first)).T
    columns = {
        "browDownLeft": down,
        "browDownRight": down,
        "browInnerUp": inner,
        "browOuterUpLeft": outer,
        "browOuterUpRight": outer,
    }
    return {arkit.INDEX[name]: value.astype(np.float32) for name, value in columns.items()}


def gaze_motion(
    curves: FloatArray, scale: FloatArray, head_rotation: FloatArray, look_deg: tuple[float, float] | None, seed: int
) -> FloatArray:
    """(T, 2) yaw and pitch of the eyes against the head, rad; where they look in the camera's space is free of the head's turn.

    scale: (12,) of the model. look_deg: degrees to the picture's right and up; None as people do.
    """
    num_frames = len(curves)
    tremor = eye_tremor(seed)(num_frames)
    held = fixations(curves[:, GAZE], scale[GAZE]) if look_deg is None else fixed_look(num_frames, look_deg)
    return eyes_in_head(held, tremor, head_rotation)


def eye_tremor(seed: int) -> SlowNoise:
    """What makes the next (T, 2) of how eyes tremble, in units of `TREMOR_RAD`."""
    return SlowNoise(2, 0.3, np.random.default_rng([seed, 2]))


def fixed_look(num_frames: int, look_deg: tuple[float, float]) -> FloatArray:
    """(T, 2) rad; in the picture the subject's left is to the right."""
    return np.broadcast_to(np.radians(np.array(look_deg, np.float32)), (num_frames, 2))


def eyes_in_head(look: FloatArray, tremor: FloatArray, head_rotation: FloatArray, first: int = 0) -> FloatArray:
    """look: (T, 2) rad, where the eyes are held in camera space -> (T, 2) rad against the head, gentle at their jumps.

    tremor: (T, 2) as `eye_tremor`. first: as in `settled`; the first moment is the portrait's own look.
    """
    free = (first + np.arange(len(look)) > 3)[:, None]
    smooth = binomial((look + TREMOR_RAD * tremor) * free)
    return np.clip(head_gaze(smooth, head_rotation), -_MAX_GAZE_RAD, _MAX_GAZE_RAD).astype(np.float32)


class Fixation:
    """Where the eyes rest, from frame to frame: they jump when the model's look has left what they hold by a glance, and land
    where it stays for the next moment; on the camera (0) when it is near.

    scale: (2,) rad, the usual deviations of the look.
    """

    def __init__(self, scale: FloatArray) -> None:
        self._scale, self._hold, self._since = scale, (0.0, 0.0), 0

    def __call__(self, ahead: FloatArray) -> FloatArray:
        """ahead: (at most `FIXATION_AHEAD`, 2) rad, the model's look from this frame on -> (2,) rad."""
        return self.towards(*map(float, (ahead / self._scale).mean(0)))

    def towards(self, yaw: float, pitch: float) -> FloatArray:
        """The mean of the look ahead, in usual deviations -> (2,) rad."""
        if self._since >= FIXATION_AHEAD:
            if math.hypot(yaw, pitch) <= GLANCE_DEVIATIONS:
                yaw = pitch = 0.0
            was_yaw, was_pitch = self._hold
            is_camera, was_camera = not (yaw or pitch), not (was_yaw or was_pitch)
            if is_camera != was_camera or math.hypot(yaw - was_yaw, pitch - was_pitch) > GLANCE_DEVIATIONS * _NEW_FIXATION:
                self._hold, self._since = (yaw, pitch), 0
        self._since += 1
        held: FloatArray = np.array(self._hold, np.float32) * self._scale
        return held


def fixations(look: FloatArray, scale: FloatArray) -> FloatArray:
    """look: (T, 2) the model's, rad -> (T, 2) held from saccade to saccade, as `Fixation`."""
    fixation, shares = Fixation(scale), look / scale
    # At the end fewer frames are ahead.
    ahead = np.minimum(FIXATION_AHEAD, np.arange(len(look), 0, -1))[:, None]
    padded = np.pad(shares, ((0, FIXATION_AHEAD - 1), (0, 0)))
    targets = sliding_window_view(padded, FIXATION_AHEAD, axis=0).sum(-1) / ahead
    return np.stack([fixation.towards(yaw, pitch) for yaw, pitch in targets.tolist()]).astype(look.dtype)


def eye_look(gaze: FloatArray, lids: FloatArray) -> dict[int, FloatArray]:
    """gaze: (T, 2), lids: (T, 2) left, right -> ARKit columns: the eight `eyeLook*` and the two `eyeBlink*`."""
    yaw = gaze[:, 0] / arkit.EYE_LOOK_YAW_RAD
    up, down = gaze[:, 1] / arkit.EYE_LOOK_UP_RAD, -gaze[:, 1] / arkit.EYE_LOOK_DOWN_RAD
    left, right = np.clip(yaw, 0, 1), np.clip(-yaw, 0, 1)
    columns = {
        "eyeLookOutLeft": left, "eyeLookInRight": left, "eyeLookInLeft": right, "eyeLookOutRight": right,
        "eyeLookUpLeft": np.clip(up, 0, 1), "eyeLookUpRight": np.clip(up, 0, 1),
        "eyeLookDownLeft": np.clip(down, 0, 1), "eyeLookDownRight": np.clip(down, 0, 1),
        "eyeBlinkLeft": lids[:, 0], "eyeBlinkRight": lids[:, 1],
    }  # fmt: skip
    return {arkit.INDEX[name]: value.astype(np.float32) for name, value in columns.items()}
