"""Slow random curves for what a living face does by itself. Made a sample at a time, so they never drift."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from talkinghead.types import FPS, FloatArray


def slow_noise(num_frames: int, num_curves: int, period_s: float, generator: np.random.Generator) -> FloatArray:
    """Stationary smooth noise, (T, num_curves), mean 0 and deviation 1 at every frame, the first one too.

    An autoregressive process of order one passed through the same pole again: continuous in value and in slope, with most
    of its power slower than `period_s`.
    """
    pole = _pole(period_s)
    burn_in = int(np.ceil(8 / (1 - pole)))
    white = generator.standard_normal((num_frames + burn_in, num_curves))
    curve = lfilter([1.0], [1.0, -2 * pole, pole * pole], white, axis=0)[burn_in:]
    # Variance of the two equal poles under unit white noise: (1 + p^2) / (1 - p^2)^3.
    deviation = np.sqrt((1 + pole**2) / (1 - pole**2) ** 3)
    result: FloatArray = (curve / deviation).astype(np.float32)
    return result


def slow_noise_correlation(lags: FloatArray, period_s: float) -> FloatArray:
    """How a curve of `slow_noise` correlates with itself `lags` frames later."""
    pole = _pole(period_s)
    correlation: FloatArray = (1 + lags * (1 - pole**2) / (1 + pole**2)) * pole**lags
    return correlation


def _pole(period_s: float) -> float:
    return float(np.exp(-2 * np.pi / (max(period_s, 0.1) * FPS)))
