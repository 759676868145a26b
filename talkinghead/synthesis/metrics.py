"""Two pictures -> how alike they are, whole or in a region. Data range is 255.

SSIM: Wang et al., TIP 2004, as scikit-image has it by default: a uniform window of 7 x 7 (less in a smaller region) with sample
covariances, not their Gaussian one of 11 x 11, and the mean over the three colours; figures differ from those of their window.
PSNR: of the three colours together. Perceptual distances that need no network: FLIP (Andersson et al., HPG 2020), mean over the
region, at its default of 67 pixels a degree; GMSD (Xue et al., TIP 2014) of the brightness; HaarPSI (Reisenhofer et al., SPIC
2018) in colour, of which 1 less is the distance. Sharpness: mean gradient magnitude of a region against the real one's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from talkinghead.types import ByteArray, FloatArray

_YIQ: Final = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], np.float32)
_GMSD_C: Final = 170.0
_HAAR_C: Final = 30.0
_HAAR_ALPHA: Final = 4.2


@dataclass(frozen=True)
class PictureScore:
    """psnr_db, ssim: more is better; perceptual (FLIP), gmsd, haarpsi: distances, less is; sharpness: 1 is the real one."""

    psnr_db: float
    ssim: float
    perceptual: float
    gmsd: float
    haarpsi: float
    sharpness: float


def score_region(output: ByteArray, real: ByteArray, box: tuple[int, int, int, int]) -> PictureScore:
    """output, real: (H, W, 3) uint8; box: left, top, right, bottom px."""
    left, top, right, bottom = box
    a, b = output[top:bottom, left:right], real[top:bottom, left:right]
    error = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    window = min(7, (min(a.shape[:2]) - 1) // 2 * 2 + 1)
    ssim = float(structural_similarity(a, b, channel_axis=2, data_range=255, win_size=window))
    psnr = 10 * float(np.log10(255**2 / max(error, 1e-6)))
    sharpness = _sharpness(a) / max(_sharpness(b), 1e-6)
    return PictureScore(psnr, ssim, _flip(a, b), gradient_deviation(a, b), haar_distance(a, b), sharpness)


def gradient_deviation(a: ByteArray, b: ByteArray) -> float:
    """(H, W, 3) uint8 twice -> GMSD, 0 for equal pictures: how unevenly the edges of one are kept in the other."""
    first, second = (_edges(_halved(_yiq(x)[..., 0])) for x in (a, b))
    return float(_likeness(first, second, _GMSD_C).std())


def haar_distance(a: ByteArray, b: ByteArray) -> float:
    """(H, W, 3) uint8 twice -> 1 - HaarPSI in [0, 1], 0 for equal pictures: differences of details, counted where there are."""
    first, second = (_halved(_yiq(x)) for x in (a, b))
    likeness, weights = [], []
    for turned in (False, True):
        details = [[_haar(x[..., 0], scale, turned) for scale in (1, 2, 3)] for x in (first, second)]
        fine, coarse = (_likeness(details[0][k], details[1][k], _HAAR_C) for k in (0, 1))
        likeness.append((fine + coarse) / 2)
        weights.append(np.maximum(details[0][2], details[1][2]))
    tints = [np.abs(_mean2(np.ascontiguousarray(x[..., 1:]))) for x in (first, second)]
    likeness.append(_likeness(tints[0], tints[1], _HAAR_C).mean(-1))
    weights.append((weights[0] + weights[1]) / 2)
    total = float(np.sum(weights))
    if total == 0:
        return 0.0  # two pictures without any detail
    squashed = sum(float((w / (1 + np.exp(-_HAAR_ALPHA * x))).sum()) for x, w in zip(likeness, weights, strict=True)) / total
    return 1 - float(np.log(squashed / (1 - squashed)) / _HAAR_ALPHA) ** 2


def _flip(a: ByteArray, b: ByteArray) -> float:
    import flip_evaluator

    pair = [np.ascontiguousarray(x, np.float32) / np.float32(255) for x in (b, a)]
    return float(flip_evaluator.evaluate(*pair, "LDR")[1])


def _sharpness(x: ByteArray) -> float:
    grey: FloatArray = np.asarray(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), np.float32)
    return float(np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)).mean())


def _yiq(x: ByteArray) -> FloatArray:
    converted: FloatArray = x.astype(np.float32) @ _YIQ.T
    return converted


def _mean2(x: FloatArray) -> FloatArray:
    """Each pixel and its neighbours to the right, below, and both; 0 beyond the border."""
    kernel = np.full((2, 2), 0.25, np.float32)
    return np.asarray(cv2.filter2D(x, cv2.CV_32F, kernel, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT), np.float32)


def _halved(x: FloatArray) -> FloatArray:
    """Means of 2 x 2 pixels, every other one: both measures look at half the size."""
    return np.ascontiguousarray(_mean2(x)[::2, ::2])


def _edges(x: FloatArray) -> FloatArray:
    """Gradient magnitude by Prewitt's filters."""
    kernel = np.tile(np.array([1, 0, -1], np.float32) / 3, (3, 1))
    sides = [cv2.filter2D(x, cv2.CV_32F, k, borderType=cv2.BORDER_CONSTANT) for k in (kernel, kernel.T)]
    return np.asarray(np.hypot(*sides), np.float32)


def _haar(x: FloatArray, scale: int, turned: bool) -> FloatArray:
    """Magnitude of Haar's wavelet of side 2 ** scale at each pixel."""
    side = 2**scale
    kernel = np.full((side, side), 1 / side, np.float32)
    kernel[: side // 2] *= -1
    kernel = kernel.T if turned else kernel
    anchor = (side // 2 - 1, side // 2 - 1)
    return np.abs(cv2.filter2D(x, cv2.CV_32F, kernel, anchor=anchor, borderType=cv2.BORDER_CONSTANT)).astype(np.float32)


def _likeness(a: FloatArray, b: FloatArray, constant: float) -> FloatArray:
    like: FloatArray = (2 * a * b + constant) / (a**2 + b**2 + constant)
    return like


def region_box(points: FloatArray, margin: float, height: int, width: int) -> tuple[int, int, int, int]:
    """points: (K, 2) px; margin: as a part of their width -> left, top, right, bottom px inside the picture."""
    pad = margin * float(np.ptp(points[:, 0]))
    x0, y0 = np.floor(points.min(0) - pad).astype(int)
    x1, y1 = np.ceil(points.max(0) + pad).astype(int)
    return max(0, int(x0)), max(0, int(y0)), min(width, int(x1)), min(height, int(y1))
