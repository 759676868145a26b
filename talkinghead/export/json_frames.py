"""FaceMotion <-> `.json`: a list of frames in the shape that LAM (Large Avatar Model, 2025) and its web player read.

`names` are in alphabetical order, as LAM's are; `rotation` is the head's axis-angle, rad. `translation` (m), `gaze` (rad)
and `at_ease` are this project's additions. Values have five decimals.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.export.take import Take
from talkinghead.files import whole
from talkinghead.motion.io import begins_turned
from talkinghead.motion.resampling import MAX_FPS, MIN_FPS, resample
from talkinghead.rig.gaze import gaze_from_eye_look
from talkinghead.types import FaceMotion, FloatArray

NAMES: Final = tuple(sorted(arkit.BLENDSHAPES))
DECIMALS: Final = 5
_REMEDY: Final = "give what `talkinghead animate -o face.json` wrote, or LAM"


def write(path: Path, take: Take) -> None:
    """Write a take, a line a frame."""
    order = [arkit.INDEX[name] for name in NAMES]
    weights, motion = take.blendshapes[:, order], take.motion
    head = {
        "names": list(NAMES),
        "metadata": {
            "fps": take.fps,
            "frame_count": len(motion),
            "blendshape_names": list(NAMES),
            "is_seen": motion.is_seen,
        },
    }
    with whole(path) as part, part.open("w", encoding="ascii") as file:
        file.write(json.dumps(head)[:-1] + ', "frames": [\n')
        for index in range(len(motion)):
            frame = {
                "weights": _rounded(weights[index]),
                "time": round(index / take.fps, 6),
                "rotation": _rounded(motion.head_rotation[index]),
                "translation": _rounded(motion.head_translation[index]),
                "gaze": _rounded(motion.gaze[index]),
                "at_ease": _rounded(motion.at_ease[index]),
            }
            file.write(json.dumps(frame, separators=(",", ":")) + (",\n" if index + 1 < len(motion) else "\n"))
        file.write("]}\n")


def read(path: Path) -> FaceMotion:
    """Read frames -> the motion at 25 frames a second; rotation, translation and gaze may be absent.

    Raises:
        MotionError: not such a file, a name is absent, or values that are no numbers.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names, frames, fps = list(content["names"]), content["frames"], float(content["metadata"]["fps"])
        weights = np.array([frame["weights"] for frame in frames], np.float64)
        rotation, translation, gaze, at_ease = (_column(frames, key, width) for key, width in _PARTS)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MotionError(f"motion {path}: holds no frames of names and weights; {_REMEDY}.") from error
    missing = [name for name in arkit.BLENDSHAPES if name not in names]
    if missing:
        raise MotionError(f"motion {path}: has no {', '.join(missing[:4])}; {_REMEDY}, with all 52 ARKit names.")
    if not len(frames) or weights.shape != (len(frames), len(names)) or not MIN_FPS <= fps <= MAX_FPS:
        raise MotionError(f"motion {path}: {len(frames)} frames of {weights.shape[-1]} at {fps:g} a second; {_REMEDY}.")
    blendshapes = np.clip(weights[:, [names.index(name) for name in arkit.BLENDSHAPES]], 0, 1).astype(np.float32)
    if not all(np.isfinite(part).all() for part in (blendshapes, rotation, translation, gaze, at_ease)):
        raise MotionError(f"motion {path}: holds values that are not numbers; write it again.")
    if not any(frame.get("gaze") for frame in frames):
        gaze = gaze_from_eye_look(blendshapes)
    said = content["metadata"].get("is_seen")
    is_seen = said if isinstance(said, bool) else begins_turned(rotation)
    return resample(FaceMotion(blendshapes, rotation, translation, gaze, is_seen, np.clip(at_ease, 0, 1)), fps)


_PARTS: Final = (("rotation", 3), ("translation", 3), ("gaze", 2), ("at_ease", 1))


def _column(frames: list[dict[str, Any]], key: str, width: int) -> FloatArray:
    rows = [frame.get(key) or [0.0] * width for frame in frames]
    return np.array(rows, np.float32).reshape(len(frames), width)


def _rounded(values: FloatArray) -> list[float]:
    return [round(float(value), DECIMALS) for value in values]
