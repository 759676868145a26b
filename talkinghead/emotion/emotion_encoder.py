"""How something is said -> which emotion is heard, how strongly, from moment to moment.

Statistics of the speech encoder's first blocks over a window of some seconds, and a small network on them. Knows voices of
actors (RAVDESS, EmoDB) and plain reading; contempt it has never heard. Sources: Pepino, Riera, Ferrer, "Emotion recognition
from speech using wav2vec 2.0 embeddings", Interspeech 2021 (statistics of frozen layers); Wang, Ravanelli, Yacoubi, "Speech
emotion diarization", 2023 (which emotion appears when).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from talkinghead.errors import CheckpointError, EmotionError
from talkinghead.types import EMOTIONS, FPS, NEUTRAL, EmotionTrack, FloatArray, SpeechFeatures

WINDOW_FRAMES: Final = round(2.4 * FPS)
HOP_FRAMES: Final = 5
VOICE_WIDTH: Final = 3 * 384
_QUIET_DB: Final = 40.0
_FADE_DB: Final = 20.0
_LEAST_WEIGHT: Final = 0.05
_SHARPNESS: Final = 2.0
"""Networks that learnt from mixtures say less than they know: of 1, 1.5 and 2 this showed most of the changes of mood."""
NUM_LEVELS: Final = 3
"""Numbers that say how the loudness moves: beside the statistics of the blocks."""


class EmotionEncoder(ModelMixin, ConfigMixin):
    """Statistics (B, F) of a window of speech -> logits of the eight emotions and of the strength, (B, 9).

    The mean of some networks that differ by how they were begun. With a rank they read that many mixtures of the statistics
    (`narrowed`), of which they need few.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self, num_features: int = 2 * VOICE_WIDTH + NUM_LEVELS, hidden: int = 512, num_members: int = 3, rank: int = 0
    ) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(num_features), requires_grad=False)
        self.deviation = nn.Parameter(torch.ones(num_features), requires_grad=False)
        # 0 for an emotion that was heard, -inf for one that never was: nobody acted contempt.
        self.unheard = nn.Parameter(torch.zeros(len(EMOTIONS) + 1), requires_grad=False)
        self.narrow = nn.Linear(num_features, rank, bias=False) if rank else nn.Identity()
        self.members = nn.ModuleList(_member(rank or num_features, hidden) for _ in range(num_members))

    def forward(self, statistics: torch.Tensor) -> torch.Tensor:
        x = self.narrow((statistics - self.mean) / self.deviation)
        logits: torch.Tensor = torch.stack([member(x) for member in self.members]).mean(0) + self.unheard
        return logits

    @torch.inference_mode()
    def embed(self, statistics: torch.Tensor) -> torch.Tensor:
        """Statistics (B, F) -> (B, hidden * members), what the last layer of each member reads."""
        x = self.narrow((statistics - self.mean) / self.deviation)
        return torch.cat([torch.nn.Sequential(*list(member.children())[:-1])(x) for member in self.members], 1)

    @torch.inference_mode()
    def hear(self, features: SpeechFeatures) -> EmotionTrack:
        """Speech with its voice (`SpeechEncoder.encode(audio, with_voice=True)`) -> what is heard in it, T frames.

        Where nothing is said the face is neutral.

        Raises:
            EmotionError: the features hold no voice, or are another speech encoder's.
        """
        centres, statistics = window_statistics(features)
        if statistics.shape[1] != len(self.mean):
            raise EmotionError(
                f"the voice has {statistics.shape[1]} statistics, the emotion encoder hears {len(self.mean)}: it learnt from "
                "another speech encoder; name the emotion instead of 'auto', or train it anew."
            )
        logits = self(torch.from_numpy(statistics)).float()
        shares = _between(centres, (_SHARPNESS * logits[:, :-1]).softmax(-1).numpy(), len(features))
        strength = _between(centres, logits[:, -1:].sigmoid().numpy(), len(features))[:, 0]
        spoken = _between(centres, _spoken(features, centres)[:, None], len(features))[:, 0]
        return EmotionTrack(shares / shares.sum(1, keepdims=True), (strength * spoken).astype(np.float32))

    @staticmethod
    def load(folder: Path) -> EmotionEncoder:
        """`from_pretrained` in float32, with this package's errors.

        Raises:
            CheckpointError: a file is missing, or holds tensors of other shapes.
        """
        # Of a folder that lacks its files diffusers speaks as of a model that it could not download.
        for name in ("config.json", "diffusion_pytorch_model.safetensors"):
            if not (Path(folder) / name).is_file():
                raise CheckpointError(
                    f"{Path(folder) / name}: no emotion encoder (the file is missing); reinstall talkinghead, "
                    "or name the emotion instead of 'auto'."
                )
        try:
            model = EmotionEncoder.from_pretrained(
                folder, torch_dtype=torch.float32, local_files_only=True, low_cpu_mem_usage=False
            )
        except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(
                f"{folder}: no emotion encoder ({reason}); reinstall talkinghead, or name the emotion instead of 'auto'."
            ) from error
        result: EmotionEncoder = model.eval()
        return result


@torch.no_grad()
def narrowed(encoder: EmotionEncoder, rows: torch.Tensor, rank: int) -> EmotionEncoder:
    """The same encoder whose members share one narrow first layer: of what they read in `rows` the least is lost.

    encoder: without a rank; rows: (N, F) statistics such as it is to hear; rank: 1 to F. Source: Eckart, Young, "The
    approximation of one matrix by another of lower rank", 1936, for the outputs on these rows (Idelbayev,
    Carreira-Perpinan, "Low-rank compression of neural nets", CVPR 2020, section 3, has it for the weights).

    Raises:
        EmotionError: a rank that the first layers do not have.
    """
    settings = encoder.config
    most = min(settings.num_features, settings.hidden * settings.num_members)
    if not 1 <= rank <= most:
        raise EmotionError(f"rank is {rank}; give a whole number from 1 to {most}, or 0 to leave the encoder as it learnt.")
    result: EmotionEncoder = EmotionEncoder(settings.num_features, settings.hidden, settings.num_members, rank)
    first = [_layers(member)[0] for member in encoder.members]
    weight = torch.cat([layer.weight for layer in first])
    read = ((rows - encoder.mean) / encoder.deviation @ weight.T).double()
    main = torch.linalg.eigh(read.T @ read).eigenvectors[:, -rank:].float()
    assert isinstance(result.narrow, nn.Linear)
    result.narrow.weight.copy_(main.T @ weight)
    for own, member, part in zip(result.members, encoder.members, main.split(settings.hidden), strict=True):
        (own_first, own_last), (first_layer, last_layer) = _layers(own), _layers(member)
        own_first.weight.copy_(part)
        own_first.bias.copy_(first_layer.bias)
        own_last.load_state_dict(last_layer.state_dict())
    for name in ("mean", "deviation", "unheard"):
        getattr(result, name).copy_(getattr(encoder, name))
    result.eval()
    return result


def _layers(member: nn.Module) -> tuple[nn.Linear, nn.Linear]:
    """The first and the last."""
    first, last = (layer for layer in member.children() if isinstance(layer, nn.Linear))
    return first, last


def _member(num_features: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(0.3), nn.Linear(num_features, hidden), nn.GELU(), nn.Dropout(0.5), nn.Linear(hidden, len(EMOTIONS) + 1)
    )


def window_statistics(features: SpeechFeatures) -> tuple[FloatArray, FloatArray]:
    """-> the windows' centres (N,) in frames and their statistics (N, F).

    Raises:
        EmotionError: the features hold no voice.
    """
    if features.voice is None:
        raise EmotionError("features hold no voice; encode the speech with with_voice=True to hear its emotion.")
    num_frames = len(features)
    half = WINDOW_FRAMES // 2
    low, high = min(half, num_frames // 2), max(num_frames - half, num_frames // 2)
    centres = np.unique(np.append(np.arange(low, high, HOP_FRAMES), high))
    rows = [statistics(features, max(0, c - half), min(num_frames, c + half + 1)) for c in centres]
    return centres.astype(np.float32), np.stack(rows)


def statistics(features: SpeechFeatures, start: int, stop: int) -> FloatArray:
    """(F,) mean and deviation of the first blocks over frames start ... stop, the louder the weightier, and how it moves."""
    assert features.voice is not None
    blocks, level = features.voice[start:stop].astype(np.float32), features.loudness[start:stop].astype(np.float32)
    peak = float(features.loudness.max())
    weight = np.clip((level - peak + _QUIET_DB) / _FADE_DB, _LEAST_WEIGHT, 1)
    weight /= weight.sum()
    mean = weight @ blocks
    deviation = np.sqrt(np.maximum(weight @ (blocks - mean) ** 2, 1e-8))
    change = np.abs(np.diff(level)).mean() if len(level) > 1 else 0.0
    result: FloatArray = np.concatenate([mean, deviation, [peak - level.mean(), level.std(), change]]).astype(np.float32)
    return result


def _spoken(features: SpeechFeatures, centres: FloatArray) -> FloatArray:
    """(N,) 1 where a window holds speech, 0 where it holds silence."""
    half = WINDOW_FRAMES // 2
    loudest = [features.loudness[max(0, int(c) - half) : int(c) + half + 1].max() for c in centres]
    spoken: FloatArray = np.clip((np.array(loudest) - features.loudness.max() + _QUIET_DB) / _FADE_DB, 0, 1).astype(np.float32)
    return spoken * np.float32(features.loudness.max() > -60)


def _between(centres: FloatArray, values: FloatArray, num_frames: int) -> FloatArray:
    """(N, K) at the centres -> (T, K), linear between them and constant beyond."""
    frames = np.arange(num_frames)
    return np.stack([np.interp(frames, centres, column) for column in values.T], axis=1).astype(np.float32)


def neutral_unless_sure(track: EmotionTrack, least: float = 0.5) -> EmotionTrack:
    """A track in which an emotion that is not clearly heard is left out: a face that guesses is worse than a calm one."""
    top = np.delete(track.weights, NEUTRAL, axis=1).max(1)
    sure = np.clip((top - least + 0.15) / 0.3, 0, 1)
    return EmotionTrack(track.weights, (track.intensity * sure).astype(np.float32))
