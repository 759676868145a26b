"""A motion on the bare rig: a video of the mesh (pyrender), or one frame of it as a file for other programs.

    talkinghead animate --audio assets/speech.wav --emotion happy -o motion.npz
    python scripts/preview_motion.py motion.npz --audio assets/speech.wav -o mesh.mp4
    python scripts/preview_motion.py motion.npz --frame 40 -o face.glb              # or .ply, .obj, .stl (trimesh)

A .glb has morph targets and bones, as that of `talkinghead export`, which has the whole motion too.
Needs the extra `preview`; the video needs EGL too (Debian: apt install libegl1). Colours: skin grey, teeth, tongue and eyes
their own; the soft ring of hair and neck is left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import trimesh

from talkinghead.checkpoints import checkpoint_folder
from talkinghead.errors import TalkingHeadError
from talkinghead.export.formats import read_motion, write_motion
from talkinghead.rig.face_rig import FaceRig
from talkinghead.types import FaceMotion
from talkinghead.video.writer import VideoWriter, check_output

SKIN = (0.78, 0.74, 0.72)
MESHES = (".glb", ".ply", ".obj", ".stl")
CAMERA_M = 0.6
FIELD_OF_VIEW_RAD = 0.42


def faces_of(rig: FaceRig) -> np.ndarray:
    """(F, 3) of every part but the ring."""
    return np.concatenate([rig.faces[slice(*span)] for name, span in rig.part_faces.items() if name != "ring"])


def colours_of(rig: FaceRig) -> np.ndarray:
    """(V, 4) uint8: the inner parts' own, the skin's grey."""
    colours = np.where(rig.colours.any(1, keepdims=True), rig.colours, np.float32(SKIN))
    return (np.c_[colours, np.ones(len(colours))] * 255).astype(np.uint8)


def meshes(rig: FaceRig, motion: FaceMotion) -> Iterator[trimesh.Trimesh]:
    """A mesh a frame, in metres, y up."""
    faces, colours = faces_of(rig), colours_of(rig)
    for index in range(len(motion)):
        vertices = rig(motion[index : index + 1]).vertices[0]
        yield trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False)


def pictures(shapes: Iterator[trimesh.Trimesh], size_px: int, yaws_rad: Iterable[float]) -> Iterator[np.ndarray]:
    """Each mesh as the camera sees it from its side, (size, size, 3) uint8."""
    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyrender

        renderer = pyrender.OffscreenRenderer(size_px, size_px)
    except Exception as error:  # PyOpenGL raises whatever the platform's loader raises
        raise SystemExit(f"error: no OpenGL to draw with ({error}); install EGL (Debian: apt install libegl1).") from error
    camera = pyrender.PerspectiveCamera(FIELD_OF_VIEW_RAD)
    lamp = pyrender.DirectionalLight(intensity=3.0)
    try:
        for shape, yaw_rad in zip(shapes, yaws_rad, strict=True):
            pose = trimesh.transformations.rotation_matrix(yaw_rad, (0, 1, 0))
            pose[:3, 3] = pose[:3, :3] @ (0, 0, CAMERA_M)
            scene = pyrender.Scene(bg_color=(0.12, 0.13, 0.15), ambient_light=(0.25, 0.25, 0.25))
            scene.add(pyrender.Mesh.from_trimesh(shape, smooth=True))
            scene.add(camera, pose=pose)
            scene.add(lamp, pose=pose)
            yield renderer.render(scene)[0]
    finally:
        renderer.delete()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion", type=Path, help="what `talkinghead animate` or `track` wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a video, or a mesh with --frame")
    parser.add_argument("--audio", type=Path, help="sound of the video")
    parser.add_argument("--frame", type=int, help="write this frame as a mesh instead")
    parser.add_argument("--size", type=int, default=512, help="of the video, px")
    parser.add_argument("--yaw", type=float, default=0.0, help="from where it is looked at, degrees to the right")
    parser.add_argument("--turn", type=float, default=0.0, help="how far the camera goes round in the video, degrees")
    parser.add_argument("--checkpoint", type=Path, help="folder of models, the installed ones by default")
    options = parser.parse_args()
    try:
        check_output(options.output, MESHES if options.frame is not None else (".mp4", ".mov", ".mkv"))
        rig, motion = FaceRig.from_pretrained(checkpoint_folder(options.checkpoint) / "rig"), read_motion(options.motion)
        if options.frame is not None:
            if not 0 <= options.frame < len(motion):
                raise SystemExit(f"error: --frame {options.frame}: the motion has frames 0 to {len(motion) - 1}.")
            still = motion[options.frame : options.frame + 1]
            if options.output.suffix.lower() == ".glb":
                write_motion(options.output, still, lambda: rig)
            else:
                next(meshes(rig, still)).export(options.output)
        else:
            yaws = np.deg2rad(options.yaw + options.turn * np.arange(len(motion)) / len(motion))
            with VideoWriter(options.output, options.audio) as video:
                for picture in pictures(meshes(rig, motion), options.size, yaws):
                    video.write(np.ascontiguousarray(picture))
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    print(options.output)


if __name__ == "__main__":
    main()
