"""FaceMotion -> `.bvh`: the head and its two eyes as a skeleton of three joints, centimetres and degrees, y up.

BVH has no place for the face's shapes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from talkinghead.export.take import Take
from talkinghead.files import whole
from talkinghead.rig.face_rig import ball_centre
from talkinghead.rig.gaze import rotation_from_gaze

CM: Final = 100.0
_ORDER: Final = "Zrotation Xrotation Yrotation"
_TIP_CM: Final = {"Head": "0.0 10.0 0.0", "Eye": "0.0 0.0 1.2"}


def write(path: Path, take: Take) -> None:
    """Write a take: a row a frame of position and turn of `Head`, and the turns of `LeftEye` and `RightEye`."""
    motion, rig = take.motion, take.rig()
    head = Rotation.from_rotvec(motion.head_rotation.astype(np.float64)).as_euler("ZXY", degrees=True)
    eye = Rotation.from_matrix(rotation_from_gaze(motion.gaze)).as_euler("ZXY", degrees=True)
    rows = np.concatenate([motion.head_translation * CM, head, eye, eye], axis=1)
    lines = ["HIERARCHY", "ROOT Head", "{", "\tOFFSET 0.0 0.0 0.0"]
    lines.append(f"\tCHANNELS 6 Xposition Yposition Zposition {_ORDER}")
    for side in ("Left", "Right"):
        x, y, z = ball_centre(rig.neutral[rig.part(f"eyeball_{side.lower()}")]) * CM
        lines += [f"\tJOINT {side}Eye", "\t{", f"\t\tOFFSET {x:.4f} {y:.4f} {z:.4f}", f"\t\tCHANNELS 3 {_ORDER}"]
        lines += ["\t\tEnd Site", "\t\t{", f"\t\t\tOFFSET {_TIP_CM['Eye']}", "\t\t}", "\t}"]
    lines += ["\tEnd Site", "\t{", f"\t\tOFFSET {_TIP_CM['Head']}", "\t}", "}"]
    lines += ["MOTION", f"Frames: {len(motion)}", f"Frame Time: {1 / take.fps:.8f}"]
    lines += [" ".join(f"{value + 0.0:.5f}" for value in row) for row in rows]
    with whole(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="ascii")
