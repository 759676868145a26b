"""Two pictures -> how alike they are, whole or in a region. Data range is 255.

SSIM: Wang et al., TIP 2004, as scikit-image has it by default: a uniform window of 7 x 7 (less in a smaller region) with sample
covariances, not their Gaussian one of 11 x 11, and the mean over the three colours; figures differ from those of their window.
PSNR: of the three colours together. Perceptual distance: FLIP (Andersson et al., HPG 2020), mean over the region, at its
default of 67 pixels a degree; it needs no network. Sharpness: mean gradient magnitude of a region against the real one's.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from talkinghead.types import ByteArray, FloatArray


@dataclass(frozen=True)
class PictureScore:
    """psnr_db and ssim: higher is better; perceptual: lower is better; sharpness: 1 is the real picture's."""

    psnr_db: float
    ssim: float
    perceptual: float
    sharpness: float


def score_region(output: ByteArray, real: ByteArray, box: tuple[int, int, int, int]) -> PictureScore:
    """output, real: (H, W, 3) uint8; box: left, top, right, bottom px."""
    left, top, right, bottom = box
    a, b = output[top:bottom, left:right], real[top:bottom, left:right]
    error = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    window = min(7, (min(a.shape[:2]) - 1) // 2 * 2 + 1)
    ssim = float(structural_similarity(a, b, channel_axis=2, data_range=255, win_size=window))
    psnr = 10 * float(np.log10(255**2 / max(error, 1e-6)))
    return PictureScore(psnr, ssim, _perceptual(a, b), _sharpness(a) / max(_sharpness(b), 1e-6))


def _perceptual(a: ByteArray, b: ByteArray) -> float:
    import flip_evaluator

    pair = [np.ascontiguousarray(x, np.float32) / np.float32(255) for x in (b, a)]
    return float(flip_evaluator.evaluate(*pair, "LDR")[1])


def _sharpness(x: ByteArray) -> float:
    grey: FloatArray = np.asarray(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), np.float32)
    return float(np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)).mean())


def region_box(points: FloatArray, margin: float, height: int, width: int) -> tuple[int, int, int, int]:
    """points: (K, 2) px; margin: as a part of their width -> left, top, right, bottom px inside the picture."""
    pad = margin * float(np.ptp(points[:, 0]))
    x0, y0 = np.floor(points.min(0) - pad).astype(int)
    x1, y1 = np.ceil(points.max(0) + pad).astype(int)
    return max(0, int(x0)), max(0, int(y0)), min(width, int(x1)), min(height, int(y1))
