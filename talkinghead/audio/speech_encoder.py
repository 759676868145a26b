"""Audio -> SpeechFeatures: the inner layers of Whisper's small encoder, a row a video frame, what they say of articulation, and
the loudness.

The content is of blocks that learnt articulation (`audio.adapter`); the voice is of the blocks as Whisper has them. Knows
log-mels and Whisper; knows nothing of faces. Long sound goes through in windows, so memory beyond the features
themselves does not grow with length. Processors that multiply in bfloat16 do so: on 25 training talkers the lips open
with those of float32 at r above .999. Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak
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
from talkinghead.audio.encoder_block import EncoderBlock, quickest_dtype, through
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
HEARD_DBFS: Final = -60.0
"""Nothing is said in a recording no frame of which is as loud as this."""


class SpeechEncoder:
    """Speech content for the articulator: Whisper's hidden layers, the mean of the two steps of each video frame."""

    def __init__(
        self,
        encoder: WhisperEncoder,
        adapter: ArticulationAdapter | None = None,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        """The weights as they are now: who trains `network` on makes another one of these.

        Args:
            encoder: Whisper's, of which this keeps the weights in float32.
            adapter: what the upper blocks learnt besides; None for the bare encoder, which knows nothing of articulation.
            device: a torch device.
            dtype: what the blocks multiply in, float32 or bfloat16; None for the quicker of the two.
        """
        self._encoder = encoder.to(device=device, dtype=torch.float32).eval()
        self._device = device
        dtype = dtype or quickest_dtype(device)
        self._mel_bank = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=FFT, n_mels=encoder.num_mel_bins)
        plain = [EncoderBlock.of(layer, dtype) for layer in encoder.layers]
        self.blocks: list[EncoderBlock] = plain
        """From the mels to the content, the upper ones as the adapter changed them."""
        self._voice_blocks = plain[:VOICE_BLOCKS]
        self._readout: torch.nn.Linear | None = None
        if adapter is not None:
            upper = [EncoderBlock.of(layer, dtype) for layer in adapter.blocks(encoder.layers).to(device)]
            self.blocks = [*plain[:FIRST_BLOCK], *upper]
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
        check_samples(audio)
        num_frames = audio.num_frames
        samples = _whole_frames(audio)
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
        first = self.entered(torch.from_numpy(np.ascontiguousarray(mels))[None].to(self._device))
        first = first + self._encoder.embed_positions.weight[: first.shape[1]]
        outputs = through(self.blocks, first)
        content, articulation = self.read(outputs[FIRST_BLOCK:])
        voice = None
        if with_voice:
            lower = outputs[:FIRST_BLOCK]
            voice = _frames(torch.cat([*lower, *through(self._voice_blocks[FIRST_BLOCK:], lower[-1])], -1))
        return content, articulation, voice

    @torch.inference_mode()
    def entered(self, mels: torch.Tensor) -> torch.Tensor:
        """mels: (1, 80, M) -> (1, M // 2, width) what the blocks take, but for where in its window a step stands."""
        return _entered(self._encoder, mels)

    @torch.inference_mode()
    def read(self, upper: list[torch.Tensor]) -> tuple[FloatArray, FloatArray | None]:
        """upper: (1, S, width) of each upper block, two steps a frame -> content (S // 2, C) and articulation (S // 2, A)."""
        steps = torch.cat([*upper, self._encoder.layer_norm(upper[-1])], -1)
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
    x = _entered(encoder, mels)
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    outputs: list[torch.Tensor] = []
    for layer in encoder.layers:
        x = _tensor(layer(x, None))
        outputs.append(x)
    return torch.cat([*outputs[FIRST_BLOCK:], encoder.layer_norm(x)], -1)


def _entered(encoder: WhisperEncoder, mels: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(mels)))).transpose(1, 2)
    return result


def _frames(steps: torch.Tensor) -> FloatArray:
    """(1, S, C) -> (S // 2, C) the mean of the two steps of each video frame."""
    frames: FloatArray = steps[0].reshape(-1, STEPS_PER_FRAME, steps.shape[-1]).mean(1).float().cpu().numpy()
    return frames


def check_samples(audio: Audio) -> None:
    """Raise AudioError for sound that no encoder can hear: no samples at all, or samples that are not finite."""
    if audio.num_frames == 0:
        raise AudioError("audio holds no samples; give at least one video frame of sound (40 ms).")
    if not np.isfinite(audio.samples).all():
        raise AudioError("audio holds samples that are not numbers (NaN or infinite); export the recording again.")


def loudness_dbfs(samples: FloatArray) -> FloatArray:
    """samples: (T * 640,) -> (T,) root mean square of each video frame in dBFS, -100 where silent."""
    rms = np.sqrt((samples.reshape(-1, SAMPLES_PER_FRAME).astype(np.float64) ** 2).mean(1))
    level: FloatArray = (20 * np.log10(np.maximum(rms, 10 ** (SILENCE_DBFS / 20)))).astype(np.float32)
    return level


def is_silent(audio: Audio) -> bool:
    """Whether no frame is as loud as `HEARD_DBFS`; noise that is louder counts as heard."""
    return bool(loudness_dbfs(_whole_frames(audio)).max() < HEARD_DBFS)


def _whole_frames(audio: Audio) -> FloatArray:
    """(T * 640,) float32, silence after the end."""
    padding = audio.num_frames * SAMPLES_PER_FRAME - len(audio.samples)
    return np.pad(audio.samples.astype(np.float32), (0, padding))


def _tensor(output: Any) -> torch.Tensor:
    """Releases of transformers give a layer's output bare or as the first of a tuple."""
    result: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return result
