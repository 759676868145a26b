"""Prepared clips -> a trained articulator: the closed-form read-out, then the temporal head on top of it, with accelerate.

Killed and started again, training ends where it would have ended: every batch is a function of (seed, step), and a checkpoint
is written beside and renamed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from talkinghead import arkit
from talkinghead.errors import ConfigError
from talkinghead.motion.articulator import COLUMNS, Articulator
from talkinghead.motion.dataset import (
    CLOSED_RATIO,
    LEFT_EYE,
    LOWER_LIP,
    RIGHT_EYE,
    UPPER_LIP,
    SpeechClip,
    lip_gap,
    lip_opening,
    speech_clips,
    symmetric,
)
from talkinghead.motion.ridge import RidgeSums, with_neighbours
from talkinghead.types import FloatArray

MAX_GAIN: Final = 2.0
LIP_WEIGHT: Final = 4.0
"""What the opening and the closure of the lips weigh against any one blendshape."""


@dataclass(frozen=True)
class ArticulatorConfig:
    """One run. Flat, so that a YAML file is one of these."""

    data: str = "../shared/data"
    prepared: str = "data"
    rig: str = "checkpoints/default/rig"
    output: str = "runs/articulator"
    context: int = 1
    ridge_penalty: float = 10.0
    common_source: str = "grid_s1"
    common_share: float = 0.15
    max_common_clips: int = 1000
    head_width: int = 0
    head_dilations: tuple[int, ...] = (1, 2, 4, 8)
    dropout: float = 0.3
    steps: int = 0
    batch_size: int = 16
    crop_frames: int = 75
    learning_rate: float = 3e-4
    weight_decay: float = 1e-2
    warmup_steps: int = 50
    save_every: int = 100
    num_threads: int = 1
    seed: int = 0


def lip_travel(neutral: FloatArray, deltas: FloatArray) -> FloatArray:
    """A rig's neutral (V, 3) and deltas (52, V, 3), y up -> (52,) as `Articulator.lip_travel`."""
    eyes = np.linalg.norm(neutral[RIGHT_EYE] - neutral[LEFT_EYE])
    travel: FloatArray = ((deltas[:, UPPER_LIP, 1] - deltas[:, LOWER_LIP, 1]) / eyes).astype(np.float32)
    return travel


def targets_of(clip: SpeechClip) -> tuple[FloatArray, FloatArray]:
    """A clip -> what the model is to say of it, (T, K + 2), and what of that is this person's rest, (K + 2,).

    Blendshapes are both sides alike and from what this person has at rest; the opening of the lips is measured on the
    tracked points, from this mouth's own closure.
    """
    blendshapes = symmetric(clip.motion.blendshapes)[:, [arkit.INDEX[name] for name in COLUMNS]]
    blendshapes = (blendshapes - np.percentile(blendshapes, 10, axis=0)).astype(np.float32)
    opening, gap = lip_opening(clip.points), lip_gap(clip.points)
    opening = opening - np.percentile(opening, 3)
    shut = gap < CLOSED_RATIO + np.percentile(gap, 1)
    targets: FloatArray = np.c_[blendshapes, opening, shut].astype(np.float32)
    return targets, targets.mean(0)


def fit_readout(clips: Iterable[SpeechClip], config: ArticulatorConfig, lip_travel: FloatArray | None) -> Articulator:
    """The articulator in closed form: one talker of many clips weighs `common_share`, everybody else the rest.

    Each clip's mean is taken off its targets: what a mouth is at rest is the person's, not the sound's.
    """
    groups: dict[bool, RidgeSums] = {}
    spread = np.zeros((2, len(COLUMNS) + 2))
    means: dict[bool, list[FloatArray]] = {True: [], False: []}
    kept: list[SpeechClip] = []
    num_common = 0
    for clip in clips:
        common = clip.source == config.common_source
        num_common += common
        if common and num_common > config.max_common_clips:
            continue
        targets, mean = targets_of(clip)
        features = with_neighbours(clip.features.content, config.context)
        seen = clip.seen > 0
        if common not in groups:
            groups[common] = RidgeSums.zeros(features.shape[1], targets.shape[1])
        groups[common].add(features[seen], (targets - mean)[seen])
        means[common].append(mean)
        if not common:
            kept.append(clip)
    if not groups:
        raise ConfigError(f"data {config.data}: no prepared training clip with sound; run scripts/prepare_speech.py first.")
    empty = next(iter(groups.values()))
    none = RidgeSums.zeros(*empty.products.shape)
    mixed = groups.get(True, none).mixed(config.common_share, groups.get(False, none))
    weights, bias = mixed.solve(config.ridge_penalty)
    centre = np.mean([np.mean(group, axis=0) for group in means.values() if group], axis=0)
    model: Articulator = Articulator(
        content_width=weights.shape[0] // (2 * config.context + 1),
        context=config.context,
        head_width=config.head_width,
        head_dilations=tuple(config.head_dilations),
        dropout=config.dropout,
        lip_travel=None if lip_travel is None else tuple(round(float(value), 6) for value in lip_travel),
    )
    kernel = weights.T.reshape(weights.shape[1], 2 * config.context + 1, -1).transpose(0, 2, 1)
    with torch.no_grad():
        model.readout.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
        model.readout.bias.copy_(torch.from_numpy(bias + centre))  # type: ignore[union-attr]
        model.centre.copy_(torch.from_numpy(centre[:-1]))
    for clip in kept:
        targets, mean = targets_of(clip)
        said = predict(model, clip.features.content)
        spread += np.stack([((targets - mean) ** 2).sum(0), ((said - said.mean(0)) ** 2).sum(0)])
    if kept:
        model.register_to_config(gain=gains(spread.astype(np.float32)))
    model.eval()
    return model


def gains(spread: FloatArray) -> tuple[float, ...]:
    """(2, K + 2) sums of squares, real and predicted -> (K + 1,) stretches.

    A column that sound hardly explains is stretched less than its lost variance: the rest of it would be noise.
    """
    ratio = np.sqrt(spread[0] / np.maximum(spread[1], 1e-9))[:-1]
    explained = 1 / np.maximum(ratio, 1)
    return tuple(round(float(value), 4) for value in np.clip(1 + (ratio - 1) * explained, 1, MAX_GAIN))


@torch.inference_mode()
def predict(model: Articulator, content: FloatArray) -> FloatArray:
    """content: (T, C) -> (T, K + 2) raw outputs."""
    output: FloatArray = model(torch.from_numpy(content.astype(np.float32))[None])[0].numpy()
    return output


def train_articulator(config: ArticulatorConfig, lip_travel: FloatArray | None, say: Callable[[str], None]) -> Path:
    """Run one configuration to its end, or from where it was killed; returns the folder of the finished articulator.

    lip_travel: as `Articulator.lip_travel`, of the rig that the motion is for.
    """
    torch.set_num_threads(config.num_threads)
    accelerator = Accelerator()
    output = Path(config.output)
    readout, state, finished = output / "readout", output / "state", output / "articulator"
    if accelerator.is_main_process and not readout.is_dir():
        say("fitting the read-out")
        clips = speech_clips(Path(config.data), Path(config.prepared), "train", aligned=True)
        _replace(readout, lambda folder: fit_readout(clips, config, lip_travel).save_pretrained(folder))
    accelerator.wait_for_everyone()
    model = Articulator.load(readout)
    if config.steps and model.head is not None:
        trainer = HeadTrainer(model, config, accelerator)
        if state.is_dir():
            trainer.load(state)
            say(f"going on from step {trainer.step}")
        while trainer.step < config.steps:
            loss = trainer.train_step()
            if accelerator.is_main_process and (trainer.step % config.save_every == 0 or trainer.step == config.steps):
                _replace(state, trainer.save)
                say(f"step {trainer.step}: loss {loss:.4f}")
        model = trainer.finished()
    if accelerator.is_main_process:
        _replace(finished, model.save_pretrained)
    return finished


def _replace(folder: Path, write: Callable[[Path], object]) -> None:
    """Write beside, then rename: a run killed while it saves still has its last folder."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    write(part)
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)


class HeadTrainer:
    """The temporal head on a fixed read-out. Every batch is a function of (seed, step)."""

    def __init__(self, model: Articulator, config: ArticulatorConfig, accelerator: Accelerator) -> None:
        if model.head is None:
            raise ConfigError("head_width is 0; give the temporal head channels, or set steps to 0.")
        self.config, self.accelerator, self.step = config, accelerator, 0
        self._clips = self._prepared(model)
        common = np.array([clip[3] for clip in self._clips])
        lengths = np.array([len(clip[0]) for clip in self._clips], np.float64)
        share = np.where(common, config.common_share / max(1, (common * lengths).sum()), 0)
        share += np.where(common, 0, (1 - config.common_share) / max(1, ((~common) * lengths).sum()))
        self._odds = share * lengths / (share * lengths).sum()
        head = model.head
        head.set_normalisation(np.concatenate([clip[0].astype(np.float32) for clip in self._clips]))
        self._scale = torch.from_numpy(np.sqrt(np.mean([clip[1].var(0) for clip in self._clips], axis=0)) + 1e-3).float()
        torch.manual_seed(config.seed)
        head.restart()
        optimiser = torch.optim.AdamW(head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        self.model, self.optimiser = model, accelerator.prepare(optimiser)
        self._average = {name: value.detach().clone() for name, value in head.named_parameters()}

    def _prepared(self, model: Articulator) -> list[tuple[FloatArray, FloatArray, FloatArray, bool]]:
        """(content, targets without the clip's mean, what the read-out says without its mean, common) a clip."""
        config, clips, num_common = self.config, [], 0
        for clip in speech_clips(Path(config.data), Path(config.prepared), "train", aligned=True):
            common = clip.source == config.common_source
            num_common += common
            if (common and num_common > config.max_common_clips) or len(clip) < 8:
                continue
            targets, mean = targets_of(clip)
            content = clip.features.content
            said = predict(model, content)
            clips.append((content, targets - mean, said - said.mean(0), common))
        return clips

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Crops (B, T, C), targets and read-out (B, T, K + 2) of a step; a clip shorter than a crop repeats its last frame."""
        config = self.config
        random = np.random.default_rng([config.seed, step, self.accelerator.process_index])
        contents, targets, said = [], [], []
        for index in random.choice(len(self._clips), config.batch_size, p=self._odds):
            content, target, readout, _ = self._clips[index]
            start = random.integers(0, max(1, len(content) - config.crop_frames + 1))
            frames = np.minimum(np.arange(start, start + config.crop_frames), len(content) - 1)
            contents.append(content[frames].astype(np.float32))
            targets.append(target[frames])
            said.append(readout[frames])
        x, y, z = (torch.from_numpy(np.stack(rows)).float().to(self.accelerator.device) for rows in (contents, targets, said))
        return x, y, z

    def train_step(self) -> float:
        """One update; the loss is on values and on their change from frame to frame, each output in its own deviations."""
        config, head = self.config, self.model.head
        assert head is not None
        torch.manual_seed(config.seed * 1_000_003 + self.step)
        warm = min(1.0, (self.step + 1) / max(1, config.warmup_steps))
        part = min(1.0, self.step / max(1, config.steps))
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + float(np.cos(np.pi * part))))
        content, target, readout = self.batch(self.step)
        head.train()
        output = head(content.transpose(1, 2)).transpose(1, 2)
        error = (readout + output - target) / self._scale.to(output)
        change = error[:, 1:] - error[:, :-1]
        weight = torch.ones_like(self._scale).to(output)
        weight[-2:] = LIP_WEIGHT
        loss = (weight * error**2).mean() + (weight * change**2).mean()
        self.optimiser.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(head.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            decay = min(0.995, (self.step + 1) / (self.step + 10))
            for name, value in head.named_parameters():
                self._average[name].lerp_(value, 1 - decay)
        self.step += 1
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """Weights, their average, the optimiser and the step."""
        assert self.model.head is not None
        tensors = {f"head.{name}": value for name, value in self.model.head.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self._average.items()}
        for index, entry in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{key}": value for key, value in entry.items()}
        tensors["step"] = torch.tensor(self.step)
        save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()}, folder / "state.safetensors")
        (folder / "config.json").write_text(json.dumps(asdict(self.config), indent=1))

    def load(self, folder: Path) -> None:
        """Raises ConfigError when the checkpoint is of another configuration."""
        assert self.model.head is not None
        if json.loads((folder / "config.json").read_text()) != json.loads(json.dumps(asdict(self.config))):
            raise ConfigError(f"{folder}: was started with another configuration; use another output folder.")
        state = load_file(folder / "state.safetensors")

        def under(prefix: str) -> dict[str, torch.Tensor]:
            return {k.removeprefix(prefix + "."): v for k, v in state.items() if k.startswith(prefix + ".")}

        self.model.head.load_state_dict(under("head"))
        self._average = under("average")
        entries: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in under("optimiser").items():
            index, field = key.split(".")
            entries.setdefault(int(index), {})[field] = value
        self.optimiser.load_state_dict({"state": entries, "param_groups": self.optimiser.state_dict()["param_groups"]})
        self.step = int(state["step"])

    def finished(self) -> Articulator:
        """The model with the averaged head."""
        assert self.model.head is not None
        with torch.no_grad():
            for name, value in self.model.head.named_parameters():
                value.copy_(self._average[name])
        self.model.eval()
        return self.model
