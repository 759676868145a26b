from pathlib import Path

import numpy as np

from talkinghead import arkit
from talkinghead.motion.lips import (
    FELT_PARTING,
    JAW_OPEN,
    MOUTH_CLOSE,
    NARROWERS,
    SHUT_BEYOND_REST,
    TUCKED_GAP,
    WIDENERS,
    LipContacts,
    LipTravel,
    close_lips,
    open_lips,
    restrain_parting,
    shut_at_rest,
    shut_seen_lips,
    spread_lips,
    touch_lips,
    tuck_lips,
)
from talkinghead.rig.face_rig import FaceRig

FUNNEL = arkit.INDEX["mouthFunnel"]


def travel() -> LipTravel:
    parting, widening = np.zeros(52, np.float32), np.zeros(52, np.float32)
    parting[[JAW_OPEN, MOUTH_CLOSE, FUNNEL, arkit.INDEX["mouthUpperUpLeft"]]] = 0.4, -0.4, 0.15, 0.05
    widening[WIDENERS], widening[NARROWERS], widening[FUNNEL], widening[JAW_OPEN] = 0.1, -0.15, -0.1, -0.05
    return LipTravel(parting, widening)


def faces(high: float = 1.0) -> np.ndarray:
    return np.random.default_rng(2).uniform(0, high, (200, 52)).astype(np.float32)


def test_the_travel_of_the_rig_is_usable_and_a_dead_one_is_not() -> None:
    rig = FaceRig.from_pretrained(Path(__file__).parents[2] / "checkpoints/default/rig")
    there = LipTravel.of_rig(rig.neutral, rig.deltas)
    assert there.is_usable and there.parting[JAW_OPEN] > 0.2 and there.widening[arkit.INDEX["mouthSmileLeft"]] > 0
    mirrored = rig.neutral * np.array([-1, 1, 1]), rig.deltas * np.array([-1, 1, 1])
    assert np.allclose(LipTravel.of_rig(*mirrored).widening, there.widening)
    assert not LipTravel.of_rig(rig.neutral, 0 * rig.deltas).is_usable


def test_lips_open_as_far_as_they_are_told() -> None:
    opening = np.linspace(0, 0.3, 200, dtype=np.float32)
    assert np.allclose(open_lips(faces(0.3), opening, travel()) @ travel().parting, opening, atol=1e-5)


def test_lips_are_as_wide_as_they_are_told_and_what_is_round_gives_way_first() -> None:
    width = np.linspace(-0.12, 0.12, 200, dtype=np.float32)
    spread = spread_lips(faces(0.2), width, travel())
    assert np.allclose(spread @ travel().widening, width, atol=1e-5) and spread.min() >= 0 and spread.max() <= 1
    round_mouth = np.zeros((1, 52), np.float32)
    round_mouth[0, FUNNEL] = 0.5
    wider = spread_lips(round_mouth, np.array([-0.02], np.float32), travel())
    assert wider[0, FUNNEL] < 0.25 and not wider[0, WIDENERS].any()


def test_closed_lips_are_closed_whatever_the_face_does() -> None:
    shut = close_lips(faces(), np.ones(200, np.float32), travel())
    assert (shut @ travel().parting).max() <= 1e-5
    assert shut.min() >= 0 and shut.max() <= 1
    assert np.array_equal(close_lips(shut * 0, np.zeros(200, np.float32), travel()), shut * 0)


def test_a_tucked_lip_leaves_a_slit_under_a_raised_upper_lip() -> None:
    tucked = tuck_lips(faces(), np.ones(200, np.float32), travel())
    assert (tucked @ travel().parting).max() <= TUCKED_GAP + 1e-5
    assert tucked[:, arkit.INDEX["mouthRollLower"]].min() > 0.3 and tucked.min() >= 0 and tucked.max() <= 1
    assert np.allclose(tuck_lips(faces(), np.zeros(200, np.float32), travel()), faces())


def test_lips_that_are_shut_and_tucked_are_shut_and_a_mumble_touches_less() -> None:
    both = LipContacts(np.ones(200, np.float32), np.ones(200, np.float32))
    assert (touch_lips(faces(), both, travel()) @ travel().parting).max() <= 1e-5
    assert both.scaled(2.0).closed.max() == 1 and both.scaled(0.25).tucked.max() == 0.25


def test_an_emotion_parts_the_lips_of_a_talker_a_little_and_of_the_silent_as_it_likes() -> None:
    talking = np.zeros((2, 52), np.float32)
    talking[0, JAW_OPEN] = 0.3
    baring = talking.copy()
    baring[:, [FUNNEL, arkit.INDEX["mouthUpperUpLeft"]]] = 0.8, 0.6
    gap = (restrain_parting(baring, talking, travel()) - talking) @ travel().parting
    assert np.isclose(gap[0], FELT_PARTING, atol=1e-5) and np.isclose(gap[1], 0.8 * 0.15 + 0.6 * 0.05)
    assert np.array_equal(restrain_parting(talking, talking, travel()), talking)


def test_lips_at_rest_are_shut_where_the_portrait_parts_them() -> None:
    spoken, smiling, calm = np.zeros((3, 52), np.float32), np.zeros(52, np.float32), np.zeros(52, np.float32)
    spoken[1:, JAW_OPEN] = 0.03 / 0.4, 0.1 / 0.4
    smiling[JAW_OPEN], calm[JAW_OPEN] = 0.06 / 0.4, 0.02 / 0.4
    gaps = shut_at_rest(spoken, smiling, travel()) @ travel().parting
    np.testing.assert_allclose(gaps, [-SHUT_BEYOND_REST, 0.03, 0.1], atol=1e-6)
    assert shut_at_rest(spoken, calm, travel()) is spoken, "a line between shut lips stays as it is"


def test_lips_that_were_seen_shut_are_shut_and_open_ones_stay_open() -> None:
    seen = np.zeros((200, 52), np.float32)
    parted = np.linspace(-0.02, 0.1, 200, dtype=np.float32)
    seen[:, JAW_OPEN], seen[:, MOUTH_CLOSE] = parted / 0.4 + 0.1, 0.1
    after = shut_seen_lips(seen, travel()) @ travel().parting
    assert (after[parted <= 0.003] <= -SHUT_BEYOND_REST + 1e-5).all(), "shut, or further past rest than speech shuts them"
    assert np.allclose(after[parted >= 0.022], parted[parted >= 0.022], atol=1e-6)
    assert (np.diff(after) > -1e-6).all(), "what opens, opens"
