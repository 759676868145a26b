"""A moved face mesh and one picture -> the guides that the denoiser sees, and the warped picture that it corrects.

The skin is carried by the mesh (a displacement a pixel). What lies behind the lips and the lids is not skin: teeth, tongue and
cavity are drawn from the rig's own parts, teeth that the picture shows ride with the skull, eyeballs keep their place under the
lids and turn with the gaze. Knows nothing of networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from scipy import ndimage

from talkinghead.synthesis.rasteriser import rasterise, vertex_normals
from talkinghead.synthesis.regions import INNER_LIPS, JAW, LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS, SKULL, fan
from talkinghead.types import ByteArray, FloatArray, IntArray

ALIGNED_HEIGHT: Final = 192
ALIGNED_WIDTH: Final = 160
_ALIGNED_PX_PER_M: Final = 900.0
_ALIGNED_TOP_PX: Final = 4.0
WARP_PX: Final = 512
"""The displacement is rasterised at most this large and scaled up: it is smooth."""


@dataclass(frozen=True, eq=False)
class MeshTopology:
    """How the vertices of a face mesh are joined.

    skin: (F, 3) the tracker's 468 points; ring: (F, 3) the soft shell round it; inner: (F, 3) teeth, tongue and cavity.
    colours: (V, 3) RGB in [0, 1] of the inner parts.
    neutral: (V, 3) m, the generic face, that says where an upright face stands in the aligned crop.
    """

    skin: IntArray
    ring: IntArray
    inner: IntArray
    colours: FloatArray
    neutral: FloatArray

    @cached_property
    def closed_skin(self) -> IntArray:
        """The skin with eye and mouth openings filled, so that the displacement has no hole."""
        return np.concatenate([self.skin, fan(INNER_LIPS), fan(RIGHT_EYE), fan(LEFT_EYE)])

    @cached_property
    def layout_px(self) -> FloatArray:
        """(V, 2) where the generic face's vertices stand in the aligned crop."""
        top = self.neutral[:468, 1].max()
        x = ALIGNED_WIDTH / 2 + self.neutral[:, 0] * _ALIGNED_PX_PER_M
        y = _ALIGNED_TOP_PX + (top - self.neutral[:, 1]) * _ALIGNED_PX_PER_M
        return np.stack([x, y], 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class FaceProxies:
    """The guides of one frame, in the aligned crop unless said otherwise (h, w = 192, 160).

    composite: (H, W, 3) float32 the user's whole picture, warped, with eyes and mouth interior laid in, [0, 255].
    guide: (h, w, 3) float32 the same in the aligned crop, [0, 1].
    skull_reference, jaw_reference: (h, w, 3) the picture moved rigidly with the skull and with the jaw, [0, 1].
    normals: (h, w, 3) of the mesh in camera space; stretch: (h, w) log of how much larger the skin became.
    skin, mouth, eyes: (h, w) region masks in [0, 1].
    to_aligned: (2, 3) px of the picture -> px of the aligned crop.
    """

    composite: FloatArray
    guide: FloatArray
    skull_reference: FloatArray
    jaw_reference: FloatArray
    normals: FloatArray
    stretch: FloatArray
    skin: FloatArray
    mouth: FloatArray
    eyes: FloatArray
    to_aligned: FloatArray

    def stack(self) -> FloatArray:
        """(C, h, w) float32, the condition of the denoiser; `NUM_GUIDE_CHANNELS` says C."""
        maps = np.stack([self.stretch, self.skin, self.mouth, self.eyes], -1)
        pictures = [self.guide * 2 - 1, self.skull_reference * 2 - 1, self.jaw_reference * 2 - 1]
        return np.concatenate([*pictures, self.normals, maps], -1).transpose(2, 0, 1).astype(np.float32)


NUM_GUIDE_CHANNELS: Final = 16


class ReferenceFace:
    """What is taken once from the portrait: its mesh, its eyeballs without lids, whether it shows teeth, its light."""

    def __init__(self, image: ByteArray, mesh_px: FloatArray, topology: MeshTopology) -> None:
        """image: (H, W, 3) uint8 RGB; mesh_px: (V, 3) px, where its vertices stand in it."""
        self.image = np.ascontiguousarray(image)
        self.mesh_px = mesh_px.astype(np.float32)
        self.topology = topology
        self.eyeballs = _without_lids(self.image, self.mesh_px)
        height, width = image.shape[:2]
        ring = np.unique(topology.ring) if len(topology.ring) else np.arange(468)
        margin = 0.05 * float(np.ptp(self.mesh_px[ring, 0]))
        low = np.floor(self.mesh_px[ring, :2].min(0) - margin).astype(int)
        high = np.ceil(self.mesh_px[ring, :2].max(0) + margin).astype(int)
        self.left, self.top = max(0, int(low[0])), max(0, int(low[1]))
        self.right, self.bottom = min(width, int(high[0])), min(height, int(high[1]))
        self.teeth = _teeth_mask(self.image, self.mesh_px)
        self.inner_colours = _lit(topology.colours, self.image, self.mesh_px)
        self._star_area = _star_areas(self.mesh_px, topology.skin)

    def stretch(self, target_px: FloatArray) -> FloatArray:
        """(468,) log of the area round each skin vertex against the portrait's."""
        ratio = np.log((_star_areas(target_px, self.topology.skin) + 0.5) / (self._star_area + 0.5))
        return np.clip(ratio, -2, 2).astype(np.float32)


def build_proxies(reference: ReferenceFace, target_px: FloatArray) -> FaceProxies:
    """target_px: (V, 3) px, z away from the camera: where the mesh goes in this frame."""
    composite = compose_guide(reference, target_px)
    topology = reference.topology
    to_aligned = similarity(target_px[SKULL, :2], topology.layout_px[SKULL])
    aligned_px = target_px.copy()
    aligned_px[:, :2] = target_px[:, :2] @ to_aligned[:, :2].T + to_aligned[:, 2]
    upright = aligned_px[:468] * np.array([1, -1, -1], np.float32)
    attributes = np.c_[vertex_normals(upright, topology.skin), reference.stretch(target_px), np.ones(468)]
    maps, _ = rasterise(aligned_px, topology.skin, attributes.astype(np.float32), ALIGNED_HEIGHT, ALIGNED_WIDTH)
    mouth = polygon_mask([aligned_px[INNER_LIPS, :2]], ALIGNED_HEIGHT, ALIGNED_WIDTH)
    eyes = polygon_mask([aligned_px[RIGHT_EYE, :2], aligned_px[LEFT_EYE, :2]], ALIGNED_HEIGHT, ALIGNED_WIDTH)
    skull, jaw = _rigid(reference.mesh_px, target_px, SKULL), _rigid(reference.mesh_px, target_px, JAW)
    return FaceProxies(
        composite=composite,
        guide=_aligned(composite, to_aligned) / np.float32(255),
        skull_reference=_aligned(reference.image, _compose(to_aligned, skull)) / np.float32(255),
        jaw_reference=_aligned(reference.image, _compose(to_aligned, jaw)) / np.float32(255),
        normals=maps[..., :3],
        stretch=maps[..., 3],
        skin=np.maximum(maps[..., 4], np.maximum(mouth, eyes)),
        mouth=mouth,
        eyes=eyes,
        to_aligned=to_aligned,
    )


def warp_picture(reference: ReferenceFace, target_px: FloatArray) -> FloatArray:
    """The picture carried by the mesh alone, (H, W, 3) float32 in [0, 255]: the baseline that all else is measured by."""
    topology, source_px = reference.topology, reference.mesh_px
    left, top, right, bottom = reference.left, reference.top, reference.right, reference.bottom
    scale = min(1.0, WARP_PX / max(right - left, bottom - top))
    height, width = max(1, round((bottom - top) * scale)), max(1, round((right - left) * scale))
    local = target_px.copy()
    local[:, 0] = (target_px[:, 0] - left) * (width / (right - left))
    local[:, 1] = (target_px[:, 1] - top) * (height / (bottom - top))
    faces = np.concatenate([topology.closed_skin, topology.ring])
    displacement, _ = rasterise(local, faces, source_px[:, :2] - target_px[:, :2], height, width)
    if (height, width) != (bottom - top, right - left):
        size = (right - left, bottom - top)
        displacement = np.asarray(cv2.resize(displacement, size, interpolation=cv2.INTER_LINEAR), np.float32)
    map_x = displacement[..., 0] + np.arange(left, right, dtype=np.float32)
    map_y = displacement[..., 1] + np.arange(top, bottom, dtype=np.float32)[:, None]
    picture = reference.image.astype(np.float32)
    picture[top:bottom, left:right] = cv2.remap(
        reference.image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return picture


def compose_guide(reference: ReferenceFace, target_px: FloatArray) -> FloatArray:
    """The warped picture with eyeballs under the lids and the mouth's inside between the lips, (H, W, 3) float32."""
    picture = warp_picture(reference, target_px)
    skull = _rigid(reference.mesh_px, target_px, SKULL)
    for loop, iris in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
        _lay_in_eye(picture, reference, target_px, skull, loop, iris)
    _lay_in_mouth(picture, reference, target_px, skull)
    return picture


def _lay_in_eye(
    picture: FloatArray, reference: ReferenceFace, target_px: FloatArray, skull: FloatArray, loop: IntArray, iris: IntArray
) -> None:
    box = _box(target_px[loop, :2], 3, picture)
    if box is None:
        return
    x0, y0, x1, y1 = box
    mask = polygon_mask([target_px[loop, :2] - (x0, y0)], y1 - y0, x1 - x0)[..., None]
    back = cv2.invertAffineTransform(skull)
    x, y = np.meshgrid(np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32))
    p = np.stack([x, y], -1) @ back[:, :2].T.astype(np.float32) + back[:, 2].astype(np.float32)
    centre = reference.mesh_px[iris[0], :2]
    radius = max(1.0, float(np.linalg.norm(reference.mesh_px[iris[1:], :2] - centre, axis=1).mean()))
    shift = target_px[iris[0], :2] @ back[:, :2].T + back[:, 2] - centre
    # The iris moves as a whole; the white stretches between it and the corners of the eye.
    distance = np.linalg.norm(p - (centre + shift), axis=-1) / radius
    weight = np.clip((2.8 - distance) / 1.5, 0, 1)[..., None]
    p = p - (shift * weight).astype(np.float32)
    eye = cv2.remap(reference.eyeballs, p[..., 0], p[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    eye = eye + (1 - _openness(target_px[loop, :2], reference.mesh_px[loop, :2])) * (_lash_colour(reference, loop) - eye)
    picture[y0:y1, x0:x1] += mask * (eye - picture[y0:y1, x0:x1])


def _openness(lids: FloatArray, own: FloatArray) -> float:
    """0 when the lids are shut but for what the tracker leaves between them, 1 when as open as the portrait's own."""

    def seen(loop: FloatArray) -> float:
        gap = float(np.linalg.norm(loop[3:6] - loop[13:10:-1], axis=1).mean())
        x = float(np.clip((gap / max(1e-3, float(np.linalg.norm(loop[0] - loop[8]))) - 0.08) / 0.12, 0, 1))
        return x * x * (3 - 2 * x)

    return min(1.0, seen(lids) / max(seen(own), 0.02)) if seen(own) > 0.02 else 1.0


def _lash_colour(reference: ReferenceFace, loop: IntArray) -> FloatArray:
    """(3,) what shows between shut lids: the shade of the upper lid's rim."""
    height, width = reference.image.shape[:2]
    rim = np.clip(reference.mesh_px[loop[2:7], :2].round().astype(int), 0, (width - 1, height - 1))
    colours = reference.image[rim[:, 1], rim[:, 0]].astype(np.float32)
    shade: FloatArray = (np.median(colours, 0) * 0.7).astype(np.float32)
    return shade


def _lay_in_mouth(picture: FloatArray, reference: ReferenceFace, target_px: FloatArray, skull: FloatArray) -> None:
    lips = target_px[INNER_LIPS, :2]
    box = _box(lips, 3, picture)
    if box is None:
        return
    x0, y0, x1, y1 = box
    mask = polygon_mask([lips - (x0, y0)], y1 - y0, x1 - x0)[..., None]
    if mask.max() < 1 / 255:
        return
    drawn = draw_mouth(reference, target_px, box)
    to_box = skull.copy()
    to_box[:, 2] -= (x0, y0)
    size = (x1 - x0, y1 - y0)
    own = cv2.warpAffine(reference.image, to_box, size, flags=cv2.INTER_LINEAR).astype(np.float32)
    shown = cv2.warpAffine(reference.teeth, to_box, size, flags=cv2.INTER_LINEAR)[..., None]
    drawn = drawn + shown * (own - drawn)
    picture[y0:y1, x0:x1] += mask * (drawn - picture[y0:y1, x0:x1])


def draw_mouth(reference: ReferenceFace, target_px: FloatArray, box: tuple[int, int, int, int]) -> FloatArray:
    """Teeth, gums, tongue and cavity by the rig's own parts, (h, w, 3) in [0, 255], twice oversampled."""
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    topology = reference.topology
    oversample = 2 if width <= 256 else 1
    local = target_px.copy()
    local[:, :2] = (target_px[:, :2] - (x0, y0)) * oversample
    facing = vertex_normals(target_px * np.array([1, -1, -1], np.float32), topology.inner)[:, 2]
    # Light falls in through the opening: what faces it is bright, what lies deep is dark.
    lips_z = float(target_px[INNER_LIPS, 2].mean())
    mouth_px = max(1.0, float(np.linalg.norm(target_px[78, :2] - target_px[308, :2])))
    depth = np.clip((target_px[:, 2] - lips_z) / mouth_px, 0, 2)
    light = (0.45 + 0.55 * np.abs(facing)) * np.exp(-1.1 * depth)
    colours = reference.inner_colours * light[:, None] * np.float32(255)
    drawn, zbuffer = rasterise(local, topology.inner, colours, height * oversample, width * oversample)
    dark = reference.inner_colours.min(0) * np.float32(60)
    drawn[~np.isfinite(zbuffer)] = dark
    if oversample > 1:
        drawn = np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    # The lips throw a soft shadow on what is just behind them.
    lips = polygon_mask([target_px[INNER_LIPS, :2] - (x0, y0)], height, width)
    shadow = cv2.GaussianBlur(lips, (0, 0), max(0.8, mouth_px * 0.03))
    shaded: FloatArray = drawn * np.asarray(0.45 + 0.55 * shadow, np.float32)[..., None]
    return shaded


def polygon_mask(loops: list[FloatArray], height: int, width: int) -> FloatArray:
    """Closed loops of px -> (height, width) float32 coverage in [0, 1], anti-aliased by fourfold oversampling."""
    mask = np.zeros((height * 4, width * 4), np.uint8)
    for loop in loops:
        cv2.fillPoly(mask, [np.round((loop * 4) * 16 - 8).astype(np.int32)], 255, shift=4)
    small: FloatArray = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    return small / np.float32(255)


def similarity(source: FloatArray, target: FloatArray) -> FloatArray:
    """(K, 2) -> (K, 2): the (2, 3) turn, scale and shift that fits best (Umeyama, PAMI 1991)."""
    ms, mt = source.mean(0), target.mean(0)
    a, b = (source - ms) @ np.array([1, 1j]), (target - mt) @ np.array([1, 1j])
    ratio = (a.conj() @ b) / max(float(np.abs(a) @ np.abs(a)), 1e-9)
    turn = np.array([[ratio.real, -ratio.imag], [ratio.imag, ratio.real]])
    matrix: FloatArray = np.c_[turn, mt - turn @ ms].astype(np.float32)
    return matrix


def _rigid(source_px: FloatArray, target_px: FloatArray, points: IntArray) -> FloatArray:
    """(2, 3) how a rigid part of the head went from the portrait to this frame."""
    if points is JAW:
        return similarity(source_px[points, :2], target_px[points, :2])
    # The skull shows from changing sides, which a similarity cannot follow: an affine map can.
    design = np.c_[source_px[points, :2], np.ones(len(points))]
    affine: FloatArray = np.linalg.lstsq(design, target_px[points, :2], rcond=None)[0].T.astype(np.float32)
    return affine


def _compose(outer: FloatArray, inner: FloatArray) -> FloatArray:
    matrix: FloatArray = np.c_[outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]].astype(np.float32)
    return matrix


def _aligned(picture: FloatArray | ByteArray, matrix: FloatArray) -> FloatArray:
    """The aligned crop of a picture; a large face is shrunk by area first, so that it does not alias."""
    step = int(1 / max(1e-6, np.sqrt(abs(np.linalg.det(matrix[:, :2])))))
    if step > 1:
        back = cv2.invertAffineTransform(matrix)
        corners = np.array([[0, 0], [ALIGNED_WIDTH, 0], [0, ALIGNED_HEIGHT], [ALIGNED_WIDTH, ALIGNED_HEIGHT]]) @ back[:, :2].T
        box = _box((corners + back[:, 2]).astype(np.float32), step, picture)
        if box is not None and min(box[2] - box[0], box[3] - box[1]) >= step:
            x0, y0, x1, y1 = box
            x1, y1 = x0 + (x1 - x0) // step * step, y0 + (y1 - y0) // step * step
            small = cv2.resize(picture[y0:y1, x0:x1], ((x1 - x0) // step, (y1 - y0) // step), interpolation=cv2.INTER_AREA)
            picture = np.asarray(small, np.float32)
            offset = np.array([x0, y0]) + (step - 1) / 2
            matrix = np.c_[matrix[:, :2] * step, matrix[:, :2] @ offset + matrix[:, 2]].astype(np.float32)
    size = (ALIGNED_WIDTH, ALIGNED_HEIGHT)
    view = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(view, np.float32)


def _box(points: FloatArray, margin: int, picture: FloatArray | ByteArray) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom px round some points inside the picture, None when they are outside it."""
    height, width = picture.shape[:2]
    x0, y0 = np.floor(points.min(0)).astype(int) - margin
    x1, y1 = np.ceil(points.max(0)).astype(int) + margin + 1
    x0, y0, x1, y1 = max(0, int(x0)), max(0, int(y0)), min(width, int(x1)), min(height, int(y1))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _star_areas(points: FloatArray, faces: IntArray) -> FloatArray:
    a, b, c = points[faces[:, 0], :2], points[faces[:, 1], :2], points[faces[:, 2], :2]
    ab, ac = b - a, c - a
    area = np.abs(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]) / 2
    total: FloatArray = np.bincount(faces.ravel(), np.repeat(area, 3), minlength=468)[:468].astype(np.float32)
    return total


def _without_lids(image: ByteArray, mesh_px: FloatArray) -> ByteArray:
    """The picture with each eye's inside continued over its lids, for eyes that open wider than the portrait's."""
    result = image.copy()
    for loop in (RIGHT_EYE, LEFT_EYE):
        points = mesh_px[loop, :2]
        box = _box(points, int(np.ptp(points[:, 0]) * 0.35) + 3, image)
        if box is None:
            continue
        x0, y0, x1, y1 = box
        inside = polygon_mask([points - (x0, y0)], y1 - y0, x1 - x0) > 0.6
        if inside.sum() < 8:
            continue
        nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
        part = image[y0:y1, x0:x1]
        filled = part[nearest[0], nearest[1]].astype(np.float32)
        soft = cv2.GaussianBlur(filled, (0, 0), max(0.6, (x1 - x0) / 60))
        result[y0:y1, x0:x1] = np.where(inside[..., None], part, soft).astype(np.uint8)
    return result


def _teeth_mask(image: ByteArray, mesh_px: FloatArray) -> FloatArray:
    """(H, W) where the portrait itself shows the inside of its mouth, 0 everywhere when its lips are closed."""
    mask = np.zeros(image.shape[:2], np.float32)
    lips = mesh_px[INNER_LIPS, :2]
    width = float(np.linalg.norm(mesh_px[78, :2] - mesh_px[308, :2]))
    gap = float(np.linalg.norm(mesh_px[13, :2] - mesh_px[14, :2]))
    box = _box(lips, 3, image)
    if box is None or gap < 0.05 * width:
        return mask
    x0, y0, x1, y1 = box
    inside = polygon_mask([lips - (x0, y0)], y1 - y0, x1 - x0)
    mask[y0:y1, x0:x1] = np.clip(cv2.GaussianBlur(inside, (0, 0), max(0.5, width / 60)) * 2 - 1, 0, 1)
    return mask


_NOMINAL_SKIN: Final = np.array([0.80, 0.62, 0.54], np.float32)


def _lit(colours: FloatArray, image: ByteArray, mesh_px: FloatArray) -> FloatArray:
    """The inner parts' colours under the portrait's light, as grey as the portrait is."""
    cheeks = mesh_px[[50, 280, 205, 425, 101, 330, 36, 266], :2].round().astype(int)
    height, width = image.shape[:2]
    inside = (cheeks >= 0).all(1) & (cheeks < (width, height)).all(1)
    skin = np.median(image[cheeks[inside, 1], cheeks[inside, 0]], 0) / 255 if inside.any() else _NOMINAL_SKIN
    light = 0.82 * np.clip(float(skin.mean() / _NOMINAL_SKIN.mean()), 0.5, 1.15)
    chroma = np.clip(float(np.ptp(skin) / np.ptp(_NOMINAL_SKIN)), 0, 1)
    grey = colours.mean(1, keepdims=True)
    lit: FloatArray = ((grey + chroma * (colours - grey)) * light).astype(np.float32)
    return lit
