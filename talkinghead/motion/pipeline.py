"""SpeechFeatures and EmotionTrack -> FaceMotion: what is said, how it is felt, and what a living head does besides.

Knows the models of this folder and the user's knobs; knows nothing of meshes and pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.expression import compose, expression
from talkinghead.motion.gesture import GestureModel
from talkinghead.motion.gesture_blinks import blink_times, blinks
from talkinghead.motion.gesture_face import brow_columns, eye_look, gaze_motion, head_pose
from talkinghead.motion.knobs import MotionKnobs
from talkinghead.motion.lips import LipContacts, LipTravel, touch_lips
from talkinghead.motion.smoothing import moving_average
from talkinghead.types import EmotionTrack, FaceMotion, FloatArray, SpeechFeatures

WIDE_EYES: Final = (arkit.INDEX["eyeWideLeft"], arkit.INDEX["eyeWideRight"])
COURSE_S: Final = 0.28
"""Half the window of the smooth course of talking: what lasts longer than a syllable or two."""


@dataclass(frozen=True, eq=False)
class MotionPipeline:
    """Speech to motion.

    travel: what each column does to the lips; without it lips are not shut by measure.
    """

    articulator: Articulator
    gestures: GestureModel
    travel: LipTravel | None

    @staticmethod
    def from_pretrained(folder: Path | str) -> MotionPipeline:
        """Load `articulator/` and `gesture/` of a checkpoint folder.

        Raises:
            CheckpointError: a file is missing or is not what it should be.
        """
        articulator = Articulator.load(Path(folder) / "articulator")
        return MotionPipeline(articulator, GestureModel.from_pretrained(Path(folder) / "gesture"), articulator.travel)

    def __call__(self, features: SpeechFeatures, emotion: EmotionTrack, seed: int = 0, **knobs: Any) -> FaceMotion:
        """One performance; the same arguments give the same bytes.

        Args:
            features: what is said, T frames.
            emotion: what is felt, T frames.
            seed: chooses blinks, gaze, brows, head motion and the life of the expression; never the lips.
            knobs: as `MotionKnobs`.

        Raises:
            MotionError: features and emotion of different lengths, an unknown knob, or one out of range.
        """
        if len(features) != len(emotion):
            raise MotionError(
                f"features have {len(features)} frames and emotion {len(emotion)}; "
                f"make the EmotionTrack for {len(features)} frames."
            )
        wanted = MotionKnobs.of(**knobs)
        talking, contacts = self.articulator.articulate(features, wanted.lip_strength)
        talking, contacts = distinctly(talking, contacts, wanted.articulation)
        gestures = self.gestures(features, emotion, seed)
        felt = np.clip(wanted.expression_strength * expression(emotion, seed), 0, 1)
        blendshapes = compose(talking, felt)
        if self.travel is not None:
            blendshapes = touch_lips(blendshapes, contacts, self.travel)
        blendshapes = add_columns(blendshapes, brow_columns(gestures))
        # The eyes keep where they look when the knob of the head turns it more or less.
        rotation, translation = head_pose(gestures, wanted.head_motion)
        gaze = gaze_motion(gestures, self.gestures.scale, rotation, wanted.look_deg, seed)
        times = blink_times(gestures[:, -1], self.gestures.habits, wanted.blinks, seed)
        lids = blinks(len(features), times, self.gestures.habits, seed)
        # Wide eyes let go for a blink, and lids that an emotion half closes still blink to the end.
        blendshapes[:, WIDE_EYES] *= 1 - lids
        blendshapes = add_columns(blendshapes, eye_look(gaze, lids))
        return FaceMotion(np.clip(blendshapes, 0, 1).astype(np.float32), rotation, translation, gaze)


def add_columns(blendshapes: FloatArray, columns: dict[int, FloatArray]) -> FloatArray:
    """blendshapes: (T, 52), columns: (T,) each, all in [0, 1] -> both together, saturating softly."""
    result = blendshapes.copy()
    for column, value in columns.items():
        result[:, column] += value - result[:, column] * value
    return result


def distinctly(talking: FloatArray, contacts: LipContacts, articulation: float) -> tuple[FloatArray, LipContacts]:
    """How distinctly is spoken: what each sound departs from the smooth course of talking is scaled, as PC-Talk does.

    talking: (T, 52), contacts: as `Articulator.articulate` -> the same. 0 leaves the course alone, a mumble whose
    lips need not meet; 1 returns what came; beyond 1 lips that meet stay met. Source: Wang et al., "PC-Talk", 2025.
    """
    if articulation == 1:
        return talking, contacts
    course = np.zeros_like(talking)
    for column in np.flatnonzero(talking.any(0)):
        course[:, column] = moving_average(talking[:, column], COURSE_S)
    distinct = np.clip(course + articulation * (talking - course), 0, 1).astype(np.float32)
    return distinct, contacts.scaled(articulation)
