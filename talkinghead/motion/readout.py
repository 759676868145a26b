"""Training clips -> an articulator whose linear read-out is solved in closed form, and by how much its outputs are stretched.

Goes through the clips twice and keeps none. Knows sums over them; knows nothing of steps and batches (`motion.trainer`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch

from talkinghead.errors import ConfigError
from talkinghead.motion.articulator import COLUMNS, Articulator
from talkinghead.motion.lips import LipTravel
from talkinghead.motion.ridge import Array, RidgeSums, with_neighbours
from talkinghead.motion.spoken_content import reduced_rank
from talkinghead.motion.training_clips import ArticulatorConfig, TrainingClip
from talkinghead.types import FloatArray


def fit_readout(
    clips: Callable[[], Iterable[TrainingClip]], config: ArticulatorConfig, travel: LipTravel | None
) -> Articulator:
    """The articulator in closed form: one source of many clips weighs `common_share`, everybody else the rest.

    Args:
        clips: called, gives the clips, the same each time.
        config: the run.
        travel: of the rig that the motion is for.

    Raises:
        ConfigError: no clip at all.
    """
    sums: dict[bool, RidgeSums] = {}
    offsets: dict[bool, Array] = {}
    content_offsets: dict[bool, Array] = {}
    for clip in clips():
        features = with_neighbours(clip.content, config.context)
        if clip.common not in sums:
            sums[clip.common] = RidgeSums.zeros(features.shape[1], clip.targets.shape[1])
            offsets[clip.common] = np.zeros(clip.targets.shape[1])
            content_offsets[clip.common] = np.zeros(clip.content.shape[1])
        sums[clip.common].add(features[clip.seen], clip.targets[clip.seen])
        offsets[clip.common] += clip.seen.sum() * clip.mean
        content_offsets[clip.common] += clip.seen.sum() * clip.content_mean
    if not sums:
        raise ConfigError(f"data {config.data}: no prepared training clip with sound; run scripts/prepare_speech.py first.")
    none = RidgeSums.zeros(*next(iter(sums.values())).products.shape)
    mixed = sums.get(True, none).mixed(config.common_share, sums.get(False, none))
    weights, bias = mixed.solve(config.ridge_penalty)
    components = None
    if config.num_components:
        components = reduced_rank((weights.T @ mixed.covariance)[:-1, :-1], config.num_components)
    shares = {True: config.common_share, False: 1 - config.common_share} if len(sums) == 2 else dict.fromkeys(sums, 1.0)
    centre = np.sum([share / sums[common].num_rows * offsets[common] for common, share in shares.items()], axis=0)
    usual = np.sum([share / sums[common].num_rows * content_offsets[common] for common, share in shares.items()], axis=0)
    model = _articulator(weights, bias, centre, config, travel, components)
    model.content_mean.data.copy_(torch.from_numpy(usual))
    if False in sums:
        model.register_to_config(gain=gains(_spread(model, (clip for clip in clips() if not clip.common))))
    model.eval()
    return model


def _articulator(
    weights: Array,
    bias: Array,
    centre: Array,
    config: ArticulatorConfig,
    travel: LipTravel | None,
    components: tuple[Array, Array] | None,
) -> Articulator:
    """weights: (D, K + 3) on frames with their neighbours. bias, centre: (K + 3,). components: directions and mixing."""
    window = 2 * config.context + 1
    model: Articulator = Articulator(
        content_width=weights.shape[0] // window,
        context=config.context,
        head_width=config.head_width,
        head_dilations=tuple(config.head_dilations),
        dropout=config.dropout,
        num_components=config.num_components,
        closed_threshold=config.closed_threshold,
        lip_parting=None if travel is None else _rounded(travel.parting),
        lip_widening=None if travel is None else _rounded(travel.widening),
    )
    kernel = weights.T.reshape(weights.shape[1], window, -1).transpose(0, 2, 1)
    with torch.no_grad():
        model.readout.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
        model.readout.bias.copy_(torch.from_numpy(bias + centre))  # type: ignore[union-attr]
        model.centre.copy_(torch.from_numpy(centre[:-1]))
        if components is not None:
            model.directions.copy_(torch.from_numpy(components[0]))
            model.mixing.copy_(torch.from_numpy(components[1]))
    return model


def _rounded(values: FloatArray) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)


def _spread(model: Articulator, clips: Iterable[TrainingClip]) -> FloatArray:
    """(2, K + 3) sums over the clips of the squares about each clip's mean: of the targets, and of what the model says."""
    spread = np.zeros((2, len(COLUMNS) + 3))
    for clip in clips:
        said = predict(model, clip.content)[clip.seen]
        spread += np.stack([(clip.targets[clip.seen] ** 2).sum(0), ((said - said.mean(0)) ** 2).sum(0)])
    return spread.astype(np.float32)


def gains(spread: FloatArray) -> tuple[float, ...]:
    """(2, K + 3) sums of squares, real and predicted -> (K + 2,) stretches.

    A column whose deviation the model loses to a part 1 / r is stretched by 2 - 1 / r, from 1 to less than 2: of the columns
    that sound hardly explains the rest would be noise.
    """
    ratio = np.sqrt(spread[0] / np.maximum(spread[1], 1e-9))[:-1]
    return tuple(round(float(value), 4) for value in 2 - 1 / np.maximum(ratio, 1))


@torch.inference_mode()
def predict(model: Articulator, content: FloatArray) -> FloatArray:
    """content: (T, C) less its mean -> (T, K + 3) raw outputs."""
    output: FloatArray = model(torch.from_numpy(content.astype(np.float32))[None])[0].numpy()
    return output
