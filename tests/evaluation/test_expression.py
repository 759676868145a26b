from dataclasses import replace

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.evaluation.expression import FELT, SIGNS, _rising, displacement, is_same
from talkinghead.rig.face_rig import FaceRig
from talkinghead.types import EMOTIONS, FaceMotion


@pytest.fixture(scope="module")
def rig(root):
    return FaceRig.from_pretrained(root / "checkpoints/default/rig")


def test_seven_emotions_have_signs_that_are_arkits():
    assert set(FELT) == set(SIGNS) == set(EMOTIONS) - {"neutral"}
    assert {name for names in SIGNS.values() for name in names} <= set(arkit.BLENDSHAPES)


def test_a_smile_twice_as_wide_is_twice_as_far_from_neutral_and_a_turned_head_is_no_expression(rig):
    neutral, smile, wide = FaceMotion.neutral(5), FaceMotion.neutral(5), FaceMotion.neutral(5)
    for motion, value in ((smile, 0.3), (wide, 0.6)):
        motion.blendshapes[:, [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]] = value
    assert displacement(rig, neutral, neutral) == 0
    assert displacement(rig, smile, neutral) > 0.5
    assert displacement(rig, wide, neutral) == pytest.approx(2 * displacement(rig, smile, neutral), rel=1e-3)
    turned = replace(smile, head_rotation=np.full((5, 3), 0.2, np.float32))
    assert displacement(rig, turned, neutral) == pytest.approx(displacement(rig, smile, neutral), rel=1e-5)


def test_one_bit_in_any_part_of_a_motion_is_a_difference():
    assert is_same(FaceMotion.neutral(3), FaceMotion.neutral(3))
    for name in ("blendshapes", "head_rotation", "head_translation", "gaze"):
        other = FaceMotion.neutral(3)
        getattr(other, name)[1, 0] = 1e-7
        assert not is_same(FaceMotion.neutral(3), other), name


def test_a_step_that_falls_back_is_seen():
    assert _rising([k / 10 for k in range(11)])["smallest step"] == pytest.approx(0.1)
    assert _rising([0, 1, 2, 3, 4, 3.5, 6, 7, 8, 9, 10])["smallest step"] == pytest.approx(-0.5)
