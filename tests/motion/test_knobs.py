import pytest

from talkinghead.errors import MotionError
from talkinghead.motion.knobs import STRENGTHS, BlinkRate, MotionKnobs


@pytest.mark.parametrize("knob", STRENGTHS)
def test_strengths_go_from_0_to_2(knob: str) -> None:
    assert MotionKnobs.of(**{knob: 2}) and MotionKnobs.of(**{knob: 0.0})
    for value in (-0.1, 2.1, float("nan"), "much", None, True):
        with pytest.raises(MotionError, match=rf"^{knob} is .*: out of range; give 0 to 2, 1 is natural\.$"):
            MotionKnobs.of(**{knob: value})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, BlinkRate()),
        (20, BlinkRate(per_minute=20)),
        ("12.5", BlinkRate(per_minute=12.5)),
        ("off", BlinkRate(per_minute=0)),
        ("1.5x", BlinkRate(factor=1.5)),
        ("2.4s, 0.8s", BlinkRate(times_s=(0.8, 2.4))),
        ("3s", BlinkRate(times_s=(3.0,))),
    ],
)
def test_blinks_a_minute_times_as_often_at_times_or_off(given: float | str | None, meant: BlinkRate) -> None:
    assert MotionKnobs(blink_rate=given).blinks == meant


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (61, "blink_rate is 61: out of range; give 0 to 60 blinks a minute"),
        ("-1", "blink_rate is -1: out of range; give 0 to 60"),
        ("3x", "blink_rate is 3x: out of range; give 0x to 2x"),
        ("often", r"blink_rate is often: not understood; give 20 \(a minute\), 1.5x .*, 0.8s,2.4s .* or off"),
        ("1s,2", "blink_rate is 1s,2: not understood"),
        ("-1s", "blink_rate is -1s: not understood"),
        ("nan", "blink_rate is nan: not understood"),
        ("", "blink_rate is : not understood"),
    ],
)
def test_other_blinks(given: float | str, message: str) -> None:
    with pytest.raises(MotionError, match=message):
        MotionKnobs(blink_rate=given)


def test_gaze() -> None:
    assert MotionKnobs().look_deg is None and MotionKnobs(gaze="camera").look_deg == (0, 0)
    assert MotionKnobs(gaze="10, -5").look_deg == (10, -5)
    for gaze, message in (
        ("left", "gaze is left: not understood; give camera, natural, or degrees"),
        ("1", "not understood"),
        ("1,2,3", "not understood"),
        ("nan,0", "not understood"),
        ("40,0", "at most 30 degrees to a side and 20"),
    ):
        with pytest.raises(MotionError, match=message):
            MotionKnobs(gaze=gaze)


def test_an_unknown_knob_lists_those_there_are() -> None:
    with pytest.raises(MotionError, match="nod: no such knob; choose from head_motion, blink_rate, gaze, lip_strength"):
        MotionKnobs.of(nod=1)
