"""SpeechFeatures and EmotionTrack -> FaceMotion: what is said, how it is felt, and what a living head does besides.

Knows the three models of this folder; knows nothing of meshes and pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.motion.articulator import Articulator, close_lips
from talkinghead.motion.expression import compose, expression
from talkinghead.motion.gesture import MAX_BLINKS_PER_MINUTE, GestureStatistics, blinks, eye_look, gaze_motion, move_head
from talkinghead.types import EmotionTrack, FaceMotion, FloatArray, SpeechFeatures

WIDE_EYES: Final = (arkit.INDEX["eyeWideLeft"], arkit.INDEX["eyeWideRight"])


@dataclass(frozen=True, eq=False)
class MotionPipeline:
    """Speech to motion.

    travel: (52,) how far each column parts the lips (`Articulator.lip_travel`); without it lips are not shut by measure.
    """

    articulator: Articulator
    gestures: GestureStatistics
    travel: FloatArray | None

    @staticmethod
    def from_pretrained(folder: Path | str) -> MotionPipeline:
        """Load `articulator/` and `gesture/` of a checkpoint folder.

        Raises:
            CheckpointError: a file is missing or is not what it should be.
        """
        articulator = Articulator.load(Path(folder) / "articulator")
        lip_travel = articulator.config.lip_travel
        travel = None if lip_travel is None else np.asarray(lip_travel, np.float32)
        return MotionPipeline(articulator, GestureStatistics.from_pretrained(Path(folder) / "gesture"), travel)

    def __call__(
        self,
        features: SpeechFeatures,
        emotion: EmotionTrack,
        seed: int = 0,
        head_motion: float = 1.0,
        blink_rate: float | None = None,
        lip_strength: float = 1.0,
    ) -> FaceMotion:
        """One performance; the same arguments give the same bytes.

        Args:
            features: what is said, T frames.
            emotion: what is felt, T frames.
            seed: chooses blinks, gaze, head motion and the life of the expression; never the lips.
            head_motion: 0 still, 1 as people do, 2 twice as much.
            blink_rate: blinks a minute, 0 to 60; None takes that of the tracked talkers, 0 is none.
            lip_strength: 0 leaves the mouth at rest, 1 is natural, 1.3 articulates strongly.

        Raises:
            MotionError: features and emotion of different lengths, or a knob out of range.
        """
        self._check(features, emotion, head_motion, blink_rate, lip_strength)
        num_frames = len(features)
        talking, closed = self.articulator.articulate(features, lip_strength)
        felt = expression(emotion, seed)
        blendshapes = compose(talking, felt)
        if self.travel is not None:
            blendshapes = close_lips(blendshapes, closed, self.travel)
        rotation, translation = move_head(features.loudness, self.gestures, head_motion, seed)
        gaze = gaze_motion(num_frames, self.gestures, rotation, seed)
        lids = blinks(num_frames, self.gestures, blink_rate, seed)
        # Wide eyes let go for a blink, and lids that an emotion half closes still blink to the end.
        blendshapes[:, WIDE_EYES] *= 1 - lids
        for column, value in eye_look(gaze, lids).items():
            blendshapes[:, column] = blendshapes[:, column] + value - blendshapes[:, column] * value
        return FaceMotion(np.clip(blendshapes, 0, 1).astype(np.float32), rotation, translation, gaze)

    @staticmethod
    def _check(features: SpeechFeatures, emotion: EmotionTrack, head: float, blink_rate: float | None, lips: float) -> None:
        if len(features) != len(emotion):
            raise MotionError(
                f"features have {len(features)} frames and emotion {len(emotion)}; "
                f"make the EmotionTrack for {len(features)} frames."
            )
        for name, value, high in (
            ("head_motion", head, 3.0),
            ("lip_strength", lips, 2.0),
            ("blink_rate", blink_rate or 0.0, MAX_BLINKS_PER_MINUTE),
        ):
            if not 0 <= value <= high:
                raise MotionError(f"{name} is {value}; give a number from 0 to {high:g}.")
