"""FaceMotion to FaceMesh: 52 ARKit blendshapes, jaw, eyeballs, head and a soft ring on the tracker's topology.

Knows geometry; knows no pixels, no light and no hair. Vertices 0..467 are the tracker's skin points, 468..477 the irises.
Expression deltas start from ICT-FaceKit (Li et al., "Learning Formation of Physically-Based Face Attributes", CVPR 2020)
and are refined on tracked video by `scripts/build_rig.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import CheckpointError
from talkinghead.rig import anatomy, topology
from talkinghead.rig.gaze import place_eyeball, rotation_from_gaze, with_eye_look
from talkinghead.rig.pose import matrix_from_axis_angle, turn
from talkinghead.types import FaceMesh, FaceMotion, FloatArray, IntArray

if TYPE_CHECKING:
    from talkinghead.rig.fitting import FittedFace

CAMERA_DISTANCE_M: Final = 0.6
"""A head that moves towards the camera grows by distance / (distance - z); otherwise the camera is orthographic."""

BLINK: Final = {"right": arkit.INDEX["eyeBlinkRight"], "left": arkit.INDEX["eyeBlinkLeft"]}
_JAW: Final = tuple(arkit.INDEX[name] for name in ("jawOpen", "jawForward", "jawLeft", "jawRight"))
_JAW_PARTS: Final = ("lower_teeth", "tongue")
_MAX_JAW_RAD: Final = 0.6


@dataclass(frozen=True, eq=False)
class FaceRig:
    """A neutral head and what moves it.

    neutral: (V, 3) m, head space, symmetric.
    deltas: (52, V, 3) m, ARKit order; zero on lower teeth and tongue but for `tongueOut`, which the jaw turns instead.
    identity: (K, V, 3) m, shape modes, each of one standard deviation's size.
    faces: (F, 3) triangles of all parts.
    colours: (V, 3) in [0, 1] of the inner parts, 0 on skin and ring.
    ring_weight: (V,) how much a vertex follows the head; 1 on all but the ring.
    skin_variance: (478,) m^2 of what the identity modes leave of a person, a coordinate.
    jaw: (6,) hinge x, y, z m; rad of opening at `jawOpen` 1; m of `jawForward` and of `jawLeft`/`jawRight` at 1.
    parts, part_faces: name -> [start, end) of vertices and of faces.
    """

    neutral: FloatArray
    deltas: FloatArray
    identity: FloatArray
    faces: IntArray
    colours: FloatArray
    ring_weight: FloatArray
    skin_variance: FloatArray
    jaw: FloatArray
    parts: dict[str, tuple[int, int]]
    part_faces: dict[str, tuple[int, int]]

    def part(self, name: str) -> slice:
        """The vertices of one part; raises KeyError with the list of parts."""
        if name not in self.parts:
            raise KeyError(f"no part {name!r}; the parts are {', '.join(self.parts)}")
        return slice(*self.parts[name])

    def __call__(self, motion: FaceMotion, face: FittedFace | None = None) -> FaceMesh:
        """A performance -> (T, V, 3) m in camera space (x right, y up, z to the viewer).

        The head turns about the origin between the ears. `eyeLook*` are taken from the gaze. The ring stays between the
        moved head and the head as it was fitted (or unmoved, without a face), by `ring_weight`.
        """
        shape = self.neutral if face is None else face.shape
        vertices = self.express(motion.blendshapes, motion.gaze, shape, None if face is None else face.lid_scale)
        rotation = matrix_from_axis_angle(motion.head_rotation)
        growth = CAMERA_DISTANCE_M / (CAMERA_DISTANCE_M - np.minimum(motion.head_translation[:, 2], 0.5 * CAMERA_DISTANCE_M))
        moved = turn(rotation, vertices) * growth[:, None, None] + motion.head_translation[:, None]
        ring = self.part("ring")
        weight = self.ring_weight[ring, None]
        resting = np.zeros(3) if face is None else face.rotation
        still = turn(matrix_from_axis_angle(resting), vertices[:, ring])
        moved[:, ring] = weight * moved[:, ring] + (1 - weight) * still
        return FaceMesh(moved.astype(np.float32), self.faces)

    def express(
        self, blendshapes: FloatArray, gaze: FloatArray, shape: FloatArray, lid_scale: FloatArray | None = None
    ) -> FloatArray:
        """(T, 52), (T, 2), a person's neutral (V, 3) and lid scale (2,) -> (T, V, 3) m in head space, head unmoved."""
        coefficients = with_eye_look(blendshapes, gaze)
        if lid_scale is not None:
            coefficients = scale_blinks(coefficients, lid_scale)
        flat = self.deltas.reshape(len(self.deltas), -1)
        vertices = shape + (coefficients @ flat).reshape(len(coefficients), *shape.shape)
        _seal_lids(vertices, blendshapes)
        self._turn_jaw(vertices, blendshapes, shape)
        self._turn_eyes(vertices, gaze, shape)
        return vertices.astype(np.float32)

    def _turn_jaw(self, vertices: FloatArray, blendshapes: FloatArray, shape: FloatArray) -> None:
        opening, forward, left, right = (blendshapes[:, column, None] for column in _JAW)
        _, own_size = anatomy.mouth_frame(shape)
        _, base_size = anatomy.mouth_frame(self.neutral)
        size = float(own_size[0] / base_size[0])
        hinge = self.jaw[:3] * size
        axis = np.concatenate([np.clip(opening * self.jaw[3], 0, _MAX_JAW_RAD), 0 * opening, 0 * opening], axis=1)
        shift = np.concatenate([(left - right) * self.jaw[5], 0 * forward, forward * self.jaw[4]], axis=1) * size
        rotation = matrix_from_axis_angle(axis)
        for name in _JAW_PARTS:
            part = self.part(name)
            vertices[:, part] = turn(rotation, vertices[:, part] - hinge) + hinge + shift[:, None]

    def _turn_eyes(self, vertices: FloatArray, gaze: FloatArray, shape: FloatArray) -> None:
        rotation = rotation_from_gaze(gaze)
        for side, iris in (("right", topology.IRIS_RIGHT), ("left", topology.IRIS_LEFT)):
            ball = self.part(f"eyeball_{side}")
            centre = ball_centre(shape[ball])
            for vertices_of in (iris, ball):
                vertices[:, vertices_of] = turn(rotation, vertices[:, vertices_of] - centre) + centre

    def place_parts(self, points: FloatArray, lid_scale: FloatArray | None = None) -> FloatArray:
        """A person's skin and irises (478, 3) m -> (V, 3): eyeballs in sockets, teeth behind the lips, ring around."""
        shape = np.array(self.neutral)
        shape[: topology.NUM_POINTS] = points
        anchor, own_size = anatomy.mouth_frame(points)
        base_anchor, base_size = anatomy.mouth_frame(self.neutral)
        # A small chin under a wide face (a drawn child's) must still hold the teeth.
        size = float((own_size / base_size).min())
        for name in ("upper_teeth", "lower_teeth", "tongue", "mouth_cavity"):
            part = self.part(name)
            shape[part] = (self.neutral[part] - base_anchor) * size + anchor
        lips = list(topology.INNER_LIPS)
        placed = (self.neutral[lips] - base_anchor) * size + anchor
        shape[self.part("mouth_cavity")] += anatomy.cavity_follow() @ (points[lips] - placed).astype(np.float32)
        scale = np.ones(2, np.float32) if lid_scale is None else lid_scale
        for index, side in enumerate(("right", "left")):
            blinked = points[: topology.NUM_SKIN] + scale[index] * self.deltas[BLINK[side], : topology.NUM_SKIN]
            ball = place_eyeball(points, blinked, self.neutral, side)
            shape[self.part(f"eyeball_{side}")] = anatomy.eyeball(ball).vertices
        shape[self.part("ring")] = anatomy.ring_vertices(points)
        return shape

    def save_pretrained(self, folder: Path | str) -> None:
        """Write `config.json` (parts) and `rig.safetensors` (arrays)."""
        from safetensors.numpy import save_file

        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        save_file({name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}, path / "rig.safetensors")
        config = {"format": 1, "blendshapes": "ARKit-52", "parts": self.parts, "part_faces": self.part_faces}
        (path / "config.json").write_text(json.dumps(config, indent=1) + "\n")

    @staticmethod
    def from_pretrained(folder: Path | str) -> FaceRig:
        """Read what `save_pretrained` wrote.

        Raises:
            CheckpointError: a file is missing, is not what it should be, or holds an array of the wrong shape.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = Path(folder)
        try:
            config = json.loads((path / "config.json").read_text())
            parts, part_faces = (
                {name: (int(a), int(b)) for name, (a, b) in config[key].items()} for key in ("parts", "part_faces")
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path / 'config.json'}: no rig configuration ({error}); reinstall talkinghead.") from error
        try:
            arrays: dict[str, Any] = load_file(path / "rig.safetensors")
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path / 'rig.safetensors'}: cannot be read ({error}); reinstall talkinghead.") from error
        _check(path / "rig.safetensors", arrays, parts)
        return FaceRig(**{name: arrays[name] for name in _ARRAYS}, parts=parts, part_faces=part_faces)


_ARRAYS: Final = tuple(f.name for f in fields(FaceRig) if f.name not in ("parts", "part_faces"))


def scale_blinks(coefficients: FloatArray, lid_scale: FloatArray) -> FloatArray:
    """coefficients: (..., 52), lid_scale: (2,) right, left -> a copy whose blinks travel that much further."""
    scaled = np.array(coefficients, np.float32)
    scaled[..., BLINK["right"]] *= lid_scale[0]
    scaled[..., BLINK["left"]] *= lid_scale[1]
    return scaled


def _seal_lids(vertices: FloatArray, blendshapes: FloatArray) -> None:
    """A full blink brings the lids together whatever else the face does: a squint or large eyes leave no slit."""
    for side, upper, lower in (
        ("right", list(topology.UPPER_LID_RIGHT), list(topology.LOWER_LID_RIGHT)),
        ("left", list(topology.UPPER_LID_LEFT), list(topology.LOWER_LID_LEFT)),
    ):
        gap = vertices[:, upper] - vertices[:, lower]
        seal = blendshapes[:, BLINK[side], None, None] ** 3
        vertices[:, upper] -= 0.7 * seal * gap
        vertices[:, lower] += 0.3 * seal * gap


def ball_centre(ball: FloatArray) -> FloatArray:
    """ball: (V, 3) of an eyeball part at rest -> (3,) its centre: between the first vertex (pupil) and the last (back)."""
    centre: FloatArray = (ball[0] + ball[-1]) / 2
    return centre


def _check(path: Path, arrays: dict[str, Any], parts: dict[str, tuple[int, int]]) -> None:
    count = max((end for _, end in parts.values()), default=0)
    wanted = {
        "neutral": (count, 3), "deltas": (len(arkit.BLENDSHAPES), count, 3), "identity": (None, count, 3), "faces": (None, 3),
        "colours": (count, 3), "ring_weight": (count,), "skin_variance": (topology.NUM_POINTS,), "jaw": (6,),
    }  # fmt: skip
    for name, shape in wanted.items():
        if name not in arrays:
            raise CheckpointError(f"{path}: no array {name!r}; reinstall talkinghead or rebuild with scripts/build_rig.py.")
        came = arrays[name].shape
        if len(came) != len(shape) or any(w is not None and w != c for w, c in zip(shape, came, strict=True)):
            raise CheckpointError(f"{path}: {name} has shape {came}, {shape} is wanted; rebuild with scripts/build_rig.py.")
