"""Tracked points to a person's neutral face, pose, camera and expression; a clip's points to its FaceMotion.

Knows the rig and the tracker's 478 points; knows no pixels' colours. The camera is scaled orthographic:
`px = translation + scale * (x, -y)`, depth `-scale * z`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead import arkit
from talkinghead.errors import FaceError, MotionError
from talkinghead.rig import topology
from talkinghead.rig.expression import ExpressionSolver, score_prior
from talkinghead.rig.face_rig import CAMERA_DISTANCE_M, FaceRig
from talkinghead.rig.gaze import eye_look, gaze_from_direction, place_eyeball, rotation_from_gaze, with_eye_look
from talkinghead.rig.pose import Array, axis_angle_from_matrix, matrix_from_axis_angle, similarity
from talkinghead.types import FaceMotion, FloatArray, TrackedFace

_ROUNDS: Final = 4
_TO_OURS: Final = np.array([1.0, -1.0, -1.0])
MAX_GAZE_RAD: Final = (0.75, 0.6)


@dataclass(frozen=True, eq=False)
class FittedFace:
    """One person in one picture.

    shape: (V, 3) m, the person's neutral in head space, all parts placed.
    resting: (52,) blendshapes that the picture shows.
    gaze: (2,) rad, as FaceMotion.
    rotation: (3,) axis-angle, rad, head space to camera space.
    scale: px per m. translation: (2,) px, where the head's origin lies.
    lid_scale: (2,) how far a blink travels on the right and on the left eye, against the rig's.
    """

    shape: FloatArray
    resting: FloatArray
    gaze: FloatArray
    rotation: FloatArray
    scale: float
    translation: FloatArray
    lid_scale: FloatArray

    def motion(self, num_frames: int = 1) -> FaceMotion:
        """The picture itself as a motion that stands still."""
        return FaceMotion(
            np.tile(self.resting, (num_frames, 1)),
            np.tile(self.rotation, (num_frames, 1)),
            np.zeros((num_frames, 3), np.float32),
            np.tile(self.gaze, (num_frames, 1)),
        )


def project(vertices: FloatArray, face: FittedFace) -> FloatArray:
    """vertices: (..., V, 3) m in camera space -> (..., V, 3) px: x right, y down, z away from the camera."""
    pixels = vertices * (np.array([1, -1, -1], np.float32) * np.float32(face.scale))
    pixels[..., :2] += face.translation
    return pixels


def fit_face(face: TrackedFace, rig: FaceRig) -> FittedFace:
    """The face of one picture -> the person's neutral, and what the picture adds to it.

    What neither pose nor expression nor the identity modes explain goes into the shape, so that the rig with the resting
    expression gives the tracked points again.

    Raises:
        FaceError: the points are not 478 finite points.
    """
    if face.points.shape != (topology.NUM_POINTS, 3) or not np.isfinite(face.points).all():
        raise FaceError(
            f"face.points has shape {face.points.shape} or is not finite; fit_face needs the tracker's 478 points in 3-D: "
            "use the default landmark backend."
        )
    return _fit(face.points[None], face.scores[None], rig)[1]


def fit_motion(
    points: FloatArray, scores: FloatArray, rig: FaceRig, presence: FloatArray | None = None
) -> tuple[FaceMotion, FittedFace]:
    """A tracked clip -> its motion (head pose absolute, in camera space) and the person.

    Args:
        points: (T, 478, 3) px as the tracker gives them.
        scores: (T, 52) the tracker's own scores, a weak prior.
        rig: the rig.
        presence: (T,) 0 where no face was seen; such frames take the motion between their neighbours.

    The face's pose is that of the first frame seen; its translation is where a head translation of 0 lies, its scale the
    clip's median.

    Raises:
        MotionError: the shapes do not fit, or no frame has a face.
    """
    if points.shape[1:] != (topology.NUM_POINTS, 3) or scores.shape != (len(points), len(arkit.BLENDSHAPES)):
        raise MotionError(
            f"points {points.shape} and scores {scores.shape} do not fit; give (T, 478, 3) and (T, 52) of one tracked clip."
        )
    seen: npt.NDArray[np.bool_] = np.asarray(np.isfinite(points).all((1, 2)))
    if presence is not None:
        seen = seen & (presence > 0)
    if not seen.any():
        raise MotionError("no frame of points has a face; give a clip in which one face is seen.")
    motion, face = _fit(points[seen], scores[seen], rig)
    return (motion if seen.all() else _fill(motion, seen)), face


def relative_motion(motion: FaceMotion, face: FittedFace, reference: int = 0) -> FaceMotion:
    """A motion of one person (absolute, as `fit_motion` gives it) -> the same performance by the face of a picture.

    Frame `reference` becomes the picture itself: blendshapes add their change since then to the picture's resting
    expression (clipped to [0, 1]), the head turns from the picture's pose as the driver's turns from the reference
    (`R_t R_ref' R_face`), moves by the driver's shift in metres, and the gaze by the change of gaze.
    """
    origin = matrix_from_axis_angle(motion.head_rotation[reference])
    turned = matrix_from_axis_angle(motion.head_rotation) @ origin.T @ matrix_from_axis_angle(face.rotation)
    gaze = np.clip(face.gaze + motion.gaze - motion.gaze[reference], -np.array(MAX_GAZE_RAD), MAX_GAZE_RAD).astype(np.float32)
    blendshapes = np.clip(face.resting + motion.blendshapes - motion.blendshapes[reference], 0, 1)
    return FaceMotion(
        with_eye_look(blendshapes, gaze),
        axis_angle_from_matrix(turned).astype(np.float32),
        (motion.head_translation - motion.head_translation[reference]).astype(np.float32),
        gaze,
    )


@dataclass(frozen=True, eq=False)
class _Pose:
    """rotation: (T, 3, 3); scale: (T,) px per m; shift: (T, 3) px, all in our axes."""

    rotation: Array
    scale: Array
    shift: Array

    def to_head(self, camera: Array) -> Array:
        """camera: (T, N, 3) px -> (T, N, 3) m in head space."""
        head: Array = ((camera - self.shift[:, None]) @ self.rotation) / self.scale[:, None, None]
        return head


def _fit(points: FloatArray, scores: FloatArray, rig: FaceRig) -> tuple[FaceMotion, FittedFace]:
    camera = points.astype(np.float64) * _TO_OURS
    expected = score_prior(scores)
    solver = ExpressionSolver(rig)
    neutral = rig.neutral[: topology.NUM_POINTS].astype(np.float64)
    rigid = list(topology.RIGID)
    pose = _Pose(*similarity(neutral[rigid], camera[:, rigid]))
    gaze, lid_scale = np.zeros((len(points), 2)), np.ones(2)
    coefficients = np.zeros((len(points), len(arkit.BLENDSHAPES)))
    for step in range(_ROUNDS):
        head = pose.to_head(camera)
        if step == 0 or len(points) == 1:
            neutral, coefficients[:], lid_scale = solver.neutral_of_mean(head.mean(0), expected.mean(0), gaze.mean(0))
        if len(points) > 1:
            coefficients = solver.coefficients(head, neutral, expected, gaze, lid_scale)
            neutral = solver.neutral_of_frames(head, coefficients, lid_scale)
            lid_scale = solver.lid_scale(neutral)
        predicted = neutral + solver.offsets(coefficients, lid_scale)
        skin = slice(0, topology.NUM_SKIN)
        pose = _Pose(*similarity(predicted[:, skin], camera[:, skin], solver.pose_weights))
        gaze = _gaze(pose, camera, neutral, rig, lid_scale)
    head = pose.to_head(camera)
    if len(points) > 1:
        # Where the points do not decide between blendshapes, neighbouring frames do: what is seen is not smoothed.
        calm = _smoothed(coefficients)
        coefficients = solver.coefficients(head, neutral, calm, gaze, lid_scale)
    coefficients[:, list(arkit.EYE_LOOK)] = eye_look(gaze.astype(np.float32))
    return _finish(pose, camera, coefficients, gaze, lid_scale, rig, solver)


def _finish(
    pose: _Pose, camera: Array, coefficients: Array, gaze: Array, lid_scale: Array, rig: FaceRig,
    solver: ExpressionSolver,
) -> tuple[FaceMotion, FittedFace]:  # fmt: skip
    scale = float(np.median(pose.scale))
    translation = pose.shift[0, :2]
    shift = np.zeros((len(camera), 3))
    shift[:, :2] = (pose.shift[:, :2] - translation) / scale
    # A head that grows by g has come nearer: g = distance / (distance - z).
    shift[:, 2] = CAMERA_DISTANCE_M * (1 - scale / pose.scale)
    head = pose.to_head(camera)
    # What nothing explains is the person's own, and the lids' travel follows from the opening that this leaves.
    skin = (head - solver.offsets(coefficients, lid_scale)).mean(0)
    lid_scale = solver.closing_lid_scale(skin, coefficients.mean(0), lid_scale)
    skin = (head - solver.offsets(coefficients, lid_scale)).mean(0)
    skin[topology.NUM_SKIN :] = _straight_irises(pose, camera, gaze, skin, rig, lid_scale)
    motion = FaceMotion(
        coefficients.astype(np.float32), axis_angle_from_matrix(pose.rotation).astype(np.float32),
        shift.astype(np.float32), gaze.astype(np.float32),
    )  # fmt: skip
    face = FittedFace(
        rig.place_parts(skin.astype(np.float32), lid_scale.astype(np.float32)), motion.blendshapes[0], motion.gaze[0],
        motion.head_rotation[0], scale, (translation * (1, -1)).astype(np.float32), lid_scale.astype(np.float32),
    )  # fmt: skip
    return motion, face


def _smoothed(values: Array) -> Array:
    """values: (T, N) -> each frame averaged with its neighbours, 1 2 1."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    mean: Array = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return mean


def _balls(skin: Array, rig: FaceRig, lid_scale: Array) -> list[tuple[Array, float, slice]]:
    balls = []
    for index, (side, iris) in enumerate((("Right", topology.IRIS_RIGHT), ("Left", topology.IRIS_LEFT))):
        delta = rig.deltas[arkit.INDEX[f"eyeBlink{side}"], : topology.NUM_SKIN]
        blinked = skin[: topology.NUM_SKIN] + lid_scale[index] * delta
        ball = place_eyeball(skin, blinked, rig.neutral, side.lower())
        balls.append((ball.centre, ball.radius, iris))
    return balls


def _on_ball(pose: _Pose, camera: Array, centre: Array, radius: float) -> Array:
    """camera: (T, N, 3) px near an eye -> (T, N, 3) m from the eyeball's centre to its surface, in head space."""
    middle = pose.scale[:, None] * (centre @ np.swapaxes(pose.rotation, -1, -2)) + pose.shift
    beside = (camera - middle[:, None])[..., :2] / pose.scale[:, None, None]
    squared = (beside**2).sum(-1)
    limit = np.minimum(1, 0.9 * radius / np.sqrt(np.maximum(squared, 1e-12)))
    depth = np.sqrt(np.maximum(radius**2 - squared * limit**2, 0))
    surface: Array = np.concatenate([beside, depth[..., None]], axis=-1) @ pose.rotation
    return surface


def _gaze(pose: _Pose, camera: Array, shape: Array, rig: FaceRig, lid_scale: Array) -> Array:
    """(T, 2) mean gaze of both eyes. The eye that is turned away counts less."""
    directions = np.zeros((len(camera), 3))
    for centre, radius, iris in _balls(shape, rig, lid_scale):
        direction = _on_ball(pose, camera[:, iris], centre, radius).mean(1)
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        side = np.sign(centre[0])
        yaw = np.arctan2(pose.rotation[:, 0, 2], pose.rotation[:, 2, 2])
        directions += direction * (1 + np.clip(-side * yaw * 1.5, -0.9, 0.9))[:, None]
    gaze: Array = np.clip(gaze_from_direction(directions), -np.array(MAX_GAZE_RAD), MAX_GAZE_RAD)
    return gaze


def _straight_irises(pose: _Pose, camera: Array, gaze: Array, skin: Array, rig: FaceRig, lid_scale: Array) -> Array:
    """(10, 3) m: where the irises are when the eyes look straight ahead, so that the gaze puts them where they were seen."""
    back = rotation_from_gaze(gaze)
    straight = []
    for centre, radius, iris in _balls(skin, rig, lid_scale):
        straight.append((_on_ball(pose, camera[:, iris], centre, radius) @ back).mean(0) + centre)
    return np.concatenate(straight)


def _fill(motion: FaceMotion, seen: npt.NDArray[np.bool_]) -> FaceMotion:
    """Frames without a face take the motion between the frames around them."""
    wanted, known = np.arange(len(seen)), np.flatnonzero(seen)

    def between(values: FloatArray) -> FloatArray:
        columns = [np.interp(wanted, known, column) for column in values.T]
        return np.stack(columns, axis=-1).astype(np.float32)

    rotation = np.unwrap(motion.head_rotation.astype(np.float64), axis=0).astype(np.float32)
    return FaceMotion(between(motion.blendshapes), between(rotation), between(motion.head_translation), between(motion.gaze))
