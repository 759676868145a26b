"""SpeechFeatures as they come and what is felt now -> FaceMotion, a frame at a time: `MotionPipeline` for who cannot wait.

The same models in the same order. Knows nothing of sound, and of what comes next only what the features already hold.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.motion.expression import EACH_S, WHOLE_S, PersonalExpression
from talkinghead.motion.gesture_face import brow_columns, eyes_in_head, head_pose
from talkinghead.motion.gesture_stream import NEAR, BlinkStream, GestureStream
from talkinghead.motion.knobs import MotionKnobs
from talkinghead.motion.lips import LipContacts
from talkinghead.motion.pipeline import MotionPipeline, distinctly
from talkinghead.motion.smoothing import SlowNoise
from talkinghead.types import EmotionTrack, FaceMotion, FloatArray, SpeechFeatures

USUAL_FRAMES: Final = 100
"""What has been heard is drawn to the usual mean by as much as this many frames of it: more than for a whole recording, for a
mean that changes moves the lips. Of 5 to 400 frames on 47 training talkers: less costs correlation with the real lips in the
first seconds, more leaves the mouth of an unusual voice too open or too shut for longer."""
BEFORE_FRAMES: Final = 20
"""How far lips look back: over the smooth course of talking, and the presence of speech."""


class FaceStream:
    """One performance. Knobs as `MotionKnobs`; the same seed is the same person as in a whole recording.

    Raises:
        MotionError: an unknown knob, or one out of range.
    """

    def __init__(self, pipeline: MotionPipeline, seed: int = 0, **knobs: Any) -> None:
        self._pipeline, self._knobs = pipeline, MotionKnobs.of(**knobs)
        self._expression = PersonalExpression(seed, pipeline.prototypes)
        self._whole = SlowNoise(1, WHOLE_S, np.random.default_rng([seed, 3, 0]))
        self._each = SlowNoise(len(arkit.BLENDSHAPES), EACH_S, np.random.default_rng([seed, 3, 1]))
        self._gestures = GestureStream(pipeline.gestures, seed, self._knobs.look_deg)
        self._blinks = BlinkStream(pipeline.gestures.habits, pipeline.blink_rate(self._knobs), seed)
        self._num_heard = self._num_made = 0

    def hear(self, loudness_dbfs: float, emotion: EmotionTrack) -> None:
        """The loudness of the next frame of sound, and what is felt now, one frame."""
        self._gestures.hear(loudness_dbfs, emotion)
        self._num_heard += 1

    def __call__(self, features: SpeechFeatures, content_sum: FloatArray, emotion: EmotionTrack) -> FaceMotion:
        """The next frame.

        Args:
            features: of the newest frames that were heard, this one and what is known after it among them.
            content_sum: (C,) of their content over all frames that were heard.
            emotion: what is felt now, one frame.
        """
        frame, pipeline, knobs = self._num_made, self._pipeline, self._knobs
        self._num_made += 1
        index = frame - (self._num_heard - len(features))
        first = max(0, index - BEFORE_FRAMES)
        articulation = None if features.articulation is None else features.articulation[first:]
        near = SpeechFeatures(features.content[first:], features.loudness[first:], articulation=articulation)
        usual = pipeline.articulator.usual_content
        mean = ((content_sum + USUAL_FRAMES * usual) / (self._num_heard + USUAL_FRAMES)).astype(np.float32)
        talking, contacts = pipeline.articulator.articulate(near, knobs.lip_strength, mean)
        talking, contacts = distinctly(talking, contacts, knobs.articulation)
        now = slice(index - first, index - first + 1)
        touched = LipContacts(contacts.closed[now], contacts.tucked[now])
        felt = np.clip(knobs.expression_strength * self._expression(emotion.activation, self._whole(1), self._each(1)), 0, 1)
        curves, look, tremor = self._gestures.near(frame, emotion)
        middle = min(frame, NEAR)
        here, start = slice(middle, middle + 1), frame - middle
        rotation, translation = head_pose(curves, pipeline.head_motion(knobs), start)
        gaze = eyes_in_head(look, tremor, rotation, start)
        brows = {column: value[here] for column, value in brow_columns(curves, start).items()}
        blendshapes = pipeline.face(talking[now], touched, felt, brows, gaze[here], self._blinks(frame))
        return FaceMotion(blendshapes, rotation[here], translation[here], gaze[here])
