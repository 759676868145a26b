"""The voice as it comes -> head, brows, eyes and lids, a frame at a time.

The gesture model goes on from its last second every half second, with what was heard till then; what was not heard is taken to
be as loud as the last second. Blinks come by people's intervals, not by the model's lids. Knows curves; knows no sound and no
network. Source of the intervals: Bentivoglio et al., "Analysis of blink rate patterns in normal subjects", 1997.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead.motion.gesture import ACCENT, ACCENTED, KNOWN_TOKENS, GestureModel, accents, joined, moods
from talkinghead.motion.gesture_blinks import (
    DEPTHS,
    FIRST_BLINK_S,
    LEAD_S,
    PACES,
    SHORTEST_INTERVAL_S,
    USUAL_RATES,
    BlinkHabits,
    blink_shape,
    longest_blink_s,
)
from talkinghead.motion.gesture_dataset import CHANNELS, GAZE, LOUD_PERCENT, voice_curves
from talkinghead.motion.gesture_face import FIXATION_AHEAD, Fixation, eye_tremor, fixed_look
from talkinghead.motion.knobs import BlinkRate
from talkinghead.types import FPS, EmotionTrack, FloatArray

NEAR: Final = 2
"""Frames before and after that smooth a frame."""
AHEAD_FRAMES: Final = NEAR + FIXATION_AHEAD
"""How much of the curves must be there after a frame: the eyes know where they will look."""
HOP_TOKENS: Final = 3
USUAL_LOUD_DBFS: Final = -20.0
MEMORY_FRAMES: Final = 250
_USUAL_FRAMES: Final = 25
_RECENT_FRAMES: Final = 64
_INTERVAL_SHAPE: Final = 2.0


class GestureStream:
    """(12,) curves about rest, a frame at a time, and where the eyes are held.

    Args:
        model: what samples the curves.
        seed: chooses them, and is the person.
        look_deg: where the eyes stay, degrees to the picture's right and up; None as people do.
    """

    def __init__(self, model: GestureModel, seed: int, look_deg: tuple[float, float] | None) -> None:
        self._model, self._seed, self._look_deg = model, seed, look_deg
        self._token, self._window = model.denoiser.token_frames, int(model.denoiser.config.window_frames)
        self._random = np.random.default_rng([seed, 6])
        self._moods, self._tremor, self._fixation = moods(seed), eye_tremor(seed), Fixation(model.scale[GAZE])
        self._mood = self._moods(self._window)
        # A recording's loud syllables are known when some were heard; until then they are usual ones.
        self._loudness = np.full(_USUAL_FRAMES, USUAL_LOUD_DBFS, np.float32)
        self._num_heard = self._num_made = self._num_held = 0
        self._curves = np.empty((0, len(CHANNELS)), np.float32)
        self._looks = np.empty((0, 4), np.float32)

    def hear(self, level_dbfs: float, emotion: EmotionTrack) -> None:
        """The loudness of the next frame, and what is felt now, one frame."""
        self._loudness = np.append(self._loudness, np.float32(level_dbfs))[-MEMORY_FRAMES:]
        self._num_heard += 1
        if self._num_made == 0:  # while the first frame still waits for its lips
            self._make(emotion)

    def near(self, frame: int, emotion: EmotionTrack) -> tuple[FloatArray, FloatArray, FloatArray]:
        """-> curves (n, 12), held look and tremor (n, 2) each, of the frames up to `NEAR` before and after a frame.

        frame: each asked in turn. emotion: what is felt now, one frame.
        """
        while self._num_made <= frame + AHEAD_FRAMES:
            self._make(emotion)
        oldest = self._num_made - len(self._curves)
        while self._num_held <= frame + NEAR:
            start = self._num_held - oldest
            look = self._curves[start : start + FIXATION_AHEAD, GAZE]
            held = self._fixation(look) if self._look_deg is None else fixed_look(1, self._look_deg)[0]
            self._looks = np.concatenate([self._looks, np.append(held, self._tremor(1))[None]])[-2 * NEAR - 1 :]
            self._num_held += 1
        first = max(0, frame - NEAR)
        curves = self._curves[first - oldest : frame + NEAR + 1 - oldest].astype(np.float32)
        voice = self._voice()
        curves[:, ACCENTED] += ACCENT * self._at(accents(voice), first, len(curves))[:, None]
        looks = self._looks[-len(curves) :].astype(np.float32)
        return curves, looks[:, :2], looks[:, 2:]

    def _voice(self) -> FloatArray:
        """(n, 3) of the newest frames that were heard."""
        recent = self._loudness[-min(_RECENT_FRAMES, self._num_heard) :]
        return voice_curves(recent, float(np.percentile(self._loudness, LOUD_PERCENT)))

    def _at(self, curve: FloatArray, first: int, num_frames: int) -> FloatArray:
        """(n,) of the newest frames that were heard -> (T,) from frame `first` on; the ends repeat."""
        frames = first + np.arange(num_frames) - (self._num_heard - len(curve))
        result: FloatArray = curve[np.clip(frames, 0, len(curve) - 1)]
        return result

    def _make(self, emotion: EmotionTrack) -> None:
        """The next curves: a whole second at first, then half a second each."""
        known = min(self._num_made, KNOWN_TOKENS * self._token)
        start = self._num_made - known
        heard = self._voice()
        frames = start + np.arange(self._window)
        voice = np.stack([self._at(column, start, self._window) for column in heard.T], 1)
        voice[frames >= self._num_heard] = (heard[-FPS:, 0].mean(), 0, 1)
        felt = EmotionTrack.from_activation(np.repeat(emotion.activation, self._window, axis=0))
        lively = self._model.liveliness(voice, felt, self._seed, self._mood)
        last = (self._curves[len(self._curves) - known :] / self._model.scale)[None].astype(np.float32)
        noise = self._random.standard_normal((1, self._window, len(CHANNELS)), np.float32)
        made = self._model.window(noise, last, voice[None], lively[None, :: self._token])[:, known:]
        if known:
            made += joined(last, made)
        hop = (HOP_TOKENS if known else KNOWN_TOKENS) * self._token
        if known:
            self._mood = np.concatenate([self._mood[hop:], self._moods(hop)])
        kept = self._curves[-_RECENT_FRAMES + hop :]
        self._curves = np.concatenate([kept, made[0, :hop] * self._model.scale])
        self._num_made += hop


class BlinkStream:
    """How far the left and the right lid are shut, frame by frame; each blink a little its own.

    Intervals between blinks are gamma distributed beyond the shortest, their mean the rate that was asked or usual.
    """

    def __init__(self, habits: BlinkHabits, rate: BlinkRate, seed: int) -> None:
        self._habits, self._random = habits, np.random.default_rng([seed, 1])
        self._times = None if rate.times_s is None else list(rate.times_s)
        usual = float(np.clip(habits.per_minute, *USUAL_RATES)) * (1.0 if rate.factor is None else rate.factor)
        self._per_minute = usual if rate.per_minute is None else rate.per_minute
        self._blinks: list[tuple[float, float, float, float]] = []
        self._next_s = self._following(None)

    def __call__(self, frame: int) -> FloatArray:
        """-> (1, 2) in [0, 1]; each frame asked in turn."""
        now_s = frame / FPS
        while now_s >= self._next_s - 1 / FPS:
            pace, depth, lead = self._random.uniform(*PACES), self._random.uniform(*DEPTHS), self._random.normal(0, LEAD_S)
            self._blinks = [*self._blinks[-1:], (self._next_s, pace, depth, lead)]
            self._next_s = self._following(self._next_s)
        lids = np.zeros((1, 2), np.float32)
        for time_s, pace, depth, lead in self._blinks:
            for side in range(2 if now_s - time_s < longest_blink_s(self._habits) + 1 / FPS else 0):
                since = np.array([now_s - time_s - (lead if side else 0.0)], np.float32)
                lids[0, side] = max(lids[0, side], depth * float(blink_shape(since, pace, self._habits)[0]))
        return lids

    def _following(self, time_s: float | None) -> float:
        """When the lids begin to shut after the blink at `time_s`, or for the first time."""
        if self._times is not None:
            return self._times.pop(0) if self._times else float("inf")
        if self._per_minute <= 0:
            return float("inf")
        if time_s is None:
            return float(self._random.uniform(*FIRST_BLINK_S))
        beyond = max(60 / self._per_minute - SHORTEST_INTERVAL_S, 0.01)
        return time_s + SHORTEST_INTERVAL_S + float(self._random.gamma(_INTERVAL_SHAPE, beyond / _INTERVAL_SHAPE))
