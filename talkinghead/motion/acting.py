"""What a script asks of a head and of eyes, written onto a motion: nods, shakes, tilts, blinks, winks, looks.

What is asked of the face's expression goes by the EmotionTrack instead, so that lips still meet. Knows curves and times; knows
no words. Sources: Hadar, Steiner, Rose, "Head movement during listening turns in conversation", 1985 (nods of 2 to 4 Hz);
Stiefelhagen, Zhu, "Head orientation and gaze direction in meetings", 2002 (a head turns a good third of a look).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.motion.gesture_blinks import BlinkHabits, blink_shape
from talkinghead.motion.gesture_face import eye_look
from talkinghead.types import FPS, FaceMotion, FloatArray

HEAD_SHARE: Final = 0.4
MAX_TURN_RAD: Final = 0.16
"""How much of a look the head turns, at most."""
SACCADE_S: Final = 0.1
TURN_S: Final = 0.45
"""How long eyes and head take to get there."""
REST_S: Final = 0.6
_NOD_RAD: Final = 0.11
_SHAKE_RAD: Final = 0.10
_TILT_RAD: Final = 0.10
_ALONE_S, _FADE_S = 0.4, 0.2
"""So long before and after a wink no blink comes, and how softly that begins."""
_RESTING_LID: Final = 0.25
"""How far down an expression alone brings the lids."""
_LENGTHS_S: Final = {"nod": 0.64, "shake": 0.9, "tilt left": 1.2, "tilt right": 1.2, "wink left": 0.5, "wink right": 0.5}
_LIDS: Final = (arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"])
_MAX_GAZE_RAD: Final = np.array([0.6, 0.4], np.float32)


@dataclass(frozen=True)
class Act:
    """name: "nod", "shake", "tilt left", "tilt right" (of the picture), "blink", "wink left" or "wink right" (of the picture).

    start_s: when it begins. strength: 1 is natural, 0 to 2. duration_s: None for its usual length.
    """

    name: str
    start_s: float
    strength: float = 1.0
    duration_s: float | None = None


@dataclass(frozen=True)
class Look:
    """From when on the eyes, and the head after them, go where: rad to the picture's right and up."""

    start_s: float
    yaw_rad: float
    pitch_rad: float = 0.0


def looking(motion: FaceMotion, looks: Sequence[Look], liveliness: float = 1.0) -> FaceMotion:
    """The motion looking at somebody instead of the camera; its own glances go on about that, so strongly.

    looks: in the order of time; before the first the face looks into the camera. One at 0 or before is there from the start.
    """
    eyes, turn = gaze_courses(looks, len(motion))
    rotation = motion.head_rotation.copy()
    rotation[:, 1] += turn[:, 0]
    rotation[:, 0] -= turn[:, 1]
    return _with_gaze(replace(motion, head_rotation=rotation), liveliness * motion.gaze + eyes - turn)


def gaze_courses(looks: Sequence[Look], num_frames: int) -> tuple[FloatArray, FloatArray]:
    """-> (T, 2) where eyes look in the room, (T, 2) how far the head turns with them, rad to the right and up."""
    times_s = _seconds(num_frames)
    eyes, turn = np.zeros((num_frames, 2), np.float32), np.zeros((num_frames, 2), np.float32)
    for look in looks:
        target = np.array([look.yaw_rad, look.pitch_rad], np.float32)
        head = np.clip(HEAD_SHARE * target, -MAX_TURN_RAD, MAX_TURN_RAD)
        eyes += _arrival(times_s, look.start_s, SACCADE_S)[:, None] * (target - eyes)
        turn += _arrival(times_s, look.start_s, TURN_S)[:, None] * (head - turn)
    return eyes, turn


def _seconds(num_frames: int) -> FloatArray:
    return (np.arange(num_frames) / FPS).astype(np.float32)


def _arrival(times_s: FloatArray, start_s: float, takes_s: float) -> FloatArray:
    x = np.clip((times_s - start_s) / takes_s, 0, 1) if start_s > 0 else np.ones_like(times_s)
    course: FloatArray = (x * x * (3 - 2 * x)).astype(np.float32)
    return course


def acted(motion: FaceMotion, acts: Sequence[Act], habits: BlinkHabits | None = None) -> FaceMotion:
    """The motion with acts added to what it does; those that begin after its end are left out.

    Raises:
        MotionError: an act that there is not.
    """
    rotation, blendshapes = motion.head_rotation.copy(), motion.blendshapes.copy()
    times_s = _seconds(len(motion))
    for act in acts:
        if act.name.startswith("wink"):
            _without_blinks(blendshapes, times_s, act)
    for act in acts:
        since_s = times_s - act.start_s
        if act.name == "blink":
            lids = min(1.0, act.strength) * blink_shape(since_s, 1.0, habits or BlinkHabits())
            blendshapes[:, _LIDS] = np.maximum(blendshapes[:, _LIDS], lids[:, None])
        elif act.name in _LENGTHS_S:
            length_s = act.duration_s or _LENGTHS_S[act.name]
            if act.name.startswith("wink"):
                _wink(blendshapes, since_s / length_s, act)
            else:
                rotation += act.strength * _head_act(act.name, since_s, length_s)
        else:
            raise MotionError(f"act {act.name!r} is unknown; choose from blink, {', '.join(_LENGTHS_S)}.")
    return replace(motion, head_rotation=rotation.astype(np.float32), blendshapes=blendshapes)


def _head_act(name: str, since_s: FloatArray, length_s: float) -> FloatArray:
    """(T, 3) rad; x down, y to the subject's left, z to the subject's right shoulder."""
    x = np.clip(since_s / length_s, 0, 1)
    rotation = np.zeros((len(since_s), 3), np.float32)
    if name == "nod":
        # Twice, the second less; longer nods are more of them.
        cycles = max(1, round(2 * length_s / _LENGTHS_S["nod"]))
        rotation[:, 0] = _NOD_RAD * np.sin(np.pi * cycles * x) ** 2 * (1 - 0.55 * x) * ((x > 0) & (x < 1))
    elif name == "shake":
        cycles = max(1, round(2 * length_s / _LENGTHS_S["shake"]))
        rotation[:, 1] = _SHAKE_RAD * np.sin(2 * np.pi * cycles * x) * np.sqrt(np.clip(np.sin(np.pi * x), 0, 1))
    else:
        rise = np.clip(np.minimum(since_s / 0.35, (length_s - since_s) / 0.4), 0, 1)
        side = 1 if name == "tilt left" else -1
        rotation[:, 2] = side * _TILT_RAD * rise * rise * (3 - 2 * rise)
    return rotation


def _without_blinks(blendshapes: FloatArray, times_s: FloatArray, wink: Act) -> None:
    """Both lids do not shut near a wink, which would drown in that: they stay as far down as an expression brings them."""
    end_s = wink.start_s + (wink.duration_s or _LENGTHS_S[wink.name])
    far_s = np.maximum(wink.start_s - times_s, times_s - end_s)
    calm = np.clip((_ALONE_S + _FADE_S - far_s) / _FADE_S, 0, 1)
    both = blendshapes[:, _LIDS].min(1)
    blendshapes[:, _LIDS] -= (calm * np.maximum(0, both - _RESTING_LID))[:, None]


def _wink(blendshapes: FloatArray, x: FloatArray, act: Act) -> None:
    # The picture's left is the subject's right.
    side = "Right" if act.name == "wink left" else "Left"
    shape = np.clip(np.minimum(x / 0.25, (1 - x) / 0.4), 0, 1)
    shut = min(1.0, act.strength) * shape * shape * (3 - 2 * shape)
    for name, most in (("eyeBlink", 1.0), ("cheekSquint", 0.5), ("mouthSmile", 0.15)):
        column = arkit.INDEX[f"{name}{side}"]
        blendshapes[:, column] = np.maximum(blendshapes[:, column], most * shut)


def come_to_rest(motion: FaceMotion, takes_s: float = REST_S) -> FaceMotion:
    """The motion with its own head pose, glances and lids gone at its last frame, so that another can go on from there."""
    x = np.clip((len(motion) - 1 - np.arange(len(motion))) / (takes_s * FPS), 0, 1).astype(np.float32)[:, None]
    left = x * x * (3 - 2 * x)
    blendshapes = motion.blendshapes.copy()
    blendshapes[:, _LIDS] *= left
    still = replace(
        motion,
        blendshapes=blendshapes,
        head_rotation=motion.head_rotation * left,
        head_translation=motion.head_translation * left,
    )
    return _with_gaze(still, motion.gaze * left)


def _with_gaze(motion: FaceMotion, gaze: FloatArray) -> FaceMotion:
    """The motion with another look, and the columns that follow from it."""
    held = np.clip(gaze, -_MAX_GAZE_RAD, _MAX_GAZE_RAD).astype(np.float32)
    blendshapes = motion.blendshapes.copy()
    columns = eye_look(held, np.zeros_like(held))
    for column in arkit.EYE_LOOK:
        blendshapes[:, column] = columns[column]
    return replace(motion, gaze=held, blendshapes=blendshapes)
