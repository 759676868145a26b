"""FaceMotion <-> `.npz`: the arrays, the 52 names and the frame rate. No pickle either way."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import MotionError, OutputError
from talkinghead.files import whole
from talkinghead.motion.resampling import MAX_FPS, MIN_FPS, resample
from talkinghead.types import FPS, MOTION_ARRAYS, FaceMotion, FloatArray

_STRAIGHT_RAD: Final = 1e-3
_LATER: Final = "at_ease"
"""Files that were written before there was such an array are read as well."""


def save_motion(path: Path | str, motion: FaceMotion, fps: float = FPS) -> None:
    """Write a motion of `fps` frames a second; an existing file is replaced only when the new one is whole.

    Raises:
        OutputError: not a `.npz` name, or a place that cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise OutputError(f"output {path}: motion is written as .npz; give a name such as motion.npz.")
    with whole(path) as part, part.open("wb") as file:
        write_motion(file, motion, fps)


def write_motion(file: BinaryIO, motion: FaceMotion, fps: float = FPS) -> None:
    """The content of a `.npz` of `save_motion`, into a file that is open."""
    np.savez_compressed(
        file,
        **{name: getattr(motion, name) for name in MOTION_ARRAYS},
        is_seen=np.bool_(motion.is_seen),
        names=np.array(arkit.BLENDSHAPES),
        fps=np.int64(fps) if float(fps).is_integer() else np.float64(fps),
    )


def begins_turned(head_rotation: FloatArray) -> bool:
    """(T, 3) rad -> `FaceMotion.is_seen` of a file that does not say: what is generated begins with a head that is straight."""
    return bool(np.abs(head_rotation[:1]).max(initial=0) > _STRAIGHT_RAD)


def load_motion(source: Path | str | BinaryIO) -> FaceMotion:
    """Read a motion that `save_motion` wrote, a file or one that is open, at 25 frames a second: another rate is resampled.

    Raises:
        MotionError: no such file, not such a file, other names, no such rate, or values that are not numbers.
    """
    opened = None if isinstance(source, str | Path) else source
    path = Path(source if isinstance(source, str | Path) else str(getattr(source, "name", "motion.npz")))
    if opened is None and not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise MotionError(f"motion {path}: {what}; give a .npz that `talkinghead animate` or `talkinghead track` wrote.")
    try:
        with np.load(path if opened is None else opened, allow_pickle=False) as file:
            there = [name for name in MOTION_ARRAYS if name in file.files or name != _LATER]
            missing = [name for name in (*there, "names", "fps") if name not in file.files]
            if missing:
                raise MotionError(f"motion {path}: holds no {', '.join(missing)}; write it again with `talkinghead animate`.")
            names, fps = tuple(file["names"].tolist()), float(file["fps"])
            is_seen = bool(file["is_seen"]) if "is_seen" in file.files else None
            values = {name: file[name].astype(np.float32) for name in there}
    except (OSError, ValueError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        if isinstance(error, MotionError):
            raise
        raise MotionError(f"motion {path}: is not a motion file; write it again with `talkinghead animate`.") from error
    if names != arkit.BLENDSHAPES:
        raise MotionError(f"motion {path}: its columns are not the 52 ARKit names in order; reorder them.")
    if not MIN_FPS <= fps <= MAX_FPS:
        raise MotionError(f"motion {path}: runs at {fps:g} frames a second; give one of {MIN_FPS:g} to {MAX_FPS:g}.")
    if not len(values["blendshapes"]):
        raise MotionError(f"motion {path}: holds no frame; write it again with `talkinghead animate`.")
    if _LATER in values:
        values[_LATER] = np.clip(values[_LATER], 0, 1)
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise MotionError(f"motion {path}: {name} holds values that are not numbers; write it again.")
    motion = FaceMotion(**values, is_seen=begins_turned(values["head_rotation"]) if is_seen is None else is_seen)
    if motion.blendshapes.min() < 0 or motion.blendshapes.max() > 1:
        raise MotionError(f"motion {path}: blendshapes leave [0, 1]; scale or clip them.")
    return resample(motion, fps)
