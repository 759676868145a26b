"""A recording -> the same words from another throat, room and microphone, for what must not depend on them.

Speed (pitch, formants and tempo together, as Ko et al., "Audio augmentation for speech recognition", Interspeech 2015), a
smooth equaliser, noise, level; `vary_sound` adds a room and the telephone. The speed moves by a sixth at most, less than a
quarter of what lies between a man's voice and a woman's, so that what tells emotions apart stays.
"""

from __future__ import annotations

from typing import Any, Final

import librosa
import numpy as np
import numpy.typing as npt

from talkinghead.types import SAMPLE_RATE, FloatArray

SPEED: Final = (0.86, 1.17)
EQUALISER_HZ: Final = (0.0, 150.0, 400.0, 1000.0, 2200.0, 4500.0, 8000.0)
EQUALISER_DB: Final = 6.0
NOISE_DB: Final = (12.0, 35.0)
LEVEL_DB: Final = (-8.0, 0.0)
ROOM_S: Final = (0.1, 0.6)
ROOM_LEVEL: Final = (0.1, 0.7)
TELEPHONE_HZ: Final = (300.0, 3400.0)
ROOM_SHARE: Final = 0.4
TELEPHONE_SHARE: Final = 0.12
LOUD_NOISE_DB: Final = (5.0, 20.0)
LOUD_NOISE_SHARE: Final = 0.35
NOISES: Final = {"white": 0.4, "white or pink": 0.15, "speech-shaped": 0.25, "other people": 0.2}
"""How often each is what drowns the words."""
DROWNING_DB: Final = (3.0, 22.0)
NOISY_ROOM_SHARE: Final = 0.25


def vary_sound(samples: FloatArray, random: np.random.Generator) -> FloatArray:
    """As `vary_voice`, and now and then in a room, over the telephone, or in noise that a voice hardly stands out from."""
    sound = vary_voice(samples, random)
    if random.random() < ROOM_SHARE:
        sound = in_room(sound, float(random.uniform(*ROOM_S)), float(random.uniform(*ROOM_LEVEL)), random)
    if random.random() < LOUD_NOISE_SHARE:
        level = _rms(sound) * 10 ** (-random.uniform(*LOUD_NOISE_DB) / 20)
        sound = (sound + level * _noise(len(sound), random)).astype(np.float32)
    return by_telephone(sound) if random.random() < TELEPHONE_SHARE else sound


def in_noise(samples: FloatArray, others: list[FloatArray], random: np.random.Generator) -> FloatArray:
    """The same words at the same times, in noise that may drown them; now and then in a room or by telephone besides.

    samples: (N,). others: of other people, (N,) each, who may all speak at once behind it. Turned down where it would clip.
    """
    sound = samples
    if random.random() < NOISY_ROOM_SHARE:
        sound = in_room(sound, float(random.uniform(*ROOM_S)), float(random.uniform(*ROOM_LEVEL)), random)
    noise = _drowning(str(random.choice(list(NOISES), p=list(NOISES.values()))), sound, others, random)
    level = _rms(sound) * 10 ** (-random.uniform(*DROWNING_DB) / 20)
    sound = sound + level * noise / max(_rms(noise), 1e-9)
    if random.random() < TELEPHONE_SHARE:
        sound = by_telephone(sound)
    spoilt: FloatArray = (sound / max(1.0, float(np.abs(sound).max(initial=0)))).astype(np.float32)
    return spoilt


def _drowning(kind: str, sound: FloatArray, others: list[FloatArray], random: np.random.Generator) -> FloatArray:
    """Noise as long as the sound, of a kind of `NOISES`."""
    if kind == "other people" and any(np.any(other) for other in others):
        return np.asarray(np.sum([other / max(_rms(other), 1e-6) for other in others], 0), np.float32)
    if kind == "speech-shaped":
        return speech_shaped(random.standard_normal(len(sound), np.float32), sound)
    return random.standard_normal(len(sound), np.float32) if kind == "white" else _noise(len(sound), random)


def speech_shaped(noise: FloatArray, sound: FloatArray) -> FloatArray:
    """noise, sound: (N,) -> white noise with the sound's own long-term spectrum, which hides speech best."""
    smooth = np.convolve(np.abs(np.fft.rfft(sound)), np.ones(101) / 101, "same")
    return np.asarray(np.fft.irfft(np.fft.rfft(noise) * smooth, len(sound)), np.float32)


def by_telephone(sound: FloatArray) -> FloatArray:
    """What is outside the band of a telephone falls by 40 dB."""
    spectrum, hz = np.fft.rfft(sound), np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    spectrum[(hz < TELEPHONE_HZ[0]) | (hz > TELEPHONE_HZ[1])] *= 0.01
    narrow: FloatArray = np.fft.irfft(spectrum, len(sound)).astype(np.float32)
    return narrow


def in_room(sound: FloatArray, decay_s: float, level: float, random: np.random.Generator) -> FloatArray:
    """Echoes that fall by 60 dB in `decay_s`, their root mean square `level` of the sound's; as long as before."""
    length = round(decay_s * SAMPLE_RATE)
    echo = random.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    echo *= level / np.sqrt((echo**2).sum())
    echo[0] = 1.0
    size = len(sound) + length
    result: FloatArray = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(echo, size), size)[: len(sound)].astype(np.float32)
    return result


def vary_voice(samples: FloatArray, random: np.random.Generator) -> FloatArray:
    """samples: (N,) at 16 kHz -> (M,) float32 in [-1, 1], by a sixth longer or shorter at most."""
    speed = float(np.exp(random.uniform(*np.log(SPEED))))
    sound = librosa.resample(samples, orig_sr=round(SAMPLE_RATE * speed), target_sr=SAMPLE_RATE, res_type="soxr_mq")
    spectrum, hz = np.fft.rfft(sound), np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    gain_db = np.interp(hz, EQUALISER_HZ, random.uniform(-EQUALISER_DB, EQUALISER_DB, len(EQUALISER_HZ)))
    sound = np.fft.irfft(spectrum * 10 ** (gain_db / 20), len(sound))
    if random.random() < 0.5:
        sound = sound + _noise(len(sound), random) * _rms(sound) * 10 ** (-random.uniform(*NOISE_DB) / 20)
    peak = max(float(np.abs(sound).max(initial=0)), 1e-6)
    varied: FloatArray = (sound * 10 ** (random.uniform(*LEVEL_DB) / 20) / peak).astype(np.float32)
    return varied


def _noise(num_samples: int, random: np.random.Generator) -> FloatArray:
    """White or pink, root mean square 1."""
    noise = random.standard_normal(num_samples)
    if random.random() < 0.5:
        hz = np.maximum(np.fft.rfftfreq(num_samples, 1 / SAMPLE_RATE), 50)
        noise = np.fft.irfft(np.fft.rfft(noise) / np.sqrt(hz), num_samples)
    return np.asarray(noise / max(_rms(noise), 1e-9), np.float32)


def _rms(sound: npt.NDArray[np.floating[Any]]) -> float:
    return float(np.sqrt((sound**2).mean()))
