"""Slow random curves for what a living face does by itself. Made a sample at a time, so they never drift."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from talkinghead.types import FPS, FloatArray


class SlowNoise:
    """Stationary smooth noise made a stretch at a time, the same however it is cut: (T, num_curves), mean 0 and deviation 1 at
    every frame, the first one too.

    An autoregressive process of order one passed through the same pole again: continuous in value and in slope, with most
    of its power slower than `period_s`.
    """

    def __init__(self, num_curves: int, period_s: float, generator: np.random.Generator) -> None:
        pole = _pole(period_s)
        self._generator, self._feedback = generator, [1.0, -2 * pole, pole * pole]
        self._state = np.zeros((2, num_curves))
        # Variance of the two equal poles under unit white noise: (1 + p^2) / (1 - p^2)^3.
        self._deviation = np.sqrt((1 + pole**2) / (1 - pole**2) ** 3)
        self(int(np.ceil(8 / (1 - pole))))

    def __call__(self, num_frames: int) -> FloatArray:
        """The next (T, num_curves)."""
        white = self._generator.standard_normal((num_frames, self._state.shape[1]))
        curve, self._state = lfilter([1.0], self._feedback, white, axis=0, zi=self._state)
        result: FloatArray = (curve / self._deviation).astype(np.float32)
        return result


def slow_noise(num_frames: int, num_curves: int, period_s: float, generator: np.random.Generator) -> FloatArray:
    """(T, num_curves) of `SlowNoise`, all at once."""
    return SlowNoise(num_curves, period_s, generator)(num_frames)


def moving_average(curve: FloatArray, width_s: float) -> FloatArray:
    """(T,) -> (T,) weighted by a raised cosine of `width_s` either side; the ends repeat."""
    half = max(1, round(width_s * FPS))
    window = np.hanning(2 * half + 1)
    smooth: FloatArray = np.convolve(np.pad(curve, half, mode="edge"), window / window.sum(), "valid").astype(np.float32)
    return smooth


def binomial(curves: FloatArray) -> FloatArray:
    """(T, N) -> (T, N) smoothed over five frames: little of what is above 6 Hz is left, nothing of 12.5."""
    padded = np.pad(curves, ((2, 2), (0, 0)), mode="edge")
    smooth = np.sum([weight * padded[i : len(curves) + i] for i, weight in enumerate((1, 4, 6, 4, 1))], axis=0) / 16
    result: FloatArray = smooth.astype(np.float32)
    return result


def _pole(period_s: float) -> float:
    return float(np.exp(-2 * np.pi / (max(period_s, 0.1) * FPS)))
