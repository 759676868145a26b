"""Audio -> SpeechFeatures by wav2vec 2.0, HuBERT or WavLM, from the user's own transformers folder, a row a video frame.

Behind the interface of `speech_encoder.SpeechEncoder`, and chosen by the `config.json` of a checkpoint's `speech_encoder`
folder. It hears whole recordings: it cannot be streamed, and knows nothing of articulations, so the lips' closures come from
the articulator's own score. Long sound goes through in windows.
Sources: Baevski et al., "wav2vec 2.0", NeurIPS 2020; Hsu et al., "HuBERT", TASLP 2021; Chen et al., "WavLM", JSTSP 2022.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError

from talkinghead.audio.speech_encoder import (
    CONTEXT_FRAMES,
    VOICE_BLOCKS,
    WINDOW_FRAMES,
    SpeechEncoder,
    check_samples,
    loudness_dbfs,
)
from talkinghead.checkpoints import without_progress
from talkinghead.errors import CheckpointError
from talkinghead.types import SAMPLES_PER_FRAME, Audio, FloatArray, SpeechFeatures

MODEL_TYPES: Final = ("wav2vec2", "hubert", "wavlm")
"""Of transformers' `config.json`."""
SHARES_OF_DEPTH: Final = (0.5, 0.75, 1.0)
"""After which blocks the content is taken, unless `content_layers` in `config.json` lists others: phones are clearest in the
upper middle (Pasad et al., "Layer-wise analysis of a self-supervised speech representation model", ASRU 2021)."""
_REMEDY: Final = "save it with transformers' save_pretrained(folder, safe_serialization=True)"


class HiddenUnitEncoder:
    """Speech content for the articulator: hidden layers of a self-supervised network, the mean of the steps of a frame."""

    def __init__(self, network: Any, normalise: bool = True, device: str = "cpu") -> None:
        """
        Args:
            network: transformers' model of one of `MODEL_TYPES`.
            normalise: whether it was trained on sound of mean 0 and deviation 1.
            device: a torch device.

        Raises:
            ValueError: its steps do not fit into video frames, or `content_layers` names blocks that it has not.
        """
        self._network = network.to(device=device, dtype=torch.float32).eval()
        self._device, self._normalise = device, normalise
        config = network.config
        self._reach, stride = 1, 1
        for kernel, step in zip(config.conv_kernel, config.conv_stride, strict=True):
            self._reach += (kernel - 1) * stride
            stride *= step
        if SAMPLES_PER_FRAME % stride or self._reach < stride:
            raise ValueError(f"a step every {stride} samples does not divide a video frame of {SAMPLES_PER_FRAME}")
        self._stride = stride
        depth = int(config.num_hidden_layers)
        layers = getattr(config, "content_layers", None) or sorted({max(1, round(depth * part)) for part in SHARES_OF_DEPTH})
        if not all(isinstance(layer, int) and 1 <= layer <= depth for layer in layers):
            raise ValueError(f"content_layers {list(layers)}: its blocks are 1 to {depth}")
        self._content_layers = tuple(layers)
        self._voice_layers = tuple(range(1, min(VOICE_BLOCKS, depth) + 1))

    @staticmethod
    def from_pretrained(folder: Path, device: str = "cpu") -> HiddenUnitEncoder:
        """Load `config.json`, `model.safetensors` and, where there is one, `preprocessor_config.json`. Nothing is downloaded.

        Raises:
            CheckpointError: a file is missing, holds tensors of other shapes, or the network is of another kind.
        """
        from transformers import AutoConfig, AutoModel

        folder = Path(folder)
        try:
            if not (folder / "model.safetensors").is_file():
                raise ValueError("there is no model.safetensors")
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            if config.model_type not in MODEL_TYPES:
                raise ValueError(f"model_type {config.model_type}; {', '.join(MODEL_TYPES)} are known")
            with without_progress():
                network, found = AutoModel.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True
                )
            # What masks sound in training is not in every file, and is never used here.
            if missing := [name for name in found["missing_keys"] if "masked_spec_embed" not in name]:
                raise ValueError(f"model.safetensors lacks {len(missing)} of its tensors, {min(missing)} for one")
            settings = folder / "preprocessor_config.json"
            normalise = json.loads(settings.read_text()).get("do_normalize", True) if settings.is_file() else True
            return HiddenUnitEncoder(network, bool(normalise), device)
        except (OSError, SafetensorError, ValueError, TypeError, RuntimeError, AttributeError, KeyError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(f"{folder}: no wav2vec2, HuBERT or WavLM encoder ({reason}); {_REMEDY}.") from error

    @property
    def network(self) -> Any:
        """The network itself, for who trains on it."""
        return self._network

    @property
    def content_width(self) -> int:
        """C of the features."""
        return len(self._content_layers) * int(self._network.config.hidden_size)

    def encode(self, audio: Audio, with_voice: bool = False) -> SpeechFeatures:
        """audio -> content (T, C) float32, loudness (T,) dBFS and, if asked, voice (T, V); T is `audio.num_frames`.

        Raises:
            AudioError: no samples at all, or samples that are not finite.
        """
        check_samples(audio)
        num_frames, width = audio.num_frames, int(self._network.config.hidden_size)
        samples = np.pad(audio.samples.astype(np.float32), (0, num_frames * SAMPLES_PER_FRAME - len(audio.samples)))
        heard = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7) if self._normalise else samples
        beyond = self._reach - self._stride
        # A step stands in the middle of the samples that it hears.
        heard = np.pad(heard, (beyond // 2, beyond - beyond // 2)).astype(np.float32)
        content = np.empty((num_frames, self.content_width), np.float32)
        voice = np.empty((num_frames, len(self._voice_layers) * width), np.float32) if with_voice else None
        for start in range(0, num_frames, WINDOW_FRAMES):
            stop = min(start + WINDOW_FRAMES, num_frames)
            first, last = max(0, start - CONTEXT_FRAMES), min(num_frames, stop + CONTEXT_FRAMES)
            layers = self._window(heard[first * SAMPLES_PER_FRAME : last * SAMPLES_PER_FRAME + beyond], last - first)
            kept = slice(start - first, stop - first)
            content[start:stop] = np.concatenate([layers[layer][kept] for layer in self._content_layers], 1)
            if voice is not None:
                voice[start:stop] = np.concatenate([layers[layer][kept] for layer in self._voice_layers], 1)
        return SpeechFeatures(content, loudness_dbfs(samples), voice)

    @torch.inference_mode()
    def _window(self, samples: FloatArray, num_frames: int) -> dict[int, FloatArray]:
        """samples: (T * 640 + what the first step hears beyond its own,) -> block -> (T, width)."""
        x = torch.from_numpy(np.ascontiguousarray(samples))[None].to(self._device)
        hidden = self._network(x, output_hidden_states=True).hidden_states
        wanted = {*self._content_layers, *self._voice_layers}
        return {
            layer: hidden[layer][0].reshape(num_frames, -1, hidden[layer].shape[-1]).mean(1).cpu().numpy() for layer in wanted
        }


AnySpeechEncoder = SpeechEncoder | HiddenUnitEncoder


def is_hidden_unit_folder(folder: Path) -> bool:
    """Whether a `speech_encoder` folder is of one of `MODEL_TYPES`, as its `config.json` says."""
    try:
        settings = json.loads((Path(folder) / "config.json").read_text())
    except (OSError, ValueError):
        return False  # who loads it says what is wrong
    return isinstance(settings, dict) and settings.get("model_type") in MODEL_TYPES


def load_speech_encoder(folder: Path, device: str = "cpu") -> AnySpeechEncoder:
    """The encoder that a folder holds: Whisper's with its adapter, or the user's own of `MODEL_TYPES`.

    Raises:
        CheckpointError: it holds neither.
    """
    if is_hidden_unit_folder(folder):
        return HiddenUnitEncoder.from_pretrained(folder, device)
    return SpeechEncoder.from_pretrained(folder, device)
