"""A moved face mesh and one picture -> the guides that the denoiser sees, and the warped picture that it corrects.

The skin is carried by the mesh (a displacement a pixel). What lies behind the lips and the lids is not skin: teeth, tongue and
cavity are the rig's own parts, for the mouth's expert to correct (`synthesis.mouth`); eyeballs keep their place under the
lids and turn with the gaze. Knows nothing of networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from torch import Tensor

from talkinghead.synthesis.backdrop import before_the_room, folds, room_behind, soften_folds
from talkinghead.synthesis.closing import CORNER, lowered, met, parted, smooth_step, with_parted_lips, with_whole_lips
from talkinghead.synthesis.creases import Creases
from talkinghead.synthesis.eyeballs import eyeballs_of
from talkinghead.synthesis.far_edge import FarEdge
from talkinghead.synthesis.geometry import (
    ALIGNED_HEIGHT,
    ALIGNED_WIDTH,
    aligned_crop,
    box_around,
    carried,
    composed,
    polygon_mask,
    rigid_map,
    similarity,
    stacked,
)
from talkinghead.synthesis.glasses import behind_lenses, held_still
from talkinghead.synthesis.interior import skin_colour
from talkinghead.synthesis.lid_grain import lay_grain, lid_grains
from talkinghead.synthesis.lids import with_bare_lids
from talkinghead.synthesis.matte import trusted
from talkinghead.synthesis.mouth import MouthProxies, ReferenceMouth, build_mouth, lay_in_mouth
from talkinghead.synthesis.own_teeth import OwnTeeth
from talkinghead.synthesis.rasteriser import rasterise, vertex_normals
from talkinghead.synthesis.regions import FACE_OVAL, INNER_LIPS, JAW, LEFT_EYE, OUTER_LIPS, RIGHT_EYE, SKULL
from talkinghead.synthesis.stretch import Stretch, within_person
from talkinghead.synthesis.topology import MeshTopology
from talkinghead.types import UPRIGHT, ByteArray, FloatArray

WARP_PX: Final = 512
_LID_MARGIN: Final = 0.6
"""Part of the eye's width round it within which its lids lie."""
_LIP_MARGIN: Final = CORNER + 0.03
"""Part of the mouth's width round it within which its lit corners lie."""
_COLOURED: Final = 0.12
"""Skin of less colour than this is a statue's or a pencil's: photographs have .15 and more."""
_MOVES: Final = 0.05
"""Lids and lips that are as shut by less are as they are."""
_WITHIN: Final = np.float32(0.92)
"""Of the face's oval, what is not its edge."""
_UNCOVERS: Final = (0.008, 0.03)
"""Of the distance of the eyes' outer corners: skin taken from so far inside the face's edge says that a turn begins to uncover
some, and that it does."""


@dataclass(frozen=True, eq=False)
class FaceGuides:
    """What the denoiser of the face sees of one frame, in the aligned crop (h, w = 192, 160).

    guide: (h, w, 3) float32 the warped picture with the eyeballs and the rig's parts between the lips, [0, 1].
    skull_reference, jaw_reference: (h, w, 3) the picture moved rigidly with the skull and with the jaw, [0, 1].
    normals: (h, w, 3) of the mesh in camera space; stretch: (h, w) log of how much larger the skin became.
    skin, mouth, eyes: (h, w) region masks in [0, 1].
    """

    guide: FloatArray
    skull_reference: FloatArray
    jaw_reference: FloatArray
    normals: FloatArray
    stretch: FloatArray
    skin: FloatArray
    mouth: FloatArray
    eyes: FloatArray

    def stack(self) -> FloatArray:
        """(C, h, w) float32, the condition of the denoiser, its channels last in memory; `NUM_GUIDE_CHANNELS` says C."""
        maps = (self.stretch, self.skin, self.mouth, self.eyes)
        return stacked((self.guide, self.skull_reference, self.jaw_reference), (self.normals, *maps))


@dataclass(frozen=True, eq=False)
class FaceProxies:
    """One frame before the networks.

    composite: (H, W, 3) uint8 the user's whole picture, warped, with the eyeballs laid in.
    to_aligned: (2, 3) px of the picture -> px of the aligned crop.
    mouth_guides: those of the mouth's expert, in a crop of their own.
    """

    reference: ReferenceFace
    target_px: FloatArray
    composite: ByteArray
    to_aligned: FloatArray
    mouth_guides: MouthProxies

    @cached_property
    def face_guides(self) -> FaceGuides:
        """Those of the face's network, made when they are first asked for: `draft` never does."""
        return _face_guides(self)


NUM_GUIDE_CHANNELS: Final = 16
_NORMAL_X: Final = 9


def mirrored(stack: Tensor) -> Tensor:
    """(..., C, h, w) guides of a face -> those of its mirror image."""
    turned = stack.flip(-1)
    turned[..., _NORMAL_X, :, :] = -turned[..., _NORMAL_X, :, :]
    return turned


class ReferenceFace:
    """What is taken once from the portrait: its mesh, its eyeballs without lids, its mouth.

    colour: of what the networks add, how much of the colour is taken, 0 for a picture in grey to 1.
    """

    def __init__(
        self,
        image: ByteArray,
        mesh_px: FloatArray,
        topology: MeshTopology,
        warp_px: int = WARP_PX,
        matte: FloatArray | None = None,
        wears_glasses: bool = False,
    ) -> None:
        """image: (H, W, 3) uint8 RGB; mesh_px: (V, 3) px, where its vertices stand in it.

        wears_glasses: whether something stands before its eyes that is not to bend.

        matte: (H, W) in [0, 1], where the person is; what is neither there nor where the person goes stays as it is.

        warp_px: the displacement is rasterised at most this large and scaled up: it is smooth.
        """
        self.warp_px = warp_px
        self.matte = trusted(matte, mesh_px) if matte is not None else None
        self.behind = room_behind(image, self.matte) if self.matte is not None else None
        self.stiff = behind_lenses(mesh_px) if wears_glasses else None
        self.image = np.ascontiguousarray(image)
        self.mesh_px = mesh_px.astype(np.float32)
        self.topology = topology
        self.eyeballs = eyeballs_of(self.image, self.mesh_px)
        self.lid_grains = lid_grains(self.image, self.mesh_px)
        self.shut = with_whole_lips(with_bare_lids(self.image, self.mesh_px), self.mesh_px)
        self.parted = with_parted_lips(self.shut, self.mesh_px)
        height, width = image.shape[:2]
        ring = np.unique(topology.ring) if len(topology.ring) else np.arange(468)
        margin = 0.05 * float(np.ptp(self.mesh_px[ring, 0]))
        low = np.floor(self.mesh_px[ring, :2].min(0) - margin).astype(int)
        high = np.ceil(self.mesh_px[ring, :2].max(0) + margin).astype(int)
        self.left, self.top = max(0, int(low[0])), max(0, int(low[1]))
        self.right, self.bottom = min(width, int(high[0])), min(height, int(high[1]))
        self.mouth = ReferenceMouth(self.image, self.mesh_px, topology)
        skin = skin_colour(self.image, self.mesh_px)
        self.colour = min(1.0, float(np.ptp(skin) / skin.mean()) / _COLOURED)
        self.own_teeth = OwnTeeth.of(self.image, self.mesh_px, topology, self.mouth.inner_colours, self.colour)
        self.creases = Creases(self.image, self.mesh_px, topology.skin)
        # The matte as it is: the trusted one reaches into the room.
        person = None if self.matte is None else matte
        self.stretch = Stretch(self.mesh_px, topology.skin)
        self.within = None if person is None else within_person(self.mesh_px, topology.skin, person)
        self.eyes_px = float(np.linalg.norm(self.mesh_px[RIGHT_EYE[0], :2] - self.mesh_px[LEFT_EYE[0], :2]))
        self.far_edge = None if person is None else FarEdge(self.image, person, self.eyes_px)


def build_proxies(reference: ReferenceFace, target_px: FloatArray) -> FaceProxies:
    """target_px: (V, 3) px, z away from the camera: where the mesh goes in this frame."""
    mouth_guides = build_mouth(reference.mouth, target_px)
    composite = _warped(reference, target_px, closing=True)
    lay_in_eyes(composite, reference, target_px)
    to_aligned = similarity(target_px[SKULL, :2], reference.topology.layout_px[SKULL])
    return FaceProxies(reference, target_px, composite, to_aligned, mouth_guides)


def _face_guides(proxies: FaceProxies) -> FaceGuides:
    reference, target_px, to_aligned = proxies.reference, proxies.target_px, proxies.to_aligned
    topology = reference.topology
    aligned_px = target_px.copy()
    aligned_px[:, :2] = target_px[:, :2] @ to_aligned[:, :2].T + to_aligned[:, 2]
    upright = aligned_px[:468] * UPRIGHT
    attributes = np.c_[vertex_normals(upright, topology.skin), reference.stretch.of(target_px), np.ones(468)]
    maps, _ = rasterise(aligned_px, topology.skin, attributes.astype(np.float32), ALIGNED_HEIGHT, ALIGNED_WIDTH)
    mouth = polygon_mask([aligned_px[INNER_LIPS, :2]], ALIGNED_HEIGHT, ALIGNED_WIDTH)
    eyes = polygon_mask([aligned_px[RIGHT_EYE, :2], aligned_px[LEFT_EYE, :2]], ALIGNED_HEIGHT, ALIGNED_WIDTH)
    skull, jaw = rigid_map(reference.mesh_px, target_px, SKULL), rigid_map(reference.mesh_px, target_px, JAW)
    warped = aligned_crop(proxies.composite, to_aligned) / np.float32(255)
    return FaceGuides(
        guide=_with_mouth(warped, to_aligned, proxies.mouth_guides),
        skull_reference=aligned_crop(reference.image, composed(to_aligned, skull)) / np.float32(255),
        jaw_reference=aligned_crop(reference.image, composed(to_aligned, jaw)) / np.float32(255),
        normals=maps[..., :3],
        stretch=maps[..., 3],
        skin=np.maximum(maps[..., 4], np.maximum(mouth, eyes)),
        mouth=mouth,
        eyes=eyes,
    )


def warp_picture(reference: ReferenceFace, target_px: FloatArray) -> FloatArray:
    """The picture carried by the mesh alone, (H, W, 3) float32 in [0, 255]: the baseline that all else is measured by."""
    return _warped(reference, target_px, closing=False).astype(np.float32)


def _warped(reference: ReferenceFace, target_px: FloatArray, closing: bool) -> ByteArray:
    """closing: whether lids and lips that come together look as such (`synthesis.closing`)."""
    topology, source_px = reference.topology, reference.mesh_px
    if reference.stiff is not None:
        target_px = held_still(target_px, source_px, reference.stiff)
    left, top, right, bottom = reference.left, reference.top, reference.right, reference.bottom
    scale = min(1.0, reference.warp_px / max(right - left, bottom - top))
    height, width = max(1, round((bottom - top) * scale)), max(1, round((right - left) * scale))
    inset_px = reference.stretch.inset(target_px)
    if reference.within is not None:  # in the portrait and in the frame alike: a hollow cheek stays hollow
        source_px, target_px = source_px.copy(), target_px.copy()
        source_px[:468, :2] += reference.within
        target_px[:468, :2] += reference.within @ rigid_map(reference.mesh_px, target_px, SKULL)[:, :2].T
    local = target_px.copy()
    local[:, 0] = (target_px[:, 0] - left) * (width / (right - left))
    local[:, 1] = (target_px[:, 1] - top) * (height / (bottom - top))
    faces = np.concatenate([topology.closed_skin, topology.ring])
    taken_px = source_px[:, :2].copy()
    taken_px[:468] += inset_px
    displacement, _ = rasterise(local, faces, taken_px - target_px[:, :2], height, width)
    place = np.asarray(cv2.resize(displacement, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR), np.float32)
    place[..., 0] += np.arange(left, right, dtype=np.float32)
    place[..., 1] += np.arange(top, bottom, dtype=np.float32)[:, None]
    warped = np.asarray(carried(reference.image, place), np.uint8)
    uncovers = smooth_step(float(np.abs(inset_px).max()) / reference.eyes_px, *_UNCOVERS)
    if reference.far_edge is not None and uncovers > 0:
        reference.far_edge.fill(warped, place, target_px[:, :2] - np.array([left, top], np.float32), uncovers)
    if closing:
        _lay_shut(warped, reference, target_px, place)
        reference.creases.shade(warped, target_px, place)
    if folds(taken_px, target_px, faces):
        oval = local[FACE_OVAL, :2]
        within = polygon_mask([oval.mean(0) + _WITHIN * (oval - oval.mean(0))], height, width)
        warped = soften_folds(warped, displacement, within)
    picture, here = reference.image.copy(), np.s_[top:bottom, left:right]
    if reference.matte is None or reference.behind is None:
        picture[here] = warped
    else:
        there = carried(reference.matte, place)
        picture[here] = before_the_room(warped, there, picture[here], reference.matte[here], reference.behind[here])
    return picture


def _lay_shut(warped: ByteArray, reference: ReferenceFace, target_px: FloatArray, place: FloatArray) -> None:
    """warped: (h, w, 3) of the moving part of the picture; place: (h, w, 2) px of the portrait where it comes from."""
    own_px, whole, fine = reference.mesh_px, reference.shut, reference.mouth.fine
    parts = [(loop, _LID_MARGIN, whole, lowered(target_px[loop, :2], own_px[loop, :2])) for loop in (RIGHT_EYE, LEFT_EYE)]
    parts.append((OUTER_LIPS, _LIP_MARGIN, whole, met(target_px, own_px, fine)))
    parts.append((OUTER_LIPS, _LIP_MARGIN, reference.parted, parted(target_px, own_px, fine)))
    for loop, margin, layer, weight in parts:
        outline = target_px[loop, :2] - (reference.left, reference.top)
        box = box_around(outline, int(margin * float(np.linalg.norm(outline[0] - outline[len(loop) // 2]))), warped)
        if weight >= _MOVES and box is not None:
            here = np.s_[box[1] : box[3], box[0] : box[2]]
            warped[here] = cv2.addWeighted(warped[here], 1 - weight, carried(layer, place[here]), weight, 0)
    lay_grain(warped, reference.lid_grains, own_px, target_px, (reference.left, reference.top))


def compose_guide(reference: ReferenceFace, target_px: FloatArray) -> FloatArray:
    """The warped picture with eyeballs under the lids and the rig's parts between the lips, (H, W, 3) float32: to look at."""
    picture = _warped(reference, target_px, closing=True).astype(np.float32)
    lay_in_eyes(picture, reference, target_px)
    lay_in_mouth(picture, build_mouth(reference.mouth, target_px), target_px[INNER_LIPS, :2])
    return picture


def lay_in_eyes(picture: FloatArray | ByteArray, reference: ReferenceFace, target_px: FloatArray) -> None:
    """Draw the eyeballs under the lids of a warped picture, (H, W, 3) uint8, or float32 in [0, 255]."""
    skull = rigid_map(reference.mesh_px, target_px, SKULL)
    for eyeball in reference.eyeballs:
        eyeball.lay_in(picture, target_px, skull)


def _with_mouth(guide: FloatArray, to_aligned: FloatArray, mouth: MouthProxies) -> FloatArray:
    """(h, w, 3) the aligned crop with the rig's parts between its lips."""
    to_guide = composed(to_aligned, np.asarray(cv2.invertAffineTransform(mouth.to_crop), np.float32))
    size = (ALIGNED_WIDTH, ALIGNED_HEIGHT)
    inside = np.asarray(cv2.warpAffine(mouth.inside, to_guide, size), np.float32)[..., None]
    drawn = np.asarray(cv2.warpAffine(mouth.interior, to_guide, size), np.float32)
    mixed: FloatArray = guide + inside * (drawn - guide)
    return mixed
