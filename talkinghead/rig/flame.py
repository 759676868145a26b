"""FLAME: shape, expression and pose of a whole head -> its vertices, by linear blend skinning with pose correctives, in torch.

Knows no numbers of its own: they are the user's licensed file, converted by `scripts/convert_flame.py`. Axes are this
project's: x to the subject's left, y up, z out of the face, metres.
Source: Li et al., "Learning a model of facial shape and expression from 4D scans", SIGGRAPH Asia 2017, section 3.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import torch
from torch import nn

from talkinghead.errors import CheckpointError

JOINTS: Final = ("global", "neck", "jaw", "left_eye", "right_eye")
PARENTS: Final = (-1, 0, 1, 1, 1)
"""The kinematic tree: head and eyes hang on the neck."""
NUM_SHAPE: Final = 300
"""Identity directions come first in FLAME's file, the expressions after them."""
FILE: Final = "flame.safetensors"
_REMEDY: Final = "convert FLAME's own file with scripts/convert_flame.py"
_SMALL: Final = 1e-6


class Flame(nn.Module):
    """Shape, expression, joints' rotations and a translation -> vertices. Differentiable; keeps no parameters of its own."""

    template: torch.Tensor
    shape_directions: torch.Tensor
    expression_directions: torch.Tensor
    pose_directions: torch.Tensor
    joint_regressor: torch.Tensor
    weights: torch.Tensor
    faces: torch.Tensor

    def __init__(
        self,
        template: torch.Tensor,
        shape_directions: torch.Tensor,
        expression_directions: torch.Tensor,
        pose_directions: torch.Tensor,
        joint_regressor: torch.Tensor,
        weights: torch.Tensor,
        faces: torch.Tensor,
    ) -> None:
        """
        Args:
            template: (V, 3) m.
            shape_directions: (S, V, 3) m, a deviation of each identity direction.
            expression_directions: (E, V, 3) m.
            pose_directions: (36, V, 3) m, of the nine numbers of each joint's rotation but the root's, less the identity's.
            joint_regressor: (5, V), rows that sum to 1: where the joints are.
            weights: (V, 5), rows that sum to 1: which joint moves a vertex.
            faces: (F, 3) int64.
        """
        super().__init__()
        given = {
            "template": template, "shape_directions": shape_directions, "expression_directions": expression_directions,
            "pose_directions": pose_directions, "joint_regressor": joint_regressor, "weights": weights, "faces": faces,
        }  # fmt: skip
        _check(given)
        for name, value in given.items():
            self.register_buffer(name, value.long() if name == "faces" else value)

    @property
    def num_shape(self) -> int:
        return len(self.shape_directions)

    @property
    def num_expressions(self) -> int:
        return len(self.expression_directions)

    @property
    def num_vertices(self) -> int:
        return len(self.template)

    def forward(
        self,
        shape: torch.Tensor | None = None,
        expression: torch.Tensor | None = None,
        rotation: torch.Tensor | None = None,
        neck_pose: torch.Tensor | None = None,
        jaw_pose: torch.Tensor | None = None,
        eyes_pose: torch.Tensor | None = None,
        translation: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Parameters of B heads -> (B, V, 3) m. What is left out is 0; a batch of 1 goes with any other.

        Args:
            shape: (B, up to S). expression: (B, up to E).
            rotation, neck_pose, jaw_pose: (B, 3) axis-angle, rad, of the root, the neck and the jaw.
            eyes_pose: (B, 6) left, right.
            translation: (B, 3) m.
        """
        given = (shape, expression, rotation, neck_pose, jaw_pose, eyes_pose, translation)
        batch = max((len(value) for value in given if value is not None), default=1)
        zero = self.template.new_zeros(1)

        def rows(value: torch.Tensor | None, width: int) -> torch.Tensor:
            return zero.expand(batch, width) if value is None else value.expand(batch, -1)

        shaped = self.shaped(rows(shape, 0), rows(expression, 0))
        poses = [rows(value, 3) for value in (rotation, neck_pose, jaw_pose)] + [rows(eyes_pose, 6)]
        turns = rotation_matrix(torch.cat(poses, -1).reshape(batch, len(JOINTS), 3))
        return self._skinned(shaped, turns) + rows(translation, 3)[:, None]

    def shaped(self, shape: torch.Tensor, expression: torch.Tensor) -> torch.Tensor:
        """shape: (B, up to S), expression: (B, up to E) -> (B, V, 3) m before anything turns."""
        offsets = torch.einsum("bs,svc->bvc", shape, self.shape_directions[: shape.shape[1]])
        offsets = offsets + torch.einsum("be,evc->bvc", expression, self.expression_directions[: expression.shape[1]])
        return self.template + offsets

    def joints(self, shaped: torch.Tensor) -> torch.Tensor:
        """shaped: (B, V, 3) -> (B, 5, 3) m where the joints are."""
        return torch.einsum("jv,bvc->bjc", self.joint_regressor, shaped)

    def _skinned(self, shaped: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        """shaped: (B, V, 3), turns: (B, 5, 3, 3) -> (B, V, 3)."""
        joints = self.joints(shaped)
        feature = (turns[:, 1:] - torch.eye(3, dtype=turns.dtype, device=turns.device)).flatten(1)
        posed = shaped + torch.einsum("bp,pvc->bvc", feature, self.pose_directions)
        # A joint's turn in the world, and where it carries what stood at the origin at rest.
        world, place = [turns[:, 0]], [joints[:, 0]]
        for joint, parent in enumerate(PARENTS[1:], start=1):
            arm = joints[:, joint] - joints[:, parent]
            place.append(place[parent] + (world[parent] @ arm[..., None])[..., 0])
            world.append(world[parent] @ turns[:, joint])
        turned = torch.stack(world, 1)
        shift = torch.stack(place, 1) - (turned @ joints[..., None])[..., 0]
        blended = torch.einsum("vj,bjrc->bvrc", self.weights, turned)
        return (blended @ posed[..., None])[..., 0] + torch.einsum("vj,bjc->bvc", self.weights, shift)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write `config.json` (sizes) and `flame.safetensors` (arrays)."""
        from safetensors.torch import save_file

        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        save_file({name: value.detach().cpu().contiguous() for name, value in self.named_buffers()}, path / FILE)
        config = {"format": 1, "model": "FLAME", "joints": JOINTS, "num_vertices": self.num_vertices,
                  "num_shape": self.num_shape, "num_expressions": self.num_expressions}  # fmt: skip
        (path / "config.json").write_text(json.dumps(config, indent=1) + "\n")

    @staticmethod
    def from_pretrained(folder: Path | str) -> Flame:
        """Read what `save_pretrained` wrote.

        Raises:
            CheckpointError: no such folder, or an array is missing or of the wrong shape.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = Path(folder)
        try:
            if json.loads((path / "config.json").read_text())["model"] != "FLAME":
                raise ValueError("its config.json is another model's")
            arrays = load_file(path / FILE)
            return Flame(**arrays)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(f"{path}: holds no FLAME model ({reason}); {_REMEDY}.") from error


def rotation_matrix(axis_angle: torch.Tensor) -> torch.Tensor:
    """axis_angle: (..., 3) rad -> (..., 3, 3) (Rodrigues), with a gradient at 0 too."""
    square = (axis_angle**2).sum(-1)[..., None, None]
    small = square < _SMALL
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    sine = torch.where(small, 1 - square / 6, torch.sin(angle) / angle)
    cosine = torch.where(small, 0.5 - square / 24, (1 - torch.cos(angle)) / safe)
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*axis_angle.shape[:-1], 3, 3)
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye + sine * cross + cosine * (cross @ cross)


def _check(given: dict[str, torch.Tensor]) -> None:
    """Raise ValueError, naming the array, for a shape that does not go with the others."""
    count = len(given["template"])
    wanted = {
        "template": (count, 3), "shape_directions": (None, count, 3), "expression_directions": (None, count, 3),
        "pose_directions": (9 * (len(JOINTS) - 1), count, 3), "joint_regressor": (len(JOINTS), count),
        "weights": (count, len(JOINTS)), "faces": (None, 3),
    }  # fmt: skip
    for name, shape in wanted.items():
        came = tuple(given[name].shape)
        if len(came) != len(shape) or any(w is not None and w != c for w, c in zip(shape, came, strict=True)):
            raise ValueError(f"{name} has shape {came}, {shape} is wanted")
    if len(given["faces"]) and not 0 <= int(given["faces"].min()) <= int(given["faces"].max()) < count:
        raise ValueError(f"faces name vertices that the template of {count} has not")
