"""What a predicted motion looks like on the rig -> losses on vertices, on what is read from lips and felt; the exchange.

As EMOTE (Danecek et al., "Emotional Speech-Driven Animation with Content-Emotion Disentanglement", SIGGRAPH Asia 2023, sections
3.3 and 3.4), whose network makes the expression itself. Here it is laid over talking, outside the articulator
(`motion.expression`), and the temporal head hears no label. So the emotion of a clip is put on the predicted talking as a
performance puts it there, and what the losses teach the head is talking that holds under it:

- the lip terms of the exchange (one clip's talking under another's expression) have above all the closures to teach: an
  expression parts the lips by a twentieth of the eye distance, and a score of closed lips that leaves a neutral mouth nearly
  shut leaves an angry one open. How the opening moves is held by `lips.restrain_parting` whatever is felt. The score speaks
  where the speech encoder names no articulations; with those of the default one it is not asked.
- the emotion terms can only make the head leave out what contradicts the label: a smile that is heard in the voice and shall
  not be seen. They cannot teach what an emotion looks like; `train.py expression` does.
- the expression is another at each step and not known to the head, so what is learnt is right on the average of them.

All faces are the rig's own, still and from straight ahead: a person's shape and head are nobody's mouth's business. Knows
columns and tensors; how vertices become what a network sees is given to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from talkinghead import arkit
from talkinghead.errors import ConfigError
from talkinghead.facemesh import NUM_SKIN
from talkinghead.motion.articulator import CLOSURE_SLOPE, COLUMNS, Articulator
from talkinghead.motion.lips import LipTravel
from talkinghead.motion.training_clips import ArticulatorConfig
from talkinghead.motion.worn import as_said, shut, worn
from talkinghead.types import FloatArray, IntArray

EMOTION_STRIDE: Final = 5
"""Every which frame the video-emotion network looks at: what is felt changes slowly."""
READING_FRAMES: Final = 5
"""How many frames a feature of the lip reader sees: it counts where a face was seen in all of them."""
_UNDER_NOSE: Final = 2
_MM: Final = 1e3
_COLUMN_INDICES: Final = [arkit.INDEX[name] for name in COLUMNS]


@dataclass(frozen=True, eq=False)
class FaceSurface:
    """neutral: (V, 3) m. deltas: (52, V, 3) m of each column at 1. lower: (L,) the skin below the nose."""

    neutral: FloatArray
    deltas: FloatArray
    lower: IntArray

    @staticmethod
    def of(express: Callable[[FloatArray], FloatArray]) -> FaceSurface:
        """A rig as a callable, (T, 52) -> (T, V, 3) m -> its linear map, a column at a time: what turns goes by the chord."""
        columns = len(arkit.BLENDSHAPES)
        vertices = express(np.concatenate([np.zeros((1, columns)), np.eye(columns)]).astype(np.float32))
        lower = np.flatnonzero(vertices[0, :NUM_SKIN, 1] < vertices[0, _UNDER_NOSE, 1])
        return FaceSurface(vertices[0], vertices[1:] - vertices[0], lower)


@dataclass(frozen=True, eq=False)
class FaceBatch:
    """What is known of a batch's crops besides their sound.

    target: (B, T, K + 3) less mean, mean: (B, K + 3), as `TrainingClip`. seen: (B, T) 0 or 1. face: (B, T, 52) as tracked, 0
    where unseen. felt: (B, 52) the expression of each clip's emotion at its level.
    """

    target: torch.Tensor
    mean: torch.Tensor
    seen: torch.Tensor
    face: torch.Tensor
    felt: torch.Tensor


class FaceLosses(nn.Module):
    """Predicted outputs of the articulator and a `FaceBatch` -> the terms that a configuration asks for, weighted.

    Frozen, never in a checkpoint, in full precision whatever the head is trained in.
    """

    neutral: torch.Tensor
    deltas: torch.Tensor
    lower: torch.Tensor
    travel: torch.Tensor
    prototypes: torch.Tensor
    projection: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self,
        config: ArticulatorConfig,
        surface: FaceSurface,
        prototypes: FloatArray,
        read_lips: nn.Module | None = None,
        feel: nn.Module | None = None,
    ) -> None:
        """
        Args:
            config: the run's; its weights say which terms there are.
            surface: of the rig that the motion is for.
            prototypes: (8, 52) what each emotion looks like.
            read_lips, feel: vertices (B, T, V, 3) m -> (B, T, F), what a lip reader sees in the mouth and what a network
                that knows emotions sees in the face; needed where their weights are not 0.

        Raises:
            ConfigError: a weight without what it weighs.
        """
        super().__init__()
        check_weights(config)
        for name, network, weight in (
            ("lip_reading", read_lips, config.lip_reading_weight), ("video_emotion", feel, config.video_emotion_weight),
        ):  # fmt: skip
            if weight and network is None:
                raise ConfigError(f"{name}_weight is {weight:g} and there is no {name} network; give its folder, or 0.")
        self.config, self.read_lips, self.feel = config, read_lips, feel
        travel = LipTravel.of_rig(surface.neutral, surface.deltas)
        num_outputs = len(COLUMNS) + 2
        for name, value in {
            "neutral": surface.neutral, "deltas": surface.deltas, "travel": np.stack([travel.parting, travel.widening]),
            "prototypes": prototypes, "projection": np.eye(num_outputs), "deviation": np.ones(2),
        }.items():  # fmt: skip
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value, np.float32)))
        self.register_buffer("lower", torch.from_numpy(surface.lower))
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def fit(self, model: Articulator, deviation: torch.Tensor, device: torch.device) -> FaceLosses:
        """Take the components by way of which a model speaks, and (K + 3,) how much each target varies; moves to the device."""
        self.projection.copy_((model.directions @ model.mixing).float())
        self.deviation.copy_(deviation[-3:-1])
        return self.to(device)

    def forward(self, said: torch.Tensor, batch: FaceBatch) -> dict[str, torch.Tensor]:
        """said: (B, T, K + 3) predicted, less the mean as targets are -> term -> its loss times its weight."""
        config, said = self.config, said.float()
        outputs = torch.cat([said[..., :-1] @ self.projection, said[..., -1:]], -1)
        ours, theirs = self.performed(outputs, batch), self.performed(batch.target, batch)
        terms = {}
        if config.vertex_weight:
            terms["vertex"] = config.vertex_weight * self.vertex_error(ours, theirs, batch.seen)
        read = shown = None
        if config.lip_reading_weight:
            read = self._read(theirs)
            terms["lip_reading"] = config.lip_reading_weight * self._reading_error(ours, read, batch.seen)
        if config.video_emotion_weight:
            shown = self._shown(batch.face, batch.seen)
            own = self.performed(outputs, batch, batch.felt)
            terms["video_emotion"] = config.video_emotion_weight * self._emotion_error(own, shown, batch.seen, batch.seen)
        if config.exchange_weight:
            # Each clip's talking with the emotion of the next: batches are drawn by chance, so it is anybody's.
            exchanged = self.performed(outputs, batch, batch.felt.roll(-1, 0))
            loss = self.lip_error(exchanged, batch)
            if read is not None:
                loss = loss + config.lip_reading_weight * self._reading_error(exchanged, read, batch.seen)
            if shown is not None:
                error = self._emotion_error(exchanged, shown.roll(-1, 0), batch.seen, batch.seen.roll(-1, 0))
                loss = loss + config.video_emotion_weight * error
            terms["exchange"] = config.exchange_weight * loss
        return terms

    def performed(self, outputs: torch.Tensor, batch: FaceBatch, felt: torch.Tensor | None = None) -> torch.Tensor:
        """What is said, and felt, on a face, as `MotionPipeline.face` puts it there.

        outputs: (B, T, K + 3) less the mean; the lips are shut by its own score, and nothing is stretched by `gain`.
        felt: (B, 52) the expression, None is neutral.
        Returns (B, T, 52) in [0, 1].
        """
        outputs = outputs + batch.mean[:, None]
        blendshapes = outputs.new_zeros(*outputs.shape[:2], len(arkit.BLENDSHAPES))
        blendshapes[..., _COLUMN_INDICES] = outputs[..., :-3]
        face = as_said(blendshapes, outputs[..., -3], outputs[..., -2], self.travel)
        if felt is not None:
            face = worn(face, felt[:, None], self.travel)
        closed = (0.5 + (outputs[..., -1] - self.config.closed_threshold) * CLOSURE_SLOPE).clamp(0, 1)
        return shut(face, closed, self.travel)

    def vertices(self, blendshapes: torch.Tensor) -> torch.Tensor:
        """(..., 52) -> (..., V, 3) m."""
        moved: torch.Tensor = (blendshapes @ self.deltas.flatten(1)).reshape(*blendshapes.shape[:-1], *self.neutral.shape)
        return self.neutral + moved

    def vertex_error(self, ours: torch.Tensor, theirs: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """ours, theirs: (B, T, 52), seen: (B, T) -> mean squared distance of the lower face's vertices, mm^2."""
        apart = (ours - theirs) @ self.deltas[:, self.lower].flatten(1) * _MM
        return mean_where((apart**2).sum(-1) / len(self.lower), seen)

    def lip_error(self, worn_face: torch.Tensor, batch: FaceBatch) -> torch.Tensor:
        """(B, T, 52) of talking under any expression -> how far its lips are from those tracked, in their usual deviations.

        Of opening and width the movement counts, what departs from the crop's mean: a smile is wider all the time. Where the
        lips were shut it is the gap itself.
        """
        wanted = batch.target + batch.mean[:, None]
        error = batch.seen.new_zeros(())
        for index, column in enumerate((-3, -2)):
            moved = _movement(worn_face @ self.travel[index], batch.seen) - _movement(wanted[..., column], batch.seen)
            error = error + mean_where((moved / self.deviation[index]) ** 2, batch.seen)
        gap = (worn_face @ self.travel[0]).clamp(min=0) / self.deviation[0]
        return error + mean_where(gap**2, batch.seen * (wanted[..., -1] > 0.5))

    def _read(self, blendshapes: torch.Tensor) -> torch.Tensor:
        """(B, T, 52) -> (B, at most picture_frames, F)."""
        assert self.read_lips is not None
        read: torch.Tensor = self.read_lips(self.vertices(blendshapes[:, : self.config.picture_frames]))
        return read

    def _reading_error(self, ours: torch.Tensor, read: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """1 - cosine of the features of each frame (SPECTRE, section 3.2)."""
        seen = seen[:, : self.config.picture_frames]
        window_seen = -functional.max_pool1d(-seen[:, None], READING_FRAMES, 1, READING_FRAMES // 2)[:, 0]
        return mean_where(1 - functional.cosine_similarity(self._read(ours), read, dim=-1), window_seen)

    def _shown(self, blendshapes: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """(B, T, 52) -> (B, F), the mean over every `EMOTION_STRIDE`th frame that was seen."""
        assert self.feel is not None
        features = self.feel(self.vertices(blendshapes[:, ::EMOTION_STRIDE]))
        keep = seen[:, ::EMOTION_STRIDE, None]
        mean: torch.Tensor = (features * keep).sum(1) / keep.sum(1).clamp(min=1)
        return mean

    def _emotion_error(
        self, ours: torch.Tensor, shown: torch.Tensor, seen: torch.Tensor, theirs_seen: torch.Tensor
    ) -> torch.Tensor:
        """1 - cosine of the features of whole crops (EMOTE, section 3.3; its pooling is a transformer's, this one's a mean)."""
        apart = 1 - functional.cosine_similarity(self._shown(ours, seen), shown, dim=-1)
        both = seen[:, ::EMOTION_STRIDE].amax(1) * theirs_seen[:, ::EMOTION_STRIDE].amax(1)
        return mean_where(apart, both)


def check_weights(config: ArticulatorConfig) -> bool:
    """Whether a configuration asks for any of these losses.

    Raises:
        ConfigError: a weight below 0, one without a folder, a folder without one, or nothing that could learn from them.
    """
    names = ("vertex_weight", "lip_reading_weight", "video_emotion_weight", "exchange_weight")
    weights = {name: float(getattr(config, name)) for name in names}
    for name, weight in weights.items():
        if weight < 0:
            raise ConfigError(f"{name} is {weight:g}; give 0 or more.")
    for name in ("lip_reading", "video_emotion"):
        folder, weight = getattr(config, name), weights[f"{name}_weight"]
        if weight and not folder:
            raise ConfigError(f"{name}_weight is {weight:g} and {name} names no folder; give one (docs/mead.md), or weight 0.")
        if folder and not weight:
            raise ConfigError(f"{name}: {folder} is given and {name}_weight is 0; give it a weight, or leave the folder out.")
    asked = [name for name, weight in weights.items() if weight]
    if asked and not (config.head_width and config.steps):
        raise ConfigError(f"{asked[0]}: teaches the temporal head, and there is none; set head_width and steps, or 0.")
    if config.exchange_weight and config.batch_size < 2:
        raise ConfigError("exchange_weight: a batch of one clip has nobody to exchange with; set batch_size to 2 or more.")
    if config.picture_frames < 1:
        raise ConfigError(f"picture_frames is {config.picture_frames}; give 1 or more.")
    return bool(asked)


def mean_where(values: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """values, keep (0 or 1): the same shape -> the mean of those that are kept, 0 when none is."""
    return (values * keep).sum() / keep.sum().clamp(min=1)


def _movement(values: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """(B, T) less the mean of the frames that were seen."""
    return values - (values * seen).sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp(min=1)
