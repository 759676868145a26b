"""Warped crop + residual of the face -> the user's whole picture, changed only where the person moved.

The residual is smooth and small where the warp is right, so it is scaled up to the picture's own resolution and added: the
picture keeps its own detail, at any size, without a box.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from talkinghead.synthesis.fine_mouth import lay_in_fine_mouth
from talkinghead.synthesis.geometry import ALIGNED_HEIGHT, ALIGNED_WIDTH, composed, crop_box, uncropped
from talkinghead.synthesis.mouth import mouth_seen
from talkinghead.synthesis.proxies import FaceGuides, FaceProxies
from talkinghead.types import ByteArray, FloatArray

# By eye, all of them.
_FEATHER_PX: Final = 6
"""Of the aligned crop's border."""
_RIM_EROSIONS: Final = 2
_RIM_BLUR_PX: Final = 2.0
"""The mesh's rim: so many px drawn in, then so soft."""
_FINE_LIGHT: Final = 0.35
"""Of the light that the face's network adds to a fine picture so much is taken."""
_EYES_BLUR_PX: Final = 3.0
"""And none in the eyes, which end so softly."""
_HUE_PX: Final = 3.0
"""The skin's hue is that of so many px round a place."""
_MIN_HUE_LIGHT: Final = 0.05
"""In [0, 1]: darker skin has no hue to go by."""


@lru_cache(maxsize=1)
def _vignette() -> FloatArray:
    """(h, w, 1): 1 inside, falling to 0 at the border of the aligned crop, so that the crop has no edge."""
    x = np.minimum(np.arange(ALIGNED_WIDTH), np.arange(ALIGNED_WIDTH)[::-1])
    y = np.minimum(np.arange(ALIGNED_HEIGHT), np.arange(ALIGNED_HEIGHT)[::-1])
    edge = np.minimum(y[:, None], x[None]).astype(np.float32) / _FEATHER_PX
    return np.clip(edge, 0, 1)[..., None].astype(np.float32)


def residual_mask(proxies: FaceProxies) -> FloatArray:
    """(h, w, 1) in [0, 1]: where the residual counts, inside the mesh and feathered towards its rim."""
    inside = cv2.erode((proxies.face_guides.skin > 0.5).astype(np.float32), np.ones((3, 3), np.uint8), iterations=_RIM_EROSIONS)
    soft: FloatArray = np.asarray(cv2.GaussianBlur(inside, (0, 0), _RIM_BLUR_PX), np.float32)
    return soft[..., None] * _vignette()


def add_residuals(
    proxies: FaceProxies, residual: FloatArray | None, mouth_residual: FloatArray, fine: float | None = None
) -> ByteArray:
    """The warped crop and what the networks add to it -> the corrected crop, (H, W, 3) uint8.

    residual: (h, w, 3) of the face in its aligned crop, or None; mouth_residual: of the mouth in its own; picture units of
    [0, 1]. Where the mouth's expert has the say, the face's network has none. fine: how far these are held to light and tones,
    0 to 1, for networks that learnt in coarser pictures; None is as the picture is.
    """
    mouth = proxies.mouth_guides if fine is None else replace(proxies.mouth_guides, fine=fine)
    colour = proxies.reference.colour
    mouth_residual = _coloured(mouth_residual, colour)
    result = proxies.composite.copy()
    boxes = [crop_box(mouth.to_crop, mouth.weight, result)]
    if residual is not None:
        boxes.append(crop_box(proxies.to_aligned, residual, result))
    window = _union([box for box in boxes if box is not None])
    if window is None:
        return result
    # The networks change the face alone: only there are levels in between wanted.
    left, top, right, bottom = window
    picture = result[top:bottom, left:right].astype(np.float32)
    to_picture = np.array([[1, 0, left], [0, 1, top]], np.float32)
    to_aligned = composed(proxies.to_aligned, to_picture)
    mouth = replace(mouth, to_crop=composed(mouth.to_crop, to_picture))
    target_px = proxies.target_px - np.array([left, top, 0], np.float32)
    weight, inside = mouth.weight[..., None], mouth.inside[..., None]
    if residual is not None:
        in_face = composed(to_aligned, np.asarray(cv2.invertAffineTransform(mouth.to_crop), np.float32))
        taken = np.asarray(cv2.warpAffine(weight, in_face, (ALIGNED_WIDTH, ALIGNED_HEIGHT)), np.float32)
        lit = _as_light(_coloured(residual, colour), proxies.face_guides, mouth.fine)
        _add(picture, lit * residual_mask(proxies) * (1 - taken[..., None]), to_aligned)
    # On the lips the picture keeps its own detail. Between them it is the expert's alone: what the warp stretched there goes.
    seen, tones = mouth_seen(mouth, mouth_residual)
    _add(picture, weight * (1 - inside) * (seen - mouth.warp), mouth.to_crop)
    _lay_over(picture, inside * seen, mouth.inside, mouth.to_crop)
    lay_in_fine_mouth(picture, proxies.reference, target_px, mouth, tones)
    picture += np.float32(0.5)
    result[top:bottom, left:right] = np.clip(picture, 0, 255, out=picture)
    return result


def _union(boxes: list[tuple[int, int, int, int]]) -> tuple[int, int, int, int] | None:
    """The least box, left, top, right, bottom, round some; None of none."""
    if not boxes:
        return None
    edges = np.array(boxes)
    low, high = edges[:, :2].min(0), edges[:, 2:].max(0)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _coloured(residual: FloatArray, colour: float) -> FloatArray:
    """(h, w, 3) with so much of its colour: the networks know people, and a statue does not blush."""
    if colour >= 1:
        return residual
    grey = residual.mean(-1, keepdims=True)
    return np.asarray(grey + np.float32(colour) * (residual - grey), np.float32)


def _as_light(residual: FloatArray, guides: FaceGuides, fine: float) -> FloatArray:
    """(h, w, 3) as light on the skin, in its own hue: what of the face's residual suits a `fine` picture, 0 to 1.

    The network learnt in video of 256 px, where lashes, brows and pores do not show: of what a warp may have wrong it paints
    the mean. In a finer picture that would be a veil over them. The folds that come and go with an expression are dark to it,
    and grey.
    """
    if fine == 0:
        return residual
    hue = cv2.GaussianBlur(guides.guide, (0, 0), _HUE_PX)
    hue = hue / np.maximum(hue.mean(-1, keepdims=True), np.float32(_MIN_HUE_LIGHT))
    on_skin = np.float32(_FINE_LIGHT) * (1 - cv2.GaussianBlur(guides.eyes, (0, 0), _EYES_BLUR_PX))[..., None]
    light = on_skin * residual.mean(-1, keepdims=True) * hue
    return np.asarray(residual + np.float32(fine) * (light - residual), np.float32)


def _add(picture: FloatArray, change: FloatArray, to_crop: FloatArray) -> None:
    box = crop_box(to_crop, change, picture)
    if box is not None:
        x0, y0, x1, y1 = box
        picture[y0:y1, x0:x1] += uncropped(change * np.float32(255), to_crop, box)


def _lay_over(picture: FloatArray, layer: FloatArray, opacity: FloatArray, to_crop: FloatArray) -> None:
    """layer: (h, w, 3) times its opacity (h, w)."""
    box = crop_box(to_crop, layer, picture)
    if box is not None:
        x0, y0, x1, y1 = box
        picture[y0:y1, x0:x1] *= 1 - uncropped(opacity, to_crop, box)[..., None]
        picture[y0:y1, x0:x1] += uncropped(layer * np.float32(255), to_crop, box)


def paste(whole: ByteArray, crop: ByteArray, left: int, top: int) -> ByteArray:
    """The whole picture with the crop at its place, a copy."""
    result = whole.copy()
    result[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    return result
