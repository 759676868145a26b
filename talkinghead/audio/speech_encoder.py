"""Audio -> SpeechFeatures: the inner layers of Whisper's small encoder, a row a video frame, and the loudness.

Knows log-mels and Whisper; knows nothing of faces. Long sound goes through in windows, so memory beyond the features
themselves does not grow with length. Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak
Supervision", 2022, section 2.2.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import librosa
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn import functional
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from talkinghead.errors import AudioError, CheckpointError
from talkinghead.types import SAMPLE_RATE, SAMPLES_PER_FRAME, Audio, FloatArray, SpeechFeatures

HOP: Final = 160
FFT: Final = 400
MELS_PER_FRAME: Final = SAMPLES_PER_FRAME // HOP
STEPS_PER_FRAME: Final = MELS_PER_FRAME // 2
WINDOW_FRAMES: Final = 250
CONTEXT_FRAMES: Final = 25
SILENCE_DBFS: Final = -100.0


class SpeechEncoder:
    """Speech content for the articulator: Whisper's hidden layers, the mean of the two steps of each video frame."""

    def __init__(self, encoder: WhisperEncoder, device: str = "cpu") -> None:
        self._encoder = encoder.to(device=device, dtype=torch.float32).eval()
        self._device = device
        self._mel_bank = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=FFT, n_mels=encoder.num_mel_bins)

    @staticmethod
    def from_pretrained(folder: Path, device: str = "cpu") -> SpeechEncoder:
        """Load `config.json` and `model.safetensors` from a folder.

        Raises:
            CheckpointError: a file is missing, or holds tensors of other shapes.
        """
        try:
            settings = json.loads((Path(folder) / "config.json").read_text())
            encoder = WhisperEncoder(WhisperConfig(**settings))
            tensors = load_file(Path(folder) / "model.safetensors")
            encoder.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        except (OSError, SafetensorError, ValueError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(
                f"{folder}: not a speech encoder ({reason}); reinstall talkinghead or point to a whole checkpoint."
            ) from error
        return SpeechEncoder(encoder, device)

    @property
    def content_width(self) -> int:
        """C of the features: every block but the first, and the last layer norm."""
        return self._width * len(self._encoder.layers)

    @property
    def _width(self) -> int:
        return int(self._encoder.config.d_model)

    def encode(self, audio: Audio, with_voice: bool = False) -> SpeechFeatures:
        """audio -> content (T, C) float32, loudness (T,) dBFS and, if asked, voice (T, V); T is `audio.num_frames`.

        Raises:
            AudioError: no samples at all, or samples that are not finite.
        """
        if audio.num_frames == 0:
            raise AudioError("audio holds no samples; give at least one video frame of sound (40 ms).")
        if not np.isfinite(audio.samples).all():
            raise AudioError("audio holds samples that are not numbers (NaN or infinite); export the recording again.")
        num_frames = audio.num_frames
        padding = num_frames * SAMPLES_PER_FRAME - len(audio.samples)
        samples = np.pad(audio.samples.astype(np.float32), (0, padding))
        mels = self.log_mel(samples)
        content = np.empty((num_frames, self.content_width), np.float32)
        voice = np.empty((num_frames, self._width), np.float32) if with_voice else None
        for start in range(0, num_frames, WINDOW_FRAMES):
            stop = min(start + WINDOW_FRAMES, num_frames)
            first, last = max(0, start - CONTEXT_FRAMES), min(num_frames, stop + CONTEXT_FRAMES)
            window = self._hidden(mels[:, first * MELS_PER_FRAME : last * MELS_PER_FRAME])
            content[start:stop] = window[start - first : stop - first, self._width :]
            if voice is not None:
                voice[start:stop] = window[start - first : stop - first, : self._width]
        return SpeechFeatures(content, loudness_dbfs(samples), voice)

    def log_mel(self, samples: FloatArray) -> FloatArray:
        """samples: (T * 640,) -> (80, T * 4) Whisper's log-mel: floor 8 below the loudest of the whole sound."""
        padded = np.pad(samples, FFT // 2, mode="reflect")
        num_mels = len(samples) // HOP
        block = WINDOW_FRAMES * MELS_PER_FRAME
        mels = np.empty((len(self._mel_bank), num_mels), np.float32)
        for start in range(0, num_mels, block):
            stop = min(start + block, num_mels)
            part = padded[start * HOP : (stop - 1) * HOP + FFT]
            power = np.abs(librosa.stft(part, n_fft=FFT, hop_length=HOP, center=False)) ** 2
            mels[:, start:stop] = np.log10(np.maximum(self._mel_bank @ power, 1e-10))
        result: FloatArray = (np.maximum(mels, mels.max() - 8) + 4) / 4
        return result

    @torch.inference_mode()
    def _hidden(self, mels: FloatArray) -> FloatArray:
        """mels: (80, M), at most 30 s -> (M // 4, V + C): the first block, and the others with the last layer norm."""
        encoder = self._encoder
        x = torch.from_numpy(np.ascontiguousarray(mels))[None].to(self._device)
        x = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(x)))).transpose(1, 2)
        x = x + encoder.embed_positions.weight[: x.shape[1]]
        outputs: list[torch.Tensor] = []
        for layer in encoder.layers:
            x = _tensor(layer(x, None))
            outputs.append(x)
        hidden = torch.cat([*outputs, encoder.layer_norm(x)], -1)[0]
        frames = hidden.reshape(-1, STEPS_PER_FRAME, hidden.shape[-1]).mean(1)
        array: FloatArray = frames.float().cpu().numpy()
        return array


def loudness_dbfs(samples: FloatArray) -> FloatArray:
    """samples: (T * 640,) -> (T,) root mean square of each video frame in dBFS, -100 where silent."""
    rms = np.sqrt((samples.reshape(-1, SAMPLES_PER_FRAME).astype(np.float64) ** 2).mean(1))
    level: FloatArray = (20 * np.log10(np.maximum(rms, 10 ** (SILENCE_DBFS / 20)))).astype(np.float32)
    return level


def _tensor(output: Any) -> torch.Tensor:
    """Releases of transformers give a layer's output bare or as the first of a tuple."""
    result: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return result
