"""Blinks that a tracker saw in part are whole on another face."""

from dataclasses import replace

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.rig.blinks import with_whole_blinks
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import FittedFace
from talkinghead.types import FaceMotion

RIGHT, LEFT = arkit.INDEX["eyeBlinkRight"], arkit.INDEX["eyeBlinkLeft"]
SQUINT = [arkit.INDEX["eyeSquintRight"], arkit.INDEX["eyeSquintLeft"]]


@pytest.fixture(scope="module")
def rig(root):
    return FaceRig.from_pretrained(root / "checkpoints/default/rig")


@pytest.fixture(scope="module")
def face(rig):
    zero = np.zeros(3, np.float32)
    return FittedFace(rig.neutral, zero, zero[:2], zero, 1000.0, zero[:2], np.ones(2, np.float32))


def performance(right, left, squint=0.0):
    """30 frames with open eyes, but for the tenth to the twelfth."""
    motion = FaceMotion.neutral(30)
    motion.blendshapes[10:13, RIGHT], motion.blendshapes[10:13, LEFT] = right, left
    motion.blendshapes[10:13, SQUINT] = squint
    return replace(motion, is_seen=True)


def test_a_blink_that_was_seen_in_part_is_whole_and_of_both_eyes(rig, face):
    whole = with_whole_blinks(performance(0.9, 0.7), face, rig)
    np.testing.assert_allclose(whole[10:13][:, [RIGHT, LEFT]], 1, atol=0.02)
    assert not whole[:10].any() and not whole[13:].any()


def test_a_squint_does_its_part_of_a_blink(rig, face):
    """Which eyes that shut so are not says what of them is a blink."""
    alone, squinted = (with_whole_blinks(performance(0.55, 0.55, squint), face, rig) for squint in (0.0, 0.6))
    assert squinted[11, RIGHT] > alone[11, RIGHT] + 0.1


def test_lids_that_are_lowered_stay_lowered_and_a_wink_a_wink(rig, face):
    lowered = performance(0.4, 0.4)
    np.testing.assert_array_equal(with_whole_blinks(lowered, face, rig), lowered.blendshapes)
    wink = with_whole_blinks(performance(0.9, 0.2), face, rig)
    assert wink[11, RIGHT] > 0.98 and wink[11, LEFT] == np.float32(0.2)


def test_a_wink_is_a_wink_from_its_first_frame_to_its_last(rig, face):
    winking = performance(0, 0)
    right = [0.3, 0.6, 0.72, 0.78, 0.82, 0.86, 0.9, 0.95, 0.7, 0.3]
    left = [0.1, 0.2, 0.25, 0.3, 0.3, 0.3, 0.3, 0.25, 0.2, 0.1]
    winking.blendshapes[8:18, RIGHT], winking.blendshapes[8:18, LEFT] = right, left
    whole = with_whole_blinks(winking, face, rig)
    np.testing.assert_array_equal(whole[:, LEFT], winking.blendshapes[:, LEFT])
    assert whole[15, RIGHT] > 0.98


def test_who_reads_or_laughs_has_open_eyes(rig, face):
    for squint, blink, pitch in ((0.0, 0.4, -0.4), (1.0, 0.3, 0.0)):
        motion = FaceMotion.neutral(120)
        lowered = np.s_[40:70]
        motion.blendshapes[lowered, RIGHT] = motion.blendshapes[lowered, LEFT] = blink
        motion.blendshapes[lowered, SQUINT[0]] = motion.blendshapes[lowered, SQUINT[1]] = squint
        motion.gaze[lowered, 1] = pitch
        assert with_whole_blinks(motion, face, rig)[:, RIGHT].max() < blink + 0.15


def test_a_person_with_other_lids_shuts_them_by_their_own_travel(rig, face):
    """Whose lids travel further are shut by less."""
    far = replace(face, lid_scale=np.full(2, 1.5, np.float32))
    seen = performance(0.5, 0.5)
    own, others = (with_whole_blinks(seen, one, rig)[11, RIGHT] for one in (face, far))
    assert own == np.float32(0.5) and others > 0.8


def test_eyes_that_are_always_narrow_do_not_blink(rig, face):
    laughing = replace(performance(0.6, 0.6), blendshapes=np.tile(performance(0.6, 0.6, 0.5).blendshapes[11], (30, 1)))
    np.testing.assert_array_equal(with_whole_blinks(laughing, face, rig), laughing.blendshapes)


def test_who_sleeps_sleeps(rig, face):
    """A tracker trembles: the eyes neither open and shut with it, nor are they open."""
    asleep = replace(performance(0, 0), blendshapes=np.zeros((30, 52), np.float32))
    tremble = np.random.default_rng(3).uniform(-0.03, 0.03, (30, 2)).astype(np.float32)
    asleep.blendshapes[:, [RIGHT, LEFT]] = 0.93 + tremble
    whole = with_whole_blinks(asleep, face, rig)[:, [RIGHT, LEFT]]
    assert whole.min() > 0.95 and whole.std() < tremble.std()
