"""An adapter of the speech encoder that knows phones -> the same, hearing in noise what it hears without.

A student hears recordings in noise, a teacher, the adapter as it was, hears them clean; the student learns to say the same of
what the lips read, of the articulation, and of the rest of the content. No label and no face is needed: any speech will do.
Source of the teacher: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; of noise for the student alone: Xie
et al., "Self-training with Noisy Student improves ImageNet classification", CVPR 2020. Killed and started again, training ends
where it would have ended: every batch is a function of (seed, step).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from talkinghead.audio.adapter import FILE, FIRST_BLOCK, ArticulationAdapter
from talkinghead.audio.low_rank_encoder import LowRankEncoder, run
from talkinghead.audio.sound_variation import in_noise, vary_voice
from talkinghead.audio.speech_encoder import STEPS_PER_FRAME, SpeechEncoder, upper_blocks
from talkinghead.audio.waveform import load_audio
from talkinghead.corpus.splits import read, record
from talkinghead.errors import AudioError, CheckpointError, ConfigError
from talkinghead.training_log import Report, unheard
from talkinghead.types import SAMPLE_RATE, FloatArray

VIDEOS: Final = (".mp4", ".mov", ".mkv")
SOUNDS: Final = (".npz", ".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", *VIDEOS)
OTHERS: Final = 4
"""People who may speak at once behind the one who is listened to."""
_LONGER: Final = 1.2
"""Than a crop is the piece whose speed is varied."""
_MEASURED_STEP: Final = 2**31
"""No step of any run: by its batch the parts of the loss are brought to one scale."""


@dataclass(frozen=True)
class NoiseConfig:
    """One run. Flat, so that a YAML file is one of these.

    recordings: folders of sound, of video with sound, or of `scripts/prepare_phones.py`; how often each is drawn from, in
    `shares`. articulator: of which lips the teacher's hearing is to be kept.
    """

    recordings: tuple[str, ...] = ("data/phones/made_up",)
    shares: tuple[float, ...] = (1.0,)
    encoder: str = "checkpoints/default/speech_encoder"
    articulator: str = "checkpoints/default/articulator"
    output: str = "runs/speech_encoder"
    steps: int = 2200
    batch_size: int = 8
    crop_s: float = 3.0
    learning_rate: float = 2.5e-4
    warmup_steps: int = 50
    clean_share: float = 0.3
    varied_share: float = 0.6
    content_weight: float = 0.6
    articulation_weight: float = 3.0
    save_every: int = 50
    num_threads: int = 1
    seed: int = 0


def train_in_noise(config: NoiseConfig, kernel: torch.Tensor, say: Callable[[str], None], report: Report = unheard) -> Path:
    """Run one configuration to its end, or from where it was killed; returns the finished adapter's file.

    kernel: (M, C, W) what of W frames of content the lips read, the most important first (`Articulator.kernel`).

    Raises:
        ConfigError: a folder without recordings, or the output folder holds a run of another configuration.
        CheckpointError: the encoder has no adapter.
    """

    def start() -> tuple[LowRankEncoder, Callable[[], float]]:
        student = NoiseStudent(config, kernel)
        return student.learner, student.train_step

    finished = run(config, start, say, report)
    record(finished.parent, [known for folder in (config.encoder, *config.recordings) for known in read(Path(folder))])
    return finished


class NoiseStudent:
    """The student and its teacher, and what they listen to in each step."""

    def __init__(self, config: NoiseConfig, kernel: torch.Tensor) -> None:
        self.config, self._kernel = config, kernel
        file = Path(config.encoder) / FILE
        if not file.is_file():
            raise CheckpointError(f"encoder {config.encoder}: has no {FILE}; train it first (train.py speech_encoder).")
        self._recordings, self._odds = _recordings(config)
        self._known = ArticulationAdapter.load(file)
        self._encoder = SpeechEncoder.from_pretrained(Path(config.encoder))
        self._teacher = copy.deepcopy(self._encoder.network)
        self._teacher.layers = nn.ModuleList([*self._teacher.layers[:FIRST_BLOCK], *self._known.blocks(self._teacher.layers)])
        self._teacher.requires_grad_(False)
        rank = next(iter(self._known.down.values())).shape[0]
        rates = (config.learning_rate, config.learning_rate)
        self.learner = LowRankEncoder(self._encoder, rank, 0.0, rates, (0.0, 0.0), self._known, config.seed)
        self._spread = self._spreads()

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-mels (B, 80, M) of what the teacher hears and of what the student hears in a step."""
        config = self.config
        random = np.random.default_rng([config.seed, step])
        clean, heard = [], []
        for samples in self._drawn(config.batch_size, random):
            varied = vary_voice(samples, random) if random.random() < config.varied_share else samples
            piece = self._cut(varied)
            clean.append(self._encoder.log_mel(piece))
            if random.random() >= config.clean_share:
                piece = in_noise(piece, [self._cut(other) for other in self._drawn(OTHERS, random)], random)
            heard.append(self._encoder.log_mel(piece))
        return torch.from_numpy(np.stack(clean)).float(), torch.from_numpy(np.stack(heard)).float()

    def train_step(self) -> float:
        """One update on what the student says otherwise than the teacher."""
        config, learner = self.config, self.learner
        clean, heard = self.batch(learner.step)
        with torch.no_grad():
            wanted = upper_blocks(self._teacher, clean)
            articulation = torch.sigmoid(functional.linear(wanted, self._known.weight, self._known.bias))
        content = learner.hear(heard)
        of_lips = ((self._lips(content) - self._lips(wanted)) / self._spread[0]).square().mean((0, 1))
        weights = 2.0 ** -torch.arange(len(of_lips)).clamp(max=2)
        logits = learner.readout(content)
        loss = (
            (of_lips * weights).sum() / weights.sum()
            + config.content_weight * ((content - wanted) / self._spread[1]).square().mean()
            + config.articulation_weight * functional.binary_cross_entropy_with_logits(logits, articulation)
        )
        learner.learn(loss, config.steps, config.warmup_steps)
        return float(loss.detach())

    def _lips(self, steps: torch.Tensor) -> torch.Tensor:
        """steps: (B, S, C) -> (B, T, M) what the lips read, but for a constant."""
        frames = steps.reshape(len(steps), -1, STEPS_PER_FRAME, steps.shape[-1]).mean(2).transpose(1, 2)
        return functional.conv1d(frames, self._kernel).transpose(1, 2)

    def _spreads(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Standard deviations of what the teacher says of the lips, (M,), and of the content, (C,), in a batch of its own."""
        with torch.no_grad():
            steps = upper_blocks(self._teacher, self.batch(_MEASURED_STEP)[0])
            return self._lips(steps).std((0, 1)).clamp(min=1e-6), steps.std((0, 1)).clamp(min=1e-3)

    def _drawn(self, count: int, random: np.random.Generator) -> list[FloatArray]:
        """Pieces of recordings, a little longer than a crop, (N,) in [-1, 1]."""
        wanted = round(_LONGER * self.config.crop_s * SAMPLE_RATE)
        pieces = []
        for index in random.choice(len(self._recordings), count, p=self._odds):
            samples = self._recordings[index]
            start = int(random.integers(0, max(1, len(samples) - wanted + 1)))
            pieces.append(samples[start : start + wanted].astype(np.float32) / np.float32(32768))
        return pieces

    def _cut(self, samples: FloatArray) -> FloatArray:
        """As long as a crop, with silence after the end."""
        length = round(self.config.crop_s * SAMPLE_RATE)
        return np.pad(samples[:length], (0, max(0, length - len(samples))))


def _recordings(config: NoiseConfig) -> tuple[list[npt.NDArray[np.int16]], npt.NDArray[np.float64]]:
    """All recordings, 16 bits a sample so that hours fit in memory, and how often each is drawn."""
    if len(config.recordings) != len(config.shares):
        raise ConfigError(f"{len(config.recordings)} recordings and {len(config.shares)} shares; give one share a folder.")
    if min(config.shares) < 0 or not sum(config.shares) > 0:
        raise ConfigError(f"shares {list(config.shares)}: are no odds; give numbers from 0 up, one of them above.")
    found, odds = [], []
    for folder, share in zip(config.recordings, config.shares, strict=True):
        files = sorted(file for file in Path(folder).rglob("*") if file.suffix.lower() in SOUNDS)
        loaded = [samples for file in files if len(samples := _samples(file))]
        if not loaded:
            raise ConfigError(f"recordings {folder}: no speech there; run scripts/prepare_phones.py, or leave it out.")
        found += loaded
        odds += [share / len(loaded)] * len(loaded)
    return found, np.asarray(odds) / sum(odds)


def _samples(file: Path) -> npt.NDArray[np.int16]:
    """(N,) at 16 kHz; none of a video without a sound."""
    if file.suffix.lower() == ".npz":
        with np.load(file) as archive:
            if "samples" not in archive:
                raise ConfigError(
                    f"recordings {file}: holds no samples; give folders of scripts/prepare_phones.py, or of sound."
                )
            return np.asarray(archive["samples"], np.int16)
    try:
        samples = load_audio(file).samples
    except AudioError:
        if file.suffix.lower() not in VIDEOS:
            raise
        samples = np.zeros(0, np.float32)
    return np.round(samples * 32767).astype(np.int16)
