"""SpeechFeatures and EmotionTrack -> FaceMotion: what is said, how it is felt, and what a living head does besides.

Knows the models of this folder and the user's knobs; knows nothing of meshes and pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.expression import PROTOTYPE_MATRIX, compose, expression
from talkinghead.motion.expression_fitting import load_prototypes
from talkinghead.motion.gesture import GestureModel
from talkinghead.motion.gesture_blinks import blink_times, blinks
from talkinghead.motion.gesture_face import brow_columns, eye_look, gaze_motion, head_pose
from talkinghead.motion.knobs import BlinkRate, MotionKnobs
from talkinghead.motion.lips import LipContacts, LipTravel, restrain_parting, shut_at_rest, touch_lips
from talkinghead.motion.own_smile import EBB_S, at_ease, ebb, with_own_smile
from talkinghead.motion.smoothing import moving_average, slow_noise
from talkinghead.motion.style import SpeakingStyle
from talkinghead.types import EmotionTrack, FaceMotion, FloatArray, SpeechFeatures

WIDE_EYES: Final = (arkit.INDEX["eyeWideLeft"], arkit.INDEX["eyeWideRight"])
COURSE_S: Final = 0.28
"""Half the window of the smooth course of talking: what lasts longer than a syllable or two."""


@dataclass(frozen=True, eq=False)
class MotionPipeline:
    """Speech to motion.

    travel: what each column does to the lips; without it lips are not shut by measure.
    style: of the person whose articulator this is, for head and blinks; None is everybody's.
    prototypes: (8, 52) what each emotion looks like at full strength.
    """

    articulator: Articulator
    gestures: GestureModel
    travel: LipTravel | None
    style: SpeakingStyle | None = None
    prototypes: FloatArray = field(default_factory=PROTOTYPE_MATRIX.copy)

    @staticmethod
    def from_pretrained(folder: Path | str) -> MotionPipeline:
        """Load `articulator/`, `gesture/` and, where there is one, `expression/` of a checkpoint folder.

        Raises:
            CheckpointError: a file is missing or is not what it should be.
        """
        articulator = Articulator.load(Path(folder) / "articulator")
        return MotionPipeline(
            articulator,
            GestureModel.from_pretrained(Path(folder) / "gesture"),
            articulator.travel,
            prototypes=load_prototypes(Path(folder) / "expression"),
        )

    def with_style(self, style: SpeakingStyle | Path | str | None) -> MotionPipeline:
        """The same pipeline in a person's speaking style, or in the one of a folder; None changes nothing.

        Raises:
            StyleError: no such folder, damaged, or the style of another articulator.
        """
        if style is None:
            return self
        style = style if isinstance(style, SpeakingStyle) else SpeakingStyle.load(style)
        return replace(self, articulator=style.applied_to(self.articulator), style=style)

    def __call__(
        self, features: SpeechFeatures, emotion: EmotionTrack, seed: int = 0, person: int | None = None, **knobs: Any
    ) -> FaceMotion:
        """One performance; the same arguments give the same bytes.

        Args:
            features: what is said, T frames.
            emotion: what is felt, T frames.
            seed: chooses blinks, gaze, brows, head motion and the life of the expression; never the lips.
            person: another seed for the expression, by which somebody shows emotions alike whatever the seed; None is `seed`.
            knobs: as `MotionKnobs`.

        Raises:
            MotionError: features and emotion of different lengths, an unknown knob, or one out of range.
        """
        if len(features) != len(emotion):
            raise MotionError(
                f"features have {len(features)} frames and emotion {len(emotion)}; "
                f"make the EmotionTrack for {len(features)} frames."
            )
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise MotionError(f"seed is {seed!r}; give a whole number from 0 on.")
        wanted = MotionKnobs.of(**knobs)
        talking, contacts = self.articulator.articulate(features, wanted.lip_strength)
        talking, contacts = distinctly(talking, contacts, wanted.articulation)
        gestures = self.gestures(features, emotion, seed)
        felt = np.clip(
            wanted.expression_strength * expression(emotion, seed if person is None else person, self.prototypes), 0, 1
        )
        # The eyes keep where they look when the knob of the head turns it more or less.
        rotation, translation = head_pose(gestures, self.head_motion(wanted))
        gaze = gaze_motion(gestures, self.gestures.scale, rotation, wanted.look_deg, seed)
        times = blink_times(gestures[:, -1], self.gestures.habits, self.blink_rate(wanted), seed)
        lids = blinks(len(features), times, self.gestures.habits, seed)
        blendshapes = self.face(talking, contacts, felt, brow_columns(gestures), gaze, lids)
        noise = slow_noise(len(features), 1, EBB_S, np.random.default_rng([seed, 5]))
        ease = float(emotion.is_open) * at_ease(emotion.activation) * ebb(noise)
        return FaceMotion(blendshapes, rotation, translation, gaze, at_ease=ease)

    def on_portrait(self, motion: FaceMotion, resting: FloatArray, keep_smile: float = 0.0) -> FaceMotion:
        """A motion -> the same, if nobody did it, on a portrait that shows `resting`, (52,): a part of its smile goes on where
        the motion is at ease, and lips that it parts are shut at rest."""
        if motion.is_seen:
            return motion
        motion = with_own_smile(motion, resting, keep_smile, self.travel)
        if self.travel is None:
            return motion
        return replace(motion, blendshapes=shut_at_rest(motion.blendshapes, resting, self.travel))

    def head_motion(self, knobs: MotionKnobs) -> float:
        """How much the head moves: as asked, of what the style's person does."""
        return knobs.head_motion * (self.style.habits.head_motion if self.style else 1)

    def blink_rate(self, knobs: MotionKnobs) -> BlinkRate:
        """What is asked of the blinks, or the style's person does."""
        return self.style.blink_rate(knobs.blinks) if self.style else knobs.blinks

    def face(
        self,
        talking: FloatArray,
        contacts: LipContacts,
        felt: FloatArray,
        brows: dict[int, FloatArray],
        gaze: FloatArray,
        lids: FloatArray,
    ) -> FloatArray:
        """All that moves the face -> blendshapes (T, 52) in [0, 1]; the lips touch whatever else the face does.

        talking, felt: (T, 52). brows: (T,) a column. gaze: (T, 2) rad. lids: (T, 2) left and right, 1 is shut.
        """
        blendshapes = compose(talking, felt)
        if self.travel is not None:
            blendshapes = touch_lips(restrain_parting(blendshapes, talking, self.travel), contacts, self.travel)
        blendshapes = add_columns(blendshapes, brows)
        # Wide eyes let go for a blink, and lids that an emotion half closes still blink to the end.
        blendshapes[:, WIDE_EYES] *= 1 - lids
        blendshapes = add_columns(blendshapes, eye_look(gaze, lids))
        return np.clip(blendshapes, 0, 1).astype(np.float32)


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
