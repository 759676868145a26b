import numpy as np
import pytest

from talkinghead.emotion.track import emotion_track, is_neutral, parse_mix
from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_each_label_is_its_own_column(emotion: str) -> None:
    track = emotion_track(emotion, 0.7, 100)
    assert np.all(track.weights[:, EMOTIONS.index(emotion)] == 1) and np.all(track.weights.sum(1) == 1)
    assert track.intensity[50] == np.float32(0.7)


def test_a_mix_is_normalised() -> None:
    mix = parse_mix("happy:1.4, surprised:0.6")
    assert np.allclose([mix[EMOTIONS.index("happy")], mix[EMOTIONS.index("surprised")], mix.sum()], [0.7, 0.3, 1])
    assert parse_mix("Happiness").argmax() == EMOTIONS.index("happy")


@pytest.mark.parametrize("num_frames", [1, 2, 5, 50, 500])
def test_it_eases_in_and_out(num_frames: int) -> None:
    intensity = emotion_track("angry", 1.0, num_frames).intensity
    assert np.allclose(intensity, intensity[::-1], atol=1e-6) and intensity.max() > 0.4
    assert np.abs(np.diff(intensity)).max(initial=0) < 0.7
    if num_frames >= 50:
        assert intensity[0] < 0.02 and np.all(intensity[10:-10] == 1)


@pytest.mark.parametrize("intensity", [-0.1, 1.5, float("nan")])
def test_intensity_out_of_range_is_an_error(intensity: float) -> None:
    with pytest.raises(EmotionError, match=f"intensity is {intensity}; give a number from 0"):
        emotion_track("happy", intensity, 10)


@pytest.mark.parametrize(
    ("emotion", "message"),
    [
        ("hungry", "'hungry' is not known; choose from angry, contempt, disgusted, fear, happy, neutral, sad, surprised"),
        ("", "is not known"),
        ("happy:much", "give a share of 0 or more"),
        ("happy:-1", "give a share of 0 or more"),
        ("happy:0", "no share above 0"),
    ],
)
def test_a_wrong_emotion_lists_the_choices(emotion: str, message: str) -> None:
    with pytest.raises(EmotionError, match=message):
        emotion_track(emotion, 0.5, 10)


def test_no_frames_is_an_error() -> None:
    with pytest.raises(EmotionError, match="num_frames is 0"):
        emotion_track("happy", 0.5, 0)


def test_neutral_and_zero_are_neutral() -> None:
    assert is_neutral(emotion_track("neutral", 1.0, 10)) and is_neutral(emotion_track("happy", 0.0, 10))
    assert not is_neutral(emotion_track("happy", 0.1, 10))
