"""One generated frame and the real one -> PSNR and SSIM, whole picture, data range 255.

Of a clip: the mean over its frames but the first, which is the portrait; of a table: the mean over clips, a vote a clip. EAT's
code takes the mean over all frames, so long clips weigh more there, and aligns faces first. `synthesis.metrics` scores regions.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from talkinghead.types import ByteArray

DATA_RANGE: Final = 255
_WINDOW: Final = 7
_C1, _C2 = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2
Array = npt.NDArray[np.float64]


def psnr_db(generated: ByteArray, real: ByteArray) -> float:
    """10 log10(255^2 / mean squared error over pixels and colours), dB; infinite for equal frames.

    Args:
        generated, real: (H, W, 3) uint8.
    """
    error = float(np.mean((generated.astype(np.float64) - real.astype(np.float64)) ** 2))
    return 10 * math.log10(DATA_RANGE**2 / error) if error else math.inf


def ssim(generated: ByteArray, real: ByteArray) -> float:
    """Wang et al., TIP 2004, with the windows of scikit-image's default, which EAT's code calls; mean over colours, in [-1, 1].

    ((2 m_a m_b + c1)(2 s_ab + c2)) / ((m_a^2 + m_b^2 + c1)(s_a^2 + s_b^2 + c2)), c1 = (.01 x 255)^2, c2 = (.03 x 255)^2, in
    uniform windows of 7 x 7 that lie whole in the picture, with sample covariances; Wang's own Gaussian window of 11 x 11 gives
    other figures. Args as `psnr_db`, H and W at least 7.
    """
    a, b = generated.astype(np.float64), real.astype(np.float64)
    mean_a, mean_b = _means(a), _means(b)
    unbiased = _WINDOW**2 / (_WINDOW**2 - 1)
    spread_a, spread_b = (unbiased * (_means(x * x) - mean * mean) for x, mean in ((a, mean_a), (b, mean_b)))
    common = unbiased * (_means(a * b) - mean_a * mean_b)
    alike = (2 * mean_a * mean_b + _C1) * (2 * common + _C2)
    return float((alike / ((mean_a**2 + mean_b**2 + _C1) * (spread_a + spread_b + _C2))).mean())


def _means(x: Array) -> Array:
    """(H, W, 3) -> the mean of each window that lies whole in the picture."""
    edge = _WINDOW // 2
    blurred: Array = np.asarray(cv2.blur(x, (_WINDOW, _WINDOW)), np.float64)
    return blurred[edge:-edge, edge:-edge]
