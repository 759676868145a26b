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
from talkinghead.motion.dataset import CLOSED_RATIO, SpeechClip, lip_gap, lip_opening, speech_clips, symmetric
from talkinghead.motion.ridge import RidgeSums, with_neighbours
from talkinghead.types import FloatArray

MAX_GAIN: Final = 2.0


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


def targets_of(clip: SpeechClip) -> tuple[FloatArray, FloatArray]:
    """A clip -> what the model is to say of it, (T, K + 2), and what of that is this person's rest, (K + 2,).

    Blendshapes are both sides alike and from what this person has at rest; the opening of the lips is measured on the tracked points, from this mouth's own closure.
    """
    blendshapes = symmetric(clip.motion.blendshapes)[:, [arkit.INDEX[name] for name in COLUMNS]]
    blendshapes = blendshapes - np.percentile(blendshapes, 10, axis=0)
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
    model = Articulator(
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
        model.readout.bias.copy_(torch.from_numpy(bias + centre))
        model.centre.copy_(torch.from_numpy(centre[:-1]))
    for clip in kept:
        targets, mean = targets_of(clip)
        said = predict(model, clip.features.content)
        spread += np.stack([((targets - mean) ** 2).sum(0), ((said - said.mean(0)) ** 2).sum(0)])
    if kept:
        model.register_to_config(gain=gains(spread))
    return model.eval()


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
