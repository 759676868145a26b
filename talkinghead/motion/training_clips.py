"""One run of the articulator's training, and the clips that it learns from, as the read-out and the temporal head take them.

Knows which columns speech moves and which talker has more clips than all others; knows nothing of how anything is fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from talkinghead import arkit
from talkinghead.corpus.store import open_clips
from talkinghead.errors import ConfigError
from talkinghead.motion.articulator import COLUMNS
from talkinghead.motion.dataset import (
    CLOSED_RATIO,
    SpeechClip,
    lip_opening,
    lip_parting,
    lip_width,
    source_of,
    speech_clips,
    symmetric,
)
from talkinghead.motion.expression_fitting import NEUTRAL, NUM_LEVELS
from talkinghead.types import EMOTIONS, FloatArray


@dataclass(frozen=True)
class ArticulatorConfig:
    """One run. Flat, so that a YAML file is one of these.

    split: which of `corpus.splits` says who is trained on; empty is the manifest's own.
    held_out: share of the people, but for who is of `common_source`, that are kept out; how well their lips follow is reported
        as it goes.
    vertex_weight: what a mm^2 of the lower face's vertices weighs in the temporal head's loss. lip_reading, video_emotion:
        folders of the user's networks, and their weights. exchange_weight: of one clip's talking under another's emotion. All
        are of `motion.face_losses`. picture_frames: of a crop, how many the lip reader looks at, from its start.
    expression: folder of what each emotion looks like, which these losses put on talking; empty is the action units.
    """

    data: str = "../shared/data"
    prepared: str = "data"
    split: str = ""
    rig: str = "checkpoints/default/rig"
    output: str = "runs/articulator"
    context: int = 1
    ridge_penalty: float = 10.0
    num_components: int = 0
    common_source: str = "grid_s1"
    common_share: float = 0.15
    max_common_clips: int = 1000
    held_out: float = 0.0
    closed_threshold: float = 0.4
    head_width: int = 0
    head_dilations: tuple[int, ...] = (1, 2, 4, 8)
    dropout: float = 0.3
    steps: int = 0
    batch_size: int = 16
    crop_frames: int = 75
    learning_rate: float = 3e-4
    weight_decay: float = 1e-2
    warmup_steps: int = 50
    vertex_weight: float = 0.0
    lip_reading: str = ""
    lip_reading_weight: float = 0.0
    video_emotion: str = ""
    video_emotion_weight: float = 0.0
    exchange_weight: float = 0.0
    picture_frames: int = 25
    expression: str = ""
    save_every: int = 100
    num_threads: int = 1
    seed: int = 0


@dataclass(frozen=True, eq=False)
class TrainingClip:
    """What one clip teaches.

    content: (T, C) less its mean, `content_mean` (C,): voice and room are not what is said. targets: (T, K + 3) less their
    mean, for what a mouth is at rest is the person's, not the sound's, and 0 where no face was seen. mean: (K + 3,).
    seen: (T,) bool, whether a face was seen; it was in one frame at least. common: of the one source that has more clips than
    all others. face: (T, 52) blendshapes as tracked, 0 where no face was seen. emotion: row of `EMOTIONS`; strength: (0, 1], 0
    where the manifest knows no emotion.
    """

    content: FloatArray
    content_mean: FloatArray
    targets: FloatArray
    mean: FloatArray
    seen: npt.NDArray[np.bool_]
    common: bool
    face: FloatArray | None = None
    emotion: int = NEUTRAL
    strength: float = 0.0


def training_clips(config: ArticulatorConfig) -> Iterator[TrainingClip]:
    """The clips that a run learns from, one at a time, at most `max_common_clips` of `common_source`.

    Raises:
        InputError: no manifest.
        ConfigError: `held_out` leaves nobody.
    """
    out = kept_out(config)
    return (clip for talker, clip in _clips(config) if talker not in out)


def held_out_clips(config: ArticulatorConfig) -> dict[str, list[TrainingClip]]:
    """Talker -> the clips of those who are kept out."""
    out = kept_out(config)
    found: dict[str, list[TrainingClip]] = {}
    for talker, clip in _clips(config) if out else ():
        if talker in out:
            found.setdefault(talker, []).append(clip)
    return found


def kept_out(config: ArticulatorConfig) -> frozenset[str]:
    """Whose clips a run does not learn from. Who that is does not hang on its seed, so that runs can be compared.

    Raises:
        InputError: no manifest.
        ConfigError: `held_out` leaves nobody.
    """
    if not config.held_out:
        return frozenset()
    rows = open_clips(Path(config.data), Path(config.prepared)).rows_of("train", config.split)
    names = sorted({row["identity"] for row in rows if source_of(Path(row["file"])) != config.common_source})
    count = round(config.held_out * len(names))
    if not 0 < count < len(names):
        raise ConfigError(
            f"held_out: {config.held_out} of {len(names)} people leaves nobody; give a share between 0 and 1, or 0."
        )
    return frozenset(names[i] for i in np.random.default_rng(0).permutation(len(names))[:count])


def _clips(config: ArticulatorConfig) -> Iterator[tuple[str, TrainingClip]]:
    num_common = 0
    for clip in speech_clips(Path(config.data), Path(config.prepared), "train", True, config.split):
        common = clip.source == config.common_source
        num_common += common
        if common and num_common > config.max_common_clips:
            continue
        if (clip.seen > 0).any():
            yield clip.talker, training_clip(clip, common)


def training_clip(clip: SpeechClip, common: bool = False) -> TrainingClip:
    """One clip in which a face is seen, sound and picture in step, as the models take it."""
    seen = clip.seen > 0
    targets = _targets(clip, seen)
    mean: FloatArray = targets[seen].mean(0)
    content = clip.features.content.astype(np.float32)
    content_mean: FloatArray = content.mean(0)
    targets = np.where(seen[:, None], targets - mean, 0)
    face = np.where(seen[:, None], clip.motion.blendshapes, 0).astype(np.float32)
    known = clip.emotion in EMOTIONS
    emotion = EMOTIONS.index(clip.emotion) if known else NEUTRAL
    strength = min(1.0, (clip.level or NUM_LEVELS) / NUM_LEVELS) if known else 0.0
    return TrainingClip(content - content_mean, content_mean, targets, mean, seen, common, face, emotion, strength)


def _targets(clip: SpeechClip, seen: npt.NDArray[np.bool_]) -> FloatArray:
    """A clip and where its face was seen, (T,) -> what the model is to say of it, (T, K + 3).

    Blendshapes are both sides alike and from what this person has at rest; the opening of the lips is measured on the
    tracked points, from this mouth's own closure, and the width from its usual one.
    """
    blendshapes = symmetric(clip.motion.blendshapes)[:, [arkit.INDEX[name] for name in COLUMNS]]
    blendshapes = (blendshapes - np.percentile(blendshapes[seen], 10, axis=0)).astype(np.float32)
    opening, gap = lip_opening(clip.points), lip_parting(clip.points)
    opening = opening - np.percentile(opening[seen], 3)
    width = lip_width(clip.points)
    width = width - np.median(width[seen])
    shut = gap < CLOSED_RATIO + np.percentile(gap[seen], 1)
    targets: FloatArray = np.c_[blendshapes, opening, width, shut].astype(np.float32)
    return targets
