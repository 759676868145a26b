"""FaceMotion -> the pose of FLAME (Li et al., SIGGRAPH Asia 2017) as `.flame.npz`, under the names that FLAME trackers use.

Head, jaw and eyes are written; FLAME's axes are this project's (x to the subject's left, y up, z out of the face).
A map from ARKit's 52 to FLAME's expression coefficients would need a FLAME model to be fitted against, which its licence
keeps out of this package: `expr` is 0, and `blendshapes` is beside it for who has a map. So lips open and shut with the jaw,
and do nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.export.take import Take
from talkinghead.files import whole
from talkinghead.rig.gaze import rotation_from_gaze
from talkinghead.rig.pose import axis_angle_from_matrix

NUM_EXPRESSIONS: Final = 100
YAW_AT_JAW_LEFT_RAD: Final = 0.12
"""What `jawLeft` of 1, some 11 mm at the chin, is as a turn of FLAME's jaw, which is about 90 mm long."""


def write(path: Path, take: Take) -> None:
    """Write a take: `rotation`, `jaw_pose` (T, 3) and `eyes_pose` (T, 6: left, right) axis-angle, rad; `translation` (T, 3) m;
    `neck_pose` (T, 3) and `expr` (T, 100) 0; `blendshapes` (T, 52), `names`, `fps`."""
    motion, shapes = take.motion, take.blendshapes
    jaw = np.zeros((len(motion), 3), np.float32)
    opening = np.clip(shapes[:, arkit.INDEX["jawOpen"]] - shapes[:, arkit.INDEX["mouthClose"]], 0, 1)
    jaw[:, 0] = opening * take.rig().jaw[3]
    jaw[:, 1] = (shapes[:, arkit.INDEX["jawLeft"]] - shapes[:, arkit.INDEX["jawRight"]]) * YAW_AT_JAW_LEFT_RAD
    eye = axis_angle_from_matrix(rotation_from_gaze(motion.gaze)).astype(np.float32)
    with whole(path) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            rotation=motion.head_rotation,
            neck_pose=np.zeros_like(jaw),
            jaw_pose=jaw,
            eyes_pose=np.concatenate([eye, eye], axis=1),
            translation=motion.head_translation,
            expr=np.zeros((len(motion), NUM_EXPRESSIONS), np.float32),
            blendshapes=shapes,
            names=np.array(arkit.BLENDSHAPES),
            fps=np.float64(take.fps),
        )
