"""What is said apart from how strongly."""

import numpy as np
import pytest
import torch

from talkinghead.motion.articulator import Articulator
from talkinghead.motion.lips import LipContacts
from talkinghead.motion.spoken_content import LEAST_SPREAD, Effort, SpokenContent, reduced_rank
from talkinghead.types import SpeechFeatures

RANDOM = np.random.default_rng(0)
NUM_OUTPUTS, NUM_COMPONENTS = 12, 4


def content_of(components: np.ndarray) -> SpokenContent:
    still = np.zeros(len(components), np.float32)
    return SpokenContent.of(components.astype(np.float32), LipContacts(still, still))


def test_tracks_hold_neither_level_nor_spread_and_with_their_effort_they_are_what_came() -> None:
    components = RANDOM.normal((0.3, -2.0, 0.0), (0.1, 3.0, 1.0), (80, 3))
    content = content_of(components)
    assert np.allclose(content.tracks.mean(0), 0, atol=1e-5) and np.allclose(content.tracks.std(0), 1, atol=1e-5)
    assert np.allclose(content.components(), components, atol=1e-4)


def test_louder_or_softer_is_another_effort_and_the_same_content() -> None:
    components = RANDOM.normal(0, 1, (80, 3))
    soft, loud = content_of(components), content_of(2.5 * components + 0.4)
    assert np.allclose(soft.tracks, loud.tracks, atol=1e-4)
    assert np.allclose(loud.effort.spread, 2.5 * soft.effort.spread, atol=1e-3)
    assert np.allclose(soft.components(loud.effort), loud.components(), atol=1e-3)


def test_a_still_mouth_stays_still() -> None:
    content = content_of(np.full((10, 3), 0.2))
    assert not np.abs(content.tracks).max() > 1e-3 and (content.effort.spread == np.float32(LEAST_SPREAD)).all()
    assert np.allclose(content.components(), 0.2, atol=1e-5)


def covariance() -> np.ndarray:
    factors = RANDOM.normal(0, 1, (NUM_OUTPUTS, 7)) * np.array([3, 2, 1.5, 1, 0.3, 0.1, 0.05])
    return factors @ factors.T * np.outer(*[np.linspace(0.1, 2, NUM_OUTPUTS)] * 2)


def test_the_components_are_a_projection_that_leaves_opening_and_width_alone() -> None:
    directions, mixing = reduced_rank(covariance(), NUM_COMPONENTS)
    assert directions.shape == mixing.T.shape == (NUM_OUTPUTS, NUM_COMPONENTS)
    assert np.allclose(mixing @ directions, np.eye(NUM_COMPONENTS), atol=1e-6)
    anything = RANDOM.normal(0, 1, (50, NUM_OUTPUTS))
    assert np.allclose((anything @ directions @ mixing)[:, -2:], anything[:, -2:], atol=1e-6)


def test_more_components_lose_less_and_all_of_them_nothing() -> None:
    explained = covariance()
    rows = RANDOM.multivariate_normal(np.zeros(NUM_OUTPUTS), explained, 400)
    lost = []
    for num_components in (2, 4, 6, NUM_OUTPUTS):
        directions, mixing = reduced_rank(explained, num_components)
        lost.append(float((((rows - rows @ directions @ mixing) / rows.std(0)) ** 2).mean()))
    assert lost[0] > lost[1] > lost[2] > lost[3] and lost[3] < 1e-3 and lost[1] < 0.3


@pytest.mark.parametrize("num_components", [0, 3])
def test_an_articulator_says_one_recording_with_the_effort_of_another(num_components: int) -> None:
    torch.manual_seed(0)
    model = Articulator(content_width=8, num_components=num_components).eval()
    torch.nn.init.normal_(model.directions)
    model.mixing.data.copy_(torch.linalg.pinv(model.directions))
    one, other = (
        SpeechFeatures(scale * RANDOM.normal(0, 1, (60, 8)).astype(np.float32), np.full(60, -20, np.float32))
        for scale in (1.0, 2.0)
    )
    effort = model.spoken(other).effort
    own = model.articulate(one, effort=model.spoken(one).effort)[0]
    assert np.allclose(own, model.articulate(one)[0], atol=1e-5)
    assert not np.allclose(model.articulate(one, effort=effort)[0], own, atol=0.01)
    assert isinstance(effort, Effort) and len(effort.level) == (num_components or len(model.centre))
