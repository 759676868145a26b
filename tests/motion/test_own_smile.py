"""What stays of a portrait's smile: where nothing was asked for, without parting the lips or undoing an emotion."""

from pathlib import Path

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.emotion.track import NOTHING_ASKED, EmotionRequest, emotion_track, requested_track
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.lips import LipTravel
from talkinghead.motion.own_smile import EBB_S, at_ease, ebb, towards, with_own_smile
from talkinghead.motion.smoothing import slow_noise
from talkinghead.types import EMOTIONS, EmotionTrack, FaceMotion

SMILE = [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]
SQUINT = arkit.INDEX["eyeSquintLeft"]
CHEEK_AND_DIMPLE = [arkit.INDEX["cheekSquintRight"], arkit.INDEX["mouthDimpleLeft"]]


@pytest.fixture(scope="module")
def travel(root: Path) -> LipTravel:
    found = Articulator.load(root / "checkpoints/default/articulator").travel
    assert found is not None
    return found


def track_of(**emotions: float) -> np.ndarray:
    """(80, 3, 8) of what is felt on the whole face all the time."""
    activation = np.zeros((80, 3, 8), np.float32)
    for name, strength in emotions.items():
        activation[:, :, EMOTIONS.index(name)] = strength
    return activation


def smiling() -> np.ndarray:
    resting = np.zeros(52, np.float32)
    resting[SMILE] = 0.9, 0.8
    resting[[arkit.INDEX["jawOpen"], arkit.INDEX["mouthUpperUpLeft"], arkit.INDEX["browDownLeft"], SQUINT]] = 0.5
    resting[CHEEK_AND_DIMPLE] = 0.2
    return resting


@pytest.mark.parametrize(
    ("felt", "wanted"),
    [
        ({}, 1), ({"sad": 0.25}, 0.5), ({"sad": 0.5}, 0), ({"neutral": 0.5}, 0), ({"happy": 0.5}, 0.5), ({"happy": 1}, 0),
        ({"happy": 0.2, "sad": 0.2}, 0.4),
    ],
)  # fmt: skip
def test_what_is_heard_takes_the_smile_away_and_joy_less(felt: dict[str, float], wanted: float) -> None:
    assert at_ease(track_of(**felt))[:, 0] == pytest.approx(wanted, abs=1e-5)


OPEN = EmotionRequest(("auto",))


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (NOTHING_ASKED, True), (OPEN, True), (EmotionRequest(("neutral",)), False), (EmotionRequest(("happy",), 0.0), False),
        (EmotionRequest(("angry:brow:1",)), False), (EmotionRequest(("auto", "happy:mouth:0.5")), False),
        (EmotionRequest(valence=0.0), False), (EmotionRequest(prompt="calm"), False),
    ],
)  # fmt: skip
def test_only_who_was_asked_for_nothing_smiles_by_itself(request_: EmotionRequest, wanted: bool) -> None:
    calm = EmotionTrack.from_activation(track_of())
    assert requested_track(request_, 80, hear=lambda: calm).is_open == wanted


def test_nobody_begins_or_ends_an_angry_word_with_a_smile() -> None:
    later = np.zeros((400, 3, 8), np.float32)
    later[200:225] = emotion_track("angry", 0.7, 75).activation[25:50]
    ease = at_ease(later)[:, 0]
    assert ease[175:250].max() == 0 and ease[:100].min() == 1 and ease[325:].min() == 1
    assert np.abs(np.diff(ease)).max() < 0.03, "it goes and comes back slowly"
    assert at_ease(later, lastingly=False)[[198, 226], 0].min() == 1


def test_nobody_grows_stern_before_joy() -> None:
    later = np.zeros((400, 3, 8), np.float32)
    later[200:] = emotion_track("happy", 1.0, 500).activation[:200]
    assert at_ease(later)[:200].min() == 1 and at_ease(later)[250:].max() == 0


def test_a_smile_in_a_stream_goes_at_once_and_comes_back_slowly() -> None:
    ease, course = 1.0, []
    for wanted in (0.0, 1.0):
        for _ in range(60):
            ease = towards(ease, wanted)
            course.append(ease)
    assert course[9] == pytest.approx(0, abs=1e-6) and course[4] > 0.4
    assert 0.2 < course[75] < 0.5 and course[-1] == pytest.approx(1)


def test_a_smile_ebbs_a_little_and_slowly() -> None:
    course = ebb(slow_noise(3000, 1, EBB_S, np.random.default_rng(0)))[:, 0]
    assert 0.7 <= course.min() < 0.76 and 0.94 < course.max() <= 1
    assert np.abs(np.diff(course)).max() < 0.03


def motion(blendshapes: np.ndarray, ease: float = 1) -> FaceMotion:
    still = FaceMotion.neutral(len(blendshapes))
    return FaceMotion(
        blendshapes, still.head_rotation, still.head_translation, still.gaze, at_ease=np.full((len(blendshapes), 1), ease, "f4")
    )


def test_smile_of_the_portrait_stays_in_part_and_nothing_else_of_it_does(travel: LipTravel) -> None:
    placed = with_own_smile(motion(np.zeros((3, 52), np.float32)), smiling(), 0.6, travel).blendshapes
    np.testing.assert_allclose(placed[:, SMILE], np.tile([0.54, 0.48], (3, 1)), atol=1e-6)
    np.testing.assert_allclose(placed[:, SQUINT], 0.3, atol=1e-6)
    np.testing.assert_allclose(placed[:, CHEEK_AND_DIMPLE], 0.12, atol=1e-6)
    others = [index for index in range(52) if index not in (*SMILE, SQUINT, *CHEEK_AND_DIMPLE, arkit.INDEX["mouthClose"])]
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


def test_narrow_eyes_and_tight_lips_without_a_smile_are_none() -> None:
    resting = smiling()
    resting[SMILE] = 0.02
    placed = with_own_smile(motion(np.zeros((1, 52), np.float32)), resting, 1.0, None).blendshapes
    assert placed.max() < 0.05
