"""A recording whose words are known -> when each word is spoken, in any language that espeak-ng speaks.

The words are spoken by espeak-ng, whose times are exact, and the two are laid over each other by dynamic time warping of their
spectra. Needs no model and no dictionary. Sources: Malfrère, Deroo, "Phonetic alignment: speech synthesis based vs. hybrid
HMM/ANN", ICSLP 1998; Müller, "Information Retrieval for Music and Motion", 2007, chapter 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from talkinghead.audio.delivery import Delivery, SpokenWord, fitted
from talkinghead.audio.espeak_voice import EspeakSpeaker
from talkinghead.audio.prosody import Prosody
from talkinghead.audio.speaker import Utterance
from talkinghead.audio.voice import Phoneme
from talkinghead.audio.waveform import load_audio
from talkinghead.errors import AudioError
from talkinghead.types import SAMPLE_RATE, Audio, FloatArray

HOP: Final = 160
"""10 ms."""
_WINDOW: Final = 512
_NUM_BANDS: Final = 40
_NUM_COEFFICIENTS: Final = 13
_SILENT_DB: Final = 35.0
"""So far below the loud parts nothing is said."""
_EDGE_S: Final = 0.05
_SILENCE_COST: Final = 3.0
_STEP_PENALTY: Final = 1.15


def recorded(path: Path, words: Sequence[str], language: str, fit_s: float | None = None) -> Delivery:
    """A recording of the words -> the line; fit_s: how long it is to last.

    Raises:
        AudioError: it cannot be read, holds no speech, or cannot be made to last so long.
    """
    audio = load_audio(path)
    if not words:
        line = Delivery(audio, (), (Phoneme("", 0.0, audio.duration_s),))
    else:
        found = align(audio, words, language)
        texts = zip(words, found.words, strict=True)
        line = Delivery(audio, tuple(SpokenWord(text, *times) for text, times in texts), found.phonemes)
    return line if fit_s is None else fitted(line, fit_s)


def align(audio: Audio, words: Sequence[str], language: str) -> Utterance:
    """The sound and its words -> the same sound with the times of words and phonemes.

    Raises:
        AudioError: the recording is silent, or espeak-ng has no such language.
    """
    first, last = _spoken_part(audio.samples)
    part = audio.samples[first:last]
    model = EspeakSpeaker(language).say(words, (), Prosody())
    # Their own times, in hops, of what the model says when.
    course = _course(_spectra(model.samples), _spectra(part))

    def there(time_s: float) -> float:
        return (
            first / SAMPLE_RATE + float(np.interp(time_s * SAMPLE_RATE / HOP, course[:, 0], course[:, 1])) * HOP / SAMPLE_RATE
        )

    found = tuple((there(start_s), there(end_s)) for start_s, end_s in model.words)
    phonemes = tuple(Phoneme(p.symbol, there(p.start_s), there(p.end_s)) for p in model.phonemes)
    return Utterance(audio.samples, phonemes, found)


def _spoken_part(samples: FloatArray) -> tuple[int, int]:
    """First and last sample of what is not silence, with a moment around it."""
    frames = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)
    level = 10 * np.log10((frames.astype(np.float64) ** 2).mean(1) + 1e-10)
    loud = float(np.percentile(level, 95)) if len(level) else -100.0
    spoken = np.flatnonzero(level > loud - _SILENT_DB)
    if loud < -70 or not len(spoken):
        raise AudioError("the recording is silent; give one of the text.")
    edge = round(_EDGE_S * SAMPLE_RATE)
    return max(0, int(spoken[0]) * HOP - edge), min(len(samples), (int(spoken[-1]) + 1) * HOP + edge)


def _spectra(samples: FloatArray) -> npt.NDArray[np.float64]:
    """(n, F) cepstra, how they change, and how loud it is, each of mean 0 and deviation 1 in this recording."""
    import librosa

    mel = librosa.feature.melspectrogram(
        y=samples, sr=SAMPLE_RATE, n_fft=_WINDOW, hop_length=HOP, n_mels=_NUM_BANDS, fmin=60, fmax=7600
    )
    level = librosa.power_to_db(mel, ref=1.0, top_db=60)
    cepstra = librosa.feature.mfcc(S=level, n_mfcc=_NUM_COEFFICIENTS)
    loud = cepstra[0] > np.percentile(cepstra[0], 40)
    body = cepstra[1:]
    body = (body - body[:, loud].mean(1, keepdims=True)) / (body[:, loud].std(1, keepdims=True) + 1e-6)
    change = librosa.feature.delta(body, width=5, mode="nearest")
    change /= change.std(1, keepdims=True) + 1e-6
    loudness = (cepstra[:1] - cepstra[0].max()) / (cepstra[0].std() + 1e-6)
    return np.concatenate([body, 0.5 * change, _SILENCE_COST * loudness]).T.astype(np.float64)


def _course(model: npt.NDArray[np.float64], sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(P, 2) hops of the model and of the sound that belong together, the model's rising."""
    import librosa

    steps: Any = np.array([[1, 1], [0, 1], [1, 0]])
    weights = np.array([1.0, _STEP_PENALTY, _STEP_PENALTY])
    options = {"metric": "euclidean", "step_sizes_sigma": steps, "weights_mul": weights}
    _, path = librosa.sequence.dtw(X=model.T, Y=sound.T, **options)
    path = path[::-1].astype(np.float64)
    # Where the sound waits for the model or the model for the sound, the middle counts.
    hops = np.unique(path[:, 0])
    first = np.searchsorted(path[:, 0], hops, "left")
    last = np.searchsorted(path[:, 0], hops, "right") - 1
    return np.stack([hops, (path[first, 1] + path[last, 1]) / 2], 1)
