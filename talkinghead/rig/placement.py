"""A fitted face and a motion -> where the rig's mesh stands in the picture. Knows no pixels' colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import FittedFace, project
from talkinghead.types import FaceMotion, FloatArray

MESH_CHUNK: Final = 32


def meshes_of(rig: FaceRig, motion: FaceMotion, face: FittedFace) -> Iterator[FloatArray]:
    """(V, 3) px a frame; a short stretch at a time, so that a long motion takes no more memory."""
    for start in range(0, len(motion), MESH_CHUNK):
        yield from project(rig(motion[start : start + MESH_CHUNK], face).vertices, face)


def portrait_mesh(rig: FaceRig, face: FittedFace) -> FloatArray:
    """(V, 3) px, where the fitted mesh stands in the portrait itself."""
    own = FaceMotion.neutral(1)
    own.blendshapes[:], own.gaze[:], own.head_rotation[:] = face.resting, face.gaze, face.rotation
    mesh: FloatArray = project(rig(own, face).vertices, face)[0]
    return mesh
