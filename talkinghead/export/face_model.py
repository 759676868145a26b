"""The rig as other tools want one: meshes with named targets, each vertex on one joint, and a skeleton of head and eyes.

A target is the rig's shape at 1. What the rig bends is straight here: lower teeth and tongue go down on a line instead of an
arc (1.0 mm apart at most), and lids that blink while they squint or follow the look add up instead of meeting (3.5 mm at
most in the example's sentence, happy). The soft ring of hair and neck, which belongs to a picture, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.rig.face_rig import FaceRig, ball_centre
from talkinghead.types import FloatArray, IntArray

SKIN: Final = np.array([0.78, 0.74, 0.72], np.float32)
JOINTS: Final = ("Head", "LeftEye", "RightEye")
"""The eyes hang on the head; the head's joint is between the ears, where the head turns."""

_MESHES: Final = {
    "Face": ("skin", "mouth_cavity"),
    "LowerTeeth": ("lower_teeth", "tongue"),
    "UpperTeeth": ("upper_teeth",),
    "Eyes": ("eyeball_left", "eyeball_right"),
}
_JOINT_OF: Final = {"eyeball_left": 1, "eyeball_right": 2}
_STILL_M: Final = 1e-6


@dataclass(frozen=True, eq=False)
class FaceModelMesh:
    """One mesh at rest.

    vertices, normals: (V, 3) m. faces: (F, 3) int64. colours: (V, 3) in [0, 1], sRGB. joint: (V,) index into `JOINTS`.
    targets: ARKit name -> (V, 3) m; the face has all 52, other parts those that move them.
    """

    name: str
    vertices: FloatArray
    faces: IntArray
    normals: FloatArray
    colours: FloatArray
    joint: IntArray
    targets: dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class FaceModel:
    """meshes: at rest. places: (3, 3) m where the joints are then, in `JOINTS`' order."""

    meshes: list[FaceModelMesh]
    places: FloatArray


def model_of(rig: FaceRig) -> FaceModel:
    """The rig's neutral face."""
    return FaceModel(meshes_of(rig), joint_places(rig))


def joint_places(rig: FaceRig) -> FloatArray:
    """(3, 3) m where the joints stand at rest, in `JOINTS`' order."""
    eyes = [ball_centre(rig.neutral[rig.part(f"eyeball_{side}")]) for side in ("left", "right")]
    return np.stack([np.zeros(3), *eyes]).astype(np.float32)


def meshes_of(rig: FaceRig) -> list[FaceModelMesh]:
    """Every mesh of the rig."""
    targets = _targets(rig)
    return [_mesh(rig, name, parts, targets) for name, parts in _MESHES.items()]


def _targets(rig: FaceRig) -> FloatArray:
    """(52, V, 3) m: what each coefficient does alone at 1."""
    straight = np.zeros((len(arkit.BLENDSHAPES), 2), np.float32)
    alone = rig.express(np.eye(len(arkit.BLENDSHAPES), dtype=np.float32), straight, rig.neutral) - rig.neutral
    alone[list(arkit.EYE_LOOK)] = rig.deltas[list(arkit.EYE_LOOK)]  # the rig takes these from the gaze
    return alone


def _mesh(rig: FaceRig, name: str, parts: tuple[str, ...], targets: FloatArray) -> FaceModelMesh:
    kept = np.concatenate([np.arange(*rig.parts[part]) for part in parts])
    joint = np.concatenate([np.full(np.ptp(rig.parts[part]), _JOINT_OF.get(part, 0)) for part in parts])
    number = np.full(len(rig.neutral), -1)
    number[kept] = np.arange(len(kept))
    faces = number[np.concatenate([rig.faces[slice(*rig.part_faces[part])] for part in parts])]
    vertices = rig.neutral[kept]
    moving = {key: targets[index, kept] for index, key in enumerate(arkit.BLENDSHAPES)}
    if name != "Face":
        moving = {key: delta for key, delta in moving.items() if np.abs(delta).max() > _STILL_M}
    colours = np.where(rig.colours[kept].any(1, keepdims=True), rig.colours[kept], SKIN)
    return FaceModelMesh(name, vertices, faces, normals_of(vertices, faces), colours, joint, moving)


def normals_of(vertices: FloatArray, faces: IntArray) -> FloatArray:
    """(V, 3) unit, the mean of the faces round a vertex by their size."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros(vertices.shape, np.float64)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], across)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: FloatArray = np.where(length > 0, normals / np.where(length > 0, length, 1), (0, 0, 1)).astype(np.float32)
    return unit
