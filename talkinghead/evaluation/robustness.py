"""The same speech in noise, by telephone, and quieter and louder -> by how much the lips follow the talker less.

The sound alone is spoilt; the real talker's lips are those of the clean clip.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

import numpy as np
import soxr
from scipy import signal

from talkinghead.audio.sound_variation import speech_shaped
from talkinghead.evaluation.clips import HeldOut, LipCurves
from talkinghead.evaluation.correlation import MAX_LAG, Correlated, best_within, mean_by_talker, source_offsets
from talkinghead.evaluation.lips import GENERATED, WHO, correlate, lip_correlations
from talkinghead.evaluation.table import Table
from talkinghead.types import SAMPLE_RATE, Audio, FloatArray

SNR_DB: Final = 10.0
TELEPHONE_HZ: Final = (300.0, 3400.0)
TELEPHONE_RATE: Final = 8_000
LEVELS_DB: Final = (-20.0, 10.0)
"""The third is the recording's own."""


def at_level(audio: Audio, level_db: float) -> Audio:
    """Turned up or down by `level_db`, up only as far as nothing clips."""
    return _audio(audio.samples * np.float32(10 ** (level_db / 20)))


def in_white_noise(audio: Audio, snr_db: float = SNR_DB) -> Audio:
    """With white noise, its mean power `snr_db` under that of the whole recording; the same noise for the same recording."""
    return _mixed(audio, _noise(audio), snr_db)


def in_speech_shaped_noise(audio: Audio, snr_db: float = SNR_DB) -> Audio:
    """With noise of the recording's own long-term spectrum, which hides speech best, its mean power `snr_db` under."""
    return _mixed(audio, speech_shaped(_noise(audio), audio.samples), snr_db)


def by_telephone(audio: Audio) -> Audio:
    """Through a band of 300 to 3,400 Hz at 8,000 samples a second, and back."""
    band = signal.butter(4, TELEPHONE_HZ, "bandpass", fs=SAMPLE_RATE, output="sos")
    narrow = signal.sosfiltfilt(band, audio.samples).astype(np.float32)
    back = soxr.resample(soxr.resample(narrow, SAMPLE_RATE, TELEPHONE_RATE), TELEPHONE_RATE, SAMPLE_RATE)
    return _audio(np.pad(back, (0, max(0, len(audio.samples) - len(back))))[: len(audio.samples)])


CONDITIONS: Final[dict[str, Callable[[Audio], Audio]]] = {
    f"white noise, {SNR_DB:g} dB SNR": in_white_noise,
    f"speech-shaped noise, {SNR_DB:g} dB SNR": in_speech_shaped_noise,
    "telephone": by_telephone,
    **{f"level {level:+g} dB": lambda audio, level=level: at_level(audio, level) for level in LEVELS_DB},  # type: ignore[misc]
}


def robustness_tables(held_out: HeldOut) -> list[Table]:
    """Condition -> r of lip opening, and how far it fell from the clean sound's."""
    clean = held_out.once(lip_correlations)["opening"][GENERATED]
    offsets = source_offsets(clean)

    def row(clips: list[Correlated]) -> dict[str, float]:
        means = mean_by_talker(clips, lambda clip: best_within(clip.correlations, offsets[clip.source], MAX_LAG))
        return {column: means[column] for column in ("wild", "GRID others", "all but GRID", "all")}

    rows = {"clean": row(clean)}
    for name, spoil in CONDITIONS.items():
        spoilt = []
        for clip, real in zip(held_out.clips, held_out.real, strict=True):
            curves = LipCurves.of(held_out.vertices(spoil(clip.audio)))
            spoilt.append(correlate(clip, curves.opening, real.opening))
        rows[name] = row(spoilt)
        rows[name] |= {f"fall, {column}": rows["clean"][column] - value for column, value in rows[name].items()}
    note = (
        f"Pearson r of lip opening with the source's offset removed (the clean sound's, so that a delay would show), the best "
        f"within {MAX_LAG} frames of it. SNR: mean power of the whole clip over that of the noise. Telephone: "
        f"{TELEPHONE_HZ[0]:g} to {TELEPHONE_HZ[1]:g} Hz at {TELEPHONE_RATE} Hz. Levels: of the recording's own, which is the "
        f"clean row; up only as far as nothing clips. {WHO}"
    )
    return [Table("Lips in noise, by telephone, quiet and loud", note, rows, ".3f")]


def _noise(audio: Audio) -> FloatArray:
    """White, as long as the recording, always the same for the same recording."""
    generator = np.random.default_rng(zlib.crc32(audio.samples.tobytes()))
    return generator.standard_normal(len(audio.samples), np.float32)


def _mixed(audio: Audio, noise: FloatArray, snr_db: float) -> Audio:
    power, noise_power = (float(np.mean(np.square(x, dtype=np.float64))) for x in (audio.samples, noise))
    return _audio(audio.samples + noise * np.sqrt(power / max(noise_power, 1e-12) * 10 ** (-snr_db / 10)))


def _audio(samples: FloatArray) -> Audio:
    """Turned down to full scale where the sum is louder: a clipped sound would be another condition."""
    peak = float(np.abs(samples).max(initial=0))
    return Audio((samples / max(peak, 1.0)).astype(np.float32))
