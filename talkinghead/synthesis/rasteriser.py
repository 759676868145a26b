"""Triangles -> per-pixel attributes with a depth test, compiled by numba.

Knows pixels and triangles; knows nothing of faces. Depth grows away from the camera, nearest wins.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from talkinghead.types import FloatArray, IntArray

_SLACK: Final = 1e-3
"""Pixels by which a triangle reaches over its edge, that no rounding leaves a crack between two."""


@numba.njit(cache=True, fastmath=True, boundscheck=False, nogil=True)
def _fill(
    points: FloatArray, faces: IntArray, attributes: FloatArray, out: FloatArray, depth: FloatArray
) -> None:  # pragma: no cover
    height, width = depth.shape
    channels = attributes.shape[1]
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-6:
            continue
        y0 = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        # Barycentric coordinates are linear in the pixel's place: u = u0 + ux * x + uy * y, and so v.
        ux, uy = np.float32((by - cy) / area), np.float32((cx - bx) / area)
        vx, vy = np.float32((cy - ay) / area), np.float32((ax - cx) / area)
        left, right = min(ax, bx, cx), max(ax, bx, cx)
        for y in range(y0, y1 + 1):
            u_row = np.float32(uy * (y + 0.5 - cy) - ux * cx)
            v_row = np.float32(vy * (y + 0.5 - cy) - vx * cx)
            # Between which columns all three are positive; each edge bounds them from the one side or the other.
            low, high = left, right
            for row, slope in ((u_row, ux), (v_row, vx), (np.float32(1) - u_row - v_row, -ux - vx)):
                if slope > 1e-9:
                    low = max(low, -row / slope)
                elif slope < -1e-9:
                    high = min(high, -row / slope)
            x0 = max(0, int(np.ceil(low - 0.5 - _SLACK)))
            x1 = min(width - 1, int(np.floor(high - 0.5 + _SLACK)))
            for x in range(x0, x1 + 1):
                u = u_row + ux * np.float32(x + 0.5)
                v = v_row + vx * np.float32(x + 0.5)
                w = np.float32(1.0) - u - v
                z = u * points[a, 2] + v * points[b, 2] + w * points[c, 2]
                if z < depth[y, x]:
                    depth[y, x] = z
                    for k in range(channels):
                        out[y, x, k] = u * attributes[a, k] + v * attributes[b, k] + w * attributes[c, k]


def rasterise(
    points: FloatArray, faces: IntArray, attributes: FloatArray, height: int, width: int
) -> tuple[FloatArray, FloatArray]:
    """points: (V, 3) px, pixel (0, 0) covers [0, 1) x [0, 1); faces: (F, 3); attributes: (V, A).

    Returns:
        (height, width, A) float32 interpolated attributes, 0 where nothing is; and (height, width) depth, inf there.
    """
    out = np.zeros((height, width, attributes.shape[1]), np.float32)
    # Not inf: fastmath lets the compiler take it that there is none.
    nothing = np.finfo(np.float32).max
    depth = np.full((height, width), nothing, np.float32)
    _fill(
        np.ascontiguousarray(points, np.float32),
        np.ascontiguousarray(faces, np.int64),
        np.ascontiguousarray(attributes, np.float32),
        out,
        depth,
    )
    depth[depth == nothing] = np.inf
    return out, depth


def vertex_normals(vertices: FloatArray, faces: IntArray) -> FloatArray:
    """vertices: (V, 3) with y up, z to the viewer, faces anticlockwise from outside -> (V, 3) unit normals."""
    total = np.zeros((len(vertices), 3), np.float32)
    _add_normals(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int64), total)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit: FloatArray = total / np.maximum(length, np.float32(1e-12))
    return unit


@numba.njit(cache=True, boundscheck=False, nogil=True)
def _add_normals(vertices: FloatArray, faces: IntArray, total: FloatArray) -> None:  # pragma: no cover
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        normal = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
        for corner in (a, b, c):
            for k in range(3):
                total[corner, k] += normal[k]
