"""The inside of a mouth at the picture's own resolution: the portrait's teeth where it shows them, elsewhere the rig's.

The mouth's network learnt from video in which a mouth is fifty pixels wide. It knows how light and how warm an open mouth is,
and paints the mean of many where teeth have edges. In a picture that is finer than its crop the edges are therefore drawn, at
the size of the picture, and the network gives them their tones. Knows no networks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from talkinghead.synthesis.closing import smooth_step, way_of_lips
from talkinghead.synthesis.geometry import box_around, polygon_mask, rigid_map, uncropped
from talkinghead.synthesis.interior import draw_mouth
from talkinghead.synthesis.rasteriser import rasterise
from talkinghead.synthesis.regions import CHIN, INNER_LIPS, OUTER_LIPS, SKULL, UNDER_NOSE

if TYPE_CHECKING:
    from talkinghead.synthesis.mouth import MouthProxies
    from talkinghead.synthesis.proxies import ReferenceFace
    from talkinghead.synthesis.topology import MeshTopology
    from talkinghead.types import FloatArray

# All these were set by eye, unless something else is said.
_MARGIN_PX: Final = 3
_GAP_SHADE: Final = 0.3
"""How dark the line between two teeth is."""
_GAP: Final = 0.004
"""Of the mouth's width, how wide that is."""
_DRAWN_MARGIN: Final = 0.15
"""Of the mouth's width: the inside is drawn so far beyond the lips, for its own soft light reaches as far."""
_KNOWN: Final = 0.9
"""Opacity of what is drawn over what the network painted."""
_TONED: Final = 0.6
"""Of the light that the network adds or takes."""
_DARK: Final = 60.0
"""In [0, 255]: of what is darker than this it says no ratio."""
_LEAST_MOST_LIGHT: Final = (0.85, 1.2)
"""And no more than this of either: the network's mean of many mouths is greyer than teeth are."""
_FEATHER: Final = 0.006
"""Of the mouth's width, how softly that ends inside the lips."""
_LIP_SHADE, _LIP_REACH = 0.16, 0.02
"""How dark what is behind the lips is where they touch it, and how far that reaches, of the mouth's width."""
_RIM_KNOWN: Final = np.float32(0.1)
"""Share of lips in the neighbourhood, from which on they say how the rim looks."""
_RIM_WIDTH: Final = 0.4
"""How far the rim reaches over the lips, of how far their touch shades."""
_RIM_SHADE: Final = np.float32(0.85)
"""Of the lips' colour, their rim, which turns inwards."""
_CORNER_SHADE, _CORNER_FALL = 0.55, 3.0
"""How dark the corners of the mouth are, and the power of the way to them by which they get so."""
_DEEP_FROM, _DEEPER, _DEEP_RED = 0.6, 0.45, 0.5
"""What has less than this part of the light of teeth gets darker, by the power, and redder, as it is in photographs of open
mouths (`docs/log.md`, 2026-11-23)."""
_LOWER_DIM, _LOWER_ASIDE_M = 0.6, (0.008, 0.022)
"""How much of the light the lower row lacks at its sides, where that begins and ends: it is no bow from corner to corner."""
_TONGUE_LIGHT: Final = 1.4
"""The tongue's, of the light that mouths of fifty pixels need."""
_LOWER_DROP: Final = 0.03
"""Of the mouth's width, how much lower the lower row stands than the jaw has it: of most talkers hardly its edge shows."""
_PICTURED: Final = (0.012, 0.035)
"""How far the rim of the lips is from where the portrait has it, of the mouth's width: up to here all is the portrait's own,
from here on nothing but the teeth that are known."""
_BLUR, _MIN_BLUR_PX = 0.006, 0.6
"""Of the mouth's width, how soft the rig's edges are, and at least."""


def between_teeth(topology: MeshTopology, target_px: FloatArray, box: tuple[int, int, int, int]) -> FloatArray:
    """(h, w, 1) light in a box of the picture: 1, and less along the lines where one tooth meets the next."""
    x0, y0, x1, y1 = box
    local = target_px - np.array([x0, y0, 0], np.float32)
    seen = rasterise(local, topology.inner, topology.tooth_number, y1 - y0, x1 - x0)[0][..., 0]
    low, high = (np.minimum(seen[:, 1:], seen[:, :-1]), np.maximum(seen[:, 1:], seen[:, :-1]))
    line = np.zeros_like(seen)
    line[:, 1:] = (low > 0.5) & (high - low > 0.5)
    blur = max(0.5, _GAP * float(np.ptp(target_px[INNER_LIPS, 0])))
    # A line of one pixel, made as dark as it would be if it were so wide.
    soft = np.minimum(1, np.asarray(cv2.GaussianBlur(line, (0, 0), blur), np.float32) * np.float32(blur * np.sqrt(2 * np.pi)))
    return np.asarray(1 - np.float32(_GAP_SHADE) * soft[..., None], np.float32)


def _towards_corners(target_px: FloatArray, origin: tuple[int, int], shape: tuple[int, ...]) -> FloatArray:
    """(h, w) light in a part of the picture from `origin` on: 1 in the middle of the mouth, less towards its corners."""
    corners = target_px[INNER_LIPS[[0, 10]], :2] - np.array(origin, np.float32)
    middle, along = corners.mean(0), (corners[1] - corners[0]) / 2
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    way = ((x - middle[0]) * along[0] + (y - middle[1]) * along[1]) / max(1e-3, float(along @ along))
    return np.asarray(1 - _CORNER_SHADE * np.clip(np.abs(way), 0, 1) ** _CORNER_FALL, np.float32)


def lay_in_fine_mouth(
    picture: FloatArray, reference: ReferenceFace, target_px: FloatArray, mouth: MouthProxies, tones: FloatArray
) -> None:
    """Draw known teeth between the lips, in place, (H, W, 3) float32 in [0, 255].

    target_px: (V, 3) px, where the mesh is in this frame; tones: (h, w, 3) of the mouth's crop, what the network adds to the
    rig's, in units of [0, 1].
    """
    lips = target_px[INNER_LIPS, :2]
    wide_px = float(np.linalg.norm(target_px[INNER_LIPS[0], :2] - target_px[INNER_LIPS[10], :2]))
    reach = max(0.8, _LIP_REACH * wide_px)
    box = box_around(lips, _MARGIN_PX + int(np.ceil(3 * reach)), picture)
    if box is None or mouth.fine == 0:
        return
    x0, y0, x1, y1 = box
    feather = max(0.5, _FEATHER * wide_px)
    between = polygon_mask([lips - (x0, y0)], y1 - y0, x1 - x0)
    if between.max() < 1 / 255:
        return
    within = cv2.erode(between, np.ones((3, 3), np.uint8), iterations=round(feather))
    opacity = between * np.asarray(cv2.GaussianBlur(within, (0, 0), feather), np.float32)
    margin = _MARGIN_PX + int(_DRAWN_MARGIN * np.ptp(lips[:, 0]))
    wide = (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
    placed_px = _with_lower_row_down(target_px, reference.topology, wide_px)
    drawn = draw_mouth(reference.topology, _lit_close(reference.own_teeth.colours, reference.topology), placed_px, wide)
    drawn = _deep(drawn, reference.own_teeth.colours) * between_teeth(reference.topology, placed_px, wide)
    soft = cv2.GaussianBlur(drawn, (0, 0), max(_MIN_BLUR_PX, _BLUR * float(np.ptp(lips[:, 0]))))
    known = np.asarray(soft[margin : margin + y1 - y0, margin : margin + x1 - x0], np.float32)
    size = (x1 - x0, y1 - y0)
    if reference.own_teeth.shown.any():
        skull = rigid_map(reference.mesh_px, target_px, SKULL)
        skull[:, 2] -= (x0, y0)
        own = np.asarray(cv2.warpAffine(reference.image, skull, size, borderMode=cv2.BORDER_REPLICATE), np.float32)
        shown = cv2.warpAffine(reference.own_teeth.shown, skull, size)[..., None]
        known = np.asarray(known + shown * (own - known), np.float32)
    touched = 1 - cv2.GaussianBlur(cv2.erode(between, np.ones((3, 3), np.uint8)), (0, 0), reach)
    shade = (1 - np.float32(_LIP_SHADE) * touched) * _towards_corners(target_px, (x0, y0), known.shape[:2])
    known = known * shade[..., None] * _as_light(uncropped(tones * np.float32(255), mouth.to_crop, box), known)
    part = picture[y0:y1, x0:x1]
    part += np.float32(mouth.fine) * _lips_over(part, between, reach)
    part += opacity[..., None] * np.float32(mouth.fine * _KNOWN) * (known - part)
    place, off = _placed_lips(reference.mesh_px, target_px)
    if pictured := mouth.fine * (1 - smooth_step(max(off, way_of_lips(target_px, reference.mesh_px)), *_PICTURED)):
        place[:, 2] -= (x0, y0)
        pictured_px = cv2.warpAffine(reference.image, place, size, borderMode=cv2.BORDER_REPLICATE)
        rim = cv2.GaussianBlur(cv2.dilate(between, np.ones((2 * round(reach) + 1,) * 2, np.uint8)), (0, 0), feather)
        part += np.asarray(rim, np.float32)[..., None] * np.float32(pictured) * (pictured_px - part)


def _lit_close(colours: FloatArray, topology: MeshTopology) -> FloatArray:
    """(V, 3) -> the same with a lower row that gets dark to its sides, where cheeks and lips keep the light from it, and a
    tongue that is seen."""
    row, lit = topology.lower_teeth, colours.copy()
    aside = np.interp(np.abs(topology.neutral[row, 0]), _LOWER_ASIDE_M, (0, 1)).astype(np.float32)
    lit[row] *= 1 - np.float32(_LOWER_DIM) * aside[:, None]
    lit[topology.tongue] *= np.float32(_TONGUE_LIGHT)
    return lit


def _deep(drawn: FloatArray, colours: FloatArray) -> FloatArray:
    """(h, w, 3) in [0, 255] of the rig's inside, in `colours`, (V, 3) in [0, 1] -> the same with dark parts darker and redder.

    Its light bounces about as far as mouths of fifty pixels need it to; at the picture's size it is fog.
    """
    teeth = np.float32(255) * max(1e-3, float(colours.mean(-1).max()))
    grey = drawn.mean(-1, keepdims=True)
    way = np.clip(grey / (np.float32(_DEEP_FROM) * teeth), np.float32(1e-3), 1)
    chroma = 1 + np.float32(_DEEP_RED) * (1 - way)
    return np.maximum(0, np.asarray((grey + chroma * (drawn - grey)) * way ** np.float32(_DEEPER), np.float32))


def _placed_lips(own: FloatArray, target: FloatArray) -> tuple[FloatArray, float]:
    """own, target: (V, 3) px, in the portrait and in a frame -> (2, 3) the affine way of the lips, for a head that turns
    foreshortens them, and how far it misses them, in parts of the mouth's width."""
    lips = np.concatenate([INNER_LIPS, OUTER_LIPS])
    from_, to = np.c_[own[lips, :2], np.ones(len(lips))], target[lips, :2]
    way = np.linalg.lstsq(from_, to, rcond=None)[0]
    width = max(1e-3, float(np.linalg.norm(target[INNER_LIPS[0], :2] - target[INNER_LIPS[10], :2])))
    return way.T.astype(np.float32), float(np.linalg.norm(from_ @ way - to, axis=1).mean()) / width


def _with_lower_row_down(target_px: FloatArray, topology: MeshTopology, wide_px: float) -> FloatArray:
    """(V, 3) px with the lower teeth further from the upper lip."""
    down = target_px[CHIN, :2] - target_px[UNDER_NOSE, :2]
    placed = target_px.copy()
    placed[topology.lower_teeth, :2] += down * (_LOWER_DROP * wide_px / max(1e-3, float(np.linalg.norm(down))))
    return placed


def _as_light(tones: FloatArray, known: FloatArray) -> FloatArray:
    """(h, w, 3) what the network adds to the rig's inside -> (h, w, 1) a ratio, as light that falls on what is known."""
    light = np.float32(_TONED) * tones.mean(-1) / np.maximum(known.mean(-1), np.float32(_DARK))
    return np.asarray(np.clip(1 + light, *_LEAST_MOST_LIGHT), np.float32)[..., None]


def _lips_over(part: FloatArray, between: FloatArray, reach: float) -> FloatArray:
    """(h, w, 3) what the rim of an opening (h, w) lacks of the colour of the lips round it.

    The rim is dark in the warp, for lips that shut; round teeth it would be an inked line.
    """
    width = 2 * max(1, round(_RIM_WIDTH * reach)) + 1
    rim = cv2.dilate(between, np.ones((width, width), np.uint8))
    lips = 1 - rim
    weight = np.asarray(cv2.GaussianBlur(lips, (0, 0), reach), np.float32)[..., None]
    spread = cv2.GaussianBlur(part * lips[..., None], (0, 0), reach) / np.maximum(weight, np.float32(1e-3))
    return np.asarray(rim[..., None] * np.minimum(1, weight / _RIM_KNOWN) * (_RIM_SHADE * spread - part), np.float32)
