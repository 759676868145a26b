"""Audio -> SpeechFeatures: the inner layers of Whisper's small encoder, a row a video frame, what they say of articulation, and
the loudness.

The content is of blocks that learnt articulation (`audio.adapter`); the voice is of the blocks as Whisper has them. Knows
log-mels and Whisper; knows nothing of faces. Long sound goes through in windows, so memory beyond the features
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

from talkinghead.audio.adapter import FILE, FIRST_BLOCK, ArticulationAdapter
from talkinghead.errors import AudioError, CheckpointError
from talkinghead.types import ARTICULATIONS, SAMPLE_RATE, SAMPLES_PER_FRAME, Audio, FloatArray, SpeechFeatures

HOP: Final = 160
FFT: Final = 400
MELS_PER_FRAME: Final = SAMPLES_PER_FRAME // HOP
STEPS_PER_FRAME: Final = MELS_PER_FRAME // 2
WINDOW_FRAMES: Final = 250
CONTEXT_FRAMES: Final = 25
VOICE_BLOCKS: Final = 3
"""How it is said is in the first blocks, what is said in the later ones."""
SILENCE_DBFS: Final = -100.0


class SpeechEncoder:
    """Speech content for the articulator: Whisper's hidden layers, the mean of the two steps of each video frame."""

    def __init__(self, encoder: WhisperEncoder, adapter: ArticulationAdapter | None = None, device: str = "cpu") -> None:
        """adapter: what the upper blocks learnt besides; None for the bare encoder, which knows nothing of articulation."""
        self._encoder = encoder.to(device=device, dtype=torch.float32).eval()
        self._device = device
        self._mel_bank = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=FFT, n_mels=encoder.num_mel_bins)
        self._upper = encoder.layers[FIRST_BLOCK:]
        self._readout: torch.nn.Linear | None = None
        if adapter is not None:
            self._upper = adapter.blocks(encoder.layers).to(device).eval()
            self._readout = torch.nn.Linear(self.content_width, len(ARTICULATIONS))
            self._readout.load_state_dict({"weight": adapter.weight, "bias": adapter.bias})
            self._readout.to(device).eval()

    @staticmethod
    def from_pretrained(folder: Path, device: str = "cpu") -> SpeechEncoder:
        """Load `config.json`, `model.safetensors` and, where there is one, the adapter from a folder.

        Raises:
            CheckpointError: a file is missing, or holds tensors of other shapes.
        """
        try:
            settings = json.loads((Path(folder) / "config.json").read_text())
            encoder = WhisperEncoder(WhisperConfig(**settings))
            tensors = load_file(Path(folder) / "model.safetensors")
            encoder.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
            adapter = ArticulationAdapter.load(Path(folder) / FILE) if (Path(folder) / FILE).is_file() else None
            return SpeechEncoder(encoder, adapter, device)
        except (OSError, SafetensorError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(
                f"{folder}: not a speech encoder ({reason}); reinstall talkinghead or point to a whole checkpoint."
            ) from error

    @property
    def network(self) -> WhisperEncoder:
        """Whisper's encoder, for who trains on it."""
        return self._encoder

    @property
    def content_width(self) -> int:
        """C of the features: every block but the first, and the last layer norm."""
        return self._width * len(self._encoder.layers)

    @property
    def _width(self) -> int:
        return int(self._encoder.config.d_model)

    def encode(self, audio: Audio, with_voice: bool = False) -> SpeechFeatures:
        """audio -> content (T, C) float32, loudness (T,) dBFS, articulation (T, A) where there is an adapter, and, if asked,
        voice (T, V); T is `audio.num_frames`.

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
        voice = np.empty((num_frames, VOICE_BLOCKS * self._width), np.float32) if with_voice else None
        articulation = np.empty((num_frames, len(ARTICULATIONS)), np.float32) if self._readout is not None else None
        for start in range(0, num_frames, WINDOW_FRAMES):
            stop = min(start + WINDOW_FRAMES, num_frames)
            first, last = max(0, start - CONTEXT_FRAMES), min(num_frames, stop + CONTEXT_FRAMES)
            window = self._window(mels[:, first * MELS_PER_FRAME : last * MELS_PER_FRAME], with_voice)
            for whole, part in zip((content, articulation, voice), window, strict=True):
                if whole is not None and part is not None:
                    whole[start:stop] = part[start - first : stop - first]
        return SpeechFeatures(content, loudness_dbfs(samples), voice, articulation)

    def log_mel(self, samples: FloatArray) -> FloatArray:
        """samples: (T * 640,) -> (80, T * 4) Whisper's log-mel: floor 8 below the loudest of the whole sound."""
        padded = np.pad(samples, FFT // 2, mode="reflect")
        num_mels = len(samples) // HOP
        block = WINDOW_FRAMES * MELS_PER_FRAME
        mels = np.empty((len(self._mel_bank), num_mels), np.float32)
        for start in range(0, num_mels, block):
            stop = min(start + block, num_mels)
            mels[:, start:stop] = self.log10_mel(padded[start * HOP : (stop - 1) * HOP + FFT])
        return floored(mels, float(mels.max()))

    def log10_mel(self, samples: FloatArray) -> FloatArray:
        """samples: ((M - 1) * 160 + 400,) -> (80, M) log10 of the power in each band, at least -10."""
        power = np.abs(librosa.stft(samples, n_fft=FFT, hop_length=HOP, center=False)) ** 2
        mels: FloatArray = np.log10(np.maximum(self._mel_bank @ power, 1e-10)).astype(np.float32)
        return mels

    @torch.inference_mode()
    def _window(self, mels: FloatArray, with_voice: bool) -> tuple[FloatArray, FloatArray | None, FloatArray | None]:
        """mels: (80, M), at most 30 s -> content (M // 4, C), articulation (M // 4, A), voice (M // 4, V)."""
        x = torch.from_numpy(np.ascontiguousarray(mels))[None].to(self._device)
        lower = _lower_blocks(self._encoder, x)
        steps = _upper_steps(self._encoder, lower[-1], self._upper)
        voice = None
        if with_voice:
            plain = list(lower)
            for layer in self._encoder.layers[FIRST_BLOCK:VOICE_BLOCKS]:
                plain.append(_tensor(layer(plain[-1], None)))
            voice = _frames(torch.cat(plain, -1))
        return *self.read(steps), voice

    @property
    def blocks(self) -> list[torch.nn.Module]:
        """The blocks from the mels to the content, the upper ones as the adapter changed them."""
        return [*self._encoder.layers[:FIRST_BLOCK], *self._upper]

    @torch.inference_mode()
    def read(self, steps: torch.Tensor) -> tuple[FloatArray, FloatArray | None]:
        """steps: (1, S, C) of the upper blocks, two a frame -> content (S // 2, C) and articulation (S // 2, A)."""
        articulation = None
        if self._readout is not None:
            # A touch of the lips may be shorter than a frame: the surer of its two steps.
            shares = torch.sigmoid(self._readout(steps))[0]
            articulation = shares.reshape(-1, STEPS_PER_FRAME, shares.shape[-1]).amax(1).float().cpu().numpy()
        return _frames(steps), articulation


def floored(mels: FloatArray, peak: float) -> FloatArray:
    """mels: (80, M) log10, `peak` the loudest of the sound -> as Whisper takes them: floor 8 below it, about -1 to 1."""
    result: FloatArray = ((np.maximum(mels, peak - 8) + 4) / 4).astype(np.float32)
    return result


def upper_blocks(encoder: WhisperEncoder, mels: torch.Tensor) -> torch.Tensor:
    """mels: (B, 80, M) -> (B, M // 2, C) what the content is the mean of, two steps a frame; with gradients."""
    return _upper_steps(encoder, _lower_blocks(encoder, mels)[-1], encoder.layers[FIRST_BLOCK:])


def _lower_blocks(encoder: WhisperEncoder, mels: torch.Tensor) -> list[torch.Tensor]:
    """mels: (B, 80, M) -> the outputs (B, M // 2, width) of the blocks before `FIRST_BLOCK`."""
    x = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(mels)))).transpose(1, 2)
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    outputs: list[torch.Tensor] = []
    for layer in encoder.layers[:FIRST_BLOCK]:
        x = _tensor(layer(x, None))
        outputs.append(x)
    return outputs


def _upper_steps(encoder: WhisperEncoder, x: torch.Tensor, layers: torch.nn.ModuleList) -> torch.Tensor:
    outputs: list[torch.Tensor] = []
    for layer in layers:
        x = _tensor(layer(x, None))
        outputs.append(x)
    return torch.cat([*outputs, encoder.layer_norm(x)], -1)


def _frames(steps: torch.Tensor) -> FloatArray:
    """(1, S, C) -> (S // 2, C) the mean of the two steps of each video frame."""
    frames: FloatArray = steps[0].reshape(-1, STEPS_PER_FRAME, steps.shape[-1]).mean(1).float().cpu().numpy()
    return frames


def loudness_dbfs(samples: FloatArray) -> FloatArray:
    """samples: (T * 640,) -> (T,) root mean square of each video frame in dBFS, -100 where silent."""
    rms = np.sqrt((samples.reshape(-1, SAMPLES_PER_FRAME).astype(np.float64) ** 2).mean(1))
    level: FloatArray = (20 * np.log10(np.maximum(rms, 10 ** (SILENCE_DBFS / 20)))).astype(np.float32)
    return level


def _tensor(output: Any) -> torch.Tensor:
    """Releases of transformers give a layer's output bare or as the first of a tuple."""
    result: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return result
