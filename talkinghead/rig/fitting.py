"""Tracked points to a person's neutral face, pose, camera and expression; a clip's points to its FaceMotion.

Knows the rig and the tracker's 478 points; knows no pixels' colours. The camera is scaled orthographic:
`px = translation + scale * (x, -y)`, depth `-scale * z`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead import arkit
from talkinghead.errors import FaceError, MotionError
from talkinghead.procrustes import similarity
from talkinghead.rig import topology
from talkinghead.rig.expression import ExpressionSolver, score_prior
from talkinghead.rig.eyes import MAX_GAZE_RAD, gaze_of_frames, straight_irises
from talkinghead.rig.face_rig import CAMERA_DISTANCE_M, FaceRig
from talkinghead.rig.gaze import eye_look, with_eye_look
from talkinghead.rig.pose import Array, CameraPose, axis_angle_from_matrix, matrix_from_axis_angle, steadied
from talkinghead.types import UPRIGHT, FaceMotion, FloatArray, TrackedFace

_ROUNDS: Final = 4
PERSON_FRAMES: Final = 500
"""A person is fitted to so many frames at most, evenly chosen from a longer clip."""
BLOCK_FRAMES: Final = 500
"""Frames that are worked on at once, at about 80 kB each."""


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
            is_seen=True,
        )


def project(vertices: FloatArray, face: FittedFace) -> FloatArray:
    """vertices: (..., V, 3) m in camera space -> (..., V, 3) px: x right, y down, z away from the camera."""
    pixels = vertices * (UPRIGHT * np.float32(face.scale))
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

    The head holds still where only the tracker trembles. The face's pose is that of the first frame seen; its translation is
    where a head translation of 0 lies, its scale the clip's median.

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
    motion = _fill(motion, seen)
    rotation, translation = steadied(motion.head_rotation, motion.head_translation)
    return replace(motion, head_rotation=rotation, head_translation=translation), face


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
        is_seen=True,
    )


@dataclass(frozen=True, eq=False)
class _Person:
    """neutral: (478, 3) m; lid_scale: (2,)."""

    neutral: Array
    lid_scale: Array


@dataclass(frozen=True, eq=False)
class _Frames:
    """pose of T frames; coefficients: (T, 52); gaze: (T, 2) rad."""

    pose: CameraPose
    coefficients: Array
    gaze: Array


def _fit(points: FloatArray, scores: FloatArray, rig: FaceRig) -> tuple[FaceMotion, FittedFace]:
    """The person on some frames, then pose, gaze and expression on all of them, a block at a time."""
    solver = ExpressionSolver(rig)
    num_frames = len(points)
    chosen = np.linspace(0, num_frames - 1, min(num_frames, PERSON_FRAMES)).round().astype(int)
    persons, frames = _fit_person(_camera(points[chosen]), score_prior(scores[chosen]), rig, solver)
    blocks = [slice(start, start + BLOCK_FRAMES) for start in range(0, num_frames, BLOCK_FRAMES)]
    if len(chosen) < num_frames:
        frames = _joined([_fit_frames(_camera(points[b]), score_prior(scores[b]), persons, rig, solver) for b in blocks])
    pose, coefficients, gaze = frames.pose, frames.coefficients, frames.gaze
    if num_frames > 1:
        # Where the points do not decide between blendshapes, neighbouring frames do: what is seen is not smoothed.
        calm, person = _smoothed(coefficients), persons[-1]
        for block in blocks:
            head = pose[block].to_head(_camera(points[block]))
            coefficients[block] = solver.coefficients(head, person.neutral, calm[block], gaze[block], person.lid_scale)
    coefficients[:, list(arkit.EYE_LOOK)] = eye_look(gaze.astype(np.float32))
    return _finish(frames, _camera(points[chosen]), chosen, persons[-1].lid_scale, rig, solver)


def _camera(points: FloatArray) -> Array:
    """Points as the tracker gives them -> in our axes, px."""
    camera: Array = points.astype(np.float64) * UPRIGHT
    return camera


def _fit_person(camera: Array, expected: Array, rig: FaceRig, solver: ExpressionSolver) -> tuple[list[_Person], _Frames]:
    """camera: (T, 478, 3) px, expected: (T, 52) -> the person as believed before and after each round, and the frames."""
    pose, gaze = _first_pose(camera, rig), np.zeros((len(camera), 2))
    persons: list[_Person] = []
    for _ in range(_ROUNDS):
        head = pose.to_head(camera)
        if not persons or len(camera) == 1:
            neutral, mean, lid_scale = solver.neutral_of_mean(head.mean(0), expected.mean(0), gaze.mean(0))
            persons.append(_Person(neutral, lid_scale))
            coefficients = np.tile(mean, (len(camera), 1))
        if len(camera) > 1:
            person = persons[-1]
            coefficients = solver.coefficients(head, person.neutral, expected, gaze, person.lid_scale)
            neutral = solver.neutral_of_frames(head, coefficients, person.lid_scale)
            persons.append(_Person(neutral, solver.lid_scale(neutral)))
        pose, gaze = _posed(camera, coefficients, persons[-1], rig, solver)
    return persons, _Frames(pose, coefficients, gaze)


def _fit_frames(camera: Array, expected: Array, persons: list[_Person], rig: FaceRig, solver: ExpressionSolver) -> _Frames:
    """Other frames of a person: in each round as believed then, so that they go the way of those that the person is of."""
    pose, gaze = _first_pose(camera, rig), np.zeros((len(camera), 2))
    for before, after in pairwise(persons):
        head = pose.to_head(camera)
        coefficients = solver.coefficients(head, before.neutral, expected, gaze, before.lid_scale)
        pose, gaze = _posed(camera, coefficients, after, rig, solver)
    return _Frames(pose, coefficients, gaze)


def _joined(parts: list[_Frames]) -> _Frames:
    poses = [part.pose for part in parts]
    pose = CameraPose(*(np.concatenate([getattr(part, name) for part in poses]) for name in ("rotation", "scale", "shift")))
    return _Frames(pose, *(np.concatenate([getattr(part, name) for part in parts]) for name in ("coefficients", "gaze")))


def _first_pose(camera: Array, rig: FaceRig) -> CameraPose:
    rigid = list(topology.RIGID)
    return CameraPose(*similarity(rig.neutral[rigid].astype(np.float64), camera[:, rigid]))


def _posed(
    camera: Array, coefficients: Array, person: _Person, rig: FaceRig, solver: ExpressionSolver
) -> tuple[CameraPose, Array]:
    """Pose and gaze (T, 2) of frames whose expression is known."""
    skin = slice(0, topology.NUM_SKIN)
    predicted = person.neutral + solver.offsets(coefficients, person.lid_scale)
    pose = CameraPose(*similarity(predicted[:, skin], camera[:, skin], solver.pose_weights))
    return pose, gaze_of_frames(pose, camera, person.neutral, rig, person.lid_scale)


def _finish(
    frames: _Frames, camera: Array, chosen: npt.NDArray[np.int64], lid_scale: Array, rig: FaceRig, solver: ExpressionSolver,
) -> tuple[FaceMotion, FittedFace]:  # fmt: skip
    """camera: points in our axes of the frames `chosen`, which say what of the face is the person's own."""
    pose = frames.pose
    scale = float(np.median(pose.scale))
    translation = pose.shift[0, :2]
    shift = np.zeros((len(pose.scale), 3))
    shift[:, :2] = (pose.shift[:, :2] - translation) / scale
    # A head that grows by g has come nearer: g = distance / (distance - z).
    shift[:, 2] = CAMERA_DISTANCE_M * (1 - scale / pose.scale)
    own, coefficients = pose[chosen], frames.coefficients[chosen]
    head = own.to_head(camera)
    # What nothing explains is the person's own, and the lids' travel follows from the opening that this leaves.
    skin = (head - solver.offsets(coefficients, lid_scale)).mean(0)
    lid_scale = solver.closing_lid_scale(skin, coefficients.mean(0), lid_scale)
    skin = (head - solver.offsets(coefficients, lid_scale)).mean(0)
    skin[topology.NUM_SKIN :] = straight_irises(own, camera, frames.gaze[chosen], skin, rig, lid_scale)
    motion = FaceMotion(
        frames.coefficients.astype(np.float32), axis_angle_from_matrix(pose.rotation).astype(np.float32),
        shift.astype(np.float32), frames.gaze.astype(np.float32), is_seen=True,
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


def _fill(motion: FaceMotion, seen: npt.NDArray[np.bool_]) -> FaceMotion:
    """Frames without a face take the motion between the frames around them."""
    wanted, known = np.arange(len(seen)), np.flatnonzero(seen)

    def between(values: FloatArray) -> FloatArray:
        columns = [np.interp(wanted, known, column) for column in values.T]
        return np.stack(columns, axis=-1).astype(np.float32)

    return motion.each(between)
