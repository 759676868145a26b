"""What stays of a portrait's smile: where nothing was asked for, without parting the lips or undoing an emotion."""

from pathlib import Path

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.emotion.track import NOTHING_ASKED, EmotionRequest, emotion_track, requested_track
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.lips import LipTravel
from talkinghead.motion.own_smile import EBB_S, at_ease, ebb, is_serious, lastingly, towards, with_own_smile
from talkinghead.motion.smoothing import slow_noise
from talkinghead.types import FaceMotion

SMILE = [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]
SQUINT = arkit.INDEX["eyeSquintLeft"]
MIDDLE = 40


@pytest.fixture(scope="module")
def travel(root: Path) -> LipTravel:
    found = Articulator.load(root / "checkpoints/default/articulator").travel
    assert found is not None
    return found


def eased(request: EmotionRequest) -> float:
    return float(at_ease(requested_track(request, 2 * MIDDLE).activation)[MIDDLE, 0])


def smiling() -> np.ndarray:
    resting = np.zeros(52, np.float32)
    resting[SMILE] = 0.9, 0.8
    resting[[arkit.INDEX["jawOpen"], arkit.INDEX["mouthUpperUpLeft"], arkit.INDEX["browDownLeft"], SQUINT]] = 0.5
    return resting


@pytest.mark.parametrize(
    ("emotion", "intensity", "wanted"),
    [
        ("neutral", None, 0), ("sad", None, 0), ("angry", 0.5, 0), ("sad", 0.25, 0.5), ("happy", 0.5, 0.5), ("happy", 1.0, 0),
        ("angry:brow:0.8", None, 1), ("happy:0.5,sad:0.5", 0.4, 0.4),
    ],
)  # fmt: skip
def test_who_was_asked_for_an_emotion_is_not_at_ease(emotion: str, intensity: float | None, wanted: float) -> None:
    assert eased(EmotionRequest((emotion,), intensity)) == pytest.approx(wanted, abs=0.01)


def test_who_was_asked_for_nothing_is_at_ease() -> None:
    assert eased(NOTHING_ASKED) == 1


def test_smile_goes_and_comes_with_the_onset_of_an_emotion() -> None:
    ease = at_ease(emotion_track("sad", 0.7, 50).activation)[:, 0]
    assert ease[0] > 0.9 and ease[-1] > 0.9 and ease[20:30].max() == 0


def test_nobody_begins_or_ends_an_angry_word_with_a_smile() -> None:
    asked = emotion_track("angry", 0.7, 75).activation
    assert lastingly(at_ease(asked)).max() == 0
    later = np.zeros((400, 3, 8), np.float32)
    later[200:225] = asked[25:50]
    ease = lastingly(at_ease(later))[:, 0]
    assert ease[175:250].max() == 0 and ease[:100].min() == 1 and ease[325:].min() == 1
    assert np.abs(np.diff(ease)).max() < 0.03, "it goes and comes back slowly"


def test_a_smile_in_a_stream_goes_at_once_and_comes_back_slowly() -> None:
    ease, course = np.ones((1, 1), np.float32), []
    for wanted in (0, 1):
        for _ in range(60):
            ease = towards(ease, np.full((1, 1), wanted, np.float32))
            course.append(float(ease[0, 0]))
    assert course[9] == pytest.approx(0, abs=1e-6) and course[4] > 0.4
    assert 0.2 < course[75] < 0.5 and course[-1] == 1


def test_a_smile_ebbs_a_little_and_slowly() -> None:
    course = ebb(slow_noise(3000, 1, EBB_S, np.random.default_rng(0)))[:, 0]
    assert 0.7 <= course.min() < 0.76 and 0.94 < course.max() <= 1
    assert np.abs(np.diff(course)).max() < 0.03


@pytest.mark.parametrize(
    ("emotion", "intensity", "wanted"), [("sad", 0.7, True), ("neutral", 0.7, True), ("sad", 0.2, False), ("happy", 1, False)]
)
def test_joy_is_not_serious(emotion: str, intensity: float, wanted: bool) -> None:
    assert is_serious(emotion_track(emotion, intensity, 75).activation) == wanted


def motion(blendshapes: np.ndarray, ease: float = 1) -> FaceMotion:
    still = FaceMotion.neutral(len(blendshapes))
    return FaceMotion(
        blendshapes, still.head_rotation, still.head_translation, still.gaze, at_ease=np.full((len(blendshapes), 1), ease, "f4")
    )


def test_smile_of_the_portrait_stays_in_part_and_nothing_else_of_it_does(travel: LipTravel) -> None:
    placed = with_own_smile(motion(np.zeros((3, 52), np.float32)), smiling(), 0.6, travel).blendshapes
    np.testing.assert_allclose(placed[:, SMILE], np.tile([0.54, 0.48], (3, 1)), atol=1e-6)
    np.testing.assert_allclose(placed[:, SQUINT], 0.3, atol=1e-6)
    others = [index for index in range(52) if index not in (*SMILE, SQUINT, arkit.INDEX["mouthClose"])]
    assert not placed[:, others].any()


def test_lips_stay_as_far_apart_as_they_speak(travel: LipTravel) -> None:
    speech = np.zeros((4, 52), np.float32)
    speech[:, arkit.INDEX["jawOpen"]] = 0.4, 0.2, 0.1, 0.1
    speech[3, arkit.INDEX["mouthClose"]] = 0.12
    speech[2, arkit.INDEX["mouthPucker"]] = 0.3
    placed = with_own_smile(motion(speech), smiling(), 0.6, travel).blendshapes
    np.testing.assert_allclose(placed @ travel.parting, speech @ travel.parting, atol=2e-3)
    assert placed[2, arkit.INDEX["mouthPucker"]] < 0.25, "pushed lips give way to a smile"


@pytest.mark.parametrize(("ease", "keep"), [(0.0, 0.6), (1.0, 0.0)])
def test_nothing_stays_of_who_is_not_at_ease_or_without_the_knob(ease: float, keep: float) -> None:
    given = motion(np.full((2, 52), 0.2, np.float32), ease)
    assert with_own_smile(given, smiling(), keep, None) is given
