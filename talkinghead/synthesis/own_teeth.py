"""What a portrait shows of its teeth: where its upper row is, and how light the others are to be. Knows no networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from talkinghead.synthesis.geometry import box_around, polygon_mask
from talkinghead.synthesis.interior import draw_mouth, skin_colour
from talkinghead.synthesis.rasteriser import rasterise
from talkinghead.synthesis.regions import INNER_LIPS

if TYPE_CHECKING:
    from talkinghead.synthesis.topology import MeshTopology
    from talkinghead.types import BoolArray, ByteArray, FloatArray

# All these were set by eye, unless something else is said.
_MARGIN_PX: Final = 3
_LINE: Final = 0.004
"""Of the mouth's width, half of how wide a line between two teeth may be."""
_DEEP_GAIN: Final = np.array([0.92, 0.72, 0.70], np.float32)
"""RGB of tongue and throat against the rig's: redder, and deeper than what stands before them."""
_LOWER_GAIN: Final = 0.94
"""Of lower teeth against upper ones, which throw their shadow on them."""
_RIM: Final = 0.012
"""Of the mouth's width, how soft the portrait's own teeth end."""
_MIN_SHOWN: Final = 0.003
"""Of the mouth's width squared: a smaller patch of teeth says nothing."""
_OPEN_SHARE: Final = 0.2
"""Of the opening: where the rig has more of it without teeth, a portrait's lower row may show too."""
_TOOTH_LIGHT: Final = 1.19
"""Against the rig's: three quarters (in logs) of 1.26, by which the front teeth of 278 posed smiles among the photographs of
`train` are lighter. In speech they are darker (docs/log.md)."""
_TOOTH_TINT: Final = 0.42
"""The power of the skin's hue that is theirs, by least squares on the same."""
_MIN_TOOTH, _MAX_TOOTH = 0.75, 1.5
"""Against the rig's: what is darker is no tooth, and none is lighter."""
_GAP_OF_TOOTH: Final = (0.45, 0.7)
"""Of the light of a portrait's teeth: what is darker than the first between its lips is a gap, what is lighter than the second
a tooth."""
_ROW_LEVELS, _ROW_WIDTH, _ROW_DARKEST = 16, 0.6, 6
"""Between the lips light is looked at in so many levels, in so much of the mouth's width, of its darkest per cent."""
_ROW_FROM, _ROW_TO, _ROW_CONTRAST = 0.3, 0.85, 0.75
"""Where the lower row may begin, and how dark its gaps are against the teeth above and below."""
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
        rig = inner_colours[topology.upper_teeth][_is_tooth(topology, topology.upper_teeth)]
        gain = _as_coloured(_usual_gain(rig, skin_colour(image, mesh_px)), colour)
        lips = mesh_px[INNER_LIPS, :2]
        wide = float(np.linalg.norm(lips[0] - lips[10]))
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
                upper = upper * _first_row(real, local)
                within = cv2.erode(inside * upper, np.ones((3, 3), np.uint8), iterations=int(1.5 * blur))
                shown[y0:y1, x0:x1] = cv2.GaussianBlur(within * _as_tooth(real, _of_light(real[sure]), wide), (0, 0), blur)
                gain = np.clip(lighter, _MIN_TOOTH, _MAX_TOOTH)
        return OwnTeeth(shown, _lightened(inner_colours, topology, gain, colour))


def _first_row(picture: FloatArray, points: FloatArray) -> FloatArray:
    """(h, w, 3), (V, 2 or more) px of it -> (h, w) 1 down to where dark gaps say that the lower teeth begin, then 0."""
    corners = points[INNER_LIPS[[0, 10]], :2]
    along = corners[1] - corners[0]
    wide = max(1e-3, float(np.linalg.norm(along)))
    along /= wide
    down = np.array([-along[1], along[0]], np.float32)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    across = ((x - corners[0, 0]) * along[0] + (y - corners[0, 1]) * along[1]) / wide
    depth = (x - corners[0, 0]) * down[0] + (y - corners[0, 1]) * down[1]
    rims = []
    for row in (np.r_[0:11], np.r_[0, 19:9:-1]):
        rim = points[INNER_LIPS[row], :2] - corners[0]
        place = rim @ along / wide
        order = np.argsort(place)
        rims.append(np.interp(across, place[order], (rim @ down)[order]))
    way = (depth - rims[0]) / np.maximum(1e-3, rims[1] - rims[0])
    middle = (np.abs(across - 0.5) < _ROW_WIDTH / 2) & (way > 0) & (way < 1)
    level = np.minimum((way * _ROW_LEVELS).astype(int), _ROW_LEVELS - 1)
    light = picture.mean(-1)
    counts = np.bincount(level[middle], minlength=_ROW_LEVELS)
    if counts.min() < _ROW_LEVELS:
        return np.ones(picture.shape[:2], np.float32)
    darkest = np.array([np.percentile(light[middle & (level == k)], _ROW_DARKEST) for k in range(_ROW_LEVELS)])
    inner = slice(int(_ROW_LEVELS * _ROW_FROM), int(_ROW_LEVELS * _ROW_TO))
    lowest = inner.start + int(darkest[inner].argmin())
    above, below = darkest[inner.start : lowest + 1].max(), darkest[lowest:-1].max()
    if darkest[lowest] > _ROW_CONTRAST * min(above, below):
        return np.ones(picture.shape[:2], np.float32)
    return np.asarray(way < lowest / _ROW_LEVELS, np.float32)


def _as_tooth(picture: FloatArray, tooth: FloatArray, wide: float) -> FloatArray:
    """(h, w, 3); (3,) of a tooth; the mouth's width in px -> (h, w) in [0, 1]: 0 in what is too dark for one, and wider than
    the line between two."""
    reach = 2 * max(1, round(_LINE * wide)) + 1
    light = cv2.morphologyEx(picture.mean(-1), cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8)) / float(tooth.mean())
    dark, sure = _GAP_OF_TOOTH
    return np.asarray(np.clip((light - dark) / (sure - dark), 0, 1), np.float32)


def _of_light(colours: FloatArray) -> FloatArray:
    """(N, 3) -> (3,) the middle of the lighter half: some teeth stand in the shade of a cheek, and gaps are dark."""
    light = colours.mean(-1)
    return np.asarray(np.median(colours[light >= np.median(light)], axis=0), np.float32)


def _is_tooth(topology: MeshTopology, row: slice) -> BoolArray:
    """(K,) of the vertices of a row: not the gum around them."""
    return np.asarray(topology.tooth_number[row, 0] > 0, np.bool_)


def _usual_gain(rig: FloatArray, skin: FloatArray) -> FloatArray:
    """rig: (K, 3) RGB of the rig's teeth; skin: (3,) of the cheeks -> (3,) by how much most people's are lighter."""
    if not len(rig):
        return np.full(3, _TOOTH_LIGHT, np.float32)
    own, hue = rig.mean(0), (skin / skin.mean()) ** np.float32(_TOOTH_TINT)
    return np.asarray(_TOOTH_LIGHT * hue / hue.mean() * own.mean() / own, np.float32)


def _lightened(colours: FloatArray, topology: MeshTopology, gain: FloatArray, colour: float) -> FloatArray:
    """(V, 3) with the teeth lighter by (3,) RGB, and what is behind them deeper."""
    result = colours * _as_coloured(_DEEP_GAIN, colour)
    for row, shade in ((topology.upper_teeth, 1.0), (topology.lower_teeth, _LOWER_GAIN)):
        result[row] = colours[row]
        result[row][_is_tooth(topology, row)] *= (shade * gain).astype(np.float32)
    return result


def _as_coloured(gain: FloatArray, colour: float) -> FloatArray:
    """(3,) with so much of its colour: 0 for a picture in grey, to 1."""
    return np.asarray(gain.mean() + np.float32(colour) * (gain - gain.mean()), np.float32)
