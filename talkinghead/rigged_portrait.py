"""The rig as the renderer wants it, and the rig fitted to the face of a portrait, its own teeth where it shows them.

Where rig and renderer, which know nothing of each other, are put together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from talkinghead.rig.fitting import fit_face
from talkinghead.rig.placement import portrait_mesh
from talkinghead.rig.shell import with_rim
from talkinghead.synthesis.teeth_placement import teeth_shift, with_own_teeth
from talkinghead.synthesis.topology import MeshTopology

if TYPE_CHECKING:
    from talkinghead.rig.face_rig import FaceRig
    from talkinghead.rig.fitting import FittedFace
    from talkinghead.types import ByteArray, TrackedFace

_INNER_PARTS: Final = ("upper_teeth", "lower_teeth", "tongue", "mouth_cavity")


def mesh_topology(rig: FaceRig) -> MeshTopology:
    """The rig's triangles as the renderer wants them."""

    def faces(*names: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        return np.concatenate([rig.faces[slice(*rig.part_faces[name])] for name in names])

    parts = {name: rig.part(name) for name in ("upper_teeth", "lower_teeth", "tongue")}
    return MeshTopology(faces("skin"), faces("ring"), faces(*_INNER_PARTS), rig.colours, rig.neutral, **parts)


def fit_portrait(face: TrackedFace, image: ByteArray, rig: FaceRig) -> FittedFace:
    """`fit_face`, and the rows of teeth where the picture, (H, W, 3) uint8, shows them."""
    fitted, topology = fit_face(face, rig), mesh_topology(rig)
    shift = teeth_shift([image], portrait_mesh(with_rim(rig), fitted)[None], topology)
    return replace(fitted, shape=with_own_teeth(fitted.shape, shift, topology))
