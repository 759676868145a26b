"""FaceMotion at one rate -> at another: what leaves for a tool that runs at 24, 30 or 60, and what comes back from one.

A frame stands at its number divided by the rate, the first at 0. Coefficients follow monotone cubics (Fritsch and Carlson,
SIAM J. Numer. Anal. 1980), which never leave the range of their neighbours, so a closed mouth stays closed and [0, 1] is kept;
the head turns along the shortest arc. Nothing is filtered: a face has next to nothing above 12 Hz.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation, Slerp

from talkinghead.errors import MotionError
from talkinghead.types import FPS, FaceMotion, FloatArray

MIN_FPS: Final = 1.0
MAX_FPS: Final = 240.0


Array = npt.NDArray[np.float64]


def resample(motion: FaceMotion, fps: float, to_fps: float = FPS) -> FaceMotion:
    """A motion of `fps` frames a second -> the same at `to_fps`, as long to within a frame; the same object if they are equal.

    Raises:
        MotionError: a rate out of 1 to 240.
    """
    for rate in (fps, to_fps):
        if not MIN_FPS <= rate <= MAX_FPS:
            raise MotionError(f"fps {rate:g}: out of range; give {MIN_FPS:g} to {MAX_FPS:g} frames a second.")
    if fps == to_fps or not len(motion):
        return motion
    num_frames = max(1, round(len(motion) * to_fps / fps))
    return at_times(motion, np.arange(len(motion)) / fps, np.arange(num_frames) / to_fps)


def at_times(motion: FaceMotion, times_s: Array, wanted_s: Array) -> FaceMotion:
    """times_s: (T,) of the frames, rising; wanted_s: (N,) -> the motion at those times; before and after it, its ends."""
    if len(motion) == 1:
        return motion[np.zeros(len(wanted_s), np.int64)]
    at = np.clip(wanted_s, times_s[0], times_s[-1])
    turns = Slerp(times_s, Rotation.from_rotvec(motion.head_rotation.astype(np.float64)))(at).as_rotvec()

    def course(values: FloatArray) -> FloatArray:
        followed: FloatArray = PchipInterpolator(times_s, values.astype(np.float64), axis=0)(at).astype(np.float32)
        return followed

    blendshapes = np.clip(course(motion.blendshapes), 0, 1)
    shift, gaze = course(motion.head_translation), course(motion.gaze)
    return FaceMotion(blendshapes, turns.astype(np.float32), shift, gaze, motion.is_seen, course(motion.at_ease))
