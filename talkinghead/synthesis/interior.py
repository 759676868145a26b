"""What lies behind lids and lips: eyeballs laid into the warped picture; teeth, tongue and cavity as the rig has them.

Eyeballs are the portrait's own eyes continued over their lids; they keep their place under moving lids and turn with the gaze.
The mouth's parts are drawn under the portrait's light; what becomes of them is for `synthesis.mouth`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from scipy import ndimage

from talkinghead.synthesis.closing import SHUT_GAP, lash_colour, lid_gap, smooth_step
from talkinghead.synthesis.geometry import box_around, far_blurred, polygon_mask
from talkinghead.synthesis.rasteriser import rasterise, vertex_normals
from talkinghead.synthesis.regions import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from talkinghead.types import ByteArray, FloatArray, IntArray

if TYPE_CHECKING:
    from talkinghead.synthesis.proxies import ReferenceFace
    from talkinghead.synthesis.topology import MeshTopology

# All these were set by eye, unless something else is said.
_MARGIN_PX: Final = 3
"""Round lids and lips, for their anti-aliased rim."""
_IRIS_REACH: Final = 2.8
_IRIS_FALL: Final = 1.5
"""In radii of the iris: as far as the eye moves with the gaze at all, and over how much of that its motion fades."""
_OPEN_GAP: Final = 0.08
"""Part of the eye's width: from such a gap on the whole eyeball shows."""
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
_AMBIENT_LIGHT: Final = 0.45
_FACING_LIGHT: Final = 0.55
_DEPTH_LOSS: Final = 1.1
"""Light in the mouth: on every surface, on one that looks out, and how fast it falls with depth in mouth widths."""
_MAX_DEPTH: Final = 2.0
_OVERSAMPLED_PX: Final = 340
"""Where the outer corners of the eyes are up to so far apart, a mouth is drawn at twice its size: lips, which widen and purse,
must not switch that from frame to frame."""
_TOOTH_GAP: Final = 0.035
_TOOTH_GAP_CLOSED: Final = 0.75
"""Gaps up to so wide, in parts of the mouth's width, are closed by so much."""
_BOUNCED_LIGHT: Final = 0.55
_BOUNCED_REACH: Final = 0.1
"""No hole is darker than this part of what is round it, in parts of the mouth's width: light bounces about in there."""
_LIP_SHADOW: Final = 0.4
_LIP_SHADOW_BLUR: Final = 0.03
"""How much of the light the lips take from what is just behind them, and how soft that is in mouth widths."""
_MIN_SKIN: Final = 0.04
"""Under less light than this a picture says nothing of its tint."""
_DARK: Final = np.float32(5)
"""In [0, 255]: of what is darker than this no ratio says anything."""
_CHEEKS: Final = np.array([50, 280, 205, 425, 101, 330, 36, 266])
_NOMINAL_SKIN: Final = np.array([0.80, 0.67, 0.60], np.float32)
"""RGB of the cheek under which the rig's inner parts have their own colours."""
_INNER_EXPOSURE: Final = 1.06
"""Held to the measure that `lit_colours` names."""
_SKIN_LIGHT: Final = 0.6
"""Exponent of the skin's brightness in that of the mouth: teeth in a dark face are lighter than its skin."""


def lay_in_eye(
    picture: FloatArray | ByteArray,
    reference: ReferenceFace,
    target_px: FloatArray,
    skull: FloatArray,
    loop: IntArray,
    iris: IntArray,
) -> None:
    box = box_around(target_px[loop, :2], _MARGIN_PX, picture)
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
    weight = np.clip((_IRIS_REACH - distance) / _IRIS_FALL, 0, 1)[..., None]
    p = p - (shift * weight).astype(np.float32)
    seen = cv2.remap(reference.eyeballs, p[..., 0], p[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    eye = np.asarray(seen, np.float32)
    shut = 1 - _openness(target_px[loop, :2], reference.mesh_px[loop, :2])
    if shut > 0:
        eye = eye + shut * (lash_colour(reference.image, reference.mesh_px, loop) - eye)
    mixed = picture[y0:y1, x0:x1] + mask * (eye - picture[y0:y1, x0:x1])
    picture[y0:y1, x0:x1] = np.rint(mixed) if picture.dtype == np.uint8 else mixed


def _openness(lids: FloatArray, own: FloatArray) -> float:
    """0 when the lids are shut but for what the tracker leaves between them, 1 when as open as the portrait's own."""
    own_gap = smooth_step(lid_gap(own), SHUT_GAP, _OPEN_GAP)
    return min(1.0, smooth_step(lid_gap(lids), SHUT_GAP, _OPEN_GAP) / own_gap) if own_gap > _MIN_SEEN else 1.0


def draw_mouth(
    topology: MeshTopology, inner_colours: FloatArray, target_px: FloatArray, box: tuple[int, int, int, int]
) -> FloatArray:
    """Teeth, gums, tongue and cavity by the rig's own parts, (h, w, 3) in [0, 255]; black where there is none of them.

    inner_colours: of `lit_colours`; box: left, top, right, bottom px.
    """
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    eyes_px = float(np.linalg.norm(target_px[RIGHT_EYE[0], :2] - target_px[LEFT_EYE[0], :2]))
    oversample = 2 if eyes_px <= _OVERSAMPLED_PX else 1
    local = target_px.copy()
    local[:, :2] = (target_px[:, :2] - (x0, y0)) * oversample
    facing = vertex_normals(target_px * np.array([1, -1, -1], np.float32), topology.inner)[:, 2]
    # Light falls in through the opening: what faces it is bright, what lies deep is dark.
    lips_z = float(target_px[INNER_LIPS, 2].mean())
    mouth_px = max(1.0, float(np.linalg.norm(target_px[78, :2] - target_px[308, :2])))
    depth = np.clip((target_px[:, 2] - lips_z) / mouth_px, 0, _MAX_DEPTH)
    light = np.sqrt((_AMBIENT_LIGHT + _FACING_LIGHT * np.abs(facing)) * np.exp(-_DEPTH_LOSS * depth))
    colours = inner_colours * light[:, None] * np.float32(255)
    drawn, _ = rasterise(local, topology.inner, colours, height * oversample, width * oversample)
    # Between two teeth there is a line, not a gap that shows the throat.
    reach = 2 * round(_TOOTH_GAP * mouth_px * oversample) + 1
    closed = cv2.morphologyEx(drawn, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    drawn = drawn + np.float32(_TOOTH_GAP_CLOSED) * (closed - drawn)
    drawn = np.maximum(drawn, np.float32(_BOUNCED_LIGHT) * far_blurred(drawn, _BOUNCED_REACH * mouth_px * oversample))
    if oversample > 1:
        drawn = np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    # The lips throw a soft shadow on what is just behind them.
    lips = polygon_mask([target_px[INNER_LIPS, :2] - (x0, y0)], height, width)
    shadow = cv2.GaussianBlur(lips, (0, 0), max(0.8, mouth_px * _LIP_SHADOW_BLUR))
    shaded: FloatArray = drawn * np.asarray(1 - _LIP_SHADOW + _LIP_SHADOW * shadow, np.float32)[..., None]
    return shaded


def without_lids(image: ByteArray, mesh_px: FloatArray) -> ByteArray:
    """The picture with each eye's inside continued over its lids, for eyes that open wider than the portrait's."""
    result = image.copy()
    for loop in (RIGHT_EYE, LEFT_EYE):
        points = mesh_px[loop, :2]
        box = box_around(points, int(np.ptp(points[:, 0]) * _LID_MARGIN) + _MARGIN_PX, image)
        if box is None:
            continue
        x0, y0, x1, y1 = box
        inside = polygon_mask([points - (x0, y0)], y1 - y0, x1 - x0) > _SURE_INSIDE
        if inside.sum() < _MIN_EYE_PX:
            continue
        nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
        part = image[y0:y1, x0:x1]
        filled = part[nearest[0], nearest[1]].astype(np.float32)
        soft = cv2.GaussianBlur(filled, (0, 0), max(0.6, (x1 - x0) / _BLURS_ACROSS))
        result[y0:y1, x0:x1] = np.where(inside[..., None], part, soft).astype(np.uint8)
    return result


def skin_colour(image: ByteArray, mesh_px: FloatArray) -> FloatArray:
    """(3,) RGB of the cheeks in [0, 1]; the nominal one when none of them is in the picture."""
    cheeks = mesh_px[_CHEEKS, :2].round().astype(int)
    height, width = image.shape[:2]
    inside = (cheeks >= 0).all(1) & (cheeks < (width, height)).all(1)
    skin = np.median(image[cheeks[inside, 1], cheeks[inside, 0]], 0) / 255 if inside.any() else _NOMINAL_SKIN
    return np.clip(skin, _MIN_SKIN, 1).astype(np.float32)


def far_from(colours: FloatArray, skin: FloatArray) -> FloatArray:
    """(..., 3) and (3,), RGB in [0, 255] -> (...) how unlike they are: the log of the channel that differs most."""
    return np.asarray(np.abs(np.log((colours + _DARK) / (skin + _DARK))).max(-1), np.float32)


def lit_colours(colours: FloatArray, image: ByteArray, mesh_px: FloatArray) -> FloatArray:
    """The inner parts' colours under the light that the portrait's skin shows, as grey as the portrait is.

    In the tracked clips the inside of an open mouth has 0.7 to 0.8 of the cheek's colour, teeth and tongue nearly alike: light
    that bounces about in there halves the contrasts, hence the root, and takes a part of the skin's tint.
    """
    skin = skin_colour(image, mesh_px)
    chroma = float(np.clip((np.ptp(skin) / skin.mean()) / (np.ptp(_NOMINAL_SKIN) / _NOMINAL_SKIN.mean()), 0, 1))
    tint = np.sqrt(skin / skin.mean())
    light = float(skin.mean() ** _SKIN_LIGHT * _NOMINAL_SKIN.mean() ** (1 - _SKIN_LIGHT))
    grey = colours.mean(1, keepdims=True)
    lit: FloatArray = np.sqrt(grey + chroma * (colours - grey)) * tint * np.float32(light * _INNER_EXPOSURE)
    return lit.astype(np.float32)
