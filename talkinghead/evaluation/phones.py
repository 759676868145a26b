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


def frame_phones(audio: Audio, words: str) -> npt.NDArray[np.str_]:
    """(T,) ARPAbet name of the phone in the middle of each frame, "" where nothing is said or it could not be aligned."""
    from pocketsphinx import Decoder

    phones = np.full(audio.num_frames, "", dtype="<U4")
    pcm = (audio.samples * 32767).astype(np.int16).tobytes()
    decoder = Decoder(lm=None, loglevel="FATAL")
    decoder.set_align_text(words)
    for stage in range(2):
        if stage:
            decoder.set_alignment()
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        if decoder.hyp() is None and not stage:
            return phones
    middle = (np.arange(audio.num_frames) + 0.5) / FPS
    for word in decoder.get_alignment():
        for phone in word:
            if phone.name not in SILENCE:
                inside = (middle >= phone.start * _STEP_S) & (middle < (phone.start + phone.duration) * _STEP_S)
                phones[inside] = phone.name
    return phones
