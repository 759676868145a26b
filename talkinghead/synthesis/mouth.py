"""A moved face mesh and one picture -> the guides of the mouth expert, in a crop of its own that rides with the skull.

What opens between the lips is not skin. The expert sees the warped lips, the rig's own teeth and tongue where the skull and the
jaw have them, and the portrait's mouth moved rigidly with either, and decides what is there. The crop turns and grows with the
skull, so that the upper teeth stand still in it. Knows nothing of networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from torch import Tensor

from talkinghead.synthesis.closing import met, with_whole_lips
from talkinghead.synthesis.geometry import (
    area_crop,
    box_around,
    far_blurred,
    polygon_mask,
    rigid_map,
    similarity,
    stacked,
    uncropped,
)
from talkinghead.synthesis.interior import draw_mouth, lit_colours
from talkinghead.synthesis.rasteriser import rasterise
from talkinghead.synthesis.regions import INNER_LIPS, JAW, OUTER_LIPS, SKULL
from talkinghead.synthesis.topology import ALIGNED_PX_PER_M, MeshTopology
from talkinghead.types import ByteArray, FloatArray

MOUTH_HEIGHT: Final = 80
MOUTH_WIDTH: Final = 112
MOUTH_SCALE: Final = 4 / 3
"""Pixels of this crop to one of the aligned crop."""
MOUTH_PX_PER_M: Final = MOUTH_SCALE * ALIGNED_PX_PER_M
MOUTH_TOP_PX: Final = 30.0
"""The generic face's closed lips meet so far below the crop's upper border; the jaw needs the room under them."""
PATCH_MARGIN_PX: Final = 32
"""The portrait's own mouth is kept with so much more round it, for lips that come from outside the crop."""
NUM_MOUTH_CHANNELS: Final = 16
LIP_MARGIN_PX: Final = 3
"""Round the lips, for their anti-aliased rim."""
_DRAWN_MARGIN_PX: Final = 8
"""The inside of the mouth is drawn so far beyond the lips' rim: its own soft light reaches as far."""
_TONES_PX: Final = 8.0
"""What is blurred by so much are tones, the rest is detail."""
_DETAIL: Final = 0.4
"""How much of the detail is the rig's. On people kept out of training, in video of 256 px, half of it costs a mouth 0.1 dB and
.8 0.2; in finer pictures, where more of it would do, all is drawn at their size."""
_FINE_TONES, _TINT = 0.7, 0.4
"""How much of the expert's tones is taken there, and how much of their colour."""
_COARSE_PX, _FINE_PX = 1.3, 1.0
"""Pixels of the mouth's crop to one of the portrait: from the one on it is coarse, from the other fine."""
_HUE_PX: Final = 3.0
"""The hue of lips and skin is taken from so far round: that of a single dark pixel is chance."""
_LIP_LIGHT: Final = 0.5
"""Of the tones that the expert adds to the lips so much of the light is taken, and nothing of the colour."""
_MIN_LIP_TONE: Final = 0.05
_SHUT_KNOWN: Final = 0.9
"""Where lips that the portrait parts have met, so much of what the expert adds is left out: it learnt on smeared lips."""
FEATHER_PX: Final = 5.0
_FEATHER_REACH: Final = 6
"""The expert's say ends so far outside the lips, and so softly; by eye."""


@dataclass(frozen=True, eq=False)
class MouthProxies:
    """The guides of one mouth, in its crop (h, w = 80, 112).

    warp: (h, w, 3) the picture carried by the skin, lips stretched over the opening, [0, 1].
    interior: (h, w, 3) the rig's teeth, gums, tongue and cavity, [0, 1].
    skull_reference, jaw_reference: (h, w, 3) the portrait moved rigidly with the skull and with the jaw, [0, 1].
    inside, lips: (h, w) between the lips, and the lips themselves, coverage in [0, 1].
    skull_shown, jaw_shown: (h, w) where the portrait, moved with either, shows the inside of its own mouth.
    to_crop: (2, 3) px of the picture -> px of the crop.
    shut: how far lips that the portrait parts are as if whole, 0 to 1.
    fine: 0 where this crop is finer than the picture, 1 where the picture is.
    """

    warp: FloatArray
    interior: FloatArray
    skull_reference: FloatArray
    jaw_reference: FloatArray
    inside: FloatArray
    lips: FloatArray
    skull_shown: FloatArray
    jaw_shown: FloatArray
    to_crop: FloatArray
    shut: float
    fine: float

    @property
    def base(self) -> FloatArray:
        """(h, w, 3) what the expert's residual is added to: the warp, and the rig's own parts between the lips."""
        return self.warp + self.inside[..., None] * (self.interior - self.warp)

    @property
    def weight(self) -> FloatArray:
        """(h, w) in [0, 1]: where the expert has the say, the mouth and a soft rim round it."""
        mouth = np.maximum(self.inside, self.lips)
        reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _FEATHER_REACH + 1, 2 * _FEATHER_REACH + 1))
        soft = cv2.GaussianBlur(cv2.dilate(mouth, reach), (0, 0), FEATHER_PX / 2)
        weight: FloatArray = (soft * _vignette(MOUTH_HEIGHT, MOUTH_WIDTH)).astype(np.float32)
        return weight

    def stack(self) -> FloatArray:
        """(C, h, w) float32, the condition of the expert, its channels last in memory; `NUM_MOUTH_CHANNELS` says C.

        Its first three are the base, its last two what lies between the lips, and the lips.
        """
        pictures = (self.base, self.warp, self.skull_reference, self.jaw_reference)
        return stacked(pictures, (self.jaw_shown, self.skull_shown, self.inside, self.lips))


class ReferenceMouth:
    """What is taken once from the portrait: a patch round its mouth, what that shows of its inside, its light."""

    def __init__(self, image: ByteArray, mesh_px: FloatArray, topology: MeshTopology) -> None:
        """image: (H, W, 3) uint8 RGB; mesh_px: (V, 3) px, where its vertices stand in it."""
        self.topology = topology
        self.inner_colours = lit_colours(topology.colours, image, mesh_px)
        to_patch = mouth_crop(mesh_px, topology)
        size = float(np.sqrt(abs(np.linalg.det(to_patch[:, :2]))))
        self.fine = float(np.clip((_COARSE_PX - size) / (_COARSE_PX - _FINE_PX), 0, 1))
        to_patch[:, 2] += PATCH_MARGIN_PX
        width, height = MOUTH_WIDTH + 2 * PATCH_MARGIN_PX, MOUTH_HEIGHT + 2 * PATCH_MARGIN_PX
        self.patch = area_crop(image, to_patch, width, height) / np.float32(255)
        self.shut = area_crop(with_whole_lips(image, mesh_px), to_patch, width, height) / np.float32(255)
        self.points = moved_px(mesh_px, to_patch)
        shown = polygon_mask([self.points[INNER_LIPS, :2]], height, width)
        self.shown: FloatArray = shown


def build_mouth(reference: ReferenceMouth, target_px: FloatArray) -> MouthProxies:
    """target_px: (V, 3) px of the picture, z away from the camera: where the mesh goes in this frame."""
    to_crop = mouth_crop(target_px, reference.topology)
    points = moved_px(target_px, to_crop)
    skull, jaw = (rigid_map(reference.points, points, part) for part in (SKULL, JAW))
    shut = met(points, reference.points, reference.fine)
    warp = _warped(reference, points, skull, shut)
    loops = [points[loop, :2] for loop in (INNER_LIPS, OUTER_LIPS)]
    inside, outside = (polygon_mask([loop], MOUTH_HEIGHT, MOUTH_WIDTH) for loop in loops)
    interior = np.zeros((MOUTH_HEIGHT, MOUTH_WIDTH, 3), np.float32)
    # What the lips hide need not be drawn.
    box = box_around(points[INNER_LIPS, :2], _DRAWN_MARGIN_PX, interior)
    if box is not None and inside.any():
        interior[box[1] : box[3], box[0] : box[2]] = draw_mouth(reference.topology, reference.inner_colours, points, box)

    def ridden(picture: FloatArray, matrix: FloatArray, border: int) -> FloatArray:
        size = (MOUTH_WIDTH, MOUTH_HEIGHT)
        return np.asarray(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border), np.float32)

    return MouthProxies(
        warp=warp,
        interior=interior / np.float32(255),
        skull_reference=ridden(reference.patch, skull, cv2.BORDER_REPLICATE),
        jaw_reference=ridden(reference.patch, jaw, cv2.BORDER_REPLICATE),
        inside=inside,
        lips=np.maximum(outside - inside, 0),
        skull_shown=ridden(reference.shown, skull, cv2.BORDER_CONSTANT),
        jaw_shown=ridden(reference.shown, jaw, cv2.BORDER_CONSTANT),
        to_crop=to_crop,
        shut=shut,
        fine=reference.fine,
    )


def lay_in_mouth(picture: FloatArray, mouth: MouthProxies, lips_px: FloatArray) -> None:
    """Draw the rig's parts between the lips of a warped picture, (H, W, 3) float32 in [0, 255]; lips_px: (K, 2) inner."""
    box = box_around(lips_px, LIP_MARGIN_PX, picture)
    if box is None:
        return
    x0, y0, x1, y1 = box
    inside = polygon_mask([lips_px - (x0, y0)], y1 - y0, x1 - x0)[..., None]
    if inside.max() >= 1 / 255:
        drawn = uncropped(mouth.interior, mouth.to_crop, box) * np.float32(255)
        picture[y0:y1, x0:x1] += inside * (drawn - picture[y0:y1, x0:x1])


def mouth_seen(mouth: MouthProxies, residual: FloatArray) -> tuple[FloatArray, FloatArray]:
    """residual: (h, w, 3) of the expert on the base -> what is to be seen in the mouth's crop, and tones; (h, w, 3) in [0, 1].

    Of what opens between the lips the expert knows the tones better than the rig does, and the edges worse: of teeth that it
    cannot see it paints the mean. So its tones are kept, and of the detail a part is the rig's. In pictures finer than the crop
    all of it is drawn (`synthesis.fine_mouth`); the tones, what the expert adds to the rig's, are for that. On the lips the
    portrait's colour holds.
    """
    seen = mouth.base + residual
    inside = mouth.inside[..., None]
    added = seen - mouth.interior
    seen = seen + inside * np.float32(_DETAIL) * (mouth.interior + _tones(added, mouth.inside, 1) - seen)
    # Light that falls on lips and skin, or leaves them, has their colour; of that of the lips a part is taken.
    on_lips = np.minimum(1, 1.5 * cv2.GaussianBlur(mouth.lips, (0, 0), 2))[..., None]
    light = (residual - np.float32(1 - _LIP_LIGHT) * on_lips * _tones(residual, mouth.lips, tint=1)).mean(-1, keepdims=True)
    light = light * (1 - np.float32(_SHUT_KNOWN * mouth.shut) * on_lips)
    light = light * np.float32(1 - mouth.fine)
    hue = cv2.GaussianBlur(mouth.base, (0, 0), _HUE_PX)
    colour = hue / np.maximum(hue.mean(-1, keepdims=True), np.float32(_MIN_LIP_TONE))
    seen = seen + (1 - inside) * (light * colour - residual)
    return np.asarray(seen, np.float32), np.float32(_FINE_TONES) * _tones(added, mouth.inside, _TINT)


def _tones(picture: FloatArray, where: FloatArray, tint: float) -> FloatArray:
    """(h, w, 3) blurred within a mask (h, w), with so much of its colour: the mean of teeth and gums is pink."""
    weight = np.maximum(far_blurred(where, _TONES_PX), np.float32(1e-3))[..., None]
    blurred = far_blurred(picture * where[..., None], _TONES_PX) / weight
    grey = blurred.mean(-1, keepdims=True)
    return np.asarray(grey + np.float32(tint) * (blurred - grey), np.float32)


def mirrored_mouth(stack: Tensor) -> Tensor:
    """(..., C, h, w) guides of a mouth -> those of its mirror image."""
    return stack.flip(-1)


def mouth_crop(target_px: FloatArray, topology: MeshTopology) -> FloatArray:
    """(2, 3) px of the picture -> px of the mouth's crop: upright as the skull, its lips' rest at a fixed place."""
    layout = topology.layout_px
    matrix = similarity(target_px[SKULL, :2], layout[SKULL]) * np.float32(MOUTH_SCALE)
    rest = layout[[13, 14]].mean(0)
    to_target = rigid_map(layout, target_px, SKULL)
    centre = to_target[:, :2] @ rest + to_target[:, 2]
    matrix[:, 2] = np.array([MOUTH_WIDTH / 2, MOUTH_TOP_PX]) - matrix[:, :2] @ centre
    return matrix


def _warped(reference: ReferenceMouth, points: FloatArray, skull: FloatArray, shut: float) -> FloatArray:
    """The portrait's patch carried by the skin and the shell round it; what they leave open rides with the skull."""
    topology = reference.topology
    faces = np.concatenate([topology.closed_skin, topology.ring])
    source = np.c_[reference.points[:, :2], np.ones(len(points))].astype(np.float32)
    found, _ = rasterise(points, faces, source, MOUTH_HEIGHT, MOUTH_WIDTH)
    back = cv2.invertAffineTransform(skull)
    x, y = np.meshgrid(np.arange(MOUTH_WIDTH, dtype=np.float32), np.arange(MOUTH_HEIGHT, dtype=np.float32))
    rigid = np.stack([x, y], -1) @ back[:, :2].T.astype(np.float32) + back[:, 2].astype(np.float32)
    # The rasteriser interpolates at the middle of a pixel, and remap counts from the middle of the first.
    place = np.where(found[..., 2:] > 0, found[..., :2] - np.float32(0.5), rigid).astype(np.float32)
    patch = reference.patch + np.float32(shut) * (reference.shut - reference.patch) if shut else reference.patch
    picture = cv2.remap(patch, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picture, np.float32)


def moved_px(mesh_px: FloatArray, matrix: FloatArray) -> FloatArray:
    """(V, 3) px of the picture -> px of a crop; depth grows as the picture does."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    flat = mesh_px[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    moved: FloatArray = np.c_[flat, mesh_px[:, 2] * scale].astype(np.float32)
    return moved


def _vignette(height: int, width: int) -> FloatArray:
    x = np.minimum(np.arange(width), np.arange(width)[::-1])
    y = np.minimum(np.arange(height), np.arange(height)[::-1])
    edge = np.clip(np.minimum(y[:, None], x[None]) / FEATHER_PX, 0, 1)
    return np.asarray(edge, np.float32)
