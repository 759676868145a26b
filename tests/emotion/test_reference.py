import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.emotion.reference import TALKING, reference_activation, stretch
from talkinghead.emotion.track import emotion_track
from talkinghead.errors import EmotionError
from talkinghead.motion.expression import PROTOTYPE_MATRIX, both_sides, expression
from talkinghead.types import EMOTIONS, EmotionTrack

FELT = [name for name in EMOTIONS if name != "neutral"]


def talking(num_frames: int) -> np.ndarray:
    """(T, 52) a mouth that opens and shuts three times a second."""
    shown = np.zeros((num_frames, 52), np.float32)
    for name, (mean, _) in TALKING.items():
        shown[:, both_sides(name)] = mean
    return shown * (1 + np.sin(np.arange(num_frames) * 2 * np.pi * 3 / 25)[:, None]).astype(np.float32)


def clip_of(emotion: str, num_frames: int = 100) -> np.ndarray:
    track = emotion_track(emotion, 0.8, num_frames)
    felt = expression(EmotionTrack(track.weights, np.full(num_frames, 0.8, np.float32), track.regional), seed=3)
    return np.maximum(felt, talking(num_frames))


@pytest.mark.parametrize("emotion", FELT)
def test_our_own_expression_is_read_back(emotion: str) -> None:
    activation = reference_activation(clip_of(emotion), PROTOTYPE_MATRIX)
    assert activation.shape == (100, 3, 8) and activation.dtype == np.float32
    assert np.all(activation.mean(1).argmax(1) == EMOTIONS.index(emotion))
    assert 0.4 < activation[50, :, EMOTIONS.index(emotion)].mean() < 1


def test_talking_alone_is_hardly_an_emotion() -> None:
    assert reference_activation(talking(100), PROTOTYPE_MATRIX)[20:80].sum(2).max() < 0.25


def test_a_smile_below_lowered_brows_is_two_emotions() -> None:
    activation = reference_activation(clip_of("happy:mouth:0.8,happy:eyes:0.5,angry:brow:0.8"), PROTOTYPE_MATRIX)[50]
    assert EMOTIONS[activation[0].argmax()] == "angry" and EMOTIONS[activation[2].argmax()] == "happy"
    assert activation[2, EMOTIONS.index("happy")] > 3 * activation[2, EMOTIONS.index("angry")]


def test_a_still_is_read_against_brows_of_its_own() -> None:
    smile = 0.9 * PROTOTYPE_MATRIX[EMOTIONS.index("happy")]
    smile[both_sides("browDown")] = 0.4
    smile[both_sides("cheekSquint")] = 0
    activation = reference_activation(smile[None], PROTOTYPE_MATRIX)[0]
    assert np.all(activation.argmax(1) == EMOTIONS.index("happy")) and activation[:, EMOTIONS.index("angry")].max() < 0.1


def test_a_face_at_rest_is_nothing_and_a_wild_one_stays_in_range() -> None:
    assert not reference_activation(np.zeros((3, 52), np.float32), PROTOTYPE_MATRIX).any()
    wild = np.random.default_rng(0).uniform(0, 1, (20, 52)).astype(np.float32)
    activation = reference_activation(wild, PROTOTYPE_MATRIX)
    assert activation.min() >= 0 and activation.sum(2).max() <= 1 + 1e-5


def test_a_course_is_stretched_to_another_length() -> None:
    course = np.linspace(0, 1, 11, dtype=np.float32)[:, None, None] * np.ones((1, 3, 8), np.float32)
    for num_frames in (1, 5, 11, 100):
        longer = stretch(course, num_frames)
        assert longer.shape == (num_frames, 3, 8) and longer[0, 0, 0] == 0
        assert np.allclose(longer[:, 1, 2], np.linspace(0, 1, num_frames) if num_frames > 1 else 0, atol=1e-6)
    assert np.array_equal(stretch(course[4:5], 7), np.repeat(course[4:5], 7, axis=0))


@pytest.mark.parametrize("shape", [(0, 52), (52,), (10, 51)])
def test_what_is_no_face_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(EmotionError, match=r"blendshapes of the reference have shape .*; give \(T, 52\) of a tracked face"):
        reference_activation(np.zeros(shape, np.float32), PROTOTYPE_MATRIX)
    with pytest.raises(EmotionError, match="not finite"):
        reference_activation(np.full((2, 52), np.nan, np.float32), PROTOTYPE_MATRIX)


def test_every_name_of_talking_is_a_column() -> None:
    assert all(both_sides(name) for name in TALKING) and len(arkit.BLENDSHAPES) == 52
