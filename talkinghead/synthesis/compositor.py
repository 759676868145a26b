"""Warped crop + residual of the face -> the user's whole picture, changed only where the person moved.

The residual is smooth and small where the warp is right, so it is scaled up to the picture's own resolution and added: the
picture keeps its own detail, at any size, without a box.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from talkinghead.synthesis.geometry import ALIGNED_HEIGHT, ALIGNED_WIDTH
from talkinghead.synthesis.proxies import FaceProxies
from talkinghead.types import ByteArray, FloatArray

# By eye, all of them.
_FEATHER_PX: Final = 6
"""Of the aligned crop's border."""
_RIM_EROSIONS: Final = 2
_RIM_BLUR_PX: Final = 2.0
"""The mesh's rim: so many px drawn in, then so soft."""
MOUTH_LIGHT: Final = np.float32(0.6)
MOUTH_TINT: Final = np.float32(0.3)
"""Parts of the residual's brightness and of its tint that are kept between the lips."""


@lru_cache(maxsize=1)
def _vignette() -> FloatArray:
    """(h, w, 1): 1 inside, falling to 0 at the border of the aligned crop, so that the crop has no edge."""
    x = np.minimum(np.arange(ALIGNED_WIDTH), np.arange(ALIGNED_WIDTH)[::-1])
    y = np.minimum(np.arange(ALIGNED_HEIGHT), np.arange(ALIGNED_HEIGHT)[::-1])
    edge = np.minimum(y[:, None], x[None]).astype(np.float32) / _FEATHER_PX
    return np.clip(edge, 0, 1)[..., None].astype(np.float32)


def residual_mask(proxies: FaceProxies) -> FloatArray:
    """(h, w, 1) in [0, 1]: where the residual counts, inside the mesh and feathered towards its rim."""
    inside = cv2.erode((proxies.skin > 0.5).astype(np.float32), np.ones((3, 3), np.uint8), iterations=_RIM_EROSIONS)
    soft: FloatArray = np.asarray(cv2.GaussianBlur(inside, (0, 0), _RIM_BLUR_PX), np.float32)
    return soft[..., None] * _vignette()


def add_residual(proxies: FaceProxies, residual: FloatArray) -> ByteArray:
    """residual: (h, w, 3) in picture units of [0, 1] -> the corrected crop, (H, W, 3) uint8."""
    picture = proxies.composite.copy()
    height, width = picture.shape[:2]
    change = _held_back(residual, proxies.mouth) * residual_mask(proxies) * np.float32(255)
    back = cv2.invertAffineTransform(proxies.to_aligned)
    corners = np.array([[0, 0], [ALIGNED_WIDTH, 0], [0, ALIGNED_HEIGHT], [ALIGNED_WIDTH, ALIGNED_HEIGHT]])
    corners = corners @ back[:, :2].T + back[:, 2]
    x0, y0 = np.clip(np.floor(corners.min(0)).astype(int), 0, (width, height))
    x1, y1 = np.clip(np.ceil(corners.max(0)).astype(int), 0, (width, height))
    if x1 > x0 and y1 > y0:
        to_box = back.copy()
        to_box[:, 2] -= (x0, y0)
        large = back[0, 0] ** 2 + back[1, 0] ** 2 > 1
        flags = cv2.INTER_CUBIC if large else cv2.INTER_LINEAR
        picture[y0:y1, x0:x1] += cv2.warpAffine(change, to_box, (int(x1 - x0), int(y1 - y0)), flags=flags)
    picture += np.float32(0.5)
    result: ByteArray = np.clip(picture, 0, 255, out=picture).astype(np.uint8)
    return result


def _held_back(residual: FloatArray, mouth: FloatArray) -> FloatArray:
    """The residual, less of it between the lips: teeth that might be anywhere have a pink mean, and nobody's teeth are pink."""
    light = residual.mean(-1, keepdims=True)
    inside: FloatArray = MOUTH_LIGHT * light + MOUTH_TINT * (residual - light)
    return residual + mouth[..., None] * (inside - residual)


def paste(whole: ByteArray, crop: ByteArray, left: int, top: int) -> ByteArray:
    """The whole picture with the crop at its place, a copy."""
    result = whole.copy()
    result[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    return result
