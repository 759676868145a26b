"""The inside of a mouth at the picture's own resolution: the portrait's teeth where it shows them, elsewhere the rig's.

The mouth's network learnt from video in which a mouth is fifty pixels wide. It knows how light and how warm an open mouth is,
and paints the mean of many where teeth have edges. In a picture that is finer than its crop the edges are therefore drawn, at
the size of the picture, and the network gives them their tones. Knows no networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from talkinghead.synthesis.geometry import box_around, polygon_mask, rigid_map, uncropped
from talkinghead.synthesis.interior import draw_mouth
from talkinghead.synthesis.rasteriser import rasterise
from talkinghead.synthesis.regions import INNER_LIPS, SKULL

if TYPE_CHECKING:
    from talkinghead.synthesis.mouth import MouthProxies
    from talkinghead.synthesis.proxies import ReferenceFace
    from talkinghead.synthesis.topology import MeshTopology
    from talkinghead.types import ByteArray, FloatArray

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
_LEAST_MOST_LIGHT: Final = (0.6, 1.4)
_FEATHER: Final = 0.006
"""Of the mouth's width, how softly that ends inside the lips."""
_LIP_SHADE, _LIP_REACH = 0.22, 0.02
"""How dark what is behind the lips is where they touch it, and how far that reaches, of the mouth's width."""
_RIM_KNOWN: Final = np.float32(0.1)
"""Share of lips in the neighbourhood, from which on they say how the rim looks."""
_RIM_WIDTH: Final = 0.4
"""How far the rim reaches over the lips, of how far their touch shades."""
_RIM_SHADE: Final = np.float32(0.85)
"""Of the lips' colour, their rim, which turns inwards."""
_CORNER_SHADE, _CORNER_FALL = 0.55, 3.0
"""How dark the corners of the mouth are, and the power of the way to them by which they get so."""
_DEEP_GAIN: Final = np.array([0.92, 0.72, 0.70], np.float32)
"""RGB of tongue and throat against the rig's: redder, and deeper than what stands before them."""
_LOWER_GAIN: Final = 0.94
"""Of lower teeth against upper ones, which throw their shadow on them."""
_BLUR, _MIN_BLUR_PX = 0.006, 0.6
"""Of the mouth's width, how soft the rig's edges are, and at least."""
_RIM: Final = 0.012
"""Of the mouth's width, how soft the portrait's own teeth end."""
_MIN_SHOWN: Final = 0.003
"""Of the mouth's width squared: a smaller patch of teeth says nothing."""
_OPEN_SHARE: Final = 0.2
"""Of the opening: where the rig has more of it without teeth, a portrait's lower row may show too."""
_TOOTH_GAIN: Final = np.array([1.08, 1.12, 1.13], np.float32)
"""RGB, against the rig's: the root of 1.17, 1.26, 1.28, by which the front teeth of 139 posed smiles among the photographs of
`train` are lighter. In speech they are darker (docs/log.md)."""
_MIN_TOOTH, _MAX_TOOTH = 0.75, 1.5
"""Against the rig's: what is darker is no tooth, and none is lighter."""
_TOOTH_HUE: Final = 0.8
"""The gain of green or blue in parts of that of red: what is redder is a lip or a tongue."""


@dataclass(frozen=True, eq=False)
class OwnTeeth:
    """What a portrait shows of its teeth.

    shown: (H, W) float32 in [0, 1], where the picture shows its upper row, which rides with the skull.
    colours: (V, 3) RGB in [0, 1] of the rig's inner parts, its teeth as light as those that are shown, or as most people's are.
    """

    shown: FloatArray
    colours: FloatArray

    @staticmethod
    def of(image: ByteArray, mesh_px: FloatArray, topology: MeshTopology, inner_colours: FloatArray, colour: float) -> OwnTeeth:
        """image: (H, W, 3) uint8 RGB; mesh_px: (V, 3) px, where its vertices stand in it; colours as `lit_colours`.

        colour: of the picture, 0 when it is in grey, to 1. Which row a pixel is of, the rig says, whose rows stand where the
        portrait shows them (`synthesis.teeth_placement`).
        """
        height, width = image.shape[:2]
        shown = np.zeros((height, width), np.float32)
        gain = _as_coloured(_TOOTH_GAIN, colour)
        lips = mesh_px[INNER_LIPS, :2]
        wide = float(np.ptp(lips[:, 0]))
        blur = max(0.5, _RIM * wide)
        box = box_around(lips, _MARGIN_PX + int(np.ceil(3 * blur)), image)
        if box is None:
            return OwnTeeth(shown, _lightened(inner_colours, topology, gain, colour))
        x0, y0, x1, y1 = box
        rows = np.zeros((len(mesh_px), 2), np.float32)
        rows[topology.upper_teeth, 0] = 1
        rows[topology.lower_teeth, 1] = 1
        local = mesh_px - np.array([x0, y0, 0], np.float32)
        found, _ = rasterise(local, topology.inner, rows, y1 - y0, x1 - x0)
        found = (found > 0.5).astype(np.float32)
        inside = cv2.erode(polygon_mask([local[INNER_LIPS, :2]], y1 - y0, x1 - x0), np.ones((3, 3), np.uint8))
        # The share of the opening where the rig has neither row.
        behind = float((inside * (1 - found.max(-1))).sum() / max(1, inside.sum()))
        sure = inside * found[..., 0] > 0.5
        drawn = draw_mouth(topology, inner_colours, mesh_px, box)
        real = image[y0:y1, x0:x1].astype(np.float32)
        if sure.sum() >= max(1, _MIN_SHOWN * wide**2):
            lighter = _of_light(real[sure]) / np.maximum(1, _of_light(drawn[sure]))
            if lighter.mean() >= _MIN_TOOTH and lighter[1:].min() >= _TOOTH_HUE * lighter[0]:
                upper = found[..., 0] if behind > _OPEN_SHARE else np.ones_like(inside)
                within = cv2.erode(inside * upper, np.ones((3, 3), np.uint8), iterations=int(1.5 * blur))
                shown[y0:y1, x0:x1] = cv2.GaussianBlur(within, (0, 0), blur)
                gain = np.clip(lighter, _MIN_TOOTH, _MAX_TOOTH)
        return OwnTeeth(shown, _lightened(inner_colours, topology, gain, colour))


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


def _of_light(colours: FloatArray) -> FloatArray:
    """(N, 3) -> (3,) the middle of the lighter half: some teeth stand in the shade of a cheek, and gaps are dark."""
    light = colours.mean(-1)
    return np.asarray(np.median(colours[light >= np.median(light)], axis=0), np.float32)


def _lightened(colours: FloatArray, topology: MeshTopology, gain: FloatArray, colour: float) -> FloatArray:
    """(V, 3) with the teeth, not the gum around them, lighter by (3,) RGB, and what is behind them deeper."""
    result = colours * _as_coloured(_DEEP_GAIN, colour)
    for row, shade in ((topology.upper_teeth, 1.0), (topology.lower_teeth, _LOWER_GAIN)):
        tooth = topology.tooth_number[row, 0] > 0
        result[row] = colours[row]
        result[row][tooth] *= (shade * gain).astype(np.float32)
    return result


def _as_coloured(gain: FloatArray, colour: float) -> FloatArray:
    """(3,) with so much of its colour: 0 for a picture in grey, to 1."""
    return np.asarray(gain.mean() + np.float32(colour) * (gain - gain.mean()), np.float32)


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
    drawn = draw_mouth(reference.topology, reference.own_teeth.colours, target_px, wide)
    drawn = drawn * between_teeth(reference.topology, target_px, wide)
    soft = cv2.GaussianBlur(drawn, (0, 0), max(_MIN_BLUR_PX, _BLUR * float(np.ptp(lips[:, 0]))))
    known = np.asarray(soft[margin : margin + y1 - y0, margin : margin + x1 - x0], np.float32)
    if reference.own_teeth.shown.any():
        skull = rigid_map(reference.mesh_px, target_px, SKULL)
        skull[:, 2] -= (x0, y0)
        size = (x1 - x0, y1 - y0)
        shown = cv2.warpAffine(reference.own_teeth.shown, skull, size)[..., None]
        own = np.asarray(cv2.warpAffine(reference.image, skull, size, borderMode=cv2.BORDER_REPLICATE), np.float32)
        known = np.asarray(known + shown * (own - known), np.float32)
    touched = 1 - cv2.GaussianBlur(cv2.erode(between, np.ones((3, 3), np.uint8)), (0, 0), reach)
    shade = (1 - np.float32(_LIP_SHADE) * touched) * _towards_corners(target_px, (x0, y0), known.shape[:2])
    known = known * shade[..., None] * _as_light(uncropped(tones * np.float32(255), mouth.to_crop, box), known)
    part = picture[y0:y1, x0:x1]
    part += np.float32(mouth.fine) * _lips_over(part, between, reach)
    part += opacity[..., None] * np.float32(mouth.fine * _KNOWN) * (known - part)


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
