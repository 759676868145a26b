"""What an expression folds into the skin, and what it smooths out again: light and shade along a few lines of a portrait.

A warp carries the skin as the portrait has it, with the folds of its own expression and without those of any other. Skin folds
across the way in which it is drawn together, so the mesh itself says how deep each fold is. Each is drawn once, in the
portrait's own place, for the warp to carry. Knows pixels and points. Source: Liu, Shan, Zhang, "Expressive expression mapping
with ratio images", SIGGRAPH 2001 (an expression's folds are a ratio of light, of whoever's skin).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from talkinghead.procrustes import similarity
from talkinghead.synthesis.bands import REACH, Band, Place
from talkinghead.synthesis.closing import smooth_step
from talkinghead.synthesis.geometry import box_around, polygon_mask
from talkinghead.synthesis.interior import skin_colour, skin_likeness
from talkinghead.synthesis.rasteriser import vertex_normals
from talkinghead.synthesis.regions import LEFT_EYE, RIGHT_EYE, SKULL
from talkinghead.synthesis.unfolding import unfolded
from talkinghead.types import UPRIGHT, ByteArray, FloatArray, IntArray


@dataclass(frozen=True)
class Crease:
    """Folds that come together. All of it was set by eye; the strains are those of the rig's expressions at full strength.

    paths: places that each line runs through. across: pairs of points that come nearer to each other where it folds. full: by
    how much, in logs of their distance, when it is as deep as it gets. depth: how much darker it is then. width: of its groove,
    in parts of the distance of the outer corners of the eyes. bulge: of its depth, what shades the skin that swells beside it,
    to the right of its way in the picture; below 0, to the left. own: how much lighter, in logs, a fold of the portrait's own
    becomes at most where it is drawn apart, and what is twice as dark is none: beside the eyes it may be paint, on the forehead
    a brow or a strand of hair. on: how one of its own goes on beyond the path.
    """

    paths: tuple[tuple[Place, ...], ...]
    across: tuple[tuple[int, int], ...]
    full: float
    depth: float
    width: float
    bulge: float = 0.0
    own: float = 0.0
    on: tuple[Place, ...] = ()


def _nasolabial(
    wing: int, cheek: tuple[int, int, int], lip: int, above: int, below: int, jowl: int, apple: int, chin: int, bulge: float
) -> Crease:
    """From the wing of the nose through three points of the cheek round the mouth's corner, towards `lip`, `above`, `below`.

    That of a broad smile goes on towards the `chin`.
    """
    high, middle, corner = cheek
    path = (
        (wing, wing, 0.0),
        (high, lip, 0.15),
        (middle, lip, 0.25),
        (corner, above, 0.2),
        (corner, below, 0.4),
        (below, corner, 0.1),
    )
    return Crease(
        (path,), ((jowl, above), (apple, lip)), 0.12, 0.2, 0.014, bulge, own=3.0, on=((below, chin, 0.5), (below, chin, 1.0))
    )


def _crows_feet(corner: int, out: int, up: int, down: int, lids: tuple[int, int]) -> Crease:
    paths = tuple(tuple((corner, to, share) for share in (0.35, 0.55, 0.8)) for to in (out, up, down))
    return Crease(paths, (lids,), 0.12, 0.1, 0.008)


CREASES: Final = (
    _nasolabial(129, (203, 206, 216), 165, 186, 212, 207, 205, 204, bulge=0.5),
    _nasolabial(358, (423, 426, 436), 391, 410, 432, 427, 425, 424, bulge=-0.5),
    # Between the brows.
    Crease(
        (((55, 193, 0.3), (55, 8, 0.3), (107, 9, 0.32)), ((285, 417, 0.3), (285, 8, 0.25), (336, 9, 0.28))),
        ((55, 285),), 0.13, 0.22, 0.013,
    ),
    # Across the forehead.
    Crease(
        (
            tuple((*pair, 0.55) for pair in ((104, 105), (69, 66), (108, 107), (151, 9), (337, 336), (299, 296), (333, 334))),
            tuple((*pair, 0.15) for pair in ((69, 66), (108, 107), (151, 9), (337, 336), (299, 296))),
        ),
        ((108, 107), (337, 336), (69, 66), (299, 296)), 0.35, 0.1, 0.011, -0.3, own=0.3,
    ),
    _crows_feet(130, 143, 156, 116, (145, 119)),
    _crows_feet(359, 372, 383, 345, (374, 348)),
)  # fmt: skip
CANVAS_PX: Final = 640
"""Folds are drawn at most this large, from brow to chin."""
_FROM: Final = 0.15
"""Of the full strain, what folds and smooths nothing: lips that talk."""
_SMOOTHED: Final = 0.13
"""The strain that draws a fold of the portrait's own out of it."""
_SURELY, _ENDS = 6.0, 0.1
"""Widths from a line within which its fold surely is; the part of its way over which its ends fade."""
_SKIN_NEAR, _SKIN_FAR = 0.25, 0.6
"""Distances from the cheeks' colour, in logs of it, of what is skin, and of what is hair, glasses or paper."""
_FACING, _AWAY = 0.35, 0.1
"""Cosines between the skin and the viewer: from the one on a fold is all seen, below the other not at all."""
_TINT: Final = 1.5
"""How much stronger the hue of skin is in its shade, in logs of it."""
_SEEN, _SEEN_LEVELS = 0.01, 1.0
"""What is less, in logs and in levels, is not done."""
_COARSER: Final = 4
"""Every so many pixels it is looked where there are folds at all."""
_PATCHES: Final = (
    np.array([117, 118, 101, 36, 205, 187, 123]), np.array([346, 347, 330, 266, 425, 411, 352]),
    np.array([67, 109, 10, 338, 297, 333, 9, 104]),
)  # fmt: skip
"""Both cheeks and the forehead: where skin shows how lined it is."""
_EYES_PX: Final = 160.0
"""The distance of the outer corners of the eyes at which they are looked at."""
_SMOOTH_SKIN, _LINED_SKIN = 0.003, 0.01
"""Median deviation of the light from what is round it: of a drawing or of paint on young skin, and of most photographs."""
_LEAST_FOLD: Final = 0.4
"""Of their depth, folds in the smoothest skin."""


class Creases:
    """A portrait's folds: how each would shade it if it were there, and what fills its own where they are drawn apart."""

    def __init__(self, image: ByteArray, mesh_px: FloatArray, faces: IntArray) -> None:
        """image: (H, W, 3) uint8; mesh_px: (V, 3) px, where its vertices stand in it; faces: (F, 3) of the skin."""
        self._own = mesh_px
        colour = skin_colour(image, mesh_px)
        tint = np.clip(1 - np.float32(_TINT) * np.log(colour / colour.mean()), 0.5, 1.5).astype(np.float32)
        box = box_around(mesh_px[:468, :2], 0, image)
        self._folds: list[_Light] = []
        self._own_folds: list[_Light] = []
        if box is None:
            return
        x0, y0, x1, y1 = box
        self._left_top = np.array([x0, y0], np.float32)
        facing = vertex_normals(mesh_px[:468] * UPRIGHT, faces)[:, 2]
        self._scale = min(1.0, CANVAS_PX / max(x1 - x0, y1 - y0))
        size = (max(1, round((x1 - x0) * self._scale)), max(1, round((y1 - y0) * self._scale)))
        self._shape = size[::-1]
        small = np.asarray(cv2.resize(image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA), np.float32)
        points = (mesh_px[:468, :2] - self._left_top) * self._scale
        eyes_px = float(np.linalg.norm(points[RIGHT_EYE[0]] - points[LEFT_EYE[0]]))
        skin = _skin(small, colour, eyes_px)
        self._levels, depth = unfolded(small, colour, points, eyes_px, skin)
        lined = _how_lined(image[y0:y1, x0:x1], mesh_px[:468, :2] - self._left_top)
        for crease in CREASES:
            for path in crease.paths:
                seen = smooth_step(float(min(facing[a] for a, _, _ in path)), _AWAY, _FACING)
                band = Band.along(path, points, crease.width * eyes_px, small)
                if band is not None:
                    groove = lined * seen * _groove(crease, band) * band.of(skin) * band.there
                    self._folds.append(_Light(crease, band.left_top, groove[..., None] * tint))
                band = Band.along(path + crease.on, points, crease.width * eyes_px, small) if crease.own else None
                if band is not None:
                    filled = seen * _lift(band) * band.there * _no_deeper(band.of(depth), crease.own)
                    self._own_folds.append(_Light(crease, band.left_top, filled[..., None]))

    def shade(self, image: ByteArray, target_px: FloatArray, place: FloatArray) -> None:
        """Shade and light a part of the warped picture in place.

        image: (h, w, 3) uint8; target_px: (V, 3) px, where the mesh is; place: (h, w, 2) px of the portrait that each pixel of
        the part is taken from.
        """
        shade, fill = self._light(target_px)
        if fill is not None and (here := self._where(fill, place, _SEEN_LEVELS)) is not None:
            image[here] = cv2.add(image[here], self._of(fill, place[here]), dtype=cv2.CV_8U)
        if shade is not None and (here := self._where(shade, place, _SEEN)) is not None:
            ratio = np.asarray(cv2.exp(self._of(shade, place[here])), np.float32)
            image[here] = cv2.multiply(image[here], ratio, dtype=cv2.CV_8U)

    def _where(self, canvas: FloatArray, place: FloatArray, least: float) -> tuple[slice, slice] | None:
        """The part of a picture where more than `least` of the canvas is seen; None where nothing is."""
        seen = np.abs(self._of(canvas, place[::_COARSER, ::_COARSER])).max(-1) > least
        x, y, width, height = (_COARSER * edge for edge in cv2.boundingRect(seen.astype(np.uint8)))
        if width == 0:
            return None
        return slice(max(0, y - _COARSER), y + height + _COARSER), slice(max(0, x - _COARSER), x + width + _COARSER)

    def _of(self, canvas: FloatArray, place: FloatArray) -> FloatArray:
        """(h, w, 2) px of the portrait -> (h, w, 3) what the canvas has there, nought outside it."""
        # Centres of pixels are at a half.
        at = (place + np.float32(0.5) - self._left_top) * np.float32(self._scale) - np.float32(0.5)
        light = cv2.remap(canvas, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        return np.asarray(light, np.float32)

    def _light(self, target_px: FloatArray) -> tuple[FloatArray | None, FloatArray | None]:
        """(h, w, 3) on the canvas: logs of the light in folds, and levels that fill the portrait's own; None where all is as it
        was."""
        _, scale, _ = similarity(target_px[SKULL], self._own[SKULL])
        strains = {crease: _strain(crease, target_px * np.float32(scale), self._own) for crease in CREASES}
        shade = fill = None
        for part in self._folds:
            amount = np.float32(smooth_step(-strains[part.crease] / part.crease.full, _FROM, 1))
            if amount > 0:
                shade = np.zeros((*self._shape, 3), np.float32) if shade is None else shade
                shade[part.where] += amount * part.light
        for part in self._own_folds:
            amount = np.float32(smooth_step(strains[part.crease] / _SMOOTHED, _FROM, 1))
            if amount > 0:  # where the bands of two lines meet, what is dark is filled once
                fill = np.zeros((*self._shape, 1), np.float32) if fill is None else fill
                np.maximum(fill[part.where], amount * part.light, out=fill[part.where])
        return shade, None if fill is None else fill * self._levels


def _how_lined(face: ByteArray, points: FloatArray) -> float:
    """(h, w, 3) and (468, 2) px in it -> how deep folds are in such a skin, `_LEAST_FOLD` to 1: smooth skin folds softly."""
    eyes_px = max(1.0, float(np.linalg.norm(points[RIGHT_EYE[0]] - points[LEFT_EYE[0]])))
    scale = min(1.0, _EYES_PX / eyes_px)
    size = (max(1, round(face.shape[1] * scale)), max(1, round(face.shape[0] * scale)))
    small = cv2.resize(face, size, interpolation=cv2.INTER_AREA).mean(-1).astype(np.float32)
    unit = scale * eyes_px / _EYES_PX
    near = cv2.GaussianBlur(small, (0, 0), 5 * unit)
    rough = np.abs(cv2.GaussianBlur(small, (0, 0), 1.5 * unit) - near) / np.maximum(near, 10)
    patches = [polygon_mask([points[patch] * np.float32(scale)], *small.shape) > 0.5 for patch in _PATCHES]
    found = [float(np.median(rough[patch])) for patch in patches if patch.any()]
    texture = float(np.median(found)) if found else _LINED_SKIN
    return _LEAST_FOLD + (1 - _LEAST_FOLD) * smooth_step(texture, _SMOOTH_SKIN, _LINED_SKIN)


def _strain(crease: Crease, points: FloatArray, own: FloatArray) -> float:
    """The mean log of how much longer the ways across a fold are than in the portrait."""
    ends = np.array(crease.across)
    lengths = [np.linalg.norm(p[ends[:, 0]] - p[ends[:, 1]], axis=1) for p in (points, own)]
    return float(np.log((lengths[0] + 1e-3) / (lengths[1] + 1e-3)).mean())


def _skin(image: FloatArray, colour: FloatArray, eyes_px: float) -> FloatArray:
    """(h, w) in [0, 1]: what is of the cheeks' colour, not hair, glasses, lips or paper; softly."""
    soft = np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.6, eyes_px / 60)), np.float32)
    like = skin_likeness(soft, 255 * colour, _SKIN_NEAR, _SKIN_FAR)
    return np.asarray(cv2.GaussianBlur(like, (0, 0), max(0.6, eyes_px / 40)), np.float32)


@dataclass(frozen=True, eq=False)
class _Light:
    """How one line of a fold changes the light: left_top: (top, left) on the canvas. light: (h, w, 3) logs, or
    (h, w, 1) how far what is there is filled."""

    crease: Crease
    left_top: tuple[int, int]
    light: FloatArray

    @property
    def where(self) -> tuple[slice, slice]:
        """Its part of the canvas."""
        (top, left), (height, width) = self.left_top, self.light.shape[:2]
        return slice(top, top + height), slice(left, left + width)


def _groove(crease: Crease, band: Band) -> FloatArray:
    """(h, w) logs: the shade of a fold, and of the skin that swells beside it."""
    taper = np.maximum(0, np.sin(np.pi * np.sqrt(np.clip(band.t, 0, 1)))) ** 0.8  # deepest at a quarter of the way
    side = band.s * np.sign(crease.bulge)
    swell = abs(crease.bulge) * (np.exp(-((side - 1.5) ** 2) / 6) - 0.5 * np.exp(-((side - 5) ** 2) / 5))
    return np.asarray(-crease.depth * taper * (0.8 * np.exp(-(band.s**2) / 2) + swell), np.float32)


def _lift(band: Band) -> FloatArray:
    """(h, w) 0 to 1: where the portrait's own fold is looked for, softly bounded."""
    ends = np.clip(np.minimum(band.t, 1 - band.t) / _ENDS, 0, 1)
    return np.asarray(ends * np.clip((REACH - np.abs(band.s)) / (REACH - _SURELY), 0, 1), np.float32)


def _no_deeper(depth: FloatArray, most: float) -> FloatArray:
    """(h, w) logs that a groove is deep -> (h, w) how much of it is filled: `most` logs, of what is twice as deep nothing."""
    share = np.minimum(1, most / np.maximum(depth, 1e-3)) * np.clip(2 - depth / most, 0, 1)
    return np.asarray(share, np.float32)
