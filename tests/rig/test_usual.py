"""What of a portrait's expression stays when its owner is calm."""

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.usual import on_usual_look, usual_look, with_lips_from, with_lips_to, with_meeting_lips


def face(**shown):
    coefficients = np.zeros(52, np.float32)
    for name, value in shown.items():
        coefficients[arkit.INDEX[name]] = value
    return coefficients


def value(coefficients, name):
    return float(coefficients[arkit.INDEX[name]])


def test_lids_and_brows_stay_in_part_and_the_mouth_goes():
    shown = face(eyeSquintLeft=0.5, browDownLeft=0.3, browOuterUpRight=0.2, mouthSmileLeft=0.9, jawOpen=0.3)
    usual = usual_look(shown)
    for name in ("eyeSquintLeft", "browDownLeft", "browOuterUpRight"):
        assert 0 < value(usual, name) < value(shown, name)
    assert value(usual, "mouthSmileLeft") == value(usual, "jawOpen") == 0


def test_a_picture_of_strong_emotion_is_not_its_owners_usual_look():
    usual = usual_look(face(browInnerUp=1.0, browOuterUpLeft=1.0, browOuterUpRight=1.0))
    assert usual.max() <= 0.4


def test_what_is_asked_counts_from_the_usual_look_and_full_stays_full():
    shown = face(browDownLeft=0.4, browDownRight=0.4)
    asked = np.stack([face(), face(browDownLeft=0.5), face(browDownLeft=1.0)])
    left = on_usual_look(asked, shown)[:, arkit.INDEX["browDownLeft"]]
    assert 0 < left[0] < 0.5 < left[1] < left[2] == 1
    assert np.array_equal(asked[0], face()), "what was asked is not changed"


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("browDownLeft", "browInnerUp"),
        ("browDownRight", "browOuterUpRight"), ("browInnerUp", "browDownLeft"),
    ],
)  # fmt: skip
def test_it_gives_way_to_its_opposite_on_its_own_side(kept, asked):
    shown = face(**{kept: 0.3})
    assert value(on_usual_look(face(**{asked: 1.0})[None], shown)[0], kept) == 0
    assert value(on_usual_look(face()[None], shown)[0], kept) > 0


def test_it_does_not_give_way_to_the_other_side():
    other = on_usual_look(face(browOuterUpRight=1.0)[None], face(browDownLeft=0.5))[0]
    assert value(other, "browDownLeft") > 0


def test_narrow_eyes_that_widen_stay_narrower_than_others():
    other = on_usual_look(face(eyeWideLeft=1.0)[None], face(eyeSquintLeft=0.5))[0]
    assert value(other, "eyeSquintLeft") > 0 and value(other, "eyeWideLeft") == 1


def test_heavy_lids_stay_whole():
    assert value(usual_look(face(eyeBlinkLeft=0.2, eyeBlinkRight=0.15)), "eyeBlinkLeft") == pytest.approx(0.2)


@pytest.mark.parametrize(("left", "right"), [(0.9, 0.9), (0.65, 0.6), (1.0, 0.0)])
def test_who_is_caught_in_a_blink_or_a_wink_is_awake(left, right):
    usual = usual_look(face(eyeBlinkLeft=left, eyeBlinkRight=right))
    assert max(value(usual, "eyeBlinkLeft"), value(usual, "eyeBlinkRight")) < 0.05


@pytest.fixture(scope="module")
def rig(root):
    return FaceRig.from_pretrained(root / "checkpoints/default/rig")


def lip_gap(rig, blendshapes, shape):
    points = rig.express(blendshapes, np.zeros((len(blendshapes), 2), np.float32), shape)
    return np.linalg.norm(points[:, 13] - points[:, 14], axis=-1) / np.linalg.norm(points[:, 33] - points[:, 263], axis=-1)


def test_lips_that_the_fit_left_apart_meet_where_the_rigs_do(rig):
    apart = rig.neutral + 0.08 * rig.deltas[arkit.INDEX["jawOpen"]]
    speech = np.stack([face(), face(jawOpen=0.1), face(jawOpen=0.3), face(mouthSmileLeft=0.5, mouthSmileRight=0.5)])
    own, theirs = lip_gap(rig, speech, rig.neutral), lip_gap(rig, speech, apart)
    assert (theirs > own + 0.02).all()
    np.testing.assert_allclose(lip_gap(rig, with_meeting_lips(speech, apart), apart), own, atol=0.005)


def test_a_lip_that_stands_before_the_other_parts_nothing(rig):
    speech = np.stack([face(), face(jawOpen=0.2)])
    eyes = np.linalg.norm(rig.neutral[33] - rig.neutral[263])
    overbite = rig.neutral.copy()
    overbite[13, 2] += 0.03 * eyes
    np.testing.assert_allclose(with_meeting_lips(speech, overbite), speech, atol=1e-3)


def test_lips_that_meet_are_left_alone(rig):
    speech = np.stack([face(), face(jawOpen=0.3, mouthClose=0.2)])
    np.testing.assert_allclose(with_meeting_lips(speech, rig.neutral), speech, atol=1e-3)
    tight = rig.neutral.copy()
    tight[13] = tight[14]
    assert np.array_equal(with_meeting_lips(speech, tight), speech)
    wide = rig.neutral + rig.deltas[arkit.INDEX["jawOpen"]]
    assert with_meeting_lips(speech, wide).max() == 1, "it is a blendshape still"


def test_what_shuts_one_persons_lips_shuts_anothers(rig):
    """A driver's neutral lips may be nearer than the rig's, a portrait's further apart."""
    jaw = rig.deltas[arkit.INDEX["jawOpen"]]
    shut = [face(mouthClose=0.2), face(jawOpen=0.1, mouthClose=0.2), face(jawOpen=0.3, mouthClose=0.1)]
    performance = np.stack([*shut, face(), face(jawOpen=0.05)])
    for driver, portrait in ((-0.02, 0.08), (0.06, -0.02), (-0.02, -0.02), (0.06, 0.06), (0.15, 0.15), (0.15, 0.0)):
        theirs, others = rig.neutral + driver * jaw, rig.neutral + portrait * jaw
        asked = lip_height(rig, performance, theirs)
        on_rig = with_lips_from(performance, theirs)
        np.testing.assert_allclose(lip_height(rig, on_rig, rig.neutral), asked, atol=0.004)
        np.testing.assert_allclose(lip_height(rig, with_lips_to(on_rig, others), others), asked, atol=0.004)
    assert abs(lip_height(rig, performance, rig.neutral + 0.08 * jaw) - lip_height(rig, performance, rig.neutral)).min() > 0.02


def lip_height(rig, blendshapes, shape):
    points = rig.express(blendshapes, np.zeros((len(blendshapes), 2), np.float32), shape)
    return (points[:, 13, 1] - points[:, 14, 1]) / np.linalg.norm(points[:, 33] - points[:, 263], axis=-1)
