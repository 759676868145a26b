"""FaceMotion <-> the parameters of FLAME (Li et al., SIGGRAPH Asia 2017) as `.flame.npz`, under the names that trackers use.

FLAME's axes are this project's (x to the subject's left, y up, z out of the face). Which expressions and which turn of the jaw
show ARKit's 52 is known once a model was converted (`flame_character`). Without one head, jaw and eyes are written and `expr`
is 0: lips open and shut with the jaw, and do nothing else. `blendshapes` is beside it, so what was written here is read back
without a model; what others wrote has none, and wants one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.export.take import Take
from talkinghead.files import whole
from talkinghead.motion.io import begins_turned
from talkinghead.motion.resampling import MAX_FPS, MIN_FPS, resample
from talkinghead.rig.arkit_to_flame import YAW_AT_JAW_LEFT_RAD
from talkinghead.rig.gaze import gaze_from_direction, rotation_from_gaze, with_eye_look
from talkinghead.rig.pose import axis_angle_from_matrix, matrix_from_axis_angle
from talkinghead.types import FPS, FaceMotion, FloatArray

NUM_EXPRESSIONS: Final = 100
_WIDTHS: Final = {"rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "translation": 3}
"""Of all that may be in a file but `expr`; what is not there is 0."""
_OWN: Final = {"blendshapes": len(arkit.BLENDSHAPES), "head_translation": 3}


@dataclass(frozen=True, eq=False)
class FlameParameters:
    """T frames, `fps` a second.

    expression: (T, E). rotation, neck_pose, jaw_pose: (T, 3), eyes_pose: (T, 6) left, right, axis-angle, rad.
    translation: (T, 3) m. blendshapes: (T, 52), head_translation: (T, 3) m, ours where the file has them.
    """

    expression: FloatArray
    rotation: FloatArray
    neck_pose: FloatArray
    jaw_pose: FloatArray
    eyes_pose: FloatArray
    translation: FloatArray
    fps: float
    blendshapes: FloatArray | None = None
    head_translation: FloatArray | None = None

    def motion(self, blendshapes: npt.ArrayLike, head_rotation: npt.ArrayLike, head_translation: npt.ArrayLike) -> FaceMotion:
        """The same with ARKit's coefficients and a head that turns about our origin -> 25 frames a second."""
        sight = matrix_from_axis_angle(self.eyes_pose.reshape(-1, 2, 3))[..., 2].mean(1)
        turn, shift = np.asarray(head_rotation, np.float32), np.asarray(head_translation, np.float32)
        gaze = gaze_from_direction(sight).astype(np.float32)
        motion = FaceMotion(np.asarray(blendshapes, np.float32), turn, shift, gaze, begins_turned(turn))
        return resample(motion, self.fps, FPS)


def eyes_of(motion: FaceMotion) -> FloatArray:
    """(T, 6) axis-angle, rad, of both eyes, which look the same way."""
    eye = axis_angle_from_matrix(rotation_from_gaze(motion.gaze)).astype(np.float32)
    return np.concatenate([eye, eye], axis=1)


def write(path: Path, take: Take) -> None:
    """Write a take without a model: `expr` is 0, the jaw turns as ours."""
    motion, shapes = take.motion, take.blendshapes
    jaw = np.zeros((len(motion), 3), np.float32)
    opening = np.clip(shapes[:, arkit.INDEX["jawOpen"]] - shapes[:, arkit.INDEX["mouthClose"]], 0, 1)
    jaw[:, 0] = opening * take.rig().jaw[3]
    jaw[:, 1] = (shapes[:, arkit.INDEX["jawLeft"]] - shapes[:, arkit.INDEX["jawRight"]]) * YAW_AT_JAW_LEFT_RAD
    nothing = np.zeros((len(motion), NUM_EXPRESSIONS), np.float32)
    save(path, motion, take.fps, nothing, jaw, motion.head_translation)


def save(
    path: Path, motion: FaceMotion, fps: float, expression: FloatArray, jaw_pose: FloatArray, translation: FloatArray
) -> None:
    """Write `rotation`, `neck_pose` (0), `jaw_pose`, `translation` (T, 3), `eyes_pose` (T, 6), `expr` (T, E) and `fps`; and of
    ours `blendshapes` (T, 52), `names` and `head_translation` (T, 3)."""
    with whole(path) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            rotation=motion.head_rotation,
            neck_pose=np.zeros_like(jaw_pose),
            jaw_pose=jaw_pose,
            eyes_pose=eyes_of(motion),
            translation=translation,
            expr=expression,
            blendshapes=with_eye_look(motion.blendshapes, motion.gaze),
            head_translation=motion.head_translation,
            names=np.array(arkit.BLENDSHAPES),
            fps=np.float64(fps),
        )


def load(path: Path) -> FlameParameters:
    """Read FLAME's parameters, of this program or of a tracker; without `fps` they are 25 a second.

    Raises:
        MotionError: not such a file, arrays of other shapes, or values that are not numbers.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            expression = file["expr"].astype(np.float32)
            found: dict[str, FloatArray] = {}
            for name, width in (_WIDTHS | _OWN).items():
                if name in file.files:
                    found[name] = file[name].astype(np.float32).reshape(len(expression), width)
                elif name in _WIDTHS:
                    found[name] = np.zeros((len(expression), width), np.float32)
            fps = float(file["fps"]) if "fps" in file.files else float(FPS)
        if expression.ndim != 2 or not len(expression):
            raise ValueError(f"expr has shape {expression.shape}")
        if not all(np.isfinite(value).all() for value in (expression, *found.values())) or not MIN_FPS <= fps <= MAX_FPS:
            raise ValueError(f"values that are not numbers, or {fps:g} frames a second")
    except (OSError, EOFError, KeyError, ValueError, TypeError, BadZipFile) as error:
        reason = " ".join(str(error).split())[:160]
        raise MotionError(f"motion {path}: holds no FLAME parameters ({reason}); give expr, jaw_pose, rotation ...") from error
    return FlameParameters(expression, fps=fps, **found)


def read(path: Path) -> FaceMotion:
    """Read what was written here -> 25 frames a second.

    Raises:
        MotionError: as `load`; or the file is a tracker's, which has no ARKit coefficients.
    """
    came = load(path)
    if came.blendshapes is None or came.head_translation is None:
        raise MotionError(f"motion {path}: holds FLAME's expressions alone; say of which model with --character flame:FOLDER.")
    return came.motion(came.blendshapes, came.rotation, came.head_translation)
