"""Speech with known phones -> an adapter of the speech encoder: what the mouth does, whoever speaks, in whatever room.

Low-rank changes of the upper blocks (peft) learn to say what is articulated in every fiftieth of a second, on speech whose
speed, room, microphone and noise are varied. No face is seen here, so that a talker's face has no say in it. Killed and started
again, training ends where it would have ended: every batch is a function of (seed, step).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from talkinghead.audio.low_rank_encoder import LowRankEncoder, run
from talkinghead.audio.phones import STEPS_PER_SECOND, PhoneTimes, articulation_steps
from talkinghead.audio.sound_variation import vary_sound
from talkinghead.audio.speech_encoder import SpeechEncoder
from talkinghead.corpus.splits import TrainedOn, read, record
from talkinghead.errors import ConfigError
from talkinghead.training_log import Report, unheard
from talkinghead.types import ARTICULATIONS, SAMPLE_RATE, FloatArray

MASKED_BANDS: Final = (2, 10)


@dataclass(frozen=True)
class AdapterConfig:
    """One run. Flat, so that a YAML file is one of these.

    sources: folders of `phones`, and how often each is drawn from, in `shares`.
    """

    phones: str = "data/phones"
    encoder: str = "checkpoints/default/speech_encoder"
    output: str = "runs/speech_encoder"
    sources: tuple[str, ...] = ("made_up", "ravdess", "grid", "librivox")
    shares: tuple[float, ...] = (0.4, 0.35, 0.2, 0.05)
    rank: int = 16
    dropout: float = 0.1
    steps: int = 700
    batch_size: int = 8
    crop_s: float = 3.0
    learning_rate: float = 5e-4
    readout_rate: float = 1e-3
    weight_decay: float = 5e-2
    warmup_steps: int = 30
    varied_share: float = 0.85
    save_every: int = 50
    num_threads: int = 1
    seed: int = 0


@dataclass(frozen=True, eq=False)
class PhoneClip:
    """samples: (N,) at 16 kHz; phones: what is spoken in them."""

    samples: npt.NDArray[np.int16]
    phones: PhoneTimes

    @staticmethod
    def load(file: Path) -> PhoneClip:
        """As `scripts/prepare_phones.py` writes it."""
        with np.load(file) as archive:
            return PhoneClip(archive["samples"], PhoneTimes(archive["symbols"], archive["starts"], archive["ends"]))


def train_adapter(config: AdapterConfig, say: Callable[[str], None], report: Report = unheard) -> Path:
    """Run one configuration to its end, or from where it was killed; returns the finished adapter's file.

    Raises:
        ConfigError: no recording to learn from, or the output folder holds a run of another configuration.
    """

    def start() -> tuple[LowRankEncoder, Callable[[], float]]:
        trainer = AdapterTrainer(config)
        return trainer.learner, trainer.train_step

    finished = run(config, start, say, report)
    record(finished.parent, [*read(Path(config.encoder)), *_trained_on(config)])
    return finished


class AdapterTrainer:
    """What learns, and what it learns from in each step."""

    def __init__(self, config: AdapterConfig) -> None:
        self.config = config
        self._clips, self._odds = _clips(config)
        self._encoder = SpeechEncoder.from_pretrained(Path(config.encoder))
        rates, decay = (config.learning_rate, config.readout_rate), (config.weight_decay, 0.01)
        self.learner = LowRankEncoder(self._encoder, config.rank, config.dropout, rates, decay, seed=config.seed)

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Log-mels (B, 80, M), shares (B, S, A) of each articulation and how much is known (B, S): what a step learns from."""
        config = self.config
        random = np.random.default_rng([config.seed, step])
        num_steps = round(config.crop_s * STEPS_PER_SECOND)
        mels, shares, known = [], [], []
        for index in random.choice(len(self._clips), config.batch_size, p=self._odds):
            clip = self._clips[index]
            samples, phones = _crop(clip, config.crop_s, random)
            if random.random() < config.varied_share:
                varied = vary_sound(samples, random)
                stretch = len(varied) / len(samples)
                phones = PhoneTimes(phones.symbols, phones.starts_s * stretch, phones.ends_s * stretch)
                samples = varied
            num_samples = num_steps * SAMPLE_RATE // STEPS_PER_SECOND
            padded = np.pad(samples[:num_samples], (0, max(0, num_samples - len(samples))))
            mel = self._encoder.log_mel(padded)
            if random.random() < 0.4:
                band = int(random.integers(0, len(mel) - MASKED_BANDS[1]))
                mel[band : band + int(random.integers(*MASKED_BANDS))] = mel.mean()
            share, sure = articulation_steps(phones, num_steps)
            sure[len(samples) * STEPS_PER_SECOND // SAMPLE_RATE :] = 0
            mels.append(mel)
            shares.append(share)
            known.append(sure)
        return tuple(torch.from_numpy(np.stack(rows)).float() for rows in (mels, shares, known))  # type: ignore[return-value]

    def train_step(self) -> float:
        """One update on the cross-entropy of every articulation by itself, where it is known."""
        config, learner = self.config, self.learner
        torch.manual_seed(config.seed * 1_000_003 + learner.step)
        mels, shares, known = self.batch(learner.step)
        entropy = functional.binary_cross_entropy_with_logits(learner.readout(learner.hear(mels)), shares, reduction="none")
        loss = (entropy.mean(-1) * known).sum() / known.sum().clamp(min=1)
        learner.learn(len(ARTICULATIONS) / 3 * loss, config.steps, config.warmup_steps)
        return float(loss.detach())


def _trained_on(config: AdapterConfig) -> list[TrainedOn]:
    """Whose recordings: `scripts/prepare_phones.py` leaves a record beside those of a set of `talkinghead prepare`."""
    return [each for source in config.sources for each in read(Path(config.phones) / source)]


def _clips(config: AdapterConfig) -> tuple[list[PhoneClip], npt.NDArray[np.float64]]:
    """All recordings and how often each is drawn."""
    if len(config.sources) != len(config.shares):
        raise ConfigError(f"{len(config.sources)} sources and {len(config.shares)} shares; give one share a source.")
    clips, odds = [], []
    for source, share in zip(config.sources, config.shares, strict=True):
        files = sorted((Path(config.phones) / source).glob("*.npz"))
        if not files:
            raise ConfigError(f"phones {config.phones}: nothing in {source}; run scripts/prepare_phones.py, or leave it out.")
        clips += [PhoneClip.load(file) for file in files]
        odds += [share / len(files)] * len(files)
    return clips, np.asarray(odds) / sum(odds)


def _crop(clip: PhoneClip, crop_s: float, random: np.random.Generator) -> tuple[FloatArray, PhoneTimes]:
    """A part of a recording, with what a change of speed may take from it, and its phones."""
    wanted = round(1.2 * crop_s * SAMPLE_RATE)
    start = int(random.integers(0, max(1, len(clip.samples) - wanted + 1)))
    samples = clip.samples[start : start + wanted].astype(np.float32) / np.float32(32768)
    shift, phones = start / SAMPLE_RATE, clip.phones
    return samples, PhoneTimes(phones.symbols, phones.starts_s - shift, phones.ends_s - shift)
