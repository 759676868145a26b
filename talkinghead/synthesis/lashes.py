"""The lashes and the paint on a lid: the skin without them, and how dark they are. Knows the pixels round one eye."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from talkinghead.types import FloatArray

# By eye.
_THICKEST: Final = 0.1
"""Of the eye's width: what is dark and thinner than this, on skin, is no skin."""
_SKIN_SHADE: Final = 0.06
"""Skin's own texture is darker than what is round it by less than this part."""
_SEEN: Final = 0.05
"""From so dark on what touches is one thing."""
_ROOT: Final = 0.06
"""Of the eye's width, how near the rim a lash begins."""
_SURE: Final = 4
"""What is a fourth darker than that is no skin at all."""


def without_lashes(picture: FloatArray, eye_px: float, rim: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The skin behind thin dark things on a lid: a grey-scale closing of the light, in the hue of what is bright there.

    picture: (h, w, 3) in [0, 255] round an eye that is `eye_px` wide; rim: (N, 2) px of its upper lid, on which lashes stand.
    What does not touch it is none, nor what goes on beyond the picture: a strand of hair, the frame of glasses.

    Returns:
        (h, w, 3) without them, and (h, w) how dark they are against the skin, 0 to 1.
    """
    light = picture.mean(-1)
    size = 2 * max(1, round(_THICKEST * eye_px / 2)) + 1
    closed = cv2.morphologyEx(light, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    smooth = cv2.GaussianBlur(closed, (0, 0), size / 4)
    dark = np.clip((1 - light / np.maximum(smooth, 1) - _SKIN_SHADE) / (1 - _SKIN_SHADE), 0, 1)
    dark = dark * _standing(dark > _SEEN, rim, max(1, round(_ROOT * eye_px)))
    # Lashes have no hue, and paint has another.
    bright = (1 - dark) ** 4
    share = np.maximum(cv2.GaussianBlur(bright, (0, 0), size / 2), 1e-3)
    hue = cv2.GaussianBlur(picture * bright[..., None], (0, 0), size / 2) / share[..., None]
    skin = hue * (smooth / np.maximum(hue.mean(-1), 1))[..., None]
    part = np.clip(_SURE * dark, 0, 1)[..., None]
    return np.asarray(picture + part * (skin - picture), np.float32), np.asarray(dark, np.float32)


def _standing(dark: Any, rim: FloatArray, reach: int) -> FloatArray:
    """(h, w) bool -> 1 where it hangs together with the rim and not with the picture's border, softly, else 0."""
    seed = cv2.polylines(np.zeros(dark.shape, np.uint8), [rim.round().astype(np.int32)], False, 1, 2 * reach + 1) > 0
    _, labels = cv2.connectedComponents(dark.astype(np.uint8))
    touching = np.unique(labels[seed])
    beyond = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    standing = np.isin(labels, np.setdiff1d(touching, np.append(beyond, 0))).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(cv2.dilate(standing, np.ones((3, 3), np.uint8)), (0, 0), 1.0), np.float32)
