"""Acted voices -> a trained emotion encoder, and how well it hears speakers that it has never heard.

Reads the features that `scripts/prepare_speech.py` writes below `voices/`: RAVDESS and EmoDB by their file names, and `plain`,
unacted speech, as neutral. Five folds by speaker for the figures, then one model of everybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from talkinghead.emotion.emotion_encoder import WINDOW_FRAMES, EmotionEncoder, statistics
from talkinghead.errors import ConfigError
from talkinghead.types import EMOTIONS, NEUTRAL, FloatArray, SpeechFeatures

RAVDESS: Final = ("neutral", "neutral", "happy", "sad", "angry", "fear", "disgusted", "surprised")
"""By the third number of the name; the second is calm."""
EMODB: Final = {"W": "angry", "E": "disgusted", "A": "fear", "F": "happy", "T": "sad", "N": "neutral"}
EMODB_FRAMES: Final = 50
"""Some of EmoDB's classes were cut to two seconds by whoever passed them on: all are, or the length would tell the class."""
STRENGTH: Final = {"01": 0.6, "02": 1.0}


@dataclass(frozen=True)
class EmotionConfig:
    """One run. Flat, so that a YAML file is one of these."""

    voices: str = "data/features/voices"
    output: str = "runs/emotion_encoder"
    hidden: int = 192
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    mixup: float = 0.4
    crops: int = 1
    folds: int = 5
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Voices:
    """Whole recordings and crops of them: statistics (N, F), label, strength (NaN unknown), speaker, source, whether whole."""

    statistics: FloatArray
    label: npt.NDArray[np.int64]
    strength: FloatArray
    speaker: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]
    whole: npt.NDArray[np.bool_]


def load_voices(folder: Path, crops: int, seed: int) -> Voices:
    """All that is prepared below `folder`.

    Raises:
        ConfigError: nothing is.
    """
    rows: list[tuple[FloatArray, int, float, str, str, bool]] = []
    random = np.random.default_rng(seed)
    for file in sorted(folder.glob("*/*.npz")):
        said = _said(file)
        if said is None:
            continue
        label, strength, speaker = said
        with np.load(file) as archive:
            stop = EMODB_FRAMES if file.parent.name == "emodb" else None
            features = SpeechFeatures(archive["content"][:stop], archive["loudness"][:stop], archive["voice"][:stop])
        rows.append((statistics(features, 0, len(features)), label, strength, speaker, file.parent.name, True))
        for _ in range(crops):
            length = int(random.integers(min(30, len(features)), min(WINDOW_FRAMES, len(features)) + 1))
            start = int(random.integers(0, len(features) - length + 1))
            rows.append((statistics(features, start, start + length), label, strength, speaker, file.parent.name, False))
    if not rows:
        raise ConfigError(f"voices: {folder} holds no prepared recording; run scripts/prepare_speech.py first.")
    x, label_, strength_, speaker_, source_, whole_ = zip(*rows, strict=True)
    return Voices(
        np.stack(x), np.array(label_), np.array(strength_, np.float32), np.array(speaker_), np.array(source_), np.array(whole_)
    )


def _said(file: Path) -> tuple[int, float, str] | None:
    """A prepared recording's emotion, strength and speaker, by its name; None when it is of none of the eight."""
    source, name = file.parent.name, file.stem
    if source == "ravdess":
        part = name.split("-")
        emotion = RAVDESS[int(part[2]) - 1]
        return EMOTIONS.index(emotion), 0.0 if emotion == "neutral" else STRENGTH[part[3]], f"ravdess {part[6]}"
    if source == "emodb":
        known = EMODB.get(name[5])
        if known is None:
            return None
        return EMOTIONS.index(known), 0.0 if known == "neutral" else float("nan"), f"emodb {name[:2]}"
    return NEUTRAL, 0.0, f"{source} {name}"


def fit(voices: Voices, config: EmotionConfig) -> EmotionEncoder:
    """One model of these voices; every emotion weighs the same."""
    torch.manual_seed(config.seed)
    model = EmotionEncoder(voices.statistics.shape[1], config.hidden)
    model.mean.data = torch.from_numpy(voices.statistics.mean(0))
    model.deviation.data = torch.from_numpy(voices.statistics.std(0) + 1e-4)
    x, label = torch.from_numpy(voices.statistics), torch.from_numpy(voices.label)
    strength = torch.from_numpy(voices.strength)
    wanted = functional.one_hot(label, len(EMOTIONS)).float()
    count = torch.bincount(label, minlength=len(EMOTIONS))
    weight = torch.where(count > 0, 1 / count.clamp_min(1), 0)
    weight = weight / weight[label].mean()
    heard = count > 0
    model.unheard.data[:-1] = torch.where(heard, 0.0, -torch.inf)
    optimiser = torch.optim.AdamW(model.layers.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    num_batches = -(-len(x) // config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=config.epochs * num_batches)
    mixing = torch.distributions.Beta(config.mixup, config.mixup)
    for _ in range(config.epochs):
        order = torch.randperm(len(x))
        for first in range(0, len(x), config.batch_size):
            one = order[first : first + config.batch_size]
            other, share = one[torch.randperm(len(one))], mixing.sample((len(one), 1))
            logits = model(share * x[one] + (1 - share) * x[other])
            target = 0.95 * (share * wanted[one] + (1 - share) * wanted[other]) + 0.05 / len(EMOTIONS)
            loss = -((target * weight)[:, heard] * logits[:, :-1].log_softmax(1)[:, heard]).sum(1).mean()
            level = share[:, 0] * strength[one] + (1 - share[:, 0]) * strength[other]
            known = torch.isfinite(level)
            loss = loss + functional.binary_cross_entropy_with_logits(logits[known, -1], level[known])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    trained: EmotionEncoder = model.eval()
    return trained


def chosen(voices: Voices, rows: npt.NDArray[np.bool_]) -> Voices:
    """Some of the rows."""
    return Voices(*(getattr(voices, name)[rows] for name in ("statistics", "label", "strength", "speaker", "source", "whole")))


def held_out(voices: Voices, config: EmotionConfig) -> dict[str, dict[str, object]]:
    """Source -> unweighted recall and confusion (rows: what was meant) on speakers that were not trained on."""
    speakers = {name: index for index, name in enumerate(sorted(set(voices.speaker)))}
    fold = np.array([speakers[name] % config.folds for name in voices.speaker])
    heard = np.zeros((len(voices.label), len(EMOTIONS)), np.float32)
    for k in range(config.folds):
        model = fit(chosen(voices, fold != k), config)
        with torch.inference_mode():
            heard[fold == k] = model(torch.from_numpy(voices.statistics[fold == k]))[:, :-1].numpy()
    table: dict[str, dict[str, object]] = {}
    for source in ("ravdess", "emodb"):
        rows = (voices.source == source) & voices.whole
        if not rows.any():
            continue
        meant = voices.label[rows]
        classes = np.unique(meant)
        said = classes[heard[rows][:, classes].argmax(1)]
        confusion = np.array([[int(((meant == a) & (said == b)).sum()) for b in classes] for a in classes])
        recall = float((confusion.diagonal() / confusion.sum(1)).mean())
        table[source] = {"recall": recall, "classes": [EMOTIONS[c] for c in classes], "confusion": confusion.tolist()}
    return table


def train_emotion_encoder(config: EmotionConfig, say: Callable[[str], None]) -> Path:
    """Score by speaker, then fit everybody; returns the folder of the finished encoder (`held_out.json` is beside it)."""
    voices = load_voices(Path(config.voices), config.crops, config.seed)
    say(f"{int(voices.whole.sum())} recordings of {len(set(voices.speaker))} speakers")
    table = held_out(voices, config)
    for source, row in table.items():
        say(f"{source}: unweighted recall {row['recall']:.3f} of {len(row['classes'])} emotions, speakers held out")  # type: ignore[arg-type]
    output = Path(config.output)
    fit(voices, config).half().save_pretrained(output / "emotion_encoder")
    (output / "held_out.json").write_text(json.dumps({"config": asdict(config), **table}, indent=1))
    return output / "emotion_encoder"
