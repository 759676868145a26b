"""Sound as it comes -> SpeechFeatures, a video frame at a time: the speech encoder over the last three seconds.

What each block said of the past is kept, so that a new frame costs the encoder's work for the newest few frames and not for the
whole window. Nothing is known of the future: the floor of the mels lies under the loudest that was heard so far. Knows nothing
of faces. Source of keeping keys and values: Vaswani et al., "Attention Is All You Need", 2017, as decoders do; here the newest
frames are encoded again until they have heard what follows them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

from talkinghead.audio.adapter import FIRST_BLOCK
from talkinghead.audio.hidden_unit_encoder import HiddenUnitEncoder
from talkinghead.audio.speech_encoder import (
    FFT,
    HOP,
    MELS_PER_FRAME,
    STEPS_PER_FRAME,
    SpeechEncoder,
    floored,
    loudness_dbfs,
)
from talkinghead.errors import CheckpointError
from talkinghead.types import FloatArray, SpeechFeatures

WINDOW_FRAMES: Final = 75
FRESH_FRAMES: Final = 8
"""The newest frames, which are encoded again with each frame that follows."""
KEPT_FRAMES: Final = 40
"""Of which features are kept: more than anything that reads them looks back."""
MAX_POSITION: Final = 300
"""Frames after which the window is encoded anew from position 0: the longest window of the whole form."""
USUAL_PEAK: Final = 1.4
"""Loudest log10 mel of a usual recording: the lower quartile of 45 training talkers."""

_PAST_SAMPLES: Final = HOP + FFT // 2


class SpeechStream:
    """Frames of 640 samples in, features of the newest frames out; memory does not grow."""

    def __init__(self, encoder: SpeechEncoder | HiddenUnitEncoder) -> None:
        """Raises CheckpointError for an encoder that hears whole recordings only."""
        if not isinstance(encoder, SpeechEncoder):
            raise CheckpointError(
                f"speech encoder {encoder.network.config.model_type}: hears whole recordings only; speech as it is spoken is "
                "the default encoder's, so leave --checkpoint out, or give one with that encoder."
            )
        self._encoder, self._blocks = encoder, encoder.blocks
        self._mels = np.empty((encoder.network.num_mel_bins, 0), np.float32)
        self._past, self._peak = np.empty(0, np.float32), USUAL_PEAK
        self._cache: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._base = 0
        self._content = np.empty((0, encoder.content_width), np.float32)
        self._articulation: FloatArray | None = None
        self._loudness = np.empty(0, np.float32)
        self._before = np.zeros(encoder.content_width)
        self.num_frames = 0

    def __call__(self, samples: FloatArray) -> None:
        """samples: (640,) the next frame."""
        self._hear(samples)
        self.num_frames += 1
        num_cached = self._cache[0][0].shape[2] // STEPS_PER_FRAME if self._cache else 0
        if self.num_frames - self._base > MAX_POSITION:
            self._base = self.num_frames - WINDOW_FRAMES
            self._cache, num_cached = [], 0
        first = max(self._base, self.num_frames - FRESH_FRAMES) if num_cached else self._base
        content, articulation = self._encoder.read(self._encode(first, max(0, num_cached - (self.num_frames - 1 - first))))
        self._content = _renewed(self._content, content)
        if articulation is not None:
            kept = np.empty((0, articulation.shape[1]), np.float32) if self._articulation is None else self._articulation
            self._articulation = _renewed(kept, articulation)
        self._loudness = np.append(self._loudness, loudness_dbfs(samples))
        if len(self._content) > KEPT_FRAMES:
            self._before += self._content[0]
            self._content, self._loudness = self._content[1:], self._loudness[1:]
            self._articulation = None if self._articulation is None else self._articulation[1:]

    @property
    def features(self) -> SpeechFeatures:
        """Of the newest frames, at most `KEPT_FRAMES`."""
        return SpeechFeatures(self._content, self._loudness, articulation=self._articulation)

    @property
    def content_sum(self) -> FloatArray:
        """(C,) float64 over all frames heard so far."""
        total: FloatArray = self._before + self._content.sum(0, dtype=np.float64)
        return total

    def _hear(self, samples: FloatArray) -> None:
        """The newest columns of the mels; the last one ends in what is not yet heard, and is made again with what is."""
        ahead = FFT // 2
        if self.num_frames == 0:
            sound, known = np.pad(samples, ahead, mode="reflect"), 0
        else:
            sound, known = np.pad(np.concatenate([self._past, samples]), (0, ahead), mode="reflect"), 1
        count = MELS_PER_FRAME + known
        columns = self._encoder.log10_mel(sound[: (count - 1) * HOP + FFT])
        mels = np.concatenate([self._mels[:, : self._mels.shape[1] - known], columns], 1)
        self._mels = mels[:, -(WINDOW_FRAMES + 2) * MELS_PER_FRAME :]
        self._peak = max(self._peak, float(columns.max()))
        self._past = np.concatenate([self._past, samples])[-_PAST_SAMPLES:]

    @torch.inference_mode()
    def _encode(self, first: int, num_kept: int) -> list[torch.Tensor]:
        """Frames from `first` to the newest, with `num_kept` cached frames before them -> (1, S, width) of each upper block."""
        network = self._encoder.network
        lead = min(1, first - self._base)
        wanted = (self.num_frames - first + lead) * MELS_PER_FRAME
        mels = torch.from_numpy(floored(self._mels[:, -wanted:], self._peak))[None].to(network.conv1.weight.device)
        x = self._encoder.entered(mels)[:, lead * STEPS_PER_FRAME :]
        position = (first - self._base) * STEPS_PER_FRAME
        x = x + network.embed_positions.weight[position : position + x.shape[1]]
        cache, outputs = [], []
        longest = WINDOW_FRAMES * STEPS_PER_FRAME
        for index, block in enumerate(self._blocks):
            kept = None
            if self._cache:
                keys, values = self._cache[index]
                kept = keys[:, :, : num_kept * STEPS_PER_FRAME], values[:, :, : num_kept * STEPS_PER_FRAME]
            x, (keys, values) = block(x, kept)
            cache.append((keys[:, :, -longest:], values[:, :, -longest:]))
            outputs.append(x)
        self._cache = cache
        return outputs[FIRST_BLOCK:]


def _renewed(kept: FloatArray, fresh: FloatArray) -> FloatArray:
    """kept: (n, K) of the frames before; fresh: (m, K) of the newest, all but the last of them again -> (n + 1, K)."""
    fresh = fresh[-FRESH_FRAMES:]
    renewed: FloatArray = np.concatenate([kept[: len(kept) + 1 - len(fresh)], fresh])
    return renewed
