"""The lashes and the paint on a lid: the skin without them, and how dark they are. Knows the pixels round one eye."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from talkinghead.types import FloatArray

# By eye.
_THICKEST: Final = 0.1
"""Of the eye's width: what is dark and thinner than this, on skin, is no skin."""
_SKIN_SHADE: Final = 0.06
"""Skin's own texture is darker than what is round it by less than this part."""
_SURE: Final = 4
"""What is a fourth darker than that is no skin at all."""


def without_lashes(picture: FloatArray, eye_px: float) -> tuple[FloatArray, FloatArray]:
    """The skin behind thin dark things: a grey-scale closing of the light, in the hue of what is bright there.

    picture: (h, w, 3) in [0, 255] round an eye that is `eye_px` wide.

    Returns:
        (h, w, 3) without them, and (h, w) how dark they are against the skin, 0 to 1.
    """
    light = picture.mean(-1)
    size = 2 * max(1, round(_THICKEST * eye_px / 2)) + 1
    closed = cv2.morphologyEx(light, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    smooth = cv2.GaussianBlur(closed, (0, 0), size / 4)
    dark = np.clip((1 - light / np.maximum(smooth, 1) - _SKIN_SHADE) / (1 - _SKIN_SHADE), 0, 1)
    # Lashes have no hue, and paint has another.
    bright = (1 - dark) ** 4
    share = np.maximum(cv2.GaussianBlur(bright, (0, 0), size / 2), 1e-3)
    hue = cv2.GaussianBlur(picture * bright[..., None], (0, 0), size / 2) / share[..., None]
    skin = hue * (smooth / np.maximum(hue.mean(-1), 1))[..., None]
    part = np.clip(_SURE * dark, 0, 1)[..., None]
    return np.asarray(picture + part * (skin - picture), np.float32), np.asarray(dark, np.float32)
