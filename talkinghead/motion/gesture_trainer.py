"""Tracked training clips -> a trained gesture model, by flow matching on windows of a few seconds.

Killed and started again, training ends where it would have ended: every batch is a function of (seed, step), and the state is
one file that is renamed into place. Knows `GestureDenoiser`'s training; `motion.gesture` samples.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from talkinghead.corpus.splits import record
from talkinghead.corpus.store import trained_on
from talkinghead.errors import ConfigError
from talkinghead.files import whole, whole_folder
from talkinghead.motion.gesture import KNOWN_TOKENS
from talkinghead.motion.gesture_blinks import BlinkHabits, blink_habits
from talkinghead.motion.gesture_dataset import (
    HEAD,
    MIRROR,
    GestureClip,
    effort_of_head,
    gesture_clips,
    liveliness,
    usual_deviations,
    usual_head_speed,
)
from talkinghead.motion.gesture_denoiser import GestureDenoiser
from talkinghead.motion.low_rank import learn_beside, merged
from talkinghead.training import check_resumable, save_config
from talkinghead.training_log import Report, unheard
from talkinghead.training_state import falling_rate, optimiser_tensors, restore_optimiser

FREE_KEYS: Final = ("output", "num_threads", "save_every")
"""What may differ when a run is resumed: nothing that is learnt depends on it."""
MAX_DEVIATIONS: Final = 5.0
_VALIDATION_BATCHES: Final = 8


@dataclass(frozen=True)
class GestureConfig:
    """One run. Flat, so that a YAML file is one of these.

    split: which of `corpus.splits` says who is trained on; empty is the manifest's own.
    start_from: folder of a gesture model that is adapted, its width, dilations and scales kept; empty starts from noise.
    lora_rank: of what an adaptation learns beside the frozen model (Hu et al., LoRA, ICLR 2022; extra `train`); 0 trains all.
    identities, emotions: of whom and of what; empty is everybody and everything.
    max_clips_a_talker: one talker has a thousand. held_out_every: of the talkers in order, each so many-th is kept for
    validation, 0 for none. wander: deviation of where a window's head is put, against how far a head gets within a clip: clips
    are too short to show it. unheard_share: of the windows, those whose voice is hidden. doubt: deviation of the noise on what
    came before, so that errors do not add up. vagueness: deviation of the noise on how lively a window is said to be.
    """

    data: str = "../shared/data"
    prepared: str = "data"
    split: str = ""
    output: str = "runs/gesture"
    start_from: str = ""
    lora_rank: int = 0
    identities: tuple[str, ...] = ()
    emotions: tuple[str, ...] = ()
    width: int = 128
    dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 4)
    token_frames: int = 4
    window_frames: int = 72
    max_clips_a_talker: int = 40
    held_out_every: int = 0
    wander: float = 0.5
    unheard_share: float = 0.1
    doubt: float = 0.03
    dropout: float = 0.1
    vagueness: float = 0.15
    steps: int = 2500
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 5e-2
    warmup_steps: int = 100
    save_every: int = 500
    num_threads: int = 1
    seed: int = 0


def train_gesture(config: GestureConfig, say: Callable[[str], None], report: Report = unheard) -> Path:
    """Run one configuration to its end, or from where it was killed; returns the folder of the finished model.

    Raises:
        ConfigError: no clip is long enough, or the output folder holds a run of another configuration.
        InputError: no manifest.
    """
    torch.set_num_threads(config.num_threads)
    output = Path(config.output)
    state, finished = output / "state.safetensors", output / "gesture"
    if state.is_file():
        check_resumable(output / "config.json", config, FREE_KEYS)
    trainer = GestureTrainer(config)
    if state.is_file():
        trainer.load(state)
        say(f"going on from step {trainer.step}")
    else:
        save_config(output / "config.json", config)
    recent: list[float] = []
    started, began_at = time.perf_counter(), trainer.step
    while trainer.step < config.steps:
        recent.append(trainer.train_step())
        if trainer.step % config.save_every == 0 or trainer.step == config.steps:
            trainer.save(state)
            losses = {"loss": float(np.mean(recent))}
            losses |= {"held-out talkers": trainer.validation_loss()} if trainer.held_out else {}
            say(f"step {trainer.step}: " + ", ".join(f"{name} {value:.4f}" for name, value in losses.items()))
            report(trainer.step, losses)
            recent.clear()
    total = sum(value.numel() for value in trainer.finished().parameters())
    took_s = time.perf_counter() - started
    say(f"{trainer.num_learnt:,} of {total:,} weights learnt, {trainer.step - began_at} steps in {took_s:.0f} s")
    with whole_folder(finished) as part:
        trainer.finished().save_pretrained(part)
        record(part, [trained_on(Path(config.data), config.split)])
    return finished


class GestureTrainer:
    """The denoiser, its average over the last steps and its optimiser. Every batch is a function of (seed, step)."""

    def __init__(self, config: GestureConfig) -> None:
        self.config, self.step = config, 0
        if config.window_frames % config.token_frames:
            raise ConfigError(f"window_frames {config.window_frames}: give a multiple of token_frames {config.token_frames}.")
        if config.window_frames <= KNOWN_TOKENS * config.token_frames:
            least = (KNOWN_TOKENS + 1) * config.token_frames
            raise ConfigError(
                f"window_frames {config.window_frames}: a window goes on from the {least - config.token_frames} frames before; "
                f"give {least} or more."
            )
        if config.lora_rank and not config.start_from:
            raise ConfigError(f"lora_rank {config.lora_rank}: adapts a model; give start_from, its folder, or lora_rank: 0.")
        found = gesture_clips(
            Path(config.data),
            Path(config.prepared),
            "train",
            config.window_frames,
            config.max_clips_a_talker,
            config.split,
            config.identities,
            config.emotions,
        )
        clips = list(found)
        talkers = sorted({clip.talker for clip in clips})
        apart = set(talkers[:: config.held_out_every]) if config.held_out_every else set()
        self.clips = [clip for clip in clips if clip.talker not in apart]
        self.held_out = [clip for clip in clips if clip.talker in apart]
        if not self.clips:
            raise ConfigError(
                f"data {config.data}: no tracked training clip of {config.window_frames} frames; run scripts/prepare_speech.py."
            )
        base = GestureDenoiser.load(Path(config.start_from)) if config.start_from else None
        self.scale = usual_deviations(self.clips) if base is None else np.array(base.config.scale, np.float32)
        self.usual_speed = usual_head_speed(self.clips, self.scale)
        slope, unexplained = effort_of_head(self.clips, self.scale)
        heard = [clip.voice[:, 0].mean() for clip in self.clips if clip.voice[:, 2].any()]
        habits: BlinkHabits = blink_habits(self.clips)
        torch.manual_seed(config.seed)
        self.model: GestureDenoiser = base or GestureDenoiser(
            width=config.width,
            dilations=tuple(config.dilations),
            token_frames=config.token_frames,
            window_frames=config.window_frames,
            dropout=config.dropout,
            scale=tuple(round(float(value), 6) for value in self.scale),
            usual_effort=round(float(np.mean(heard)), 4) if heard else 0.6,
            effort_slope=round(slope, 4),
            unexplained=round(unexplained, 4),
            blinks_per_minute=habits.per_minute,
            closing_s=habits.closing_s,
            opening_s=habits.opening_s,
        )
        if config.lora_rank:
            learn_beside(self.model, config.lora_rank)
        learnt = [value for value in self.model.parameters() if value.requires_grad]
        self.num_learnt = sum(value.numel() for value in learnt)
        self.optimiser = torch.optim.AdamW(learnt, lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.99))
        self._average = {name: value.detach().clone() for name, value in self.model.named_parameters()}

    def batch(self, clips: list[GestureClip], random: np.random.Generator) -> tuple[torch.Tensor, ...]:
        """Windows of clips, each talker equally often -> gestures (B, T, 12) in usual deviations, how much of each is known
        (B, N), voice (B, T, 3) and liveliness (B, N, 3), N tokens."""
        config = self.config
        num_tokens = config.window_frames // config.token_frames
        of_talker: dict[str, list[GestureClip]] = {}
        for clip in clips:
            of_talker.setdefault(clip.talker, []).append(clip)
        talkers = sorted(of_talker)
        gestures, known, voices, lively = [], [], [], []
        for talker in random.choice(len(talkers), config.batch_size):
            own = of_talker[talkers[talker]]
            clip = own[random.integers(len(own))]
            start = random.integers(len(clip) - config.window_frames + 1)
            frames = slice(start, start + config.window_frames)
            curves = clip.curves[frames] / self.scale
            mood = liveliness(clip.curves, self.scale, self.usual_speed)
            curves[:, HEAD] += config.wander * np.exp(mood[:, 0].mean()) * random.standard_normal(6)
            if random.uniform() < 0.5:
                curves = curves * MIRROR
            gestures.append(np.clip(curves, -MAX_DEVIATIONS, MAX_DEVIATIONS))
            num_known = random.integers(2, 9) if random.uniform() < 0.75 else 0
            known.append(np.arange(num_tokens) < num_known)
            voices.append(clip.voice[frames] * (random.uniform() >= config.unheard_share))
            vague = config.vagueness * random.standard_normal(mood.shape[1])
            lively.append(mood[frames][:: config.token_frames] + vague)
        return tuple(torch.from_numpy(np.stack(rows)).float() for rows in (gestures, known, voices, lively))

    def loss(self, clips: list[GestureClip], random: np.random.Generator) -> torch.Tensor:
        """Mean square of the velocity's error on what is not known."""
        gestures, known, voice, lively = self.batch(clips, random)
        sigma = torch.from_numpy(1 / (1 + np.exp(-random.standard_normal(len(gestures))))).float()
        noise, doubt = torch.from_numpy(random.standard_normal((2, *gestures.shape))).float()
        share = sigma[:, None, None]
        each_frame = known.repeat_interleave(self.config.token_frames, 1)[..., None]
        before = (gestures + self.config.doubt * doubt) * each_frame
        velocity = self.model((1 - share) * gestures + share * noise, sigma, before, known, voice, lively)
        error = ((velocity - (noise - gestures)) ** 2).mean(-1, keepdim=True)
        mean: torch.Tensor = (error * (1 - each_frame)).sum() / (1 - each_frame).sum()
        return mean

    def train_step(self) -> float:
        """One update."""
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * falling_rate(self.step, config.steps, config.warmup_steps)
        self.model.train()
        torch.manual_seed(config.seed * 1_000_003 + self.step)
        loss = self.loss(self.clips, np.random.default_rng([config.seed, self.step]))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            decay = min(0.998, (self.step + 1) / (self.step + 10))
            for name, value in self.model.named_parameters():
                self._average[name].lerp_(value, 1 - decay)
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Of the averaged model, on the held-out talkers, always the same windows and noise."""
        weights = {name: value.clone() for name, value in self.model.named_parameters()}
        self.finished()
        losses = [float(self.loss(self.held_out, np.random.default_rng([0, 1, batch]))) for batch in range(_VALIDATION_BATCHES)]
        for name, value in self.model.named_parameters():
            value.copy_(weights[name])
        return float(np.mean(losses))

    def save(self, file: Path) -> None:
        """Weights, their average, the optimiser and the step."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self._average.items()}
        tensors |= optimiser_tensors("optimiser", self.optimiser) | {"step": torch.tensor(self.step)}
        with whole(file) as part:
            save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()}, part)

    def load(self, file: Path) -> None:
        """Take what `save` wrote; whether it is of this configuration is `train_gesture`'s to check."""
        state = load_file(file)

        def under(prefix: str) -> dict[str, torch.Tensor]:
            return {k.removeprefix(prefix + "."): v for k, v in state.items() if k.startswith(prefix + ".")}

        self.model.load_state_dict(under("model"))
        self._average = under("average")
        restore_optimiser("optimiser", self.optimiser, state)
        self.step = int(state["step"])

    @torch.no_grad()
    def finished(self) -> GestureDenoiser:
        """The model with its averaged weights, what was adapted among its own."""
        for name, value in self.model.named_parameters():
            value.copy_(self._average[name])
        self.model.eval()
        return merged(self.model) if self.config.lora_rank else self.model
