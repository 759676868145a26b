"""A recording whose words are known -> which phone each video frame holds, by forced alignment (PocketSphinx's English model).

Needs the extra `train`, which brings pocketsphinx. Source: Huggins-Daines et al., "PocketSphinx", ICASSP 2006.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead.types import FPS, Audio

_STEP_S: Final = 0.01
SILENCE: Final = ("SIL", "+NSN+", "+SPN+", "<sil>")
RAVDESS_WORDS: Final = {"01": "kids are talking by the door", "02": "dogs are sitting by the door"}
"""By the fifth number of the name."""


class Aligner:
    """Words and their sound -> the phone of each frame. One decoder for all: it takes longer to make than to use."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(lm=None, loglevel="FATAL")

    def __call__(self, audio: Audio, words: str) -> npt.NDArray[np.str_]:
        """(T,) ARPAbet name of the phone in the middle of each frame, "" where nothing is said or it could not be aligned."""
        phones = np.full(audio.num_frames, "", dtype="<U4")
        peak = max(float(np.abs(audio.samples).max(initial=0)), 1e-3)
        pcm = (audio.samples / peak * 0.7 * 32767).astype("<i2").tobytes()
        self._decoder.set_align_text(words)
        try:
            self._run(pcm)
            self._decoder.set_alignment()
            self._run(pcm)
        except RuntimeError:  # the words are not found in the sound
            return phones
        middle = (np.arange(audio.num_frames) + 0.5) / FPS
        found = self._decoder.get_alignment()
        for word in found:
            for phone in word:
                if phone.name not in SILENCE:
                    inside = (middle >= phone.start * _STEP_S) & (middle < (phone.start + phone.duration) * _STEP_S)
                    phones[inside] = phone.name
        return phones

    def _run(self, pcm: bytes) -> None:
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
