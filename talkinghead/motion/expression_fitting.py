"""Tracked clips whose emotion and level are known -> what each emotion looks like, for people as these; and its file.

Each clip says how its mean face differs from the same person's neutral mean face: talking is the same in both, so that what is
left is the emotion, as strong as its level. The prototypes of the action units are what is believed before any clip is seen, so
few clips move them little. Every person has one vote. With `start_from` and a choice of people or emotions it adapts: an
emotion is 52 numbers, learnt from a handful of clips while all else stays as it is (as the emotion prompts of Gan et al.,
"Efficient Emotional Adaptation for Audio-Driven Talking-Head Generation", ICCV 2023). Knows clips and columns; knows no sound.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from talkinghead import arkit
from talkinghead.corpus.splits import TrainedOn, read, record
from talkinghead.corpus.store import MOTION, ClipStore, open_clips
from talkinghead.errors import CheckpointError, ConfigError, InputError
from talkinghead.files import whole
from talkinghead.motion.expression import PROTOTYPE_MATRIX
from talkinghead.motion.io import load_motion
from talkinghead.training_log import Report, unheard
from talkinghead.types import EMOTIONS, FloatArray

FILE: Final = "expression.safetensors"
NEUTRAL: Final = EMOTIONS.index("neutral")
NUM_LEVELS: Final = 3
_NOT_SHOWN: Final = [*arkit.EYE_LOOK, arkit.INDEX["tongueOut"]]
"""Where somebody looks is not what they feel."""


@dataclass(frozen=True)
class ExpressionConfig:
    """One run. Flat, so that a YAML file is one of these.

    data, prepared: as the other stages have them; the manifest says each clip's emotion and level (1 to 3; 3 where it is none).
    split: which of `corpus.splits` says who is trained on; empty is the manifest's own.
    start_from: folder of an expression that is adapted; empty starts from the action units.
    identities, emotions: of whom and of what; empty is everybody and everything.
    max_clips: of each person and emotion, in the manifest's order; 0 is all.
    belief: how many clips at full strength what was there before is worth, of each person.
    """

    data: str = "data/mead"
    prepared: str = "data/mead"
    split: str = "eat"
    output: str = "runs/expression"
    start_from: str = ""
    identities: tuple[str, ...] = ()
    emotions: tuple[str, ...] = ()
    max_clips: int = 0
    belief: float = 2.0


@dataclass(frozen=True, eq=False)
class LabelledClip:
    """emotion: row of `EMOTIONS`; strength: (0, 1]; mean: (52,) of the clip's blendshapes."""

    identity: str
    emotion: int
    strength: float
    mean: FloatArray


def load_prototypes(folder: Path) -> FloatArray:
    """(8, 52) of a folder that `train_expression` wrote; the action units where there is no such folder.

    Raises:
        CheckpointError: the file is damaged, or not what it should be.
    """
    if not folder.is_dir():
        return PROTOTYPE_MATRIX.copy()
    try:
        prototypes = load_file(folder / FILE)["prototypes"]
    except (OSError, KeyError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder / FILE}: cannot be read ({type(error).__name__}); train the expression again."
        ) from error
    if prototypes.shape != PROTOTYPE_MATRIX.shape or not ((prototypes >= 0) & (prototypes <= 1)).all():
        raise CheckpointError(f"{folder / FILE}: holds {prototypes.shape}, not (8, 52) in [0, 1]; train the expression again.")
    loaded: FloatArray = prototypes.astype(np.float32)
    return loaded


def save_prototypes(folder: Path, prototypes: FloatArray, about: Mapping[str, Any]) -> None:
    """Write a folder for a checkpoint. about: what the run says of itself."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole(folder / FILE) as part:
        save_file({"prototypes": np.ascontiguousarray(prototypes, np.float32)}, part)
    (folder / "config.json").write_text(
        json.dumps({"emotions": EMOTIONS, "columns": arkit.BLENDSHAPES, **about}, indent=1) + "\n"
    )


def train_expression(config: ExpressionConfig, say: Callable[[str], None], report: Report = unheard) -> Path:
    """One run, of seconds -> the folder of the expression.

    Raises:
        ConfigError: an emotion that there is not. InputError: no clip of it, or nobody's neutral face.
        CheckpointError: start_from is no expression.
    """
    started = time.perf_counter()
    if unknown := sorted(set(config.emotions) - set(EMOTIONS)):
        raise ConfigError(f"emotions: {', '.join(unknown)} unknown; choose from {', '.join(EMOTIONS)}.")
    before = load_prototypes(Path(config.start_from)) if config.start_from else PROTOTYPE_MATRIX
    if config.start_from and not Path(config.start_from).is_dir():
        raise CheckpointError(f"start_from {config.start_from}: no such folder; give one that holds {FILE}.")
    store = open_clips(Path(config.data), Path(config.prepared))
    rows, clips = labelled_clips(store, config)
    prototypes = fitted(clips, before, config.belief)
    others = [without(clips, before, config.belief, identity) for identity in sorted({clip.identity for clip in clips})]
    scores = {"left over": explained_away(clips, prototypes), "left over, before": explained_away(clips, before)}
    if len(others) > 1:
        scores["left over, people not seen"] = float(np.mean(others))
    report(1, scores)
    folder = Path(config.output) / "expression"
    changed = sorted({clip.emotion for clip in clips} - {NEUTRAL})
    earlier = read(Path(config.start_from)) if config.start_from else ()
    save_prototypes(folder, prototypes, {"belief": config.belief, "num_clips": len(clips)})
    record(folder, [*earlier, TrainedOn.of(store.name, config.split, rows)])
    names, found = ", ".join(EMOTIONS[row] for row in changed), ", ".join(f"{name} {x:.3f}" for name, x in scores.items())
    num_numbers, took_s = before[changed].size, time.perf_counter() - started
    say(f"{len(clips)} clips of {len(others)} people, {names}: {num_numbers} numbers in {took_s:.1f} s; {found}")
    return folder


def labelled_clips(store: ClipStore, config: ExpressionConfig) -> tuple[list[dict[str, Any]], list[LabelledClip]]:
    """The rows that are learnt from, and what they hold, neutral clips among them.

    Raises:
        InputError: none of an emotion, or nobody's neutral face.
    """
    wanted = set(config.emotions or EMOTIONS) | {"neutral"}
    rows, clips, counts = [], [], dict[tuple[str, str], int]()
    for row in store.rows_of("train", config.split):
        identity, emotion = row["identity"], row.get("emotion")
        if emotion not in wanted or (config.identities and identity not in config.identities) or not store.has(row, MOTION):
            continue
        counts[identity, emotion] = counts.get((identity, emotion), 0) + 1
        if config.max_clips and counts[identity, emotion] > config.max_clips:
            continue
        with store.open(row, MOTION) as stream:
            mean = load_motion(stream).blendshapes.mean(0)
        rows.append(row)
        clips.append(LabelledClip(identity, EMOTIONS.index(emotion), (row.get("level") or NUM_LEVELS) / NUM_LEVELS, mean))
    has_neutral = {clip.identity for clip in clips if clip.emotion == NEUTRAL}
    kept = [index for index, clip in enumerate(clips) if clip.identity in has_neutral]
    if not any(clips[index].emotion != NEUTRAL for index in kept):
        raise InputError(
            f"data {config.data}: no training clip of {', '.join(config.emotions) or 'an emotion'} by somebody whose neutral "
            "face is there too; prepare both, or choose others."
        )
    return [rows[index] for index in kept], [clips[index] for index in kept]


def fitted(clips: list[LabelledClip], before: FloatArray, belief: float) -> FloatArray:
    """(8, 52): for each emotion least squares of strength times the prototype, held to what was there before.

    before: (8, 52), worth `belief` clips at full strength of each person. Emotions without a clip stay as they were.
    """
    result = before.copy()
    for emotion in sorted({clip.emotion for clip in clips} - {NEUTRAL}):
        of_people = []
        for _, strengths, changes in _changes(clips, emotion):
            against = belief + float(strengths @ strengths)
            of_people.append((strengths @ changes + belief * before[emotion]) / against)
        result[emotion] = np.clip(np.mean(of_people, axis=0), 0, 1)
    result[:, _NOT_SHOWN] = 0
    return result


def explained_away(clips: list[LabelledClip], prototypes: FloatArray) -> float:
    """The part of the squared change from neutral that the prototypes leave, over all clips with an emotion; 1 is of no use."""
    shown = [index for index in range(len(arkit.BLENDSHAPES)) if index not in _NOT_SHOWN]
    left = total = 0.0
    for emotion in {clip.emotion for clip in clips} - {NEUTRAL}:
        for _, strengths, changes in _changes(clips, emotion):
            left += float(((changes - strengths[:, None] * prototypes[emotion])[:, shown] ** 2).sum())
            total += float((changes[:, shown] ** 2).sum())
    return left / max(total, 1e-12)


def without(clips: list[LabelledClip], before: FloatArray, belief: float, identity: str) -> float:
    """What prototypes of the others leave of one person's change."""
    others = [clip for clip in clips if clip.identity != identity]
    own = [clip for clip in clips if clip.identity == identity]
    return explained_away(own, fitted(others, before, belief) if others else before)


def _changes(clips: list[LabelledClip], emotion: int) -> list[tuple[str, FloatArray, FloatArray]]:
    """Each person who shows it -> strengths (N,) and changes from their neutral mean face (N, 52)."""
    found = []
    for identity in sorted({clip.identity for clip in clips if clip.emotion == emotion}):
        own = [clip for clip in clips if clip.identity == identity]
        neutral = np.mean([clip.mean for clip in own if clip.emotion == NEUTRAL], axis=0)
        shown = [clip for clip in own if clip.emotion == emotion]
        strengths = np.array([clip.strength for clip in shown], np.float32)
        found.append((identity, strengths, np.stack([clip.mean for clip in shown]) - neutral))
    return found
