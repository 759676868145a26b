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
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from talkinghead.audio.adapter import ADAPTED, FILE, FIRST_BLOCK, ArticulationAdapter
from talkinghead.audio.phones import STEPS_PER_SECOND, PhoneTimes, articulation_steps
from talkinghead.audio.sound_variation import vary_sound
from talkinghead.audio.speech_encoder import SpeechEncoder, upper_blocks
from talkinghead.corpus.splits import TrainedOn, read, record
from talkinghead.errors import ConfigError
from talkinghead.files import whole
from talkinghead.training import check_resumable, save_config
from talkinghead.training_log import Report, unheard
from talkinghead.training_state import falling_rate, optimiser_tensors, restore_optimiser
from talkinghead.types import ARTICULATIONS, SAMPLE_RATE, FloatArray

FREE_KEYS: Final = ("output", "num_threads", "save_every")
"""What may differ when a run is resumed: nothing that is learnt depends on it."""
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
    torch.set_num_threads(config.num_threads)
    output = Path(config.output)
    state, finished = output / "state.safetensors", output / FILE
    if state.is_file():
        check_resumable(output / "config.json", config, FREE_KEYS)
    trainer = AdapterTrainer(config)
    if state.is_file():
        trainer.load(state)
        say(f"going on from step {trainer.step}")
    else:
        save_config(output / "config.json", config)
    recent: list[float] = []
    while trainer.step < config.steps:
        recent.append(trainer.train_step())
        if trainer.step % config.save_every == 0 or trainer.step == config.steps:
            trainer.save(state)
            say(f"step {trainer.step}: loss {np.mean(recent):.4f}")
            report(trainer.step, {"loss": float(np.mean(recent))})
            recent.clear()
    with whole(finished) as part:
        trainer.adapter().save(part)
    record(output, [*read(Path(config.encoder)), *_trained_on(config)])
    return finished


class AdapterTrainer:
    """The adapted encoder, its read-out and their optimiser."""

    def __init__(self, config: AdapterConfig) -> None:
        self.config, self.step = config, 0
        self._clips, self._odds = _clips(config)
        self._encoder = SpeechEncoder.from_pretrained(Path(config.encoder))
        torch.manual_seed(config.seed)
        lora = LoraConfig(
            r=config.rank,
            lora_alpha=config.rank,
            lora_dropout=config.dropout,
            target_modules=[name.rpartition(".")[2] for name in ADAPTED],
            layers_to_transform=list(range(FIRST_BLOCK, len(self._encoder.network.layers))),
            layers_pattern="layers",
        )
        self.model = get_peft_model(self._encoder.network, lora)
        self.readout = nn.Linear(self._encoder.content_width, len(ARTICULATIONS))
        nn.init.normal_(self.readout.weight, 0, 0.002)
        self._weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        groups = [
            {"params": self._weights, "lr": config.learning_rate, "weight_decay": config.weight_decay},
            {"params": list(self.readout.parameters()), "lr": config.readout_rate, "weight_decay": 0.01},
        ]
        self.optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99))
        self._rates = [float(group["lr"]) for group in self.optimiser.param_groups]

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
        config = self.config
        torch.manual_seed(config.seed * 1_000_003 + self.step)
        factor = falling_rate(self.step, config.steps, config.warmup_steps)
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        mels, shares, known = self.batch(self.step)
        self.model.train()
        logits = self.readout(upper_blocks(self.model.base_model.model, mels))
        entropy = functional.binary_cross_entropy_with_logits(logits, shares, reduction="none").mean(-1)
        loss = (entropy * known).sum() / known.sum().clamp(min=1)
        self.optimiser.zero_grad(set_to_none=True)
        (len(ARTICULATIONS) / 3 * loss).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*self._weights, *self.readout.parameters()], 1.0)
        self.optimiser.step()
        self.step += 1
        return float(loss.detach())

    def save(self, file: Path) -> None:
        """Weights, optimiser and step, written beside and renamed."""
        tensors = {f"lora.{name}": value for name, value in get_peft_model_state_dict(self.model).items()}
        tensors |= {f"readout.{name}": value for name, value in self.readout.state_dict().items()}
        tensors |= optimiser_tensors("optimiser", self.optimiser) | {"step": torch.tensor(self.step)}
        with whole(file) as part:
            save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()}, part)

    def load(self, file: Path) -> None:
        """Take what `save` wrote; whether it is of this configuration is `train_adapter`'s to check."""
        state = load_file(file)
        lora = {name.removeprefix("lora."): value for name, value in state.items() if name.startswith("lora.")}
        set_peft_model_state_dict(self.model, lora)
        self.readout.load_state_dict({name: state[f"readout.{name}"] for name in ("weight", "bias")})
        restore_optimiser("optimiser", self.optimiser, state)
        self.step = int(state["step"])

    def adapter(self) -> ArticulationAdapter:
        """What has been learnt so far."""
        down: dict[str, torch.Tensor] = {}
        up: dict[str, torch.Tensor] = {}
        for name, value in get_peft_model_state_dict(self.model).items():
            layer = name.removeprefix("base_model.model.").rsplit(".lora_", 1)[0]
            (down if "lora_A" in name else up)[layer] = value.detach()
        return ArticulationAdapter(down, up, self.readout.weight.detach(), self.readout.bias.detach())


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
