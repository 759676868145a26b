import itertools

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.emotion.track import emotion_track
from talkinghead.motion.expression import PROTOTYPES, both_sides, compose, expression
from talkinghead.types import EMOTIONS, EmotionTrack

SIGNS = {
    "angry": ("browDown", "eyeSquint", "mouthPress"),
    "contempt": ("mouthDimpleLeft", "mouthSmileLeft"),
    "disgusted": ("noseSneer", "mouthUpperUp"),
    "fear": ("browInnerUp", "eyeWide", "mouthStretch"),
    "happy": ("mouthSmile", "cheekSquint"),
    "sad": ("browInnerUp", "mouthFrown"),
    "surprised": ("browInnerUp", "browOuterUp", "eyeWide", "jawOpen"),
}


@pytest.mark.parametrize("emotion", SIGNS)
def test_each_column_of_an_emotion_rises_with_intensity(emotion: str) -> None:
    steps = [expression(emotion_track(emotion, k, 100), seed=5) for k in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert not steps[0].any()
    for name in SIGNS[emotion]:
        means = [step[:, both_sides(name)].mean() for step in steps]
        assert np.all(np.diff(means) > 0.02), name
    for lower, higher in itertools.pairwise(steps):
        assert np.all(higher >= lower - 1e-6)


def test_neutral_is_no_expression_at_any_intensity() -> None:
    assert not expression(emotion_track("neutral", 1.0, 50), seed=0).any()


def test_every_emotion_has_a_prototype_and_all_differ() -> None:
    means = np.stack([expression(emotion_track(name, 1.0, 100), seed=0).mean(0) for name in EMOTIONS])
    assert set(PROTOTYPES) == set(EMOTIONS)
    distance = np.linalg.norm(means[:, None] - means[None], axis=-1) + np.eye(len(EMOTIONS))
    assert distance.min() > 0.5


def test_contempt_is_of_one_side() -> None:
    shown = expression(emotion_track("contempt", 1.0, 50), seed=0)
    assert shown[:, arkit.INDEX["mouthDimpleLeft"]].mean() > 0.5 > shown[:, arkit.INDEX["mouthDimpleRight"]].mean() + 0.4


def test_an_expression_is_alive_and_seeded() -> None:
    track = emotion_track("happy", 0.8, 250)
    smile = expression(track, seed=1)[50:200, arkit.INDEX["mouthSmileLeft"]]
    assert 0.01 < smile.std() < 0.15 and np.abs(np.diff(smile)).max() < 0.05
    assert np.array_equal(expression(track, seed=1), expression(track, seed=1))
    assert not np.array_equal(expression(track, seed=1), expression(track, seed=2))


def test_region_gain_turns_one_region_off() -> None:
    track = emotion_track("sad", 1.0, 40)
    shown = expression(EmotionTrack(track.weights, track.intensity, brow=np.zeros(40, np.float32)), seed=0)
    assert not shown[:, list(arkit.BROW)].any() and shown[:, both_sides("mouthFrown")].mean() > 0.5


def test_composing_with_nothing_changes_nothing_and_stays_in_range() -> None:
    generator = np.random.default_rng(0)
    talking, felt = generator.uniform(0, 1, (2, 60, 52)).astype(np.float32)
    assert np.array_equal(compose(talking, np.zeros_like(talking)), talking)
    both = compose(talking, felt)
    assert both.min() >= 0 and both.max() <= 1 and np.all(both >= felt - 1e-6)
