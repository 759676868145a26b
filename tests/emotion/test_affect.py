import numpy as np
import pytest

from talkinghead.emotion.affect import CIRCUMPLEX, affect_activation
from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS, NEUTRAL

HAPPY = EMOTIONS.index("happy")


def test_every_emotion_has_its_place() -> None:
    assert tuple(sorted(CIRCUMPLEX)) == EMOTIONS


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_each_prototypes_own_place_gives_it_on_top(emotion: str) -> None:
    activation = affect_activation(*CIRCUMPLEX[emotion])
    if emotion == "neutral":
        assert not activation.any()
    else:
        assert np.all(activation.argmax(1) == EMOTIONS.index(emotion)) and activation.max() > 0.5


def test_the_middle_is_neutral_and_farther_out_is_stronger() -> None:
    steps = [affect_activation(0.8 * k, 0.5 * k)[0] for k in np.linspace(0, 1.25, 11)]
    felt = [np.delete(step, NEUTRAL).sum() for step in steps]
    assert not steps[0].any() and np.all(np.diff(felt) > 0) and felt[-1] <= 1
    assert all(step.argmax() == HAPPY for step in steps[1:])


def test_it_is_smooth() -> None:
    angles = np.linspace(0, 2 * np.pi, 2000)
    course = np.stack([affect_activation(0.7 * np.cos(a), 0.7 * np.sin(a))[0] for a in angles])
    assert np.abs(np.diff(course, axis=0)).max() < 0.05 and np.allclose(course[0], course[-1], atol=1e-5)
    assert course.min() >= 0 and course.sum(1).max() <= 1


def test_low_arousal_is_calm_or_sad_and_never_fierce() -> None:
    for valence in np.linspace(-1, 1, 9):
        activation = affect_activation(valence, -0.7)[0]
        assert activation[[EMOTIONS.index(name) for name in ("angry", "fear", "surprised")]].sum() < 0.1
    assert affect_activation(0.5, -0.6)[0].argmax() == NEUTRAL


@pytest.mark.parametrize(
    ("valence", "arousal", "name"), [(1.2, 0, "valence"), (0, -1.1, "arousal"), (float("nan"), 0, "valence")]
)
def test_out_of_range_is_an_error(valence: float, arousal: float, name: str) -> None:
    with pytest.raises(EmotionError, match=f"{name} is .*; give a number from -1 to 1, 0 is neutral"):
        affect_activation(valence, arousal)
