"""What an emotion does to a voice: pace, pitch, melody, loudness, brightness; and speech reshaped so.

The table holds the directions and sizes that studies of acted voices agree on. Knows numbers and the vocoder (extra `voice`);
knows no synthesiser. Sources: Juslin, Laukka, "Communication of emotions in vocal expression and music performance",
Psychological Bulletin 2003, table 7; Banse, Scherer, "Acoustic profiles in vocal emotion expression", 1996; Morise, Yokomori,
Ozawa, "WORLD: a vocoder-based high-quality speech synthesis system", 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from talkinghead.errors import DependencyError, install_command
from talkinghead.types import EMOTIONS, SAMPLE_RATE, FloatArray

MIN_RATE: Final = 0.5
MAX_RATE: Final = 2.7
FRAME_MS: Final = 5.0
STRESS: Final = (0.82, 2.0, 3.0)
"""What *stress* does to a word: its pace, semitones, decibels."""
_TILT_HZ: Final = 1000.0


@dataclass(frozen=True)
class Prosody:
    """rate: times the voice's own pace. pitch_st: semitones. range: of the melody, 1 is the voice's own. volume_db, tilt_db:
    of all, and of what lies above 1 kHz beside that: a tense voice is bright, a slack one dull."""

    rate: float = 1.0
    pitch_st: float = 0.0
    range: float = 1.0
    volume_db: float = 0.0
    tilt_db: float = 0.0

    def then(self, other: Prosody) -> Prosody:
        """Both, one after the other."""
        return Prosody(
            float(np.clip(self.rate * other.rate, MIN_RATE, MAX_RATE)),
            self.pitch_st + other.pitch_st,
            min(2.0, self.range * other.range),
            self.volume_db + other.volume_db,
            self.tilt_db + other.tilt_db,
        )


OF_EMOTION: Final[dict[str, Prosody]] = {
    "angry": Prosody(1.12, 1.5, 1.4, 5.0, 5.0),
    "contempt": Prosody(0.92, -1.5, 0.8, -1.0, 0.0),
    "disgusted": Prosody(0.92, -3.0, 0.55, -1.0, 5.0),
    "fear": Prosody(1.25, 6.0, 1.2, -1.0, 0.0),
    "happy": Prosody(1.0, 2.8, 1.95, 3.0, -4.0),
    "neutral": Prosody(),
    "sad": Prosody(0.8, 3.0, 0.5, -6.0, 2.0),
    "surprised": Prosody(1.1, 3.0, 1.4, 3.0, -4.0),
}
"""At full strength."""


def prosody_of(activation: FloatArray) -> Prosody:
    """activation: (8,) how strongly each emotion is felt, summing to at most 1 -> what it does to the voice."""
    parts = [(float(share), OF_EMOTION[name]) for name, share in zip(EMOTIONS, activation, strict=True)]
    return Prosody(
        math.exp(sum(share * math.log(part.rate) for share, part in parts)),
        sum(share * part.pitch_st for share, part in parts),
        math.exp(sum(share * math.log(part.range) for share, part in parts)),
        sum(share * part.volume_db for share, part in parts),
        sum(share * part.tilt_db for share, part in parts),
    )


def louder(samples: FloatArray, prosody: Prosody) -> FloatArray:
    """(N,) with its volume and brightness; never beyond full scale."""
    if prosody.tilt_db:
        from scipy import signal  # takes a second, and few lines need it

        low, high = signal.butter(1, _TILT_HZ, fs=SAMPLE_RATE), 10 ** (prosody.tilt_db / 20)
        below = signal.lfilter(*low, samples)
        samples = (below + high * (samples - below)).astype(np.float32)
    result = samples * np.float32(10 ** (prosody.volume_db / 20))
    peak = float(np.abs(result).max(initial=0))
    return np.asarray(result if peak <= 1 else result / peak, np.float32)


def stressed_gain(num_samples: int, words: Sequence[tuple[float, float]]) -> FloatArray:
    """(N,) gain that lifts the stressed words, whose starts and ends are in s, by `STRESS`."""
    gain_db = np.zeros(num_samples, np.float32)
    for start_s, end_s in words:
        gain_db[int(start_s * SAMPLE_RATE) : int(end_s * SAMPLE_RATE)] = STRESS[2]
    if not words:
        return np.ones(num_samples, np.float32)
    smooth = np.hanning(round(0.04 * SAMPLE_RATE))
    result: FloatArray = (10 ** (np.convolve(gain_db, smooth / smooth.sum(), "same")[:num_samples] / 20)).astype(np.float32)
    return result


def reshape(
    samples: FloatArray, prosody: Prosody, stressed: Sequence[tuple[float, float]] = ()
) -> tuple[FloatArray, FloatArray]:
    """Speech of any origin -> the same words at another pace, pitch and melody, by the vocoder WORLD.

    Args:
        samples: (N,) 16 kHz.
        prosody: its rate, pitch and range are used.
        stressed: starts and ends, s, of words that are spoken slower and higher.

    Returns:
        (M,) samples, and (T, 2) s: when what was when, before and after, for `new_time`.

    Raises:
        DependencyError: the vocoder is not installed.
    """
    pace = np.full(1 + int(len(samples) / SAMPLE_RATE * 1000 / FRAME_MS), prosody.rate, np.float64)
    lift = np.full(len(pace), prosody.pitch_st, np.float64)
    for start_s, end_s in stressed:
        frames = slice(int(start_s * 1000 / FRAME_MS), int(end_s * 1000 / FRAME_MS) + 1)
        pace[frames] *= STRESS[0]
        lift[frames] += STRESS[1]
    before_s = np.arange(len(pace) + 1) * FRAME_MS / 1000
    after_s = np.concatenate([[0], np.cumsum(1 / pace)]) * FRAME_MS / 1000
    times = np.stack([before_s, after_s], 1).astype(np.float32)
    if np.allclose(pace, 1) and not lift.any() and prosody.range == 1:
        return samples, times
    world = _world()
    sound = samples.astype(np.float64)
    pitch_hz, at_s = world.harvest(sound, SAMPLE_RATE, frame_period=FRAME_MS)
    envelope = world.cheaptrick(sound, pitch_hz, at_s, SAMPLE_RATE)
    breath = world.d4c(sound, pitch_hz, at_s, SAMPLE_RATE)
    voiced = pitch_hz > 0
    if voiced.any():
        middle = np.median(np.log(pitch_hz[voiced]))
        lifted = np.interp(np.arange(len(pitch_hz)), np.arange(len(lift)), lift)
        new = np.exp(middle + prosody.range * (np.log(pitch_hz[voiced]) - middle)) * 2 ** (lifted[voiced] / 12)
        pitch_hz[voiced] = np.clip(new, 50, 700)
    wanted_s = np.arange(0, after_s[-1], FRAME_MS / 1000)
    frames = np.clip(np.round(np.interp(wanted_s, after_s, before_s) * 1000 / FRAME_MS).astype(int), 0, len(pitch_hz) - 1)
    made: FloatArray = world.synthesize(
        np.ascontiguousarray(pitch_hz[frames]),
        np.ascontiguousarray(envelope[frames]),
        np.ascontiguousarray(breath[frames]),
        SAMPLE_RATE,
        FRAME_MS,
    )
    return np.clip(made, -1, 1).astype(np.float32), times


def new_time(times: FloatArray, time_s: float) -> float:
    """When what was at `time_s` is now; times: of `reshape`."""
    return float(np.interp(time_s, times[:, 0], times[:, 1]))


def _world() -> Any:
    try:
        import pyworld
    except ImportError as error:
        raise DependencyError(
            f"pyworld-prebuilt is not installed, which changes the pitch of a voice; run: {install_command('voice')}."
        ) from error
    return pyworld
