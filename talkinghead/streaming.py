"""`MotionStream`: speech as it is spoken -> motion, a frame 160 ms after its sound began. What drives a live avatar.

Tolerance: on 47 training talkers, a clip each, lip opening goes with the whole recording's at r = 0.95 and is 0.012 of the
distance of the eyes from it (a quarter of its deviation), 0.009 after the first two seconds; `talkinghead evaluate --only
streaming` prints it. What a stream lacks is what follows and most of what the voice is like, and it costs some of the
correlation with the real lips: on those talkers 0.77 instead of 0.81.
Nothing here grows with the length of the speech.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from talkinghead.audio.speech_stream import SpeechStream
from talkinghead.emotion.easing import EASE_S, ease
from talkinghead.emotion.track import EmotionRequest, asked, requested_track
from talkinghead.errors import AudioError, EmotionError
from talkinghead.motion.own_smile import EBB_S, ebb, towards
from talkinghead.motion.smoothing import SlowNoise
from talkinghead.motion.stream import FaceStream
from talkinghead.motion.style import SpeakingStyle
from talkinghead.types import FPS, MOTION_ARRAYS, SAMPLES_PER_FRAME, EmotionTrack, FaceMotion, FloatArray

if TYPE_CHECKING:
    from talkinghead.pipeline import TalkingHead

LOOK_AHEAD_FRAMES: Final = 3
"""What a frame waits for after its own 40 ms: 160 ms from its first sample on. The fourth frame was worth nothing that could be
measured: lips of 32 training talkers go with the real ones at r = 0.763 with three, 0.764 with four, 0.754 with two."""
_LONG_FRAMES: Final = 101


class MotionStream:
    """Samples in, frames out: `push` gives those that are ready, `finish` the rest.

    Chunks of any size give the same frames, and the same seed gives the same person as `TalkingHead.animate`. Lips are those of
    the whole recording but for what only the future tells. Head, eyes and blinks are another performance than the whole
    recording's, for that is made from voice not yet heard here.

    Args:
        head: the models.
        emotion: a label, a mix, regions or valence and arousal, the same from its onset until `feel` asks for another.
        intensity: of a label, 0.7 when None.
        seed: as in `TalkingHead.animate`.
        style: of a person, or its folder.
        knobs: as `motion.knobs.MotionKnobs`.

    Raises:
        EmotionError: an emotion that needs the whole recording, or does not exist.
        MotionError: an unknown knob, or one out of range.
    """

    def __init__(
        self,
        head: TalkingHead,
        emotion: str | EmotionRequest | None = None,
        intensity: float | None = None,
        seed: int = 0,
        style: SpeakingStyle | Path | str | None = None,
        **knobs: Any,
    ) -> None:
        self._speech = SpeechStream(head.speech_encoder)
        self._face = FaceStream(head.motion.with_style(style), seed, **knobs)
        self._waiting = np.empty(0, np.float32)
        self._num_made, self._is_finished = 0, False
        self._felt = self._wanted = np.zeros_like(steady_activation(None))
        self._felt_since = 0
        self.feel(emotion, intensity)
        self._ease, self._ebb = self._wanted_ease, SlowNoise(1, EBB_S, np.random.default_rng([seed, 5]))

    def feel(self, emotion: str | EmotionRequest | None, intensity: float | None = None) -> None:
        """From the next frame on another emotion, which comes within 0.4 s.

        Raises:
            EmotionError: as for a new stream.
        """
        self._felt, self._wanted, self._felt_since = self._now(), steady_activation(emotion, intensity), self._num_made
        self._wanted_ease = float(emotion is None or (isinstance(emotion, EmotionRequest) and emotion.is_open))

    def push(self, samples: FloatArray) -> FaceMotion:
        """samples: (N,) float32 in [-1, 1], mono, 16 kHz, any N -> the frames that are ready now, none or more.

        Raises:
            AudioError: another type, shape or range, samples that are not numbers, or the stream is finished.
        """
        if self._is_finished:
            raise AudioError("stream: it is finished; make another MotionStream for more speech.")
        if not isinstance(samples, np.ndarray):
            raise AudioError(
                f"samples are {type(samples).__name__}; give a numpy array, of raw 16 bit sound "
                "np.frombuffer(chunk, np.int16).astype(np.float32) / 32768."
            )
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise AudioError(f"samples are {samples.dtype} of shape {samples.shape}; give float32 of shape (N,), one channel.")
        if not (np.abs(samples) <= 1).all():
            raise AudioError("samples are not all numbers in [-1, 1]; turn the sound down, or export it again.")
        self._waiting = np.concatenate([self._waiting, samples])
        made = []
        while len(self._waiting) >= SAMPLES_PER_FRAME:
            self._hear(self._waiting[:SAMPLES_PER_FRAME])
            self._waiting = self._waiting[SAMPLES_PER_FRAME:]
            if self._speech.num_frames > LOOK_AHEAD_FRAMES:
                made.append(self._frame())
        return joined(made)

    def finish(self) -> FaceMotion:
        """The frames that waited for more; the last one may be partly silent. Nothing can be pushed after it."""
        made = []
        if not self._is_finished and len(self._waiting):
            self._hear(np.pad(self._waiting, (0, SAMPLES_PER_FRAME - len(self._waiting))))
        self._is_finished = True
        while self._num_made < self._speech.num_frames:
            made.append(self._frame())
        return joined(made)

    def _hear(self, samples: FloatArray) -> None:
        self._speech(samples)
        self._face.hear(float(self._speech.features.loudness[-1]), self._feeling())

    def _frame(self) -> FaceMotion:
        made = self._face(self._speech.features, self._speech.content_sum, self._feeling())
        self._num_made += 1
        self._ease = towards(self._ease, self._wanted_ease)
        return replace(made, at_ease=self._ease * ebb(self._ebb(1)))

    def _feeling(self) -> EmotionTrack:
        """What is felt at the next frame."""
        return EmotionTrack.from_activation(self._now()[None])

    def _now(self) -> FloatArray:
        """(3, 8) activation at the next frame, on its way to what is wanted."""
        since_s = np.array([(self._num_made - self._felt_since + 0.5) / FPS], np.float32)
        now: FloatArray = self._felt + ease(since_s, 0, EASE_S)[0] * (self._wanted - self._felt)
        return now


def steady_activation(emotion: str | EmotionRequest | None, intensity: float | None = None) -> FloatArray:
    """(3, 8) of an emotion that stays as it is.

    Raises:
        EmotionError: one that needs the whole recording, or does not exist.
    """
    if intensity is not None and not isinstance(emotion, str):
        raise EmotionError(f"intensity is {intensity}, and no label is given that it is of; name one, such as happy.")
    wanted = asked(emotion)
    request = EmotionRequest((wanted,), intensity) if isinstance(wanted, str) else wanted
    if isinstance(request, EmotionTrack):
        raise EmotionError("emotion is an EmotionTrack, which a stream has no length for; name one, such as happy:0.7.")
    if request.is_heard or request.prompt is not None or request.timeline is not None or request.reference is not None:
        raise EmotionError(
            "emotion: 'auto', a prompt, a timeline and a reference need the whole recording, which a stream has not; name an "
            "emotion such as happy:0.7, regions, or valence and arousal."
        )
    now: FloatArray = requested_track(request, _LONG_FRAMES).activation[_LONG_FRAMES // 2]
    return now


def joined(motions: list[FaceMotion]) -> FaceMotion:
    """One after the other, of one kind; none is a motion of no frame."""
    if not motions:
        return FaceMotion.neutral(0)
    rows: dict[str, Any] = {name: np.concatenate([getattr(motion, name) for motion in motions]) for name in MOTION_ARRAYS}
    return replace(motions[0], **rows)
