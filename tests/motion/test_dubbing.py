"""Another speech on somebody's face: whose brows, whose lips, and that lips still meet."""

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.motion.dubbing import MOOD, UPPER_FACE, dubbed
from talkinghead.motion.lips import LipContacts, LipTravel
from talkinghead.rig.face_rig import FaceRig

JAW, SMILE, BROW, PUCKER = (arkit.INDEX[name] for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "mouthPucker"))
T = 60


@pytest.fixture(scope="module")
def travel(root):
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")
    return LipTravel.of_rig(rig.neutral, rig.deltas)


@pytest.fixture
def speech():
    """Two syllables with shut lips between them."""
    talking = np.zeros((T, 52), np.float32)
    talking[:, JAW] = 0.5
    closed = np.zeros(T, np.float32)
    closed[28:31] = 1
    return talking, LipContacts(closed, np.zeros(T, np.float32))


@pytest.fixture
def driver():
    """A surprised smile on the left, a mouth that talks on its own, a wink."""
    blendshapes = np.zeros((T, 52), np.float32)
    blendshapes[:, BROW] = np.linspace(0, 0.9, T)
    blendshapes[:, SMILE] = 0.6
    blendshapes[:, JAW] = 0.4 + 0.3 * np.sin(np.arange(T))
    blendshapes[:, PUCKER] = 0.7
    blendshapes[20:26, arkit.INDEX["eyeBlinkRight"]] = 1
    return blendshapes


def test_the_upper_face_and_the_mood_are_the_drivers_and_the_lips_are_the_speechs(driver, speech, travel):
    face = dubbed(driver, *speech, travel)
    assert np.array_equal(face[:, UPPER_FACE], driver[:, UPPER_FACE])
    assert not face[:, PUCKER].any(), "what the driver said is gone"
    np.testing.assert_allclose(face[10, SMILE], 0.6, atol=1e-5)
    still = driver.copy()
    still[:, JAW] = 0
    assert np.array_equal(face, dubbed(still, *speech, travel))


def test_lips_meet_where_the_speech_says_whatever_the_driver_does(driver, speech, travel):
    driver[:, MOOD] = 1.0
    driver[:, arkit.INDEX["noseSneerLeft"]] = 1.0
    gap = dubbed(driver, *speech, travel) @ travel.parting
    assert gap[28:31].max() < 0.01 < gap[10]


def test_a_word_of_the_drivers_corners_is_no_mood(driver, speech, travel):
    driver[:, SMILE] = 0
    driver[30, SMILE] = 1
    assert dubbed(driver, *speech, travel)[:, SMILE].max() < 0.1


def test_speech_that_is_shorter_leaves_the_mouth_at_rest_and_longer_is_cut(driver, speech, travel):
    talking, contacts = speech
    half = dubbed(driver, talking[:30], LipContacts(contacts.closed[:30], contacts.tucked[:30]), travel)
    whole = dubbed(driver, *speech, travel)
    assert np.array_equal(half[:30], whole[:30]) and not half[30:, JAW].any() and half.shape == whole.shape
    long = np.concatenate([talking, talking]), LipContacts(np.tile(contacts.closed, 2), np.tile(contacts.tucked, 2))
    assert np.array_equal(dubbed(driver, *long, travel), whole)


def test_without_a_rigs_travel_nothing_is_shut_by_measure(driver, speech):
    assert dubbed(driver, *speech, None)[28, JAW] == pytest.approx(0.5)
