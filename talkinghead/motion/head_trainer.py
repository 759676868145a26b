"""Steps of the articulator's temporal head on top of its fixed read-out: crops of clips in, better lips out.

Knows batches, losses and the optimiser; knows nothing of folders and of runs (`motion.trainer`).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from talkinghead.errors import ConfigError
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.face_losses import FaceBatch, FaceLosses, mean_where
from talkinghead.motion.lip_correlation import lip_correlation
from talkinghead.motion.readout import predict
from talkinghead.motion.training_clips import ArticulatorConfig, TrainingClip, training_clips
from talkinghead.training_state import falling_rate, optimiser_tensors, restore_optimiser
from talkinghead.types import FloatArray, IntArray

LIP_WEIGHT: Final = 4.0
"""What the opening, the width and the closure of the lips weigh against any one blendshape."""
LEAST_RATE: Final = 0.05
"""Part of the learning rate at the end."""
MIN_CLIP_FRAMES: Final = 8
"""A shorter clip would be a crop of little else than its last frame."""


@dataclass(frozen=True, eq=False)
class _HeadClip:
    """content: (T, C), kept in half precision; targets and said: (T, K + 3) less their means, wanted and said; seen: (T,).

    The last three are the losses' on the face: mean and face as in `TrainingClip`, felt: (52,) the emotion as it looks.
    """

    content: npt.NDArray[np.float16]
    targets: FloatArray
    said: FloatArray
    seen: npt.NDArray[np.bool_]
    common: bool
    mean: FloatArray
    face: FloatArray | None
    felt: FloatArray | None


class HeadTrainer:
    """The temporal head on a fixed read-out. Every batch is a function of (seed, step).

    terms: of the last step, what each of the losses on the face was, weighted.
    """

    def __init__(
        self, model: Articulator, config: ArticulatorConfig, accelerator: Accelerator, losses: FaceLosses | None = None
    ) -> None:
        if model.head is None:
            raise ConfigError("head_width is 0; give the temporal head channels, or set steps to 0.")
        self.config, self.accelerator, self.step = config, accelerator, 0
        self.losses, self.terms = losses, dict[str, float]()
        self._clips = self._prepared(model)
        common = np.array([clip.common for clip in self._clips])
        lengths = np.array([len(clip.content) for clip in self._clips], np.float64)
        share = np.where(common, config.common_share / max(1, (common * lengths).sum()), 0)
        share += np.where(common, 0, (1 - config.common_share) / max(1, ((~common) * lengths).sum()))
        self._odds = share * lengths / (share * lengths).sum()
        head = model.head
        head.set_normalisation(*self._content_statistics())
        variance = np.mean([clip.targets[clip.seen].var(0) for clip in self._clips], axis=0)
        self._scale = torch.from_numpy(np.sqrt(variance) + 1e-3).float()
        if losses is not None:
            losses.fit(model, self._scale, accelerator.device)
        torch.manual_seed(config.seed)
        head.restart()
        head.to(accelerator.device)
        optimiser = torch.optim.AdamW(head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        self.model = model
        # With several processes the prepared head shares gradients; its weights are those of `model.head`.
        self._shared_head, self.optimiser = accelerator.prepare(head, optimiser)
        self._average = {name: value.detach().clone() for name, value in head.named_parameters()}

    def _prepared(self, model: Articulator) -> list[_HeadClip]:
        clips = []
        for clip in training_clips(self.config):
            if len(clip.content) >= MIN_CLIP_FRAMES:
                said = predict(model, clip.content)
                said = said - said[clip.seen].mean(0)
                content = clip.content.astype(np.float16)
                face = felt = None
                if self.losses is not None:
                    face, felt = clip.face, (clip.strength * self.losses.prototypes[clip.emotion]).cpu().numpy()
                clips.append(_HeadClip(content, clip.targets, said, clip.seen, clip.common, clip.mean, face, felt))
        if not clips:
            raise ConfigError(f"data {self.config.data}: no training clip of {MIN_CLIP_FRAMES} frames; set steps to 0.")
        if self.config.exchange_weight and not any(clip.felt is not None and clip.felt.any() for clip in clips):
            raise ConfigError(
                f"exchange_weight: no training clip of data {self.config.data} has an emotion other than neutral to exchange; "
                "prepare a set that says them (docs/mead.md), or set it to 0."
            )
        return clips

    def _content_statistics(self) -> tuple[FloatArray, FloatArray]:
        """(C,) mean and deviation of the content of all clips, by running sums: it need not fit in memory in full precision."""
        width = self._clips[0].content.shape[1]
        total, squares, num_frames = np.zeros(width), np.zeros(width), 0
        for clip in self._clips:
            content = clip.content.astype(np.float64)
            total, squares, num_frames = total + content.sum(0), squares + (content**2).sum(0), num_frames + len(content)
        mean = total / num_frames
        deviation = np.sqrt(np.maximum(squares / num_frames - mean**2, 0))
        return mean.astype(np.float32), deviation.astype(np.float32)

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Crops (B, T, C), targets and read-out (B, T, K + 3) of a step, and whether a face was seen, (B, T) 0 or 1.

        A clip shorter than a crop repeats its last frame.
        """
        drawn = self._drawn(step)
        x = self._stacked([clip.content[frames].astype(np.float32) for clip, frames in drawn])
        y = self._stacked([clip.targets[frames] for clip, frames in drawn])
        z = self._stacked([clip.said[frames] for clip, frames in drawn])
        return x, y, z, self._stacked([clip.seen[frames] for clip, frames in drawn])

    def face_batch(self, step: int) -> FaceBatch:
        """What the losses on the face know of the crops of a step; `losses` must be there."""
        drawn = self._drawn(step)
        return FaceBatch(
            target=self._stacked([clip.targets[frames] for clip, frames in drawn]),
            mean=self._stacked([clip.mean for clip, _ in drawn]),
            seen=self._stacked([clip.seen[frames] for clip, frames in drawn]),
            face=self._stacked([clip.face[frames] for clip, frames in drawn if clip.face is not None]),
            felt=self._stacked([clip.felt for clip, _ in drawn if clip.felt is not None]),
        )

    def _drawn(self, step: int) -> list[tuple[_HeadClip, IntArray]]:
        """The clips of a step and which frames of each."""
        config = self.config
        random = np.random.default_rng([config.seed, step, self.accelerator.process_index])
        drawn = []
        for index in random.choice(len(self._clips), config.batch_size, p=self._odds):
            clip = self._clips[index]
            start = random.integers(0, max(1, len(clip.content) - config.crop_frames + 1))
            drawn.append((clip, np.minimum(np.arange(start, start + config.crop_frames), len(clip.content) - 1)))
        return drawn

    def _stacked(self, rows: Sequence[npt.NDArray[Any]]) -> torch.Tensor:
        return torch.from_numpy(np.stack(rows)).float().to(self.accelerator.device)

    def train_step(self) -> float:
        """One update; the loss is on values and on their change from frame to frame, each output in its own deviations.

        Frames without a face count nothing: nobody knows what their lips did. The losses on the face are added to it.
        """
        config, head = self.config, self.model.head
        assert head is not None
        torch.manual_seed(config.seed * 1_000_003 + self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate * falling_rate(self.step, config.steps, config.warmup_steps, LEAST_RATE)
        content, target, readout, seen = self.batch(self.step)
        head.train()
        output = self._shared_head(content.transpose(1, 2)).transpose(1, 2)
        error = (readout + output - target) / self._scale.to(output)
        change = error[:, 1:] - error[:, :-1]
        weight = torch.ones_like(self._scale).to(output)
        weight[-3:] = LIP_WEIGHT
        both = seen[:, 1:] * seen[:, :-1]
        loss = mean_where((weight * error**2).mean(-1), seen) + mean_where((weight * change**2).mean(-1), both)
        if self.losses is not None:
            terms = self.losses(readout + output, self.face_batch(self.step))
            loss = sum(terms.values(), start=loss)
            self.terms = {name: float(term.detach()) for name, term in terms.items()}
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

    def lips_of_others(self, clips: Mapping[str, Sequence[TrainingClip]]) -> dict[str, float]:
        """`lip_correlation` of the averaged head on people who are kept out; nothing when there are none."""
        if not clips:
            return {}
        model = copy.deepcopy(self.model).cpu().eval()
        assert model.head is not None
        model.head.load_state_dict({name: value.cpu() for name, value in self._average.items()}, strict=False)
        return lip_correlation(model, clips)

    def save(self, folder: Path) -> None:
        """Weights, their average, the optimiser and the step."""
        assert self.model.head is not None
        tensors = {f"head.{name}": value for name, value in self.model.head.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self._average.items()}
        tensors |= optimiser_tensors("optimiser", self.optimiser) | {"step": torch.tensor(self.step)}
        save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()}, folder / "state.safetensors")

    def load(self, folder: Path) -> None:
        """Take what `save` wrote; whether it is of this configuration is `train_articulator`'s to check."""
        assert self.model.head is not None
        state = load_file(folder / "state.safetensors")

        def under(prefix: str) -> dict[str, torch.Tensor]:
            return {k.removeprefix(prefix + "."): v for k, v in state.items() if k.startswith(prefix + ".")}

        self.model.head.load_state_dict(under("head"))
        self._average = {name: value.to(self.accelerator.device) for name, value in under("average").items()}
        restore_optimiser("optimiser", self.optimiser, state)
        self.step = int(state["step"])

    def finished(self) -> Articulator:
        """The model with the averaged head, on the CPU."""
        assert self.model.head is not None
        with torch.no_grad():
            for name, value in self.model.head.named_parameters():
                value.copy_(self._average[name])
        self.model.cpu().eval()
        return self.model
