"""ICT-FaceKit's expressions and identities carried to the tracker's 468 points, and its teeth to a few hundred vertices.

Needed only to rebuild the rig, with extra `rig`. Source: Li et al., "Learning Formation of Physically-Based Face Attributes",
CVPR 2020; ICT-FaceKit's light model, copyright USC Institute for Creative Technologies, MIT licence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import DependencyError, install_command
from talkinghead.landmarks import IBUG_TO_MESH
from talkinghead.procrustes import similarity
from talkinghead.rig import anatomy, topology
from talkinghead.rig.pose import Array
from talkinghead.types import FloatArray

_NUM_FACE: Final = 9409  # ICT's first part, "face"; the sockets behind lids and lips come later
_RBF_SMOOTHING: Final = 0.02
_NUM_NEIGHBOURS: Final = 4
_HALF_TOOTH_ROW_FACES: Final = 420
_HALF_GUM_FACES: Final = 130


@dataclass(frozen=True, eq=False)
class IctModel:
    """ICT-FaceKit in metres and in our axes, moved and scaled onto our neutral.

    neutral: (26719, 3) m; expressions: name -> (26719, 3) m; identities: (100, 26719, 3) m; faces: (F, 4), -1 for triangles.
    """

    neutral: Array
    expressions: dict[str, Array]
    identities: FloatArray
    faces: Any
    part_vertices: dict[str, tuple[int, int]]
    part_faces: dict[str, tuple[int, int]]


def load_ict(path: Path, neutral: Array) -> tuple[IctModel, Array]:
    """Reads the npz -> the model on our neutral (468 or more, 3), and (68, 3) where its landmarks lie."""
    data = np.load(path, allow_pickle=False)
    raw = data["neutral"].astype(np.float64)
    landmarks = data["landmarks68"]
    inner = slice(17, 68)  # the jaw line slides with the silhouette and is no landmark
    rotation, scale, shift = similarity(raw[landmarks][inner], neutral[list(IBUG_TO_MESH)][inner])
    rotation = _about_x(rotation)
    shift = (neutral[list(IBUG_TO_MESH)][inner] - scale * raw[landmarks][inner] @ rotation.T).mean(0)
    shift[0] = 0
    carry = scale * rotation.T
    names = [str(name) for name in data["expression_names"]]
    deltas = data["expression_deltas"]
    model = IctModel(
        raw @ carry + shift,
        {name: deltas[i].astype(np.float64) @ carry for i, name in enumerate(names)},
        (data["identity_deltas"].astype(np.float32) @ carry.astype(np.float32)),
        data["faces"],
        {str(n): (int(a), int(b)) for n, (a, b) in zip(data["part_names"], data["part_vertices"], strict=True)},
        {str(n): (int(a), int(b)) for n, (a, b) in zip(data["part_names"], data["part_faces"], strict=True)},
    )
    return model, model.neutral[landmarks]


def _about_x(rotation: Array) -> Array:
    """The part of a rotation that keeps left-right symmetry: a turn about x."""
    angle = np.arctan2(rotation[2, 1] - rotation[1, 2], rotation[1, 1] + rotation[2, 2])
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])


def correspond(model: IctModel, landmarks: Array, neutral: Array) -> Any:
    """(468, 26719) sparse rows that sum to 1: where each of our skin points lies on ICT's neutral face."""
    import scipy.sparse as sparse
    from scipy.interpolate import RBFInterpolator
    from scipy.spatial import cKDTree

    chosen = np.array(IBUG_TO_MESH)[17:]
    warp = RBFInterpolator(neutral[chosen] * 100, landmarks[17:] * 100, kernel="thin_plate_spline", smoothing=_RBF_SMOOTHING)
    placed = warp(neutral[: topology.NUM_SKIN] * 100) / 100
    face = model.neutral[:_NUM_FACE]
    allowed = np.ones((topology.NUM_SKIN, _NUM_FACE), bool)
    drop = model.expressions["jawOpen"][:_NUM_FACE, 1]
    lower = drop < 0.55 * drop[np.linalg.norm(face - landmarks[57], axis=1).argmin()]
    _restrict(allowed, (*topology.UPPER_LIP_INNER, *topology.UPPER_LIP_OUTER), ~lower)
    _restrict(allowed, (*topology.LOWER_LIP_INNER, *topology.LOWER_LIP_OUTER), lower)
    closing = model.expressions["eyeBlink_L"][:_NUM_FACE, 1] + model.expressions["eyeBlink_R"][:_NUM_FACE, 1]
    _restrict(allowed, (*topology.UPPER_LID_RIGHT, *topology.UPPER_LID_LEFT), closing < -0.0004)
    _restrict(allowed, (*topology.LOWER_LID_RIGHT, *topology.LOWER_LID_LEFT), closing > -0.0002)
    rows, columns, values = [], [], []
    for point in range(topology.NUM_SKIN):
        candidates = np.flatnonzero(allowed[point])
        distance, near = cKDTree(face[candidates]).query(placed[point], k=_NUM_NEIGHBOURS)
        weight = 1 / (distance + 1e-4) ** 2
        rows += [point] * _NUM_NEIGHBOURS
        columns += candidates[near].tolist()
        values += (weight / weight.sum()).tolist()
    return sparse.csr_matrix((values, (rows, columns)), shape=(topology.NUM_SKIN, len(model.neutral)))


def _restrict(allowed: Any, points: tuple[int, ...], where: Any) -> None:
    for point in points:
        allowed[point] &= where


def skin_deltas(model: IctModel, rows: Any, mirror: Any) -> Array:
    """(52, 468, 3) m, ARKit order, exactly symmetric."""
    deltas = np.zeros((len(arkit.BLENDSHAPES), topology.NUM_SKIN, 3))
    for index, name in enumerate(arkit.BLENDSHAPES):
        for source in _sources(name):
            if source in model.expressions:
                deltas[index] += rows @ model.expressions[source]
    return symmetric(deltas, mirror)


def _sources(name: str) -> tuple[str, ...]:
    if name in ("browInnerUp", "cheekPuff"):
        return (f"{name}_L", f"{name}_R")
    if name.startswith(("jaw", "mouthLeft", "mouthRight")) and name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return (name,)
    if name.endswith("Left"):
        return (name[:-4] + "_L",)
    if name.endswith("Right"):
        return (name[:-5] + "_R",)
    return (name,)


def symmetric(deltas: Array, mirror: Any) -> Array:
    """deltas: (52, V, 3) -> the mean of itself and its mirror image, ARKit's left and right exchanged."""
    reflected = deltas[list(arkit.MIRROR)][:, mirror] * np.array([-1, 1, 1])
    mean: Array = (deltas + reflected) / 2
    return mean


def teeth(model: IctModel, jaw: str) -> anatomy.Part:
    """jaw: "upper" or "lower" -> the front fourteen teeth and the gum around them, left and right alike."""
    rows = [name for name in model.part_vertices if name.startswith("tooth") and jaw in name and "3rd" not in name]
    left = [model.part_faces[name] for name in rows if name.endswith("left")]
    tooth_faces = np.concatenate([_triangles(model.faces[a:b]) for a, b in left])
    first, end = model.part_faces["gums_and_tongue"]
    gum = _triangles(model.faces[first:end])
    middle = model.neutral[gum].mean(1)
    tooth_points = model.neutral[np.unique(tooth_faces)]
    low, high = tooth_points.min(0), tooth_points.max(0)
    moves = np.abs(model.expressions["jawOpen"][gum]).max((1, 2)) > 1e-5
    belongs = moves == (jaw == "lower")
    # The outer face of the gum only: the palate and the tongue are elsewhere.
    inside = (middle[:, 0] > -1e-9) & (middle[:, 2] > low[2] - 0.002) & (middle[:, 1] > low[1] - 0.004)
    inside &= middle[:, 1] < high[1] + 0.004
    arch = np.array([np.abs(tooth_points[:, :2:1] - m[:2]).sum(1).min() for m in middle])
    normal = np.cross(model.neutral[gum[:, 1]] - model.neutral[gum[:, 0]], model.neutral[gum[:, 2]] - model.neutral[gum[:, 0]])
    outwards = normal[:, 2] + 0.8 * normal[:, 0] > 0
    gum = gum[belongs & inside & outwards & (arch < 0.006)]
    pieces = [(tooth_faces, _HALF_TOOTH_ROW_FACES, anatomy.TOOTH), (gum, _HALF_GUM_FACES, anatomy.GUM)]
    return _mirrored([_decimated(model.neutral, faces, count, colour) for faces, count, colour in pieces])


def _triangles(faces: Any) -> Any:
    quads = faces[faces[:, 3] >= 0]
    return np.concatenate([faces[:, :3], quads[:, [0, 2, 3]]])


def _decimated(vertices: Array, faces: Any, count: int, colour: tuple[float, float, float]) -> anatomy.Part:
    try:
        import fast_simplification  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise DependencyError(f"fast-simplification is not installed; run: {install_command('rig')}.") from error
    used, numbers = np.unique(faces, return_inverse=True)
    points = (vertices[used] * 100).astype(np.float32)
    fewer, triangles = fast_simplification.simplify(points, numbers.reshape(-1, 3).astype(np.int32), target_count=count)
    fewer = fewer / 100
    fewer[:, 0] = np.maximum(fewer[:, 0], 0)
    colours = np.tile(np.array(colour, np.float32), (len(fewer), 1))
    return anatomy.Part(fewer.astype(np.float32), triangles.astype(np.int64), colours)


def _mirrored(halves: list[anatomy.Part]) -> anatomy.Part:
    vertices, faces, colours = [], [], []
    count = 0
    for half in halves:
        for side in (1, -1):
            vertices.append(half.vertices * np.array([side, 1, 1], np.float32))
            faces.append((half.faces if side == 1 else half.faces[:, ::-1]) + count)
            colours.append(half.colours)
            count += len(half.vertices)
    return anatomy.Part(np.concatenate(vertices), np.concatenate(faces), np.concatenate(colours))
