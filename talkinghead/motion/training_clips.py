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
from talkinghead.motion.articulator import COLUMNS
from talkinghead.motion.dataset import CLOSED_RATIO, SpeechClip, lip_opening, lip_parting, lip_width, speech_clips, symmetric
from talkinghead.types import FloatArray


@dataclass(frozen=True)
class ArticulatorConfig:
    """One run. Flat, so that a YAML file is one of these.

    split: which of `corpus.splits` says who is trained on; empty is the manifest's own.
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
    save_every: int = 100
    num_threads: int = 1
    seed: int = 0


@dataclass(frozen=True, eq=False)
class TrainingClip:
    """What one clip teaches.

    content: (T, C) less its mean, `content_mean` (C,): voice and room are not what is said. targets: (T, K + 3) less their
    mean, for what a mouth is at rest is the person's, not the sound's, and 0 where no face was seen. mean: (K + 3,).
    seen: (T,) bool, whether a face was seen; it was in one frame at least. common: of the one source that has more clips than
    all others.
    """

    content: FloatArray
    content_mean: FloatArray
    targets: FloatArray
    mean: FloatArray
    seen: npt.NDArray[np.bool_]
    common: bool


def training_clips(config: ArticulatorConfig) -> Iterator[TrainingClip]:
    """The clips of a run, one at a time, at most `max_common_clips` of `common_source`.

    Raises:
        InputError: no manifest.
    """
    num_common = 0
    for clip in speech_clips(Path(config.data), Path(config.prepared), "train", True, config.split):
        common = clip.source == config.common_source
        num_common += common
        if common and num_common > config.max_common_clips:
            continue
        if (clip.seen > 0).any():
            yield training_clip(clip, common)


def training_clip(clip: SpeechClip, common: bool = False) -> TrainingClip:
    """One clip in which a face is seen, sound and picture in step, as the models take it."""
    seen = clip.seen > 0
    targets = _targets(clip, seen)
    mean: FloatArray = targets[seen].mean(0)
    content = clip.features.content.astype(np.float32)
    content_mean: FloatArray = content.mean(0)
    targets = np.where(seen[:, None], targets - mean, 0)
    return TrainingClip(content - content_mean, content_mean, targets, mean, seen, common)


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
