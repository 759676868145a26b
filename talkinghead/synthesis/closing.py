"""What a portrait does not show of lids and lips that are open in it: how they look when they come together.

Lids that come down are skin, not the lashes and the paint that stand before an open one's crease; lips that meet are lips, not
the rim of the teeth behind them. Made once from the portrait, in its own place, for the warp to carry. Knows pixels and points.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from talkinghead.procrustes import similarity
from talkinghead.synthesis.geometry import box_around, polygon_mask
from talkinghead.synthesis.rasteriser import rasterise
from talkinghead.synthesis.regions import (
    INNER_LIPS,
    LEFT_EYE,
    OUTER_LIPS,
    RIGHT_EYE,
    SKULL,
    strip,
)
from talkinghead.types import ByteArray, FloatArray, IntArray

# All these were set by eye.
SHUT_GAP: Final = 0.02
"""Part of the eye's width that the tracker leaves between shut lids."""
_MARGIN_PX: Final = 3
_MIN_PX: Final = 8
"""An eye or a mouth of fewer pixels shows nothing of this."""
_BLURS_ACROSS: Final = 60
"""So many blurs go into the width of an eye; none is much under a pixel."""
_LID_DOWN, _LID_UP = 0.25, 0.65
"""Parts of the portrait's own gap: where a lid has come down and is bare, and where it has not."""
_LASH_SHADE: Final = 0.7
"""Between shut lids, of the upper one's rim."""
_LINE: Final = 0.12
"""Of an eye's height, how far inside the tracked rim that line may be."""
_COARSE_EYE_PX, _FINE_EYE_PX = 24.0, 40.0
"""Widths of an eye. In pictures of 256 px lashes do not show, and the network, which learnt there, does better alone."""
_LIPS_MET, _LIPS_APART = 0.35, 0.9
"""Parts of the portrait's own gap: where lips are as if whole, and where they are as they are."""
_LIPS_STAY, _LIPS_GONE = 0.02, 0.08
"""How far the rim of the lips is from where the portrait has it, in parts of the mouth's width, likewise."""
_MIN_LIP_GAP: Final = 0.03
"""Lips that are less apart than this part of the eyes' distance show nothing behind them."""
_LIP_MIRROR: Final = 0.5
"""Of the way from a lip's outer rim to its inner one, where what follows is mirrored: the inner rim is half teeth."""
_LIP_KEPT: Final = 0.15
"""Of that way, how near to the outer rim the mirror reaches at most."""
_UPPER, _LOWER = np.r_[0:11], np.r_[10:20, 0]
"""Of a loop round the lips."""
_LIP_TONED, _UPPER_SHADE = 0.6, 0.93
"""How far the upper lip takes the colour of the lower one, and how much darker it is: it looks down."""
CORNER, _CORNER_LIGHT = 0.08, 0.75
"""How far the dark corners of a smile reach, of the mouth's width, and how light they become, of what is round them."""
_LINE_REACH, _LINE_LIGHT = 0.035, 0.75
"""How far the dark line between shut lips reaches, of the mouth's width, and how light it becomes when they part."""
_LIGHTEST_LIP: Final = 1.1
"""Of the middle colour of the lips: what is lighter beside that line are teeth."""
_MOST_REACH_PX: Final = 12.0
"""What is round a dark place is found at so coarse a scale."""
_DARK: Final = 0.4
"""By how much darker than it becomes what is lit is taken for dark altogether."""
_PARTED: Final = (0.01, 0.05)
"""By how much of the eyes' distance shut lips have parted where that line begins to be lit, and is."""
_NARROWER: Final = (0.03, 0.15)
"""By how much of its width a mouth that the portrait shuts is narrower where its corners begin to be lit, and are."""
_BETWEEN_SHADE: Final = 0.55
"""Of the lips' colour, what is between them when they meet."""


def lowered(lids: FloatArray, own: FloatArray) -> float:
    """lids, own: (16, 2) px of a loop round an eye, in a frame and in the portrait -> how bare the lid is, 0 to 1.

    The further it has come down, in a portrait that is fine enough to show lashes.
    """
    return fine_eye(own) * (1 - smooth_step(lid_gap(lids) / max(lid_gap(own), SHUT_GAP), _LID_DOWN, _LID_UP))


def fine_eye(own: FloatArray) -> float:
    """(16, 2) px of a loop round an eye in a portrait -> how finely it shows, 0 to 1: from which size on lashes can be seen."""
    return smooth_step(float(np.linalg.norm(own[0] - own[8])), _COARSE_EYE_PX, _FINE_EYE_PX)


def met(points: FloatArray, own: FloatArray, fine: float) -> float:
    """points, own: (V, 3) px, in a frame and in the portrait -> how far the mouth is as `with_whole_lips` has it, 0 to 1.

    Lips that the portrait parts, the nearer they have come together; and in a picture that is `fine`, 0 to 1, the further they
    are from where it has them. A mouth that it shuts, the narrower it has become.
    """
    own_gap = _lip_gap(own)
    if own_gap <= _MIN_LIP_GAP:
        return smooth_step(1 - _mouth_width(points) / max(1e-3, _mouth_width(own)), *_NARROWER)
    closer = 1 - smooth_step(_lip_gap(points) / own_gap, _LIPS_MET, _LIPS_APART)
    if fine == 0:
        return closer
    return max(closer, fine * smooth_step(way_of_lips(points, own), _LIPS_STAY, _LIPS_GONE))


def parted(points: FloatArray, own: FloatArray, fine: float) -> float:
    """points, own: (V, 3) px, in a frame and in the portrait -> how far lips that it shuts are as `with_parted_lips` has them,
    0 to 1: the further they have parted, in a picture that is `fine`, 0 to 1."""
    own_gap = _lip_gap(own)
    return fine * smooth_step(_lip_gap(points) - own_gap, *_PARTED) if own_gap <= _MIN_LIP_GAP else 0.0


def way_of_lips(points: FloatArray, own: FloatArray) -> float:
    """points, own: (V, 3) px, in a frame and in the portrait -> how far the rim of the lips is from where the portrait has it,
    in parts of the mouth's width, as it would stand on the portrait's skull: a head that turns keeps it.
    """
    rotation, scale, shift = similarity(points[SKULL], own[SKULL])
    moved = scale * points[INNER_LIPS] @ rotation.T + shift - own[INNER_LIPS]
    return float(np.linalg.norm(moved, axis=1).mean()) / max(1e-3, float(np.linalg.norm(own[61, :2] - own[291, :2])))


def _lip_gap(points: FloatArray) -> float:
    """Between the lips, in parts of the distance of the outer corners of the eyes."""
    eyes = float(np.linalg.norm(points[RIGHT_EYE[0], :2] - points[LEFT_EYE[0], :2]))
    return float(np.linalg.norm(points[13, :2] - points[14, :2])) / max(1e-3, eyes)


def _mouth_width(points: FloatArray) -> float:
    """In parts of the distance of the outer corners of the eyes."""
    eyes = float(np.linalg.norm(points[RIGHT_EYE[0], :2] - points[LEFT_EYE[0], :2]))
    return float(np.linalg.norm(points[OUTER_LIPS[0], :2] - points[OUTER_LIPS[10], :2])) / max(1e-3, eyes)


def lid_gap(loop: FloatArray) -> float:
    """loop: (16, 2) px round an eye -> how far its lids are apart, in parts of its width."""
    gap = float(np.linalg.norm(loop[3:6] - loop[13:10:-1], axis=1).mean())
    return gap / max(1e-3, float(np.linalg.norm(loop[0] - loop[8])))


def smooth_step(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, without a corner."""
    x = float(np.clip((value - low) / (high - low), 0, 1))
    return x * x * (3 - 2 * x)


def colour_along(part: FloatArray | ByteArray, points: FloatArray) -> FloatArray:
    """(h, w, 3); (N, 2) px -> (3,) the median there."""
    x, y = np.clip(points.round().astype(int), 0, (part.shape[1] - 1, part.shape[0] - 1)).T
    return np.asarray(np.median(part[y, x], 0), np.float32)


def lash_colour(image: ByteArray, mesh_px: FloatArray, loop: IntArray) -> FloatArray:
    """(3,) what shows between shut lids: the upper lid's rim, as dark as the line drawn inside it, if there is one."""
    rim, lower = mesh_px[loop[2:7], :2], mesh_px[loop[14:9:-1], :2]
    skin, line = (colour_along(image, rim + np.float32(part) * (lower - rim)) for part in (0.0, _LINE))
    darker = min(1.0, float(line.mean()) / max(1.0, float(skin.mean())))
    return np.float32(_LASH_SHADE * darker) * skin


def with_whole_lips(image: ByteArray, mesh_px: FloatArray) -> ByteArray:
    """The picture with lips whose inner half is as their outer one, nothing but the dark between them, and lit corners.

    Where a smile or a word parts the lips, their tracked inner rim runs through the edge of the teeth, and the lip itself is
    thin: drawn together by a warp, it would be a pale band. Of a mouth that is shut only the corners are lit, where they are
    dark.
    """
    result = image.copy()
    outer, inner = mesh_px[OUTER_LIPS, :2], mesh_px[INNER_LIPS, :2]
    width = float(np.linalg.norm(outer[0] - outer[10]))
    box = box_around(outer, _MARGIN_PX + int(CORNER * width), image)
    if box is None or width < _MIN_PX:
        return result
    x0, y0, x1, y1 = box
    part = image[y0:y1, x0:x1].astype(np.float32)
    if _lip_gap(mesh_px) > _MIN_LIP_GAP:
        part = _with_whole_lips(image, outer, inner, box)
    corners = inner[[0, 10]] - np.array([x0, y0], np.float32)
    result[y0:y1, x0:x1] = np.clip(_with_lit_corners(part, corners, CORNER * width), 0, 255).astype(np.uint8)
    return result


def with_parted_lips(image: ByteArray, mesh_px: FloatArray) -> ByteArray:
    """The picture of shut lips with the dark line between them nearly as light as they are; of others the picture as it is.

    It is of neither: parted by a warp, each would have half of it for a rim.
    """
    outer, inner = mesh_px[OUTER_LIPS, :2], mesh_px[INNER_LIPS, :2]
    width = float(np.linalg.norm(outer[0] - outer[10]))
    box = box_around(outer, _MARGIN_PX + int(_LINE_REACH * width), image)
    if box is None or width < _MIN_PX or _lip_gap(mesh_px) > _MIN_LIP_GAP:
        return image
    x0, y0, x1, y1 = box
    result, offset = image.copy(), np.array([x0, y0], np.float32)
    part = _with_lit_line(image[y0:y1, x0:x1].astype(np.float32), outer - offset, inner - offset, _LINE_REACH * width)
    result[y0:y1, x0:x1] = np.clip(part, 0, 255).astype(np.uint8)
    return result


def _with_whole_lips(image: ByteArray, outer: FloatArray, inner: FloatArray, box: tuple[int, int, int, int]) -> FloatArray:
    """(H, W, 3); (20, 2) px, the rims of parted lips; left, top, right, bottom -> that part of the picture, lips whole."""
    x0, y0, x1, y1 = box
    width = float(np.linalg.norm(outer[0] - outer[10]))
    mirror = outer + _LIP_MIRROR * (inner - outer)
    kept = outer + _LIP_KEPT * (inner - outer)
    ring = [np.concatenate([row, row[:1]]) for row in (mirror, inner, mirror, kept)]
    points = np.c_[np.concatenate(ring[:2]), np.zeros(2 * len(ring[0]))].astype(np.float32)
    drawn, _ = rasterise(
        points - np.array([x0, y0, 0], np.float32),
        strip(2, len(ring[0])),
        np.c_[np.concatenate(ring[2:]), np.ones(len(points))].astype(np.float32),
        y1 - y0,
        x1 - x0,
    )
    place = drawn[..., :2] - np.float32(0.5)
    lips = np.asarray(cv2.remap(image, place[..., 0], place[..., 1], cv2.INTER_LINEAR), np.float32)
    part = image[y0:y1, x0:x1].astype(np.float32)
    covered = drawn[..., 2:] > 0
    part = np.where(covered, lips, part)
    halves = [np.concatenate([inner[half], outer[half][::-1]]) - np.array([x0, y0], np.float32) for half in (_UPPER, _LOWER)]
    upper, lower = (polygon_mask([half.astype(np.float32)], y1 - y0, x1 - x0) for half in halves)
    part += _as_full(part, upper, lower, width)
    between = polygon_mask([inner - (x0, y0)], y1 - y0, x1 - x0)[..., None]
    rim = np.clip(kept.round().astype(int), 0, (image.shape[1] - 1, image.shape[0] - 1))
    dark = _BETWEEN_SHADE * np.median(image[rim[:, 1], rim[:, 0]], 0)
    return np.asarray(part + between * (dark - part), np.float32)


def _with_lit_corners(part: FloatArray, corners: FloatArray, reach_px: float) -> FloatArray:
    """(h, w, 3); (2, 2) px -> what is dark in the corners of a smile, nearly as light as what is round it.

    Drawn together it would be a knot.
    """
    y, x = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32)
    away = np.minimum(*(np.hypot(x - corner[0], y - corner[1]) for corner in corners)) / max(1e-3, reach_px)
    outwards = corners - corners.mean(0)
    beside = corners + reach_px * outwards / np.maximum(1e-3, np.linalg.norm(outwards, axis=1, keepdims=True))
    spot = max(1.0, reach_px / 4) * np.array([[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1)], np.float32)
    skin = np.maximum(*(colour_along(part, place + spot) for place in beside))
    return _lit(part, np.clip(2 - 2 * away, 0, 1).astype(np.float32), reach_px, _CORNER_LIGHT, skin)


def _with_lit_line(part: FloatArray, outer: FloatArray, inner: FloatArray, reach_px: float) -> FloatArray:
    """(h, w, 3); (20, 2) px, the rims of lips that are shut -> the dark line between them nearly as light as the lips."""
    there = np.zeros(part.shape[:2], np.float32)
    cv2.polylines(there, [inner.round().astype(np.int32)], True, 1.0, 2 * max(1, round(reach_px)) + 1)
    soft = np.asarray(cv2.GaussianBlur(there, (0, 0), max(0.6, reach_px / 3)), np.float32)
    lips = colour_along(part, 0.5 * (outer + inner))
    return _lit(part, soft, reach_px, _LINE_LIGHT, np.float32(_LIGHTEST_LIP) * lips)


def _lit(part: FloatArray, there: FloatArray, reach_px: float, least: float, most: FloatArray | float = 255.0) -> FloatArray:
    """(h, w, 3) -> what is darker than `least` of the light round it, within `reach_px`, is so light and of that colour, where
    `there`, (h, w), says; what is round it counts as `most`, (3,), at most."""
    scale = min(1.0, _MOST_REACH_PX / max(1.0, reach_px))  # the cost grows with the square of the reach
    small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else part
    size = 2 * max(1, round(scale * reach_px)) + 1
    round_it = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    round_it = cv2.resize(round_it, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    soft = max(0.6, reach_px / 3)
    round_it = np.minimum(cv2.GaussianBlur(round_it, (0, 0), soft), np.float32(most))
    light = part.mean(-1) / np.maximum(1, round_it.mean(-1))
    lacks = cv2.GaussianBlur(np.clip((least - light) / max(1e-3, _DARK * least), 0, 1), (0, 0), soft / 2)
    lit = np.float32(least) * round_it
    return np.asarray(part + (there * lacks)[..., None] * np.maximum(lit - part, 0), np.float32)


def _as_full(part: FloatArray, upper: FloatArray, lower: FloatArray, width: float) -> FloatArray:
    """What a stretched upper lip lacks of the colour of the lower one: (h, w, 3); upper, lower: (h, w), where they are.

    A smile draws it so thin that hardly more than its rim and the skin above it show.
    """
    colour = np.median(part[lower > 0.5], 0) if (lower > 0.5).any() else None
    if colour is None:
        return np.zeros_like(part)
    blur = max(0.6, width / _BLURS_ACROSS)
    soft = cv2.GaussianBlur(upper, (0, 0), blur)[..., None]
    known = np.maximum(cv2.GaussianBlur(upper, (0, 0), 2 * blur)[..., None], np.float32(1e-3))
    local = cv2.GaussianBlur(part * upper[..., None], (0, 0), 2 * blur) / known
    weight = np.float32(_LIP_TONED) * soft * upper[..., None]
    return np.asarray(weight * (np.float32(_UPPER_SHADE) * colour - local), np.float32)
