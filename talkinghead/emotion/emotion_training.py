"""Acted voices -> a trained emotion encoder, and how well it hears speakers that it has never heard.

Five folds by speaker for the figures, then one model of everybody. Each recording is met in another form in every epoch:
whole or a crop, as it was or varied (`audio.sound_variation`), and mixed with another (Zhang et al., "mixup", ICLR 2018).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from talkinghead.corpus.splits import OWN, TrainedOn, record
from talkinghead.corpus.store import trained_on
from talkinghead.emotion.emotion_encoder import EmotionEncoder, narrowed
from talkinghead.emotion.voices import Voices, joined, load_clips, load_voices, speaker_folds
from talkinghead.errors import ConfigError
from talkinghead.training_log import Report, unheard
from talkinghead.types import EMOTIONS, FloatArray


@dataclass(frozen=True)
class EmotionConfig:
    """One run. Flat, so that a YAML file is one of these.

    voices, varied: of `scripts/prepare_speech.py`; empty for none. data: a set of `talkinghead prepare` whose emotional speech
    is learnt from too, `split` who of it; empty for none.
    """

    voices: str = "data/features/voices"
    varied: str = "data/features/voices_varied"
    output: str = "runs/emotion_encoder"
    data: str = ""
    split: str = ""
    hidden: int = 512
    members: int = 3
    rank: int = 0
    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    mixup: float = 0.4
    crops: int = 1
    folds: int = 5
    seed: int = 0


def fit(voices: Voices, config: EmotionConfig) -> EmotionEncoder:
    """One model of these voices; every emotion weighs the same. With a rank it is narrowed to it when it has learnt."""
    torch.manual_seed(config.seed)
    model = EmotionEncoder(voices.statistics.shape[1], config.hidden, config.members)
    model.mean.data = torch.from_numpy(voices.statistics.mean(0))
    model.deviation.data = torch.from_numpy(voices.statistics.std(0) + 1e-4)
    forms = _forms(voices)
    count = torch.bincount(torch.from_numpy(voices.label)[forms[:, 0]], minlength=len(EMOTIONS))
    model.unheard.data[:-1] = torch.where(count > 0, 0.0, -torch.inf)
    x = (torch.from_numpy(voices.statistics) - model.mean) / model.deviation
    for member in model.members:
        _fit_member(member, x, voices, forms, config)
    trained: EmotionEncoder = model.eval()
    return narrowed(trained, torch.from_numpy(voices.statistics), config.rank) if config.rank else trained


def _forms(voices: Voices) -> torch.Tensor:
    """(R, K) the rows of each recording; of one with fewer forms than others some come again."""
    rows = [np.flatnonzero(voices.recording == number) for number in np.unique(voices.recording)]
    return torch.from_numpy(np.stack([np.resize(row, max(map(len, rows))) for row in rows]))


def _fit_member(member: torch.nn.Module, x: torch.Tensor, voices: Voices, forms: torch.Tensor, config: EmotionConfig) -> None:
    """x: (N, F), normalised statistics; forms: (R, K) rows of it that are one recording."""
    label, strength = torch.from_numpy(voices.label)[forms[:, 0]], torch.from_numpy(voices.strength)[forms[:, 0]]
    wanted = functional.one_hot(label, len(EMOTIONS)).float()
    count = torch.bincount(label, minlength=len(EMOTIONS))
    heard = count > 0
    weight = torch.where(heard, 1 / count.clamp_min(1), 0)
    weight = weight / weight[label].mean()
    optimiser = torch.optim.AdamW(member.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * -(-len(forms) // config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=steps)
    mixing = torch.distributions.Beta(config.mixup, config.mixup)
    for _ in range(config.epochs):
        order = torch.randperm(len(forms))
        row = forms[torch.arange(len(forms)), torch.randint(forms.shape[1], (len(forms),))]
        for first in range(0, len(forms), config.batch_size):
            one = order[first : first + config.batch_size]
            other, share = one[torch.randperm(len(one))], mixing.sample((len(one), 1))
            logits = member(share * x[row[one]] + (1 - share) * x[row[other]])
            target = 0.95 * (share * wanted[one] + (1 - share) * wanted[other]) + 0.05 / len(EMOTIONS)
            loss = -((target * weight)[:, heard] * logits[:, :-1][:, heard].log_softmax(1)).sum(1).mean()
            level = share[:, 0] * strength[one] + (1 - share[:, 0]) * strength[other]
            known = torch.isfinite(level)
            loss = loss + functional.binary_cross_entropy_with_logits(logits[known, -1], level[known])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def fit_folds(voices: Voices, config: EmotionConfig) -> tuple[list[EmotionEncoder], FloatArray]:
    """A model for each fold of speakers that it never heard, and (N, 8) what each row is heard as by its own."""
    fold = speaker_folds(voices.speaker, config.folds)
    heard = np.zeros((len(voices.label), len(EMOTIONS)), np.float32)
    models = []
    for k in range(config.folds):
        models.append(fit(voices.chosen(fold != k), config))
        with torch.inference_mode():
            heard[fold == k] = models[k](torch.from_numpy(voices.statistics[fold == k]))[:, :-1].numpy()
    return models, heard


def recalls(voices: Voices, heard: FloatArray) -> dict[str, dict[str, object]]:
    """Source -> unweighted recall and confusion (rows: what was meant) of whole recordings; heard: (N, 8)."""
    table: dict[str, dict[str, object]] = {}
    for source in (name for name in dict.fromkeys(voices.source.tolist()) if name != "plain"):
        rows = (voices.source == source) & voices.whole
        meant = voices.label[rows]
        classes = np.unique(meant)
        said = classes[heard[rows][:, classes].argmax(1)]
        confusion = np.array([[int(((meant == a) & (said == b)).sum()) for b in classes] for a in classes])
        recall = float((confusion.diagonal() / confusion.sum(1)).mean())
        table[source] = {"recall": recall, "classes": [EMOTIONS[c] for c in classes], "confusion": confusion.tolist()}
    return table


def confusion_markdown(source: str, row: dict[str, object]) -> str:
    """A source's confusion as a table: rows are what was meant, columns what was heard."""
    classes, confusion = row["classes"], row["confusion"]
    assert isinstance(classes, list)
    assert isinstance(confusion, list)
    lines = [f"| {source} | " + " | ".join(classes) + " |", "|---" * (len(classes) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(map(str, counts)) + " |" for name, counts in zip(classes, confusion, strict=True)]
    return "\n".join(lines)


def _voices(config: EmotionConfig) -> tuple[Voices, list[TrainedOn]]:
    """What is learnt from, and what of it is to be recorded."""
    parts: list[Voices] = []
    trained: list[TrainedOn] = []
    if config.voices:
        varied = Path(config.varied) if config.varied else None
        parts.append(load_voices(Path(config.voices), varied, config.crops, config.seed))
        trained.append(TrainedOn("voices", OWN, tuple(sorted(set(parts[0].speaker.tolist()))), int(parts[0].whole.sum())))
    if config.data:
        parts.append(load_clips(Path(config.data), config.split, config.crops, config.seed))
        trained.append(trained_on(Path(config.data), config.split))
    if not parts:
        raise ConfigError("voices, data: are both empty; give one, prepared recordings or a prepared set.")
    return joined(parts), trained


def train_emotion_encoder(config: EmotionConfig, say: Callable[[str], None], report: Report = unheard) -> Path:
    """Score by speaker, then fit everybody; returns the folder of the finished encoder.

    Beside it: `held_out.json` and `confusion.md`, and `folds/`, the models that have not heard a fold's speakers, for
    `evaluation.emotion`.
    """
    voices, trained = _voices(config)
    say(f"{int(voices.whole.sum())} recordings of {len(set(voices.speaker))} speakers, {len(voices.label)} forms of them")
    models, heard = fit_folds(voices, config)
    table = recalls(voices, heard)
    for source, row in table.items():
        say(f"{source}: unweighted recall {row['recall']:.3f} of {len(row['classes'])} emotions, speakers held out")  # type: ignore[arg-type]
        report(config.epochs, {f"recall of {source}": float(row["recall"])})  # type: ignore[arg-type]
    output = Path(config.output)
    for k, model in enumerate(models):
        model.half().save_pretrained(output / f"folds/{k}")
    fit(voices, config).half().save_pretrained(output / "emotion_encoder")
    record(output / "emotion_encoder", trained)
    (output / "held_out.json").write_text(json.dumps({"config": asdict(config), **table}, indent=1))
    (output / "confusion.md").write_text("\n\n".join(confusion_markdown(*item) for item in table.items()) + "\n")
    return output / "emotion_encoder"
