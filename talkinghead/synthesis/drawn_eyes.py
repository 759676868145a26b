"""The eyes of drawings: where the tracker, which learnt from people, sees a part of a large eye, the whole of it.

Knows pixels and the tracker's points; knows no rig.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np

from talkinghead.synthesis.geometry import area_crop, polygon_mask
from talkinghead.synthesis.regions import LEFT_EYE, RIGHT_EYE
from talkinghead.types import ByteArray, FloatArray, IntArray, TrackedFace

WINDOW_PX: Final = 96
"""The side of the square in which an eye is looked at."""
_WINDOW_EYES: Final = 3.2
"""Its side in widths of the eye as the tracker sees it."""
_RIGHT_CHEEK: Final = np.array([50, 101, 36, 205, 118, 119, 100, 187, 117])
_LEFT_CHEEK: Final = np.array([280, 330, 266, 425, 347, 348, 329, 411, 346])
# Chosen on 15 pictures and 400 photographs: the least that an eye of a person never has.
_LEAST_BELOW: Final = 0.19
"""Of the eye's width, how far below the tracked lower lid the eyes must go on, in the mean of both: the lid jumps."""
_LEAST_SOLID: Final = 0.83
_LEAST_AREA, _MOST_AREA = 2.4, 6.0
"""Times the tracked eye's: less is a shadow under it, more has run out into hair."""
_OTHER_HUE, _OTHER_LIGHT = 0.5, 0.5
"""No skin: so far from the cheek's colour, in parts of that colour's chroma; or darker than this part of its light."""
_OPENING_PX: Final = 7
_OUTLINE_PX: Final = 3
"""Round an eye stands the line that it is drawn with."""
_FALL: Final = 0.6
"""Of the new eye's width, how softly the skin round it gives way."""
_UPPER, _LOWER = np.arange(1, 8), np.arange(9, 16)


def with_whole_eyes(face: TrackedFace, image: ByteArray) -> TrackedFace:
    """The same face, its lids at the rims of the eyes that the picture, (H, W, 3) uint8, shows; a person's is as it was."""
    points = face.points
    axis = points[LEFT_EYE[0], :2] - points[RIGHT_EYE[0], :2]
    moved, below = [], 0.0
    for loop, cheek in ((RIGHT_EYE, _RIGHT_CHEEK), (LEFT_EYE, _LEFT_CHEEK)):
        whole = _whole_eye(image, points, loop, cheek, axis)
        if whole is None:
            return face
        moved.append(whole[0])
        below += whole[1] / 2
    if below < _LEAST_BELOW:
        return face
    new = points.copy()
    old_loops = points[np.r_[RIGHT_EYE, LEFT_EYE], :2]
    shift = np.concatenate(moved) - old_loops
    width = float(np.mean([np.linalg.norm(loop[0] - loop[8]) for loop in moved]))
    away = np.linalg.norm(points[:, None, :2] - old_loops[None], axis=-1)
    near = 1 / np.maximum(away, 1e-2) ** 3
    share = np.exp(-((away.min(1) / (_FALL * width)) ** 2))[:, None]
    new[:, :2] += share * (near / near.sum(1, keepdims=True)) @ shift
    return replace(face, points=new.astype(np.float32))


def _whole_eye(
    image: ByteArray, points: FloatArray, loop: IntArray, cheek: IntArray, axis: FloatArray
) -> tuple[FloatArray, float] | None:
    """(16, 2) px of the rim of a larger eye, and how far it goes on below the tracked one, of its width; None of none."""
    lids = points[loop, :2]
    width = float(np.linalg.norm(lids[0] - lids[8]))
    scale = WINDOW_PX / (_WINDOW_EYES * max(width, 1))
    turn = np.array([[axis[0], axis[1]], [-axis[1], axis[0]]]) / max(1e-3, float(np.linalg.norm(axis))) * scale
    to_window = np.c_[turn, WINDOW_PX / 2 - turn @ lids.mean(0)].astype(np.float32)
    size = (WINDOW_PX, WINDOW_PX)
    window = area_crop(image, to_window, *size).astype(np.uint8)
    rim = (lids @ to_window[:, :2].T + to_window[:, 2]).astype(np.float32)
    tracked = polygon_mask([rim], *size) > 0.5
    x, y = np.clip(points[cheek, :2].round().astype(int), 0, (image.shape[1] - 1, image.shape[0] - 1)).T
    eye, solidity = _filled(_connected(_no_skin(window, image[y, x]), tracked))
    reach = WINDOW_PX / _WINDOW_EYES
    spilt = eye[0].any() or eye[-1].any() or eye[:, 0].any() or eye[:, -1].any()
    large = _LEAST_AREA * tracked.sum() < eye.sum() < _MOST_AREA * tracked.sum()
    if spilt or not large or solidity < _LEAST_SOLID:
        return None
    below = _below(eye, rim) / reach
    eye = cv2.dilate(eye.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=_OUTLINE_PX) > 0
    left, right = (int(v) for v in np.flatnonzero(eye.any(0))[[0, -1]])
    # The tracked rim's points keep their places between the corners, and go to the upper and the lower edge of what is there.
    part = (rim[:, 0] - rim[:, 0].min()) / max(1e-3, float(np.ptp(rim[:, 0])))
    across = np.clip(left + part * (right - left), left, right)
    columns = np.arange(left, right + 1)
    upper = np.array([np.flatnonzero(eye[:, c])[0] for c in columns], np.float32)
    lower = np.array([np.flatnonzero(eye[:, c])[-1] + 1 for c in columns], np.float32)
    height = (np.interp(across, columns, upper) + np.interp(across, columns, lower)) / 2
    height[_UPPER] = np.interp(across[_UPPER], columns, _smooth(upper))
    height[_LOWER] = np.interp(across[_LOWER], columns, _smooth(lower))
    back = np.asarray(cv2.invertAffineTransform(to_window), np.float32)
    whole: FloatArray = (np.c_[across + 0.5, height] @ back[:, :2].T + back[:, 2]).astype(np.float32)
    return whole, below


def _no_skin(window: ByteArray, cheek: ByteArray) -> Any:
    """(h, w, 3), (N, 3) -> (h, w) bool: of another colour than the cheek, or much darker; nothing thin."""
    lab = cv2.cvtColor(window, cv2.COLOR_RGB2LAB).astype(np.float32)
    skin = np.median(cv2.cvtColor(cheek[None], cv2.COLOR_RGB2LAB)[0].astype(np.float32), 0)
    chroma = float(np.linalg.norm(skin[1:] - 128))
    other = (np.linalg.norm(lab[..., 1:] - skin[1:], axis=-1) > _OTHER_HUE * chroma) | (lab[..., 0] < _OTHER_LIGHT * skin[0])
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_OPENING_PX, _OPENING_PX))
    return cv2.morphologyEx(other.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0


def _connected(mask: Any, seed: Any) -> Any:
    """(h, w) bool: the part of the mask that holds most of the seed."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    held = np.bincount(labels[seed], minlength=2)
    held[0] = 0
    return labels == held.argmax() if held.any() else np.zeros_like(mask)


def _below(eye: Any, rim: FloatArray) -> float:
    """Px by which an eye goes on below the middle of a tracked lower lid."""
    reaches = []
    for x, y in rim[10:15]:
        rows = np.flatnonzero(eye[:, int(np.clip(x, 0, WINDOW_PX - 1))])
        reaches.append(float(rows[-1] - y) if len(rows) else 0.0)
    return float(np.median(reaches))


def _filled(mask: Any) -> tuple[Any, float]:
    """(h, w) bool -> its convex hull, and what part of that it fills: of an eye nearly all, of spots that run together less."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return mask, 0.0
    outline = max(outlines, key=cv2.contourArea)
    hull = cv2.convexHull(outline)
    whole = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), hull, 1) > 0
    return whole, cv2.contourArea(outline) / max(1.0, cv2.contourArea(hull))


def _smooth(edge: FloatArray) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(edge[None], (0, 0), 2.0)[0], np.float32)
