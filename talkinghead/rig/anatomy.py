"""What is not skin: eyeballs, tongue, the lining of the mouth, and the soft ring of hair, neck and shoulders.

Makes each part once for the neutral rig, left-right symmetric, and places all parts in a person's face. Teeth come from a
scan (see `scripts/build_rig.py`); here they are only placed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from talkinghead.rig import topology
from talkinghead.rig.gaze import Eyeball
from talkinghead.rig.pose import Array
from talkinghead.types import FloatArray, IntArray

RING_REACH: Final = (1.18, 1.45, 1.8, 2.25)
RING_BACK_M: Final = (0.018, 0.045, 0.07, 0.09)
_RING_WEIGHT_UP: Final = (1.0, 0.92, 0.5, 0.0)
_RING_WEIGHT_DOWN: Final = (0.75, 0.4, 0.12, 0.0)
CAVITY_LEVELS: Final = 5
_MOUTH_ANCHOR: Final = (2, 98, 327, 164, 61, 291)

SCLERA, IRIS, PUPIL = (0.90, 0.88, 0.86), (0.32, 0.22, 0.14), (0.03, 0.02, 0.02)
TOOTH, GUM, TONGUE = (0.90, 0.87, 0.80), (0.72, 0.40, 0.38), (0.68, 0.32, 0.32)
CAVITY_FRONT, CAVITY_BACK = (0.36, 0.13, 0.13), (0.05, 0.015, 0.015)


@dataclass(frozen=True, eq=False)
class Part:
    """vertices: (V, 3) m; faces: (F, 3) counted from the part's first vertex; colours: (V, 3) in [0, 1]."""

    vertices: FloatArray
    faces: IntArray
    colours: FloatArray


def _grid_faces(num_rows: int, num_columns: int, closed: bool) -> IntArray:
    """Two triangles a cell of a grid numbered row by row; `closed` joins the last column to the first."""
    columns = num_columns if closed else num_columns - 1
    r, c = (index.ravel() for index in np.mgrid[0 : num_rows - 1, 0:columns])
    right = (c + 1) % num_columns
    a, b, d, e = r * num_columns + c, r * num_columns + right, (r + 1) * num_columns + c, (r + 1) * num_columns + right
    return np.concatenate([np.stack([a, d, b], -1), np.stack([b, d, e], -1)]).astype(np.int64)


def eyeball(ball: Eyeball, num_around: int = 16, iris_share: float = 0.4) -> Part:
    """A sphere that looks along +z; the first vertex is the middle of the pupil, the last the back."""
    angles = np.arcsin(np.array([0.0, 0.16, 0.18, 0.38, iris_share, 0.7, 0.95]))
    angles = np.r_[angles, np.pi / 2 + 0.2, np.pi * 0.75, np.pi]
    turn = np.arange(num_around) * 2 * np.pi / num_around
    rings = [
        np.stack([np.sin(a) * np.cos(turn), np.sin(a) * np.sin(turn), np.full(num_around, np.cos(a))], -1) for a in angles[1:-1]
    ]
    vertices = np.concatenate([[[0, 0, 1.0]], *rings, [[0, 0, -1.0]]]) * ball.radius + ball.centre
    body = _grid_faces(len(rings), num_around, closed=True) + 1
    k = np.arange(num_around)
    front = np.stack([np.zeros_like(k), 1 + k, 1 + (k + 1) % num_around], -1)
    last = len(vertices) - 1
    back = np.stack([np.full_like(k, last), last - num_around + (k + 1) % num_around, last - num_around + k], -1)
    colour_of_ring = [PUPIL, IRIS, IRIS] + [SCLERA] * (len(rings) - 3)
    colours = np.concatenate([[PUPIL], *[np.tile(c, (num_around, 1)) for c in colour_of_ring], [SCLERA]])
    return Part(vertices.astype(np.float32), np.concatenate([front, body, back]), colours.astype(np.float32))


def tongue(tip: Array, root: Array, half_width: float, num_across: int = 11, num_along: int = 12) -> Part:
    """A rounded slab from root (throat) to tip (behind the lower front teeth), arched upwards, with a groove."""
    along = np.linspace(0, 1, num_along)
    across = np.linspace(-1, 1, num_across)
    width = half_width * np.sqrt(np.clip(1 - np.clip((along - 0.45) / 0.56, 0, 1) ** 2.6, 0.003, 1))
    spine = root + (tip - root) * along[:, None]
    spine[:, 1] += half_width * 0.55 * np.sin(np.pi * along) ** 0.8
    top = np.zeros((num_along, num_across, 3))
    top[..., 0] = width[:, None] * across
    top[..., 1] = spine[:, 1, None] - 0.42 * width[:, None] * across**2 - 0.06 * half_width * np.exp(-((across / 0.15) ** 2))
    top[..., 2] = spine[:, 2, None] - 0.25 * half_width * across**2 * along[:, None] ** 4
    vertices = top.reshape(-1, 3)
    faces = _grid_faces(num_along, num_across, closed=False)
    shade = 0.55 + 0.45 * np.repeat(along, num_across)
    return Part(vertices.astype(np.float32), faces, (shade[:, None] * np.array(TONGUE)).astype(np.float32))


def mouth_cavity(skin: FloatArray, throat: Array) -> Part:
    """A bag behind the lips: rings of 20 from the opening, wider at the cheeks, closing at the throat."""
    lips = skin[list(topology.INNER_LIPS)].astype(np.float64)
    centre = lips.mean(0)
    rings = []
    for level in range(CAVITY_LEVELS):
        depth = level / (CAVITY_LEVELS - 1)
        spread = (1.0, 1.25, 1.35, 1.1, 0.5)[level]
        ring = (1 - depth) * centre + depth * throat + (lips - centre) * spread
        # At rest the lips are shut; the bag behind them is not, or the teeth would stand outside it.
        bulge = np.array([0, 1, 1, 0.8, 0.4])[level] * 0.018
        angle = np.arange(20) * 2 * np.pi / 20
        ring[:, 1] += bulge * np.sin(angle)
        ring[:, 2] -= 0.002 if level == 0 else 0
        rings.append(ring)
    vertices = np.concatenate([*rings, throat[None]])
    body = _grid_faces(CAVITY_LEVELS, 20, closed=True)
    k = np.arange(20)
    back = np.stack(
        [(CAVITY_LEVELS - 1) * 20 + k, np.full(20, CAVITY_LEVELS * 20), (CAVITY_LEVELS - 1) * 20 + (k + 1) % 20], -1
    )
    depth_of = np.r_[np.repeat(np.linspace(0, 1, CAVITY_LEVELS), 20), 1.0][:, None] ** 0.7
    colours = (1 - depth_of) * np.array(CAVITY_FRONT) + depth_of * np.array(CAVITY_BACK)
    return Part(vertices.astype(np.float32), np.concatenate([body, back]), colours.astype(np.float32))


def cavity_follow() -> FloatArray:
    """(20 * levels + 1, 20) how each vertex of the cavity follows the 20 inner lip points."""
    follow = np.zeros((CAVITY_LEVELS * 20 + 1, 20), np.float32)
    for level in range(CAVITY_LEVELS):
        follow[level * 20 : (level + 1) * 20] = np.eye(20) * (1 - level / (CAVITY_LEVELS - 1)) ** 0.5
    return follow


def ring_vertices(skin: FloatArray) -> FloatArray:
    """skin: (468 or more, 3) -> (4 * 36, 3) shells round the face oval, nearest first, each behind the one before."""
    oval = skin[list(topology.FACE_OVAL)].astype(np.float64)
    centre = oval.mean(0)
    size = np.linalg.norm(oval[9] - oval[27]) / 0.153
    flat = np.r_[oval[:, 2].mean() * 0 + np.median(oval[:, 2])]
    shells = []
    for reach, back in zip(RING_REACH, RING_BACK_M, strict=True):
        shell = centre + (oval - centre) * reach
        near = np.clip((RING_REACH[2] - reach) / (RING_REACH[2] - 1), 0, 1)
        shell[:, 2] = near * oval[:, 2] + (1 - near) * np.minimum(flat, oval[:, 2].min() + 0.03 * size) - back * size
        shells.append(shell)
    vertices: FloatArray = np.concatenate(shells).astype(np.float32)
    return vertices


def ring_weights() -> FloatArray:
    """(4 * 36,) how much each shell vertex follows the head: the crown fully, the neck in part, shoulders and wall not."""
    turn = np.arange(36) * 2 * np.pi / 36
    down = np.clip((-np.cos(turn) - 0.2) / 0.6, 0, 1)
    down = down * down * (3 - 2 * down)
    weights = [(1 - down) * up + down * low for up, low in zip(_RING_WEIGHT_UP, _RING_WEIGHT_DOWN, strict=True)]
    return np.concatenate(weights).astype(np.float32)


def ring_faces(first: int) -> IntArray:
    """Triangles from the face oval (skin indices) through the four shells whose first vertex is `first`."""
    numbers = np.concatenate([np.array(topology.FACE_OVAL), first + np.arange(4 * 36)])
    joined: IntArray = numbers[_grid_faces(5, 36, closed=True)]
    return joined


def mouth_frame(skin: FloatArray) -> tuple[Array, Array]:
    """skin: (..., 468 or more, 3) of one person -> where the mouth's inside hangs (3,), and (2,) m face width, lips to chin."""
    points = skin.astype(np.float64)
    width, height = (np.linalg.norm(points[a] - points[b]) for a, b in ((234, 454), (13, 152)))
    anchor = points[list(_MOUTH_ANCHOR)].mean(0)
    anchor[2] = points[[13, 14], 2].min()  # in depth it hangs behind the lips, however flat the face
    return anchor, np.array([width, height])
