"""Prepared clips -> a trained articulator: the closed-form read-out, then the temporal head on top of it, with accelerate.

Killed and started again, training ends where it would have ended: every batch is a function of (seed, step), and a checkpoint
is written beside and renamed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from talkinghead.errors import ConfigError
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.readout import fit_readout, predict
from talkinghead.motion.training_clips import ArticulatorConfig, training_clips
from talkinghead.types import FloatArray

LIP_WEIGHT: Final = 4.0
"""What the opening and the closure of the lips weigh against any one blendshape."""
MIN_CLIP_FRAMES: Final = 8
"""A shorter clip would be a crop of little else than its last frame."""


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
        _replace(readout, fit_readout(training_clips(config), config, lip_travel).save_pretrained)
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
        head.to(accelerator.device)
        optimiser = torch.optim.AdamW(head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        self.model = model
        # With several processes the prepared head shares gradients; its weights are those of `model.head`.
        self._shared_head, self.optimiser = accelerator.prepare(head, optimiser)
        self._average = {name: value.detach().clone() for name, value in head.named_parameters()}

    def _prepared(self, model: Articulator) -> list[tuple[FloatArray, FloatArray, FloatArray, bool]]:
        """(content, targets without the clip's mean, what the read-out says without its mean, common) a clip."""
        clips = []
        for clip in training_clips(self.config):
            if len(clip.content) >= MIN_CLIP_FRAMES:
                said = predict(model, clip.content)
                clips.append((clip.content, clip.targets, said - said.mean(0), clip.common))
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
        output = self._shared_head(content.transpose(1, 2)).transpose(1, 2)
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
        self._average = {name: value.to(self.accelerator.device) for name, value in under("average").items()}
        entries: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in under("optimiser").items():
            index, field = key.split(".")
            entries.setdefault(int(index), {})[field] = value
        self.optimiser.load_state_dict({"state": entries, "param_groups": self.optimiser.state_dict()["param_groups"]})
        self.step = int(state["step"])

    def finished(self) -> Articulator:
        """The model with the averaged head, on the CPU."""
        assert self.model.head is not None
        with torch.no_grad():
            for name, value in self.model.head.named_parameters():
                value.copy_(self._average[name])
        self.model.cpu().eval()
        return self.model
