"""How the vertices of a face mesh are joined, and where an upright face stands in the aligned crop. Knows no picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from talkinghead.synthesis.geometry import ALIGNED_WIDTH
from talkinghead.synthesis.regions import INNER_LIPS, LEFT_EYE, RIGHT_EYE, fan
from talkinghead.types import FloatArray, IntArray

ALIGNED_PX_PER_M: Final = 900.0
_ALIGNED_TOP_PX: Final = 4.0
_TOOTH_M: Final = 0.017
"""From a tooth's edge to where it does not follow it any more, deep in the gum."""
_GUM_CHROMA: Final = 0.2
"""Range of RGB in [0, 1]: the rig's colours of gum have more, of teeth less."""


@dataclass(frozen=True, eq=False)
class MeshTopology:
    """How the vertices of a face mesh are joined.

    skin: (F, 3) the tracker's 468 points; ring: (F, 3) the soft shell round it; inner: (F, 3) teeth, tongue and cavity.
    colours: (V, 3) RGB in [0, 1] of the inner parts.
    neutral: (V, 3) m, the generic face, that says where an upright face stands in the aligned crop.
    upper_teeth, lower_teeth, tongue: which vertices each row of teeth is, and which the tongue.
    """

    skin: IntArray
    ring: IntArray
    inner: IntArray
    colours: FloatArray
    neutral: FloatArray
    upper_teeth: slice
    lower_teeth: slice
    tongue: slice

    @cached_property
    def closed_skin(self) -> IntArray:
        """The skin with eye and mouth openings filled, so that the displacement has no hole."""
        return np.concatenate([self.skin, fan(INNER_LIPS), fan(RIGHT_EYE), fan(LEFT_EYE)])

    @cached_property
    def tooth_number(self) -> FloatArray:
        """(V, 1) which tooth a vertex is of, each a piece of the mesh by itself and a number above 0; 0 for what is none."""
        count = len(self.colours)
        ends = self.inner[:, [0, 1, 2, 0]]
        pairs = np.stack([ends[:, :3].ravel(), ends[:, 1:].ravel()])
        joined = coo_array((np.ones(pairs.shape[1]), pairs), shape=(count, count))
        piece = connected_components(joined, directed=False)[1]
        number = np.zeros((count, 1), np.float32)
        for row in (self.upper_teeth, self.lower_teeth):
            tooth = np.ptp(self.colours[row], axis=1) < _GUM_CHROMA
            number[row, 0] = np.where(tooth, piece[row] + 1, 0)
        return number

    @cached_property
    def hanging(self) -> FloatArray:
        """(V,) how far each vertex follows its row of teeth out of the gum: 1 at the edge that bites, 0 at the root."""
        follows = np.zeros(len(self.neutral), np.float32)
        for row, way in ((self.upper_teeth, 1), (self.lower_teeth, -1)):
            height = way * self.neutral[row, 1]
            follows[row] = np.clip(1 - (height - height.min(initial=np.inf)) / _TOOTH_M, 0, 1)
        return follows

    @cached_property
    def layout_px(self) -> FloatArray:
        """(V, 2) where the generic face's vertices stand in the aligned crop."""
        top = self.neutral[:468, 1].max()
        x = ALIGNED_WIDTH / 2 + self.neutral[:, 0] * ALIGNED_PX_PER_M
        y = _ALIGNED_TOP_PX + (top - self.neutral[:, 1]) * ALIGNED_PX_PER_M
        return np.stack([x, y], 1).astype(np.float32)
