"""SpeechFeatures and EmotionTrack -> FaceMotion: what is said, how it is felt, and what a living head does besides.

Knows the three models of this folder; knows nothing of meshes and pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talkinghead.errors import MotionError
from talkinghead.motion.articulator import Articulator, close_lips
from talkinghead.motion.expression import compose, expression
from talkinghead.motion.gesture import GestureStatistics, blinks, eye_look, gaze_motion, move_head
from talkinghead.types import EmotionTrack, FaceMotion, FloatArray, SpeechFeatures


@dataclass(frozen=True, eq=False)
class MotionPipeline:
    """Speech to motion. `travel` is how far each of the 52 columns parts the lips (`Articulator.lip_travel`)."""

    articulator: Articulator
    gestures: GestureStatistics
    travel: FloatArray

    @staticmethod
    def from_pretrained(folder: Path | str) -> MotionPipeline:
        """Load `articulator/` and `gesture/` of a checkpoint folder.

        Raises:
            CheckpointError: a file is missing or is not what it should be.
        """
        articulator = Articulator.load(Path(folder) / "articulator")
        travel = np.asarray(articulator.config.lip_travel or [0.0] * 52, np.float32)
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
            blink_rate: blinks a minute; None takes that of the tracked talkers, 0 is none.
            lip_strength: 0 leaves the mouth at rest, 1 is natural, 1.3 articulates strongly.

        Raises:
            MotionError: features and emotion of different lengths, or a knob out of range.
        """
        self._check(features, emotion, head_motion, blink_rate, lip_strength)
        num_frames = len(features)
        talking, closed = self.articulator.articulate(features, lip_strength)
        felt = expression(emotion, seed)
        blendshapes = compose(talking, felt)
        blendshapes = close_lips(blendshapes, closed, self.travel)
        rotation, translation = move_head(features.loudness, self.gestures, head_motion, seed)
        gaze = gaze_motion(num_frames, self.gestures, rotation, seed)
        lids = blinks(num_frames, self.gestures, blink_rate, seed)
        for column, value in eye_look(gaze, lids).items():
            # Lids that an emotion half closes still blink to the end, and wide eyes let go for a blink.
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
            ("blink_rate", blink_rate or 0.0, 120.0),
        ):
            if not 0 <= value <= high:
                raise MotionError(f"{name} is {value}; give a number from 0 to {high:g}.")
