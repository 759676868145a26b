"""What makes skin of the folds that a portrait shows, where they are drawn apart: levels to be added, made once in its place.

Knows the pixels and the points of a face; knows nothing of motion.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from talkinghead.synthesis.geometry import polygon_mask
from talkinghead.synthesis.regions import OUTER_LIPS
from talkinghead.types import FloatArray

# By eye, all of them.
_VALLEY, _SOFTENED, _FINE = 0.14, 0.012, 0.0015
"""Of the distance of the eyes: how wide a groove may be, how soft it is when it is looked for, and when it is filled."""
_SHALLOW, _DEEP = 0.03, 0.1
"""Depths, in logs, of what is no groove and of what surely is one."""
_COLD, _WARM, _LEAST_WARMTH = 0.5, 0.8, 0.1
"""Logs of red over blue in those of the cheeks: of hair, of a fold; and the least that says which is which."""
_IS_FILLED, _MOST_GRAIN = 0.1, 3.0
"""From so much on something is filled; the grain it then has is no stronger than so many times the mean of skin."""
_STEP, _NEAR_STEP = 0.08, 4.0
"""Of the distance of the eyes, over how much the skin on both sides of what is filled becomes alike; how steeply it begins."""
_DARK: Final = np.float32(5)
"""In [0, 255]: of what is darker no log says anything."""


def unfolded(
    image: FloatArray, colour: FloatArray, points: FloatArray, eyes_px: float, skin: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """What makes skin of what is narrow, darker than the skin on both its sides, and of its hue: (h, w, 3) levels to be added,
    and how dark it is, (h, w) logs of its light. Of what is nearly black a ratio would leave the hue.

    image: (h, w, 3) in [0, 255]; colour: (3,) of the cheeks; points: (468, 2) px; skin: (h, w) where there is some. Hair is
    darker and greyer than a fold.
    """
    coarse, fine = (cv2.GaussianBlur(image, (0, 0), max(0.6, blur * eyes_px)) for blur in (_SOFTENED, _FINE))
    reach = 2 * round(_VALLEY * eyes_px / 2) + 1
    closed = cv2.morphologyEx(coarse, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    closed = cv2.GaussianBlur(closed, (0, 0), max(0.6, _SOFTENED * eyes_px))
    soft, filled = np.log(coarse + _DARK), np.log(closed + _DARK)
    found = np.clip(((filled - soft).mean(-1) - _SHALLOW) / (_DEEP - _SHALLOW), 0, 1)
    warmth, of_skin = soft[..., 0] - soft[..., 2], float(np.log(colour[0] / colour[2]))
    # Grey pictures do not say which is which.
    alike = np.clip((warmth / of_skin - _COLD) / (_WARM - _COLD), 0, 1) if of_skin > _LEAST_WARMTH else np.ones_like(warmth)
    lips = polygon_mask([points[OUTER_LIPS]], *found.shape)
    free = 1 - cv2.GaussianBlur(lips, (0, 0), max(0.6, _SOFTENED * eyes_px))
    weight = cv2.GaussianBlur((found * alike * free**2).astype(np.float32), (0, 0), max(0.6, _FINE * eyes_px))
    depth = np.maximum(0, (filled - np.log(fine + _DARK)).mean(-1))
    grain = _grain_beside(image, weight > _IS_FILLED, skin * free, eyes_px)
    # The cheek that a smile lifts and the lip beneath it are lit differently: they meet softly where no fold parts them.
    known = (skin * free)[..., None]
    near = np.clip(_NEAR_STEP * cv2.GaussianBlur(weight, (0, 0), max(0.6, _STEP * eyes_px)), 0, 1)[..., None] * known
    level = _level_of(np.asarray(closed, np.float32), known, _STEP * eyes_px)
    change = (closed + grain - fine) * weight[..., None] + near * (level - closed)
    return np.asarray(change, np.float32), np.asarray(depth, np.float32)


def _grain_beside(image: FloatArray, filled: npt.NDArray[np.bool_], skin: FloatArray, eyes_px: float) -> FloatArray:
    """(h, w, 3) levels: pores and stubble for what is filled, those of the skin beside it, mirrored at its edge.

    image: (h, w, 3); filled: (h, w); skin: (h, w) in [0, 1], what has such a grain.
    """
    if filled.all() or not filled.any():
        return np.zeros_like(image)
    height, width = filled.shape
    known = (skin * ~filled)[..., None]
    grain = (image - _level_of(image, known, _SOFTENED * eyes_px)) * known
    _, nearest = cv2.distanceTransformWithLabels(filled.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    edges = np.argwhere(~filled)
    at = np.zeros((nearest.max() + 1, 2), np.float32)
    at[nearest[~filled]] = edges
    mirrored = np.clip(2 * at[nearest] - np.moveaxis(np.indices(filled.shape), 0, -1), 0, (height - 1, width - 1))
    y, x = np.moveaxis(mirrored.astype(int), -1, 0)
    most = np.float32(_MOST_GRAIN * np.abs(grain).sum() / max(1.0, 3 * float(known.sum())))
    return np.asarray(np.clip(grain, -most, most)[y, x], np.float32)


def _level_of(image: FloatArray, known: FloatArray, reach_px: float) -> FloatArray:
    """image: (h, w, 3); known: (h, w, 1) in [0, 1] -> (h, w, 3) the mean of what is known around."""
    share = cv2.GaussianBlur(known, (0, 0), max(0.6, reach_px))[..., None]
    mean = cv2.GaussianBlur(image * known, (0, 0), max(0.6, reach_px)) / np.maximum(share, np.float32(1e-3))
    return np.asarray(mean, np.float32)
