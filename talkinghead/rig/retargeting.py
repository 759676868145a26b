"""A motion -> the same motion on the face of a portrait: from where it counts, what of it is taken, how strongly.

Knows coefficients and angles; knows no speech and no pixels. Source of relative and absolute driving: Siarohin et al., "First
Order Motion Model for Image Animation", NeurIPS 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.rig.eyes import MAX_GAZE_RAD
from talkinghead.rig.face_rig import BLINK
from talkinghead.rig.fitting import FittedFace
from talkinghead.rig.gaze import with_eye_look
from talkinghead.rig.pose import Array, axis_angle_from_matrix, matrix_from_axis_angle
from talkinghead.rig.usual import on_usual_look, with_lips_to, with_meeting_lips
from talkinghead.rig.view import CameraPath, seen_from, supported
from talkinghead.types import FaceMotion, FloatArray

MAX_STRENGTH: Final = 1.5
KEPT_SMILE: Final = 0.7
"""At its broadest, by eye, on twenty smiling portraits: with less they look stern, with more their speech is flat."""
_LIDS: Final = list(BLINK.values())


@dataclass(frozen=True)
class Reenactment:
    """How a motion is put on a portrait.

    relative: True counts the expression, the head and the look from the motion's first frame, so that the video begins with the
        portrait as it is; False takes all three as they are in the motion; None takes the expression as it is, what no
        real person did (`FaceMotion.is_seen`) on the usual look of the portrait's, the head from the first frame, and the
        look from there or, of a real person, from where they mostly look.
    with_pose: False leaves the head where the portrait holds it; the eyes still look where the motion's look, in the room.
    strength: of the expression, 0 to 1.5; blinks and look are no expression.
    keep_smile: how much of the portrait's smile stays while nothing is felt that was asked for (`FaceMotion.at_ease`), 0 to 1;
        with `relative` None alone.
    """

    relative: bool | None = None
    with_pose: bool = True
    strength: float = 1.0
    keep_smile: float = KEPT_SMILE

    def __post_init__(self) -> None:
        for name, most, what in (("strength", MAX_STRENGTH, "1 is as the motion is"), ("keep_smile", 1.0, "1 is all of it")):
            given = getattr(self, name)
            if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= most:
                raise MotionError(f"{name} is {given}: out of range; give 0 to {most:g}, {what}.")


def retarget(
    motion: FaceMotion, face: FittedFace, wanted: Reenactment | None = None, camera: CameraPath | None = None
) -> FaceMotion:
    """A motion, as `fit_motion` or a `MotionPipeline` gives it -> what the face of a portrait does.

    Args:
        motion: T frames, one at least.
        face: of the portrait.
        wanted: what is taken; all of it when None.
        camera: from where the head is seen.

    The head is held to turns that the portrait supports (`view.supported`).
    """
    wanted = wanted or Reenactment()
    rotation, shift = _head(motion, face, wanted)
    if camera is not None:
        camera.check_length(len(motion))
        rotation = seen_from(rotation, camera.degrees(len(motion)))
    rotation = supported(rotation, matrix_from_axis_angle(face.rotation))
    gaze = _look(motion, face, wanted)
    blendshapes = expression_on(motion.blendshapes, face.resting, wanted)
    if wanted.relative is None and not motion.is_seen:
        blendshapes = on_usual_look(blendshapes, face.resting)
    if not wanted.relative:
        blendshapes = (with_lips_to if motion.is_seen else with_meeting_lips)(blendshapes, face.shape)
    return FaceMotion(
        with_eye_look(blendshapes, gaze),
        axis_angle_from_matrix(rotation).astype(np.float32),
        shift.astype(np.float32),
        gaze,
        is_seen=True,
    )


def expression_on(blendshapes: FloatArray, resting: FloatArray, wanted: Reenactment) -> FloatArray:
    """blendshapes: (T, 52) of a motion, resting: (52,) of a portrait -> (T, 52) in [0, 1] of the portrait's face.

    Lids that shut shut whatever they counted from.
    """
    gain = np.full(len(arkit.BLENDSHAPES), wanted.strength, np.float32)
    gain[_LIDS] = 1
    if not wanted.relative:
        scaled: FloatArray = np.clip(gain * blendshapes, 0, 1).astype(np.float32)
        return scaled
    change = blendshapes - blendshapes[0]
    result = resting + gain * change
    # A motion that begins in a blink has its lids where they usually are.
    lids = np.minimum(blendshapes[0, _LIDS], np.median(blendshapes[:, _LIDS], axis=0))
    result[:, _LIDS] = resting[_LIDS] + blendshapes[:, _LIDS] - lids
    closing = np.clip((blendshapes[:, _LIDS] - lids) / np.maximum(1 - lids, 1e-3), 0, 1)
    result[:, _LIDS] = np.maximum(result[:, _LIDS], resting[_LIDS] + (1 - resting[_LIDS]) * closing)
    shown: FloatArray = np.clip(result, 0, 1).astype(np.float32)
    return shown


def _head(motion: FaceMotion, face: FittedFace, wanted: Reenactment) -> tuple[Array, FloatArray]:
    """(T, 3, 3) and (T, 3) m of the head before the camera of the picture."""
    resting = matrix_from_axis_angle(face.rotation)
    if not wanted.with_pose:
        return np.tile(resting, (len(motion), 1, 1)), np.zeros((len(motion), 3), np.float32)
    rotation = matrix_from_axis_angle(motion.head_rotation)
    if wanted.relative is not False:
        rotation = rotation @ rotation[0].T @ resting
    return rotation, motion.head_translation - motion.head_translation[0]


def _usual_look(motion: FaceMotion, gaze: FloatArray, wanted: Reenactment) -> FloatArray:
    """gaze: (T, 2) rad -> (2,) where a filmed person mostly looks, in the room: into the camera, but perhaps not at first."""
    if not wanted.with_pose:
        return np.asarray(np.median(gaze, axis=0), np.float32)
    turn = motion.head_rotation - motion.head_rotation[0]
    return np.asarray(np.median(gaze + np.stack([turn[:, 1], -turn[:, 0]], -1), axis=0), np.float32)


def _look(motion: FaceMotion, face: FittedFace, wanted: Reenactment) -> FloatArray:
    """(T, 2) rad of the eyes against the head."""
    gaze = motion.gaze
    if not wanted.with_pose:  # in the room: who keeps looking into the camera while nodding keeps looking there
        turn = motion.head_rotation.astype(np.float32)
        gaze = gaze + np.stack([turn[:, 1], -turn[:, 0]], -1)
        if wanted.relative is False:
            gaze = gaze - np.array([face.rotation[1], -face.rotation[0]], np.float32)
    if wanted.relative is not False:
        gaze = face.gaze + gaze - (_usual_look(motion, gaze, wanted) if motion.is_seen and not wanted.relative else gaze[0])
    return np.clip(gaze, -np.array(MAX_GAZE_RAD), MAX_GAZE_RAD).astype(np.float32)
