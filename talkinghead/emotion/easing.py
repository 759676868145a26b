"""How one emotion gives way to another: curves from 0 to 1 over time.

Knows time; knows nothing of emotions.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead.types import FPS, FloatArray

EASE_S: Final = 0.4
"""How long an expression takes to come and to go where nothing else is said."""

EASINGS: Final = ("smooth", "linear", "hold")


def frame_times(num_frames: int) -> FloatArray:
    """(T,) s, the middle of each frame."""
    return ((np.arange(num_frames) + 0.5) / FPS).astype(np.float32)


def ease(times_s: FloatArray, start_s: float, duration_s: float, easing: str = "smooth") -> FloatArray:
    """(T,) 0 before `start_s`, 1 from `start_s + duration_s` on; "hold" jumps at `start_s`."""
    if easing == "hold" or duration_s <= 0:
        return (times_s >= start_s).astype(np.float32)
    x = np.clip((times_s - start_s) / duration_s, 0, 1)
    curve: FloatArray = (x if easing == "linear" else x * x * (3 - 2 * x)).astype(np.float32)
    return curve


def onset_and_release(num_frames: int) -> FloatArray:
    """(T,) 0 -> 1 -> 0; smooth at both ends, and 1 in the middle of any clip of more than 0.8 s."""
    frames = np.arange(num_frames) + 0.5
    edge = np.minimum(frames, num_frames - frames)
    return ease(edge.astype(np.float32), 0, min(EASE_S * FPS, max(num_frames / 4, 1.0)))
