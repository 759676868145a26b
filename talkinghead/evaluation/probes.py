"""What a representation still tells of what it should not: the emotion in the content, the phones in the emotion.

A probe is a small classifier, fitted on some speakers and asked about others. It takes the representation
as arrays, so that any encoder can be put to it. Sources: Alain, Bengio, "Understanding intermediate layers using
linear classifier probes", 2016; for what attention over time adds: Mirsamadi et al., "Automatic speech emotion recognition
using recurrent neural networks with local attention", ICASSP 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from talkinghead.evaluation.classifier import Labels, fit_linear, unweighted_recall
from talkinghead.types import FloatArray

PENALTY: Final = 3e-4
_WIDTH: Final = 64
_EPOCHS: Final = 20
_CROP: Final = 60


@dataclass(frozen=True)
class Probe:
    """recall: unweighted, speakers held out; chance: one over the classes."""

    recall: float
    chance: float


def emotion_probe(content: Sequence[FloatArray], label: Labels, fold: Labels, shape: bool = False) -> Probe:
    """content: (T, C) of each recording; label, fold: (N,) -> emotion by mean and deviation over time, linearly.

    shape: by percentiles and how fast it changes too, which are left where mean and deviation were taken out.
    """
    x = np.stack([_statistics(c.astype(np.float32), shape) for c in content])
    classes, wanted = np.unique(label, return_inverse=True)
    return _held_out(x, wanted, fold, len(classes), PENALTY)


def exchange_probe(
    own: Sequence[FloatArray], exchanged: Sequence[FloatArray], of_content: Labels, of_effort: Labels, fold: Labels
) -> tuple[Probe, Probe]:
    """What a linear probe of what is `own` says of the same content with another's effort.

    own, exchanged: (T, M) of each recording, the content the same; of_content, of_effort: (N,) the emotion of who gave which.
    Returns how often it says the giver's of the effort, and the giver's of the content.
    """
    rows, others = (np.stack([_statistics(c, False) for c in kind]) for kind in (own, exchanged))
    classes = np.unique(of_content)
    wanted, said = np.searchsorted(classes, of_content), np.zeros(len(fold), np.int64)
    for k in np.unique(fold):
        said[fold == k] = fit_linear(rows[fold != k], wanted[fold != k], len(classes), PENALTY)(others[fold == k]).argmax(1)
    meant = (np.searchsorted(classes, of_effort), wanted)
    effort, content = (Probe(unweighted_recall(who, said), 1 / len(classes)) for who in meant)
    return effort, content


def _statistics(content: FloatArray, shape: bool) -> FloatArray:
    """(T, C) -> (2C,) mean and deviation, or with `shape` (7C,)."""
    parts = [content.mean(0), content.std(0)]
    if shape:
        change = np.abs(np.diff(content, axis=0, append=content[-1:]))
        parts += [*np.percentile(content, (10, 50, 90), axis=0), change.mean(0), change.std(0)]
    result: FloatArray = np.concatenate(parts).astype(np.float32)
    return result


def temporal_emotion_probe(content: Sequence[FloatArray], label: Labels, fold: Labels, seed: int = 0) -> Probe:
    """The same, by a small convolutional network with attention over time."""
    classes, wanted = np.unique(label, return_inverse=True)
    said = np.zeros_like(wanted)
    for k in np.unique(fold):
        model = _fit_temporal([content[i] for i in np.flatnonzero(fold != k).tolist()], wanted[fold != k], len(classes), seed)
        with torch.inference_mode():
            said[fold == k] = [int(model(_batch([content[i]])).argmax()) for i in np.flatnonzero(fold == k).tolist()]
    return Probe(unweighted_recall(wanted, said), 1 / len(classes))


def phone_probe(
    embedding: Sequence[FloatArray], phones: Sequence[npt.NDArray[np.str_]], fold: Labels, least: int = 100
) -> Probe:
    """embedding: (T, D) of each recording; phones: (T,) names, "" where nothing is said -> the phone of a frame, linearly.

    Phones of fewer than `least` frames are left out.
    """
    names, frames, of = np.concatenate(phones), np.concatenate(embedding), np.repeat(fold, [len(p) for p in phones])
    found, count = np.unique(names[names != ""], return_counts=True)
    kept = np.isin(names, found[count >= least])
    classes, wanted = np.unique(names[kept], return_inverse=True)
    return _held_out(frames[kept].astype(np.float32), wanted, of[kept], len(classes), PENALTY)


def _held_out(x: FloatArray, wanted: Labels, fold: Labels, num_classes: int, penalty: float) -> Probe:
    said = np.zeros_like(wanted)
    for k in np.unique(fold):
        said[fold == k] = fit_linear(x[fold != k], wanted[fold != k], num_classes, penalty)(x[fold == k]).argmax(1)
    return Probe(unweighted_recall(wanted, said), 1 / num_classes)


class _Temporal(nn.Module):
    """(B, T, C) -> (B, K): two convolutions over time, attention, the mean and deviation under it."""

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor, num_classes: int) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.narrow = nn.Linear(len(mean), _WIDTH)
        self.conv = nn.Conv1d(_WIDTH, _WIDTH, 5, padding=2)
        self.attend, self.drop = nn.Linear(_WIDTH, 1), nn.Dropout(0.3)
        self.classify = nn.Linear(2 * _WIDTH, num_classes)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = self.drop(functional.gelu(self.narrow((content - self.mean) / self.deviation)))
        x = x + functional.gelu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        share = self.attend(x).softmax(1)
        mean = (share * x).sum(1)
        deviation = ((share * x**2).sum(1) - mean**2).clamp_min(1e-5).sqrt()
        logits: torch.Tensor = self.classify(self.drop(torch.cat([mean, deviation], 1)))
        return logits


def _batch(content: Sequence[FloatArray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(content).astype(np.float32))


def _fit_temporal(content: Sequence[FloatArray], label: Labels, num_classes: int, seed: int) -> _Temporal:
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    every = np.concatenate([c[::5] for c in content]).astype(np.float32)
    model = _Temporal(torch.from_numpy(every.mean(0)), torch.from_numpy(every.std(0) + 1e-4), num_classes)
    wanted = torch.from_numpy(label)
    weight = 1 / torch.bincount(wanted, minlength=num_classes).clamp_min(1).float()
    steps = _EPOCHS * -(-len(content) // 32)
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(_EPOCHS):
        order = random.permutation(len(content))
        for first in range(0, len(order), 32):
            rows = order[first : first + 32]
            crops = []
            for i in rows:
                clip = content[i]
                start = int(random.integers(0, max(1, len(clip) - _CROP + 1)))
                crops.append(np.resize(clip[start : start + _CROP], (_CROP, clip.shape[1])))
            loss = functional.cross_entropy(model(_batch(crops)), wanted[rows], weight, label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return model.eval()
