"""Upper lids that come down, made once from a portrait in its own place: skin, a dark rim, and the lashes that hang from it.

Knows the pixels and the points of eyes; knows nothing of motion.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from talkinghead.synthesis.closing import colour_along, lash_colour
from talkinghead.synthesis.geometry import box_around, polygon_mask
from talkinghead.synthesis.interior import far_from, skin_likeness
from talkinghead.synthesis.lashes import without_lashes
from talkinghead.synthesis.rasteriser import rasterise
from talkinghead.synthesis.regions import LEFT_CREASE, LEFT_EYE, LEFT_RIDGE, RIGHT_CREASE, RIGHT_EYE, RIGHT_RIDGE, strip
from talkinghead.types import ByteArray, FloatArray

# By eye, all of them.
_MARGIN_PX: Final = 3
_MIN_PX: Final = 8
"""An eye of fewer pixels shows nothing of this."""
_BLURS_ACROSS: Final = 60
"""So many blurs go into the width of an eye; none is much under a pixel."""
_LID_MIRROR: Final = 0.15
"""Of what is between crease and brow, where the skin is mirrored."""
_LASH_OPACITY: Final = 0.97
_LASH_FALL: Final = 8
"""Of the dark of the lashes at the lid's rim, and the power by which it falls towards the crease."""
_ROUND_EYE: Final = 0.25
"""Of the eye's width: how far round lids and brow's ridge there are lashes to take away or to hang."""
_LASH_REACH, _BARED = 0.5, 0.8
"""Beyond the ridge lashes are taken away so far, in parts of crease to ridge, and at the ridge so much."""
SKIN_OF_LIDS: Final = (0.4, 0.8)
"""Distances from the lid's colour, in logs of it, of what is skin or paint on it, and of what is none."""
_SKIN_REACH, _SKIN_UNKNOWN = 0.12, 0.05
"""Of the eye's width, from how far skin is taken for what is none; and what the lid's own is worth besides, as a share."""
_BELOW: Final = 0.2
"""Of the eye's width, how far below it the skin is looked at."""
_LIDS_ALIKE: Final = 0.85
"""Distance in colour, in logs of it, between the skin above and below an eye: what is further is hair, or paint as dark."""
_WET_RIM: Final = 0.02
"""Of the eye's width, what of it is not dark along its outline: lids that are half down would have a line of ink round it."""
_HANGING, _HANGING_OPACITY = 0.8, 0.9


def with_bare_lids(image: ByteArray, mesh_px: FloatArray) -> ByteArray:
    """The picture with each upper lid as the skin above it goes on, for lids that come down.

    What stands between an open lid's rim and its crease is lashes, make-up and a rim of iris: stretched over the eyeball by a
    lid that shuts, it would be a stain. The skin between crease and brow, without its lashes, is mirrored over the crease
    instead, softly; the lid's rim stays dark, and the lashes hang from it.
    """
    result = image.copy()
    for loop, crease, ridge in ((RIGHT_EYE, RIGHT_CREASE, RIGHT_RIDGE), (LEFT_EYE, LEFT_CREASE, LEFT_RIDGE)):
        eye_px = float(np.linalg.norm(mesh_px[loop[0], :2] - mesh_px[loop[8], :2]))
        box = box_around(mesh_px[np.r_[loop, ridge], :2], _MARGIN_PX + round(eye_px * _ROUND_EYE), image)
        if eye_px < _MIN_PX or box is None:
            continue
        x0, y0, x1, y1 = box
        eye = mesh_px[:, :2] - np.array([x0, y0], np.float32)
        part = image[y0:y1, x0:x1].astype(np.float32)
        _shut_eye(part, eye[loop], eye[crease], eye[ridge], eye_px, lash_colour(image, mesh_px, loop))
        result[y0:y1, x0:x1] = np.clip(part, 0, 255).astype(np.uint8)
    return result


def _shut_eye(part: FloatArray, loop: FloatArray, low: FloatArray, high: FloatArray, eye_px: float, dark: FloatArray) -> None:
    """part: (h, w, 3) of one eye, changed in place.

    loop (16, 2), crease (7, 2), ridge (7, 2) px of it; dark: (3,) between lids.
    """
    height, width = part.shape[:2]
    blur = max(0.6, eye_px / _BLURS_ACROSS)
    # What is bright or dark of the eye itself says nothing of the lid; nor does hair that hangs over its brow.
    above = colour_along(part, np.float32(0.5) * (low + high))
    down = (loop[1:8] - low).mean(0) / max(1e-3, float(np.linalg.norm((loop[1:8] - low).mean(0))))
    below = colour_along(part, loop[9:16] + np.float32(_BELOW * eye_px) * down)
    # A deep socket is darker than the cheek, and so is its lid; a fringe is unlike the skin beneath the eye.
    above = above if float(far_from(above, below)) < _LIDS_ALIKE else below
    eye = polygon_mask([loop], height, width)[..., None]
    clean, lashes = without_lashes(part + eye * (above - part), eye_px, loop[:9])
    lid_skin = _skin_alone(clean, above, eye_px)
    # Three rows of a strip: the rim, the crease, and where the mirror stands. Above it, as far as lashes reach, they go.
    rim, mirror = loop[1:8], low + _LID_MIRROR * (high - low)
    rows = [rim, low, mirror]
    away = [np.linalg.norm(row - mirror, axis=1, keepdims=True) for row in rows]
    sources = [mirror + (high - mirror) * np.minimum(1, d / np.maximum(away[0], 1e-3)) for d in away]
    across = np.sin(np.linspace(0.12, 0.88, len(rim)) * np.pi)[:, None].astype(np.float32) ** 0.5
    parts = zip(sources, (1.0, 0.9, 0.0), (_LASH_OPACITY, 0.0, 0.0), strict=True)
    drawn = _strip(
        rows, [np.c_[source, opacity * across, dark_edge * across] for source, opacity, dark_edge in parts], height, width
    )
    bared = _strip([rim, high, high + _LASH_REACH * (high - low)], [across, _BARED * across, 0 * across], height, width)
    part += cv2.GaussianBlur(bared[..., 0], (0, 0), blur)[..., None] * (clean - part)
    place = drawn[..., :2] - np.float32(0.5)
    skin = cv2.remap(cv2.GaussianBlur(lid_skin, (0, 0), 3 * blur), place[..., 0], place[..., 1], cv2.INTER_LINEAR)
    opaque, edge = (cv2.GaussianBlur(drawn[..., k], (0, 0), blur)[..., None] for k in (2, 3))
    # Of the eye nothing is left but the dark between the lids; what touches the lower one is its wet rim.
    within = cv2.erode(eye[..., 0], np.ones((3, 3), np.uint8), iterations=max(1, round(_WET_RIM * eye_px)))
    part += cv2.GaussianBlur(within, (0, 0), blur)[..., None] * (dark - part)
    lid = np.where(drawn[..., 2:3] > 0, skin + edge**_LASH_FALL * (dark - skin), part)
    part += opaque * (lid - part)
    # They hang as long as they stand, seen from before a little shorter.
    standing = np.linalg.norm(low - rim, axis=1, keepdims=True)
    hanging = (_HANGING * standing * down).astype(np.float32)
    below = _strip([loop[:8:-1], loop[:8:-1] + hanging], [np.c_[rim, across], np.c_[low, 0 * across]], height, width)
    shade = cv2.remap(lashes, below[..., 0] - np.float32(0.5), below[..., 1] - np.float32(0.5), cv2.INTER_LINEAR)
    part *= 1 - np.float32(_HANGING_OPACITY) * (shade * below[..., 2])[..., None]


def _skin_alone(part: FloatArray, skin: FloatArray, eye_px: float) -> FloatArray:
    """(h, w, 3) with skin for what is none: hair, glasses, the white of a tracked eye that is too small; skin: (3,) there."""
    soft = np.asarray(cv2.GaussianBlur(part, (0, 0), max(0.6, eye_px / _BLURS_ACROSS)), np.float32)
    like = skin_likeness(soft, skin, *SKIN_OF_LIDS)[..., None]
    reach = max(1.0, _SKIN_REACH * eye_px)
    share = cv2.GaussianBlur(like, (0, 0), reach)[..., None] + np.float32(_SKIN_UNKNOWN)
    near = cv2.GaussianBlur(part * like, (0, 0), reach) + np.float32(_SKIN_UNKNOWN) * skin
    return np.asarray(part + (1 - like) * (near / share - part), np.float32)


def _strip(rows: list[FloatArray], values: list[FloatArray], height: int, width: int) -> FloatArray:
    """Rows of (N, 2) px and of their (N, A) values -> (height, width, A) between them."""
    points = np.concatenate(rows)
    flat = np.c_[points, np.zeros(len(points))].astype(np.float32)
    return rasterise(flat, strip(len(rows), len(rows[0])), np.concatenate(values).astype(np.float32), height, width)[0]
