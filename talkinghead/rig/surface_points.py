"""Where the tracker's points lie on somebody's mesh: a triangle and how much of each of its corners.

Knows meshes and where points were seen on them; draws nothing. The user's `mediapipe_landmark_embedding.npz`, which FLAME's
authors give out beside the model, is read too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from talkinghead.errors import InputError
from talkinghead.rig import topology
from talkinghead.rig.flame import JOINTS, Flame
from talkinghead.rig.pose import Array
from talkinghead.types import FloatArray, IntArray

_LOWER: Final = 0.5
"""Of the jaw's largest weight: what follows the jaw more than this is of the lower lip, the rest of the upper."""
_EYE: Final = 0.5
_UPPER_LIP: Final = (*topology.UPPER_LIP_INNER, *topology.UPPER_LIP_OUTER)
_LOWER_LIP: Final = (*topology.LOWER_LIP_INNER, *topology.LOWER_LIP_OUTER)


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """N of the tracker's skin points on a mesh.

    points: (N,) which of the 468. corners: (N, 3) vertices. weights: (N, 3) of the corners, rows that sum to 1.
    """

    points: IntArray
    corners: IntArray
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.points)

    def of(self, vertices: npt.NDArray[np.floating]) -> Array:
        """vertices: (..., V, 3) of a mesh in any shape -> (..., N, 3) where the points are then; of directions likewise."""
        placed: Array = np.einsum("nk,...nkc->...nc", self.weights.astype(np.float64), vertices[..., self.corners, :])
        return placed


def eye_vertices(flame: Flame) -> npt.NDArray[np.bool_]:
    """(V,) which vertices are of an eyeball."""
    weights = flame.weights.cpu().numpy()
    eyes: npt.NDArray[np.bool_] = weights[:, JOINTS.index("left_eye") :].sum(1) > _EYE
    return eyes


def points_from_picture(flame: Flame, seen: FloatArray) -> SurfacePoints:
    """Where the 468 were seen on the neutral head from straight ahead -> where on its surface they are.

    Args:
        flame: the model.
        seen: (468 or more, 2) x, y in metres of the model's own axes.

    Each is the frontmost triangle there that can be meant: eyeballs are not skin, and of lips that touch in the picture the
    upper one does not follow the jaw. Where there is none, it is the nearest vertex of one.
    """
    vertices = flame.template.cpu().numpy().astype(np.float64)
    faces = flame.faces.cpu().numpy()
    corner = vertices[faces]
    across = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    skin = (across[:, 2] > 0) & ~eye_vertices(flame)[faces].any(1)
    jaw = flame.weights[:, JOINTS.index("jaw")].cpu().numpy()
    lower = jaw[faces].mean(1) > _LOWER * max(float(jaw.max()), 1e-6)
    allowed = {**dict.fromkeys(_UPPER_LIP, skin & ~lower), **dict.fromkeys(_LOWER_LIP, skin & lower)}
    corners = np.empty((topology.NUM_SKIN, 3), np.int64)
    weights = np.empty((topology.NUM_SKIN, 3), np.float32)
    for point in range(topology.NUM_SKIN):
        meant = allowed.get(point, skin)
        candidates = faces[meant if meant.any() else skin]
        corners[point], weights[point] = _nearest(vertices, candidates, seen[point, :2].astype(np.float64))
    return SurfacePoints(np.arange(topology.NUM_SKIN), corners, weights)


def _nearest(vertices: Array, faces: IntArray, at: Array) -> tuple[IntArray, FloatArray]:
    """The frontmost of the triangles over a place (2,), or the vertex nearest to it -> (3,) corners, (3,) weights."""
    a, b, c = (vertices[faces[:, k], :2] - at for k in range(3))
    area = _cross(b - a, c - a)
    share = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], 1) / np.where(np.abs(area) < 1e-14, np.inf, area)[:, None]
    over = np.flatnonzero((share.min(1) >= 0) & (share.sum(1) > 0.5))
    if len(over):
        best = over[(share[over] * vertices[faces[over], 2]).sum(1).argmax()]
        return faces[best], share[best].astype(np.float32)
    used = np.unique(faces)
    vertex = used[((vertices[used, :2] - at) ** 2).sum(1).argmin()]
    return np.array([vertex] * 3), np.array([1, 0, 0], np.float32)


def _cross(a: Array, b: Array) -> Array:
    area: Array = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return area


def points_from_embedding(path: Path, flame: Flame) -> SurfacePoints:
    """`mediapipe_landmark_embedding.npz` -> its points (105 of the 468) on FLAME's surface.

    Raises:
        InputError: no such file, or arrays that are not of these names and this model.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            triangle, share, points = (archive[key] for key in ("lmk_face_idx", "lmk_b_coords", "landmark_indices"))
        corners = flame.faces.cpu().numpy()[triangle.astype(np.int64).ravel()]
        points = points.astype(np.int64).ravel()
        if share.shape != (len(points), 3) or len(corners) != len(points) or not np.allclose(share.sum(1), 1, atol=1e-3):
            raise ValueError(f"{len(points)} points, {len(corners)} triangles, weights {share.shape}")
    except (OSError, KeyError, ValueError, IndexError, BadZipFile) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"points {path}: no landmark embedding of this model ({reason}); give FLAME's own "
            "mediapipe_landmark_embedding.npz, or leave it out."
        ) from error
    kept = points < topology.NUM_SKIN
    return SurfacePoints(points[kept], corners[kept], share[kept].astype(np.float32))
