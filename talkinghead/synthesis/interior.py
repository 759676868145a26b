"""What lies behind lips: teeth, tongue and cavity as the rig has them, under the portrait's light.

What becomes of them is for `synthesis.mouth`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from talkinghead.synthesis.geometry import far_blurred, polygon_mask
from talkinghead.synthesis.rasteriser import rasterise, vertex_normals
from talkinghead.synthesis.regions import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from talkinghead.types import UPRIGHT, ByteArray, FloatArray, IntArray

if TYPE_CHECKING:
    from talkinghead.synthesis.topology import MeshTopology

# All these were set by eye, unless something else is said.
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
CHEEKS: Final = np.array([50, 280, 205, 425, 101, 330, 36, 266])
_NOMINAL_SKIN: Final = np.array([0.80, 0.67, 0.60], np.float32)
"""RGB of the cheek under which the rig's inner parts have their own colours."""
_INNER_EXPOSURE: Final = 1.06
"""Held to the measure that `lit_colours` names."""
_SKIN_LIGHT: Final = 0.6
"""Exponent of the skin's brightness in that of the mouth: teeth in a dark face are lighter than its skin."""


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
    facing = vertex_normals(target_px * UPRIGHT, topology.inner)[:, 2]
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


def skin_colour(image: ByteArray, mesh_px: FloatArray, points: IntArray = CHEEKS) -> FloatArray:
    """(3,) RGB of the cheeks, or at other points, in [0, 1]; the nominal one when none of them is in the picture."""
    cheeks = mesh_px[points, :2].round().astype(int)
    height, width = image.shape[:2]
    inside = (cheeks >= 0).all(1) & (cheeks < (width, height)).all(1)
    skin = np.median(image[cheeks[inside, 1], cheeks[inside, 0]], 0) / 255 if inside.any() else _NOMINAL_SKIN
    return np.clip(skin, _MIN_SKIN, 1).astype(np.float32)


def far_from(colours: FloatArray, skin: FloatArray) -> FloatArray:
    """(..., 3) and (3,), RGB in [0, 255] -> (...) how unlike they are: the log of the channel that differs most."""
    return np.asarray(np.abs(np.log((colours + _DARK) / (skin + _DARK))).max(-1), np.float32)


def skin_likeness(colours: FloatArray, skin: FloatArray, near: float, far: float) -> FloatArray:
    """(..., 3) and (3,), RGB in [0, 255] -> (...) 1 up to `near` of the skin, 0 from `far` on, both as `far_from`."""
    return np.asarray(np.clip((far - far_from(colours, skin)) / (far - near), 0, 1), np.float32)


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
