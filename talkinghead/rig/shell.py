"""How the soft shells round the face follow it: hair, neck, shoulders and the wall behind them.

Makes one rig of another; knows no pixels. The shells are the rig's ring, 4 of 36 vertices, nearest first, the first vertex of
each above the forehead and the nineteenth under the chin.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from talkinghead.rig import topology
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import FittedFace
from talkinghead.rig.pose import matrix_from_axis_angle
from talkinghead.types import FloatArray

RIM_SHELLS: Final = 1
"""So many shells move with the face's expression; from the next one on the picture stands still while the head does."""
NECK: Final = 0.15
"""Below the chin the body's stillness begins softly over so much of the face's height: its own shadow."""
_AROUND: Final = len(topology.FACE_OVAL)
_CHIN: Final = topology.FACE_OVAL[18]
_CROWN: Final = topology.FACE_OVAL[0]


def with_rim(rig: FaceRig) -> FaceRig:
    """The same rig, whose expressions move the face and its soft rim and nothing beyond: a head that is still is still."""
    deltas = rig.deltas.copy()
    deltas[:, rig.part("ring")][:, RIM_SHELLS * _AROUND :] = 0
    return replace(rig, deltas=deltas)


def with_still_body(rig: FaceRig, face: FittedFace) -> FaceRig:
    """The same rig, of which nothing lower than a little under the chin of this portrait follows the head."""
    weight = rig.ring_weight.copy()
    weight[rig.part("ring")] *= 1 - below_chin(rig, face)
    return replace(rig, ring_weight=weight)


def below_chin(rig: FaceRig, face: FittedFace) -> FloatArray:
    """(144,) of the ring's vertices: 0 at the height of the chin and above, 1 from `NECK` of the face's height below it."""
    upright = face.shape @ matrix_from_axis_angle(face.rotation).T.astype(np.float32)
    chin, crown = upright[_CHIN, 1], upright[_CROWN, 1]
    depth = np.clip((chin - upright[rig.part("ring"), 1]) / max(NECK * float(crown - chin), 1e-6), 0, 1)
    soft: FloatArray = (depth * depth * (3 - 2 * depth)).astype(np.float32)
    return soft
