"""The table of formats: the ending of a name says which, for writing and for reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from talkinghead.emotion.reference import CLIP_SUFFIXES
from talkinghead.errors import MotionError, OutputError
from talkinghead.export import bvh, flame, gltf_face, json_frames, livelink, usd
from talkinghead.export.take import Take
from talkinghead.motion.io import load_motion, save_motion
from talkinghead.motion.resampling import resample
from talkinghead.rig.face_rig import FaceRig
from talkinghead.types import FPS, FaceMotion


@dataclass(frozen=True)
class Format:
    """program: what reads it. read: None where the format holds less than a motion."""

    program: str
    write: Callable[[Path, Take], None]
    read: Callable[[Path], FaceMotion] | None = None


def _save_npz(path: Path, take: Take) -> None:
    save_motion(path, take.motion, take.fps)


FORMATS: Final[dict[str, Format]] = {
    ".flame.npz": Format("FLAME", flame.write, flame.read),
    ".npz": Format("Python", _save_npz, load_motion),
    ".csv": Format("Unreal's Live Link Face", livelink.write, livelink.read),
    ".json": Format("web pages and your own code", json_frames.write, json_frames.read),
    ".glb": Format("Blender and web pages", gltf_face.write),
    ".usda": Format("Houdini and Omniverse", usd.write),
    ".bvh": Format("body animation tools, the head alone", bvh.write),
}
"""A longer ending comes before a shorter one that it ends in."""


def ending_of(path: Path, choices: dict[str, Format] = FORMATS) -> str | None:
    """Which of the endings a name has, None if it has none of them."""
    return next((ending for ending in choices if path.name.lower().endswith(ending)), None)


def endings_and_programs() -> str:
    """The table for people, in one line, what few want at its end."""
    endings = sorted(FORMATS, key=lambda ending: ending.count("."))
    return ", ".join(f"{ending} ({FORMATS[ending].program})" for ending in endings)


def write_motion(path: Path | str, motion: FaceMotion, rig: Callable[[], FaceRig], fps: float = FPS) -> None:
    """Write a motion in the format that the name ends in, at `fps` frames a second.

    Args:
        path: a name that ends as one of `FORMATS`; an existing file is replaced only when the new one is whole.
        motion: 25 frames a second.
        rig: gives the mesh; called by formats that carry one.
        fps: of the file.

    Raises:
        OutputError: no such ending, or a place that cannot be written.
        MotionError: a rate out of range, or a motion without a frame.
    """
    path = Path(path)
    ending = ending_of(path)
    if ending is None:
        raise OutputError(f"output {path}: motion has no such format; choose one of {endings_and_programs()}.")
    if not len(motion):
        raise MotionError(f"motion: holds no frame, so {path} was not written.")
    FORMATS[ending].write(path, Take(resample(motion, FPS, fps), fps, rig))


def read_motion(path: Path | str) -> FaceMotion:
    """Read a motion in any format that has a reader -> 25 frames a second.

    Raises:
        MotionError: no such file, no format that can be read, or the file is not what its name says.
    """
    path = Path(path)
    readable = {ending: entry for ending, entry in FORMATS.items() if entry.read is not None}
    ending = ending_of(path)
    if path.is_file() and path.suffix.lower() in CLIP_SUFFIXES:
        raise MotionError(f"motion {path}: is a video; first run: talkinghead track {path} -o {path.stem}.npz")
    if path.is_file() and ending not in readable:
        raise MotionError(f"motion {path}: cannot be read back; give one of {', '.join(readable)}.")
    reader = readable.get(ending or "", readable[".npz"]).read
    if not path.is_file() or reader is None:
        return load_motion(path)  # which says what is wrong
    return reader(path)
