"""Triangles -> per-pixel attributes with a depth test, compiled by numba.

Knows pixels and triangles; knows nothing of faces. Depth grows away from the camera, nearest wins.
"""

from __future__ import annotations

import numba
import numpy as np

from talkinghead.types import FloatArray, IntArray


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
        x0 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
        x1 = min(width - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        y0 = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                u = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
                v = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
                w = 1.0 - u - v
                if u < -1e-5 or v < -1e-5 or w < -1e-5:
                    continue
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
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, faces[:, k], normal)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit: FloatArray = (total / np.maximum(length, 1e-12)).astype(np.float32)
    return unit
