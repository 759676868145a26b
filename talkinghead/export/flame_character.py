"""A converted FLAME model, which the performance drives: its parameters, or its mesh with ARKit's 52 as morph targets.

Knows FLAME's axes, joints and where its head turns; the map itself is `rig.arkit_to_flame`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from talkinghead import arkit
from talkinghead.errors import InputError, OutputError
from talkinghead.export import flame as parameters
from talkinghead.export import gltf_face, usd
from talkinghead.export.face_model import SKIN, FaceModel, FaceModelMesh, normals_of
from talkinghead.export.flame_fitting import IRIS, WHITE, irises
from talkinghead.rig.arkit_to_flame import ArkitToFlame
from talkinghead.rig.flame import JOINTS, Flame
from talkinghead.rig.gaze import with_eye_look
from talkinghead.rig.pose import axis_angle_from_matrix, matrix_from_axis_angle, turn
from talkinghead.rig.surface_points import eye_vertices
from talkinghead.types import FaceMotion, FloatArray

PREFIX: Final = "flame"
ENDINGS: Final = (".flame.npz", ".glb", ".usda")
"""What a FLAME model is written as; a motion that is read by it goes to any other format too."""
_HOW: Final = "convert your FLAME file with scripts/convert_flame.py, and give its folder: --character flame:FOLDER"


def flame_folder(character: Path) -> Path | None:
    """What comes after `flame:`, None for a character of another kind.

    Raises:
        InputError: nothing comes after it.
    """
    kind, colon, folder = str(character).partition(":")
    if kind != PREFIX or (not colon and character.exists()):
        return None
    if not folder:
        raise InputError(f"--character {character}: FLAME is not part of this program; {_HOW}.")
    if not Path(folder).is_dir():
        raise InputError(f"--character {character}: there is no folder {folder}; {_HOW}.")
    return Path(folder)


@dataclass(frozen=True, eq=False)
class FlameCharacter:
    """A folder of `scripts/convert_flame.py`, loaded."""

    path: Path
    flame: Flame
    maps: ArkitToFlame

    @staticmethod
    def load(folder: Path) -> FlameCharacter:
        """Raises CheckpointError for a folder that holds no model, or no map to it."""
        flame = Flame.from_pretrained(folder)
        return FlameCharacter(folder, flame, ArkitToFlame.load(folder, flame))

    @property
    def missing(self) -> list[str]:
        """What FLAME has not."""
        return ["tongueOut"]

    def describe(self) -> str:
        """One line."""
        return (
            f"{self.path}: FLAME, {self.flame.num_vertices} vertices, {self.flame.num_expressions} expressions; "
            f"missing: {', '.join(self.missing)}"
        )

    def write(self, path: Path, motion: FaceMotion, fps: float) -> None:
        """Write the performance on this model in the format that the name ends in.

        Args:
            path: ends as one of `ENDINGS`.
            motion: `fps` frames a second.
            fps: of the file.

        Raises:
            OutputError: another ending, or a place that cannot be written.
        """
        name = path.name.lower()
        writers: dict[str, Callable[[], None]] = {
            ".flame.npz": lambda: self._write_parameters(path, motion, fps),
            ".glb": lambda: gltf_face.write_model(path, self.model(), motion, fps),
            ".usda": lambda: usd.write_model(path, self.model(), motion, fps),
        }
        ending = next((ending for ending in ENDINGS if name.endswith(ending)), None)
        if ending is None:
            raise OutputError(f"output {path}: FLAME is written as {', '.join(ENDINGS)}; give such a name.")
        writers[ending]()

    def _write_parameters(self, path: Path, motion: FaceMotion, fps: float) -> None:
        expression, jaw = self.maps.to_flame(with_eye_look(motion.blendshapes, motion.gaze))
        # FLAME turns about its root, at the foot of the neck; ours between the ears.
        arm = self._head - self._joints(expression)[:, 0]
        moved = turn(matrix_from_axis_angle(motion.head_rotation), arm[:, None])[:, 0]
        parameters.save(path, motion, fps, expression, jaw, (motion.head_translation + arm - moved).astype(np.float32))

    def read(self, path: Path) -> FaceMotion:
        """`.flame.npz` of a tracker, for this model -> 25 frames a second; of this program, as it was written.

        Raises:
            MotionError: it holds no FLAME parameters.
        """
        came = parameters.load(path)
        if came.blendshapes is not None and came.head_translation is not None:
            return came.motion(came.blendshapes, came.rotation, came.head_translation)
        root, neck = matrix_from_axis_angle(came.rotation), matrix_from_axis_angle(came.neck_pose)
        foot, nape = self._joints(came.expression)[:, :2].swapaxes(0, 1)
        above = (neck @ (self._head - nape)[..., None])[..., 0] + nape - foot
        place = (root @ above[..., None])[..., 0] + foot + came.translation
        rotation = axis_angle_from_matrix(root @ neck)
        return came.motion(self.maps.to_arkit(came.expression, came.jaw_pose), rotation, place - self._head)

    def model(self) -> FaceModel:
        """The neutral head, a bone at the head and each eye, and what each of ARKit's 52 does alone at 1."""
        expression, jaw = self.maps.to_flame(np.eye(len(arkit.BLENDSHAPES), dtype=np.float32))
        vertices, faces = self.flame.template.numpy(), self.flame.faces.numpy()
        with torch.no_grad():
            moved = self.flame(expression=torch.from_numpy(expression), jaw_pose=torch.from_numpy(jaw)).numpy()
        weights = self.flame.weights.numpy()
        eyes = eye_vertices(self.flame)
        left, right = JOINTS.index("left_eye"), JOINTS.index("right_eye")
        joint = np.where(eyes, np.where(weights[:, left] > weights[:, right], 1, 2), 0)
        colours = np.tile(SKIN, (len(vertices), 1))
        colours[eyes], colours[irises(self.flame)] = WHITE, IRIS
        targets = {name: moved[index] - vertices for index, name in enumerate(arkit.BLENDSHAPES)}
        mesh = FaceModelMesh("Face", vertices, faces, normals_of(vertices, faces), colours, joint, targets)
        joints = self._joints(np.zeros((1, 0), np.float32))[0]
        places = np.stack([self._head, joints[left], joints[right]]).astype(np.float32)
        return FaceModel([mesh], places)

    @property
    def _head(self) -> FloatArray:
        """(3,) m between the ears."""
        return self.maps.centre.astype(np.float32)

    def _joints(self, expression: FloatArray) -> FloatArray:
        """expression: (T, E) -> (T, 5, 3) m: FLAME's joints go a little with it."""
        none = torch.zeros(len(expression), 0)
        joints: FloatArray = self.flame.joints(self.flame.shaped(none, torch.from_numpy(expression))).numpy()
        return joints
