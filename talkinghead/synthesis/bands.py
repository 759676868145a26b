"""Bands of skin along lines that go from place to place of a mesh: how far along one, and how far beside, each pixel lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from talkinghead.synthesis.geometry import box_around
from talkinghead.synthesis.rasteriser import rasterise
from talkinghead.synthesis.regions import strip
from talkinghead.types import FloatArray

Place = tuple[int, int, float]
"""Two of the mesh's points, and how far from the first to the second."""
REACH: Final = 8.0
"""How far from its line a band reaches, in widths."""
_COLUMNS: Final = 24


@dataclass(frozen=True, eq=False)
class Band:
    """What lies along a line.

    left_top: (top, left) on the canvas. t: (h, w) 0 to 1 of its way. s: (h, w) widths from it, above 0 to the right of its way.
    there: (h, w) 1 on the band.
    """

    left_top: tuple[int, int]
    t: FloatArray
    s: FloatArray
    there: FloatArray

    @staticmethod
    def along(path: tuple[Place, ...], points: FloatArray, width: float, canvas: FloatArray) -> Band | None:
        """points: (468, 2) px on the canvas, (h, w, 3); width: px. None where it is not in the picture."""
        line = _curve(np.array([points[a] + share * (points[b] - points[a]) for a, b, share in path], np.float32))
        way = np.gradient(line, axis=0)
        aside = np.stack([-way[:, 1], way[:, 0]], 1) / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
        rows = np.concatenate([line - REACH * width * aside, line, line + REACH * width * aside])
        box = box_around(rows, 1, canvas)
        if box is None:
            return None
        x0, y0, x1, y1 = box
        t, s = np.tile(np.linspace(0, 1, _COLUMNS), 3), np.repeat([-REACH, 0, REACH], _COLUMNS)
        corners = np.c_[rows - (x0, y0), np.zeros(len(rows))].astype(np.float32)
        values = np.stack([t, s, np.ones(len(rows))], 1).astype(np.float32)
        drawn, _ = rasterise(corners, strip(3, _COLUMNS), values, y1 - y0, x1 - x0)
        return Band((y0, x0), drawn[..., 0], drawn[..., 1], drawn[..., 2])

    def of(self, canvas: FloatArray) -> FloatArray:
        """(h, w) its part of what is known all over the canvas."""
        (top, left), (height, width) = self.left_top, self.there.shape
        return canvas[top : top + height, left : left + width]


def _curve(places: FloatArray) -> FloatArray:
    """(N, 2) -> (`_COLUMNS`, 2) evenly along a smooth line through them."""
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1))])
    degree = min(3, len(places) - 2)
    at = np.linspace(0, way[-1], _COLUMNS)
    return np.stack([np.polyval(np.polyfit(way, column, degree), at) for column in places.T], 1).astype(np.float32)
