"""Glasses before a moved face, which a mesh that frowns would bend: the skin that they stand before hardly moves.

Knows points; knows no pixels.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead.synthesis.geometry import rigid_map
from talkinghead.synthesis.regions import LEFT_EYE, RIGHT_EYE, SKULL
from talkinghead.types import FloatArray

# By eye, on wearers among photographs.
_LENS_HEIGHT: Final = 0.65
"""Of a lens's width."""
_LENS: Final = ((0.5, 0.75), (1.3, 1.9))
"""Widths of an eye from its middle: where skin begins to be stiff and is, and where it is and ceases to be."""
_STIFF: Final = np.float32(0.8)
"""How much of what moves that skin is left out: brows that stood quite still would look dead."""


def behind_lenses(mesh_px: FloatArray) -> FloatArray:
    """(V, 3) px -> (V,) in [0, 1], how stiff each vertex is behind glasses: the skin round the eyes, not their lids' rims."""
    stiff = np.zeros(len(mesh_px), np.float32)
    (begins, is_stiff), (is_still, ends) = _LENS
    for loop in (RIGHT_EYE, LEFT_EYE):
        middle, along = mesh_px[loop, :2].mean(0), mesh_px[loop[8], :2] - mesh_px[loop[0], :2]
        width = max(1e-3, float(np.linalg.norm(along)))
        axes = np.array([along, [-along[1] / _LENS_HEIGHT, along[0] / _LENS_HEIGHT]], np.float32) / width**2
        away = np.linalg.norm((mesh_px[:468, :2] - middle) @ axes.T, axis=1)
        inner = np.clip((away - begins) / (is_stiff - begins), 0, 1)
        stiff[:468] = np.maximum(stiff[:468], inner * np.clip((ends - away) / (ends - is_still), 0, 1))
    stiff[np.r_[RIGHT_EYE, LEFT_EYE]] = 0
    return _STIFF * stiff


def held_still(target_px: FloatArray, source_px: FloatArray, stiff: FloatArray) -> FloatArray:
    """target_px: (V, 3) px, where a mesh goes from source_px; stiff: (V,) -> that, by so much with the skull alone."""
    skull = rigid_map(source_px, target_px, SKULL)
    held = target_px.copy()
    held[:, :2] += stiff[:, None] * (source_px[:, :2] @ skull[:, :2].T + skull[:, 2] - target_px[:, :2])
    return held
