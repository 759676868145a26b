"""Heads nod down, turn and tilt to the picture's side, lids shut; what is over comes to rest."""

from dataclasses import replace

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.motion.acting import MAX_TURN_RAD, Act, Look, acted, come_to_rest, looking
from talkinghead.motion.listening import MIRRORED, mirrored, nods, over_mood, silence
from talkinghead.types import EMOTIONS, FPS, FaceMotion, SpeechFeatures

STILL = FaceMotion.neutral(75)
HAPPY, ANGRY, FEAR = (EMOTIONS.index(name) for name in ("happy", "angry", "fear"))


@pytest.mark.parametrize(("name", "axis", "sign"), [("nod", 0, 1), ("tilt left", 2, 1), ("tilt right", 2, -1), ("shake", 1, 1)])
def test_each_act_turns_its_own_axis_and_ends(name: str, axis: int, sign: int) -> None:
    turned = acted(STILL, [Act(name, 0.4)]).head_rotation
    assert not np.delete(turned, axis, 1).any() and not turned[:10].any() and np.abs(turned[-1]).max() < 1e-6
    first = turned[np.abs(turned[:, axis]) > 0.02][0, axis]
    assert np.sign(first) == sign and 0.05 < np.abs(turned).max() < 0.2
    assert np.allclose(acted(STILL, [Act(name, 0.4, 2.0)]).head_rotation, 2 * turned, atol=1e-6)


def test_no_blink_of_its_own_comes_near_a_wink() -> None:
    """It would drown in it; what an expression does to the lids stays."""
    left, right = (arkit.INDEX[f"eyeBlink{side}"] for side in ("Left", "Right"))
    motion = replace(STILL, blendshapes=STILL.blendshapes.copy())
    motion.blendshapes[:, [left, right]] = 0.1
    for frame in (6, 40):
        motion.blendshapes[frame : frame + 5, [left, right]] = 1
    lids = acted(motion, [Act("wink left", 0.4)]).blendshapes[:, [left, right]]
    assert lids[:30, 0].max() < 0.3 and lids[:30, 1].max() > 0.9
    assert np.array_equal(lids[38:], motion.blendshapes[38:, [left, right]])
    assert lids[0] == pytest.approx([0.1, 0.1])


def test_winks_shut_one_lid_and_blinks_both() -> None:
    left, right = arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]
    wink = acted(STILL, [Act("wink left", 0.4)]).blendshapes
    assert wink[:, right].max() > 0.9 and not wink[:, left].any()  # the picture's left is the subject's right
    blink = acted(STILL, [Act("blink", 0.4)]).blendshapes
    assert np.array_equal(blink[:, left], blink[:, right]) and blink[:, left].max() > 0.9 and not blink[-1].any()


def test_an_act_that_there_is_not() -> None:
    with pytest.raises(MotionError, match="act 'jump' is unknown; choose from blink, nod"):
        acted(STILL, [Act("jump", 0.0)])


def test_eyes_go_first_and_the_head_follows_a_part_of_the_way() -> None:
    seen = looking(STILL, [Look(1.0, 0.3, -0.1)])
    frame = round(1.12 * FPS)
    assert seen.gaze[frame, 0] > 0.25 and 0 < seen.head_rotation[frame, 1] < 0.06
    assert seen.gaze[-1, 0] + seen.head_rotation[-1, 1] == pytest.approx(0.3)
    assert seen.gaze[-1, 1] - seen.head_rotation[-1, 0] == pytest.approx(-0.1)
    assert seen.head_rotation[-1, 1] <= MAX_TURN_RAD and not seen.gaze[:20].any()
    assert seen.blendshapes[-1, arkit.INDEX["eyeLookOutLeft"]] == pytest.approx(seen.gaze[-1, 0] / arkit.EYE_LOOK_YAW_RAD)


def test_a_motion_comes_to_rest_and_keeps_its_face() -> None:
    random = np.random.default_rng(0)
    wild = FaceMotion(
        random.uniform(0, 0.5, (75, 52)).astype(np.float32),
        *(random.normal(0, 0.05, (75, width)).astype(np.float32) for width in (3, 3, 2)),
    )
    rest = come_to_rest(wild)
    assert not rest.head_rotation[-1].any() and not rest.gaze[-1].any() and not rest.head_translation[-1].any()
    assert np.array_equal(rest.head_rotation[:55], wild.head_rotation[:55])
    jaw = arkit.INDEX["jawOpen"]
    assert np.array_equal(rest.blendshapes[:, jaw], wild.blendshapes[:, jaw])
    assert not rest.blendshapes[-1, [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]].any()


def test_joy_is_mirrored_later_and_less_and_anger_is_feared() -> None:
    felt = np.zeros((50, 3, 8), np.float32)
    felt[:, :, HAPPY] = 0.8
    shown = mirrored(felt)
    assert not shown[:12].any() and shown[-1, 0, HAPPY] == pytest.approx(0.8 * MIRRORED["happy"][1])
    felt[:] = 0
    felt[:, :, ANGRY] = 1
    shown = mirrored(felt)
    assert not shown[:, :, ANGRY].any() and 0 < shown[-1, 0, FEAR] < 0.3
    mood = np.zeros((3, 8), np.float32)
    mood[:, HAPPY] = 1
    assert np.allclose(over_mood(shown, mood).sum(-1), 1)


def test_listeners_nod_after_phrases_and_not_all_the_time() -> None:
    ends = [1.0, 2.0, 4.0, 4.5, 8.0, 12.0]
    counts = [len(nods(ends, seed)) for seed in range(40)]
    assert 1 < np.mean(counts) < 4 and nods(ends, 3) == nods(ends, 3)
    for act in nods(ends, 1):
        assert any(0 < act.start_s - end_s < 0.5 for end_s in ends) and act.strength < 0.8


def test_silence_is_as_long_as_wanted() -> None:
    short = SpeechFeatures(np.arange(12, dtype=np.float32).reshape(4, 3), np.full(4, -90, np.float32))
    long = silence(short, 30)
    assert len(long) == 30 and np.array_equal(long.content, np.repeat(short.content[2:3], 30, 0)) and long.voice is None
