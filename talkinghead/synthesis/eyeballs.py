"""Eyeballs, laid into the warped picture under its lids: the portrait's own eyes, and what lids hide of them.

They keep their place under moving lids and turn with the gaze. Behind the lids an iris goes on as round as it is, in the
colours that it has at each distance from its centre, and the white in its own. Knows pixels and the points of eyes.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from scipy import ndimage

from talkinghead.synthesis.closing import SHUT_GAP, fine_eye, lash_colour, lid_gap, smooth_step
from talkinghead.synthesis.geometry import box_around, far_blurred, polygon_mask
from talkinghead.synthesis.interior import skin_colour
from talkinghead.synthesis.regions import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS
from talkinghead.types import BoolArray, ByteArray, FloatArray, IntArray

# All these were set by eye, unless something else is said.
_MARGIN_PX: Final = 3
"""Round lids, for their anti-aliased rim."""
_IRIS_REACH, _IRIS_FALL = 2.8, 1.5
"""In radii of the iris: as far as the eye moves with the gaze at all, and over how much of that its motion fades."""
_OPEN_GAP: Final = 0.08
"""Part of the eye's width: from such a gap on the whole eyeball shows."""
_SOFT, _LEAST_SOFT_PX, _MOST_SOFT_PX = 0.014, 0.1, 1.4
"""Of the eye's width, how soft the outline of one that shuts is: lids that nearly touch have no line of ink between them."""
_CLOSING: Final = (0.1, 0.6)
"""Of the gap that the portrait has, what is gone of it when that begins and when it is so soft."""
_MIN_SEEN: Final = 0.02
"""A portrait that shows less of its eyeballs than this has its eyes shut."""
_BLURS_ACROSS: Final = 60
"""So many blurs go into the width of what they soften; none is much under a pixel."""
_LID_MARGIN: Final = 0.35
"""Part of the eye's width that its inside is continued over its lids."""
_SURE_INSIDE: Final = 0.6
"""Coverage from which a pixel is the eye's alone."""
_MIN_EYE_PX: Final = 8
"""An eye of fewer pixels has no inside to continue."""
_WIDER, _WIDE = 1.03, 1.22
"""Gaps over the portrait's own: where what its lids shade begins to clear, and where it is clear."""
_UP, _UP_ALL = 0.005, 0.04
"""Of the eye's width, how far up an iris is when that begins to clear, and when it is."""
_UPPER_RIM, _LOWER_RIM = 0.075, 0.03
"""Of the eye's width, how far into the eye lids and lashes throw their shade and their colour."""
_UPPER_SHARE, _LOWER_SHARE = 0.25, 0.1
"""Of the gap between the lids, that at most."""
_SHADED, _LIT = 0.05, 0.16
"""Of the eye's width, how far behind the lid all is as its rim, and from where on nothing is."""
_LASHES, _SKIN = 0.4, 0.6
"""Of the light of the eye behind it, a rim of lashes at most, and one of skin at least."""
_RINGS: Final = np.linspace(0, 1.5, 16, dtype=np.float32)
"""Radii at which the iris has a colour, in its own; the last are of its rim and the white."""
_WHITE_FROM, _WHITE_ALL = 1.2, 1.45
_BRIGHT_WHITE: Final = 60
"""The percentile of light above which the white is itself, not the shade of lashes."""
_LEAST_WHITE, _MOST_LIFTED = 0.85, 3.0
"""Of the light of the cheek below, the white at least; and by how much it is made lighter at most."""
_WHITE_KEPT: Final = (0.2, 0.8)
"""Of what the portrait shows of the white, where it is made lighter round it: of narrow eyes and of open ones,"""
_NARROW, _OPEN = 0.26, 0.34
"""whose gaps are so many of their widths."""
_MOST_COLOURED: Final = 0.4
"""Of the colour of skin, the white's at most."""
_CORNER_SHADE, _CORNER = 0.2, 0.8
"""Of half the eye's width, how far from its middle its corners begin."""
_LID_SHADE, _LID_SHADE_REACH = 0.25, 0.07
"""What the upper lid takes of the light on an eye that it has opened, and how far down, in widths of the eye."""
_RIM, _RIM_SHARE = 0.03, 0.6
"""In widths of the eye, how thick the line of lashes on its upper lid is, and how much of their colour it has."""
_CHEEKS: Final = {33: np.array([117, 118, 101]), 263: np.array([346, 347, 330])}
"""Below each eye, by its outer corner."""


class Eyeball:
    """One eye of a portrait: as it is between its lids, with what is behind them when they open, and as it would be if they
    shaded nothing."""

    def __init__(self, image: ByteArray, mesh_px: FloatArray, loop: IntArray, iris: IntArray) -> None:
        """image: (H, W, 3) uint8; mesh_px: (V, 3) px; loop, iris: points of its lids' rim and of its iris, centre first."""
        self._loop, self._iris = loop, iris
        self._lids, self._centre = mesh_px[loop, :2], mesh_px[iris[0], :2]
        self._radius = max(1.0, float(np.linalg.norm(mesh_px[iris[1:], :2] - self._centre, axis=1).mean()))
        self._lash = lash_colour(image, mesh_px, loop)
        self._fine = fine_eye(self._lids)
        width, down = _frame(self._lids)
        box = box_around(self._lids, int(width * _LID_MARGIN) + _MARGIN_PX, image)
        self._shown = box is not None
        x0, y0, x1, y1 = box or (0, 0, 1, 1)
        self._left_top = np.array([x0, y0], np.float32)
        self.own = self.opened = self.clear = image[y0:y1, x0:x1].astype(np.float32)
        self._lidded = np.ones(self.own.shape[:2], np.float32)
        inside = polygon_mask([self._lids - (x0, y0)], y1 - y0, x1 - x0)
        if box is None or (inside > _SURE_INSIDE).sum() < _MIN_EYE_PX:
            return
        cheek = 255 * skin_colour(image, mesh_px, _CHEEKS[int(loop[0])])
        free = _free_of_lids(inside, width * down, lid_gap(self._lids))
        soft = max(0.6, (x1 - x0) / _BLURS_ACROSS)
        behind, above = _went_on(self.own, inside, down, soft)
        if self._fine > 0:
            along = self._along(inside.shape)
            whole, disc = self._whole(inside, free, along, cheek)
            # The upper lid's own shade goes on a little: a glance must not show white above it.
            beyond = np.clip((above / width - _SHADED) / (_LIT - _SHADED), 0, 1)[..., None]
            behind = behind + np.float32(self._fine) * beyond * (whole - behind)
            white_kept = np.interp(lid_gap(self._lids), (_NARROW, _OPEN), _WHITE_KEPT)
            kept = cv2.GaussianBlur(free, (0, 0), soft) * np.float32(white_kept + (1 - white_kept) * disc)
            # Corners are pink and wet, whatever lids shade there.
            kept = np.maximum(kept, inside * np.clip((np.abs(2 * along - 1) - _CORNER) / (1 - _CORNER), 0, 1))
            self.clear = whole + kept[..., None] * (self.own - whole)
            self._lidded = np.asarray(1 - kept, np.float32)
        shown = inside[..., None] > (_SURE_INSIDE if self._fine == 0 else 0)
        self.own = self.opened = np.where(shown, self.own, behind)
        if self._fine > 0:
            # A rim of lashes goes on, a rim of skin does not: there an eye that opens lies in the shade of the lid.
            light = cv2.GaussianBlur(behind.mean(-1) / np.maximum(whole.mean(-1), 1), (0, 0), soft)
            bare = np.float32(self._fine) * np.clip((light - _LASHES) / (_SKIN - _LASHES), 0, 1)[..., None]
            self.opened = np.where(shown, self.own, behind + bare * (whole * np.float32(1 - _LID_SHADE) - behind))

    def lay_in(self, picture: FloatArray | ByteArray, target_px: FloatArray, skull: FloatArray) -> None:
        """Draw it between the lids of a warped picture, (H, W, 3) uint8 or float32 in [0, 255], in place.

        target_px: (V, 3) px, where the mesh is; skull: (2, 3) how the head went there from the portrait.
        """
        lids = target_px[self._loop, :2]
        box = box_around(lids, _MARGIN_PX + int(3 * _MOST_SOFT_PX), picture)
        if box is None or not self._shown:
            return
        x0, y0, x1, y1 = box
        mask = polygon_mask([lids - (x0, y0)], y1 - y0, x1 - x0)
        back = cv2.invertAffineTransform(skull).astype(np.float32)
        x, y = np.meshgrid(np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32))
        p = np.stack([x, y], -1) @ back[:, :2].T + back[:, 2]
        shift = target_px[self._iris[0], :2] @ back[:, :2].T + back[:, 2] - self._centre
        # The iris moves as a whole; the white stretches between it and the corners of the eye.
        distance = np.linalg.norm(p - (self._centre + shift), axis=-1) / self._radius
        weight = np.clip((_IRIS_REACH - distance) / _IRIS_FALL, 0, 1)[..., None]
        p = p - (shift * weight).astype(np.float32) - self._left_top
        home = lids @ back[:, :2].T + back[:, 2]
        wider, opened = self._wider(home, shift), self._opened(home)
        eye = _at(self.own, p)
        if opened > 1:
            eye = eye + np.float32(smooth_step(opened, 1, _WIDER)) * (_at(self.opened, p) - eye)
        if wider > 0:
            width, down = _frame(lids)
            # What the portrait shows has its lid's shade already.
            shade = _shade_of_lid(mask, width * down) * _at(self._lidded, p)
            clear = _at(self.clear, p) * (1 - shade)[..., None]
            clear = clear + _rim_of_lid(mask, width * down)[..., None] * (self._lash - clear)
            eye = eye + np.float32(wider) * (clear - eye)
        shut = 1 - self._openness(lids)
        if shut > 0:
            eye = eye + shut * (self._lash - eye)
        soft = min(_MOST_SOFT_PX, self._fine * _SOFT * _frame(lids)[0]) * smooth_step(1 - opened, *_CLOSING)
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(soft, _LEAST_SOFT_PX)), np.float32)
        mixed = picture[y0:y1, x0:x1] + mask[..., None] * (eye - picture[y0:y1, x0:x1])
        picture[y0:y1, x0:x1] = np.rint(mixed) if picture.dtype == np.uint8 else mixed

    def _wider(self, lids: FloatArray, shift: FloatArray) -> float:
        """0 where an eye shows no more than the portrait does, 1 where it shows much more, in a picture that is fine.

        lids: (16, 2) px, moved back with the skull to where the portrait has them; shift: (2,) px of the iris there. The lids
        have opened, or the iris has come up from behind the lower one; the upper one goes down with it. A socket that nods goes
        up as a whole, and one that turns gets narrower.
        """
        width, down = _frame(self._lids)
        socket = (lids - self._lids)[[0, 8]].mean(0)
        up = -float((shift - socket) @ down) / width
        return self._fine * max(smooth_step(self._opened(lids), _WIDER, _WIDE), smooth_step(up, _UP, _UP_ALL))

    def _opened(self, lids: FloatArray) -> float:
        """lids: (16, 2) px as there -> how far they are apart, of how far the portrait has them."""
        return lid_gap(lids) * _frame(lids)[0] / (max(lid_gap(self._lids), SHUT_GAP) * _frame(self._lids)[0])

    def _openness(self, lids: FloatArray) -> float:
        """0 when the lids are shut but for what the tracker leaves between them, 1 when as open as the portrait's own."""
        own_gap = smooth_step(lid_gap(self._lids), SHUT_GAP, _OPEN_GAP)
        return min(1.0, smooth_step(lid_gap(lids), SHUT_GAP, _OPEN_GAP) / own_gap) if own_gap > _MIN_SEEN else 1.0

    def _along(self, shape: tuple[int, ...]) -> FloatArray:
        """(h, w) of its part of the picture -> 0 at one corner of the eye to 1 at the other."""
        across = self._lids[8] - self._lids[0]
        x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
        place = np.stack([x, y], -1) + (self._left_top - self._lids[0])
        return np.asarray(place @ across / max(float(across @ across), 1.0), np.float32)

    def _whole(
        self, inside: FloatArray, free: FloatArray, along: FloatArray, cheek: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Its coverage by the eye and by what of it no lid shades, (h, w) -> the eyeball everywhere in its part of the picture,
        (h, w, 3), and how much of that is iris, (h, w)."""
        known = free > _SURE_INSIDE
        if known.sum() < _MIN_EYE_PX:
            known = inside > _SURE_INSIDE
        height, width = inside.shape
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        place = np.stack([x, y], -1) + self._left_top
        radii = np.linalg.norm(place - self._centre, axis=-1) / np.float32(self._radius)
        white = _white(self.own, known & (radii > _WHITE_FROM), along, cheek)
        disc = np.clip((_WHITE_ALL - radii) / (_WHITE_ALL - _WHITE_FROM), 0, 1)
        return np.asarray(white + disc[..., None] * (_rings(self.own, known, radii) - white), np.float32), disc


def eyeballs_of(image: ByteArray, mesh_px: FloatArray) -> tuple[Eyeball, Eyeball]:
    """(H, W, 3) uint8 and (V, 3) px -> the subject's right eye and left eye."""
    return Eyeball(image, mesh_px, RIGHT_EYE, RIGHT_IRIS), Eyeball(image, mesh_px, LEFT_EYE, LEFT_IRIS)


def _frame(lids: FloatArray) -> tuple[float, FloatArray]:
    """(16, 2) px round an eye -> its width in px, and (2,) the way from its upper lid to its lower one, of length 1."""
    across = lids[8] - lids[0]
    width = max(1.0, float(np.linalg.norm(across)))
    down = np.array([-across[1], across[0]], np.float32) / np.float32(width)
    return width, -down if float(down @ (lids[12] - lids[4])) < 0 else down


def _at(texture: FloatArray, place: FloatArray) -> FloatArray:
    """(h, w, 3) or (h, w), and (h', w', 2) px of it -> (h', w', 3) or (h', w') what is there."""
    seen = cv2.remap(texture, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


def _moved(mask: FloatArray, way: FloatArray) -> FloatArray:
    """(h, w) -> it, (2,) px further."""
    return np.asarray(cv2.warpAffine(mask, np.c_[np.eye(2), way].astype(np.float32), mask.shape[::-1]), np.float32)


def _went_on(part: FloatArray, inside: FloatArray, down: FloatArray, soft: float) -> tuple[FloatArray, FloatArray]:
    """(h, w, 3) and its coverage by an eye, (h, w) -> the eye's inside as its rim goes on, softened by `soft` px, and how far
    above that each pixel is, (h, w) px, endlessly far where it is below; `down` is as of `_frame`.

    In an eye of few pixels there is nothing to measure, and the network learnt with this.
    """
    away, (y, x) = ndimage.distance_transform_edt(inside <= _SURE_INSIDE, return_indices=True)
    filled = cv2.GaussianBlur(part[y, x], (0, 0), soft)
    rows, columns = np.indices(inside.shape)
    below = (columns - x) * down[0] + (rows - y) * down[1] > 0
    return np.asarray(filled, np.float32), np.where(below, np.float32(np.inf), away).astype(np.float32)


def _free_of_lids(inside: FloatArray, down: FloatArray, gap: float) -> FloatArray:
    """(h, w) coverage by the eye -> by what of it is further from its rims than what lids and lashes shade.

    down: (2,) px, as long as the eye is wide; gap: of the lids, in parts of that. Of narrow eyes most is taken as it is: there
    is little else that says how they look.
    """
    upper, lower = (min(rim, share * gap) for rim, share in ((_UPPER_RIM, _UPPER_SHARE), (_LOWER_RIM, _LOWER_SHARE)))
    return np.minimum(inside, np.minimum(_moved(inside, upper * down), _moved(inside, -lower * down)))


def _white(part: FloatArray, known: BoolArray, along: FloatArray, cheek: FloatArray) -> FloatArray:
    """(h, w, 3) the white of the eye everywhere: known, (h, w) bool, where it shows; along: (h, w) from corner to corner."""
    sides = []
    for side in (known & (along < 0.5), known & (along >= 0.5)):
        seen = part[side]
        if len(seen) >= _MIN_EYE_PX:
            light = seen.mean(-1)
            sides.append(np.median(seen[light >= np.percentile(light, _BRIGHT_WHITE)], axis=0))
        else:
            sides.append(None)
    found = [side for side in sides if side is not None]
    plain = np.full(3, _LEAST_WHITE * cheek.mean(), np.float32)
    first, last = (_as_white(side if side is not None else found[0] if found else plain, cheek) for side in sides)
    share = np.clip(along, 0, 1)[..., None]
    corners = 1 - np.float32(_CORNER_SHADE) * np.abs(2 * share - 1) ** 3
    return np.asarray((first + share * (last - first)) * corners, np.float32)


def _as_white(colour: FloatArray, cheek: FloatArray) -> FloatArray:
    """(3,) what was seen of the white and (3,) the cheek below -> as light and as pale as the white of an eye is there."""
    light = max(float(colour.mean()), 1.0)
    ratio = min(_MOST_LIFTED, max(1.0, _LEAST_WHITE * float(cheek.mean()) / light))
    hue, skin_hue = colour / light - 1, cheek / max(float(cheek.mean()), 1.0) - 1
    # What was dark says little of its hue, and no white is as warm as skin.
    most = _MOST_COLOURED * float(np.ptp(skin_hue))
    kept = min(1 / ratio, most / max(float(np.ptp(hue)), 1e-3))
    return np.asarray(ratio * light * (1 + kept * hue), np.float32)


def _rings(part: FloatArray, known: BoolArray, rho: FloatArray) -> FloatArray:
    """(h, w, 3) an iris as round as `rho`, (h, w) radii, says, in the middle colour that is known at each of them."""
    ring = np.digitize(rho, (_RINGS[1:] + _RINGS[:-1]) / 2)
    colours = {k: np.median(part[known & (ring == k)], axis=0) for k in range(len(_RINGS)) if (known & (ring == k)).any()}
    if not colours:
        return part
    at = _RINGS[list(colours)]
    return np.stack([np.interp(rho, at, column) for column in np.array(list(colours.values())).T], -1).astype(np.float32)


def _shade_of_lid(mask: FloatArray, down: FloatArray) -> FloatArray:
    """(h, w) coverage by an eye -> what the upper lid takes of its light, softly, most at its rim; `down` as there."""
    way = _LID_SHADE_REACH * down
    return np.asarray(_LID_SHADE * (1 - far_blurred(_moved(mask, way), float(np.linalg.norm(way)))), np.float32)


def _rim_of_lid(mask: FloatArray, down: FloatArray) -> FloatArray:
    """(h, w) coverage by an eye -> how much of it is the colour of the lashes on the upper lid; `down` as there."""
    return np.asarray(_RIM_SHARE * np.clip(mask - _moved(mask, _RIM * down), 0, 1), np.float32)
