"""One generated frame and the real one -> PSNR and SSIM, whole picture, data range 255.

Of a clip: the mean over its frames; of a table: the mean over clips, a vote a clip (EAT's code takes the mean over all frames,
so long clips weigh more there, and aligns faces first). `synthesis.metrics` scores regions; this is what papers print.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from talkinghead.types import ByteArray

DATA_RANGE: Final = 255


def psnr_db(generated: ByteArray, real: ByteArray) -> float:
    """10 log10(255^2 / mean squared error over pixels and colours), dB; infinite for equal frames.

    Args:
        generated, real: (H, W, 3) uint8.
    """
    error = float(np.mean((generated.astype(np.float64) - real.astype(np.float64)) ** 2))
    return 10 * math.log10(DATA_RANGE**2 / error) if error else math.inf


def ssim(generated: ByteArray, real: ByteArray) -> float:
    """Wang et al., TIP 2004, as scikit-image has it by default and as EAT's code calls it, the mean over colours, in [-1, 1].

    ((2 m_a m_b + c1)(2 s_ab + c2)) / ((m_a^2 + m_b^2 + c1)(s_a^2 + s_b^2 + c2)), c1 = (.01 x 255)^2, c2 = (.03 x 255)^2, in
    uniform windows of 7 x 7 with sample covariances; Wang's own Gaussian window of 11 x 11 gives other figures.
    """
    from skimage.metrics import structural_similarity

    return float(structural_similarity(generated, real, channel_axis=2, data_range=DATA_RANGE))
