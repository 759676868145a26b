from pathlib import Path

import numpy as np
import pytest

from talkinghead.evaluation.adaptation import OWN, REAL, WITHOUT, Part, _of_another, _people, _table, adaptation_tables
from talkinghead.evaluation.clips import HeldOut, TalkingClip
from talkinghead.evaluation.correlation import LAGS, Correlated
from talkinghead.motion.style import Habits, SpeakingStyle
from talkinghead.types import FPS, Audio


def held_out(**people):
    """identity=[(file, seconds) ...] -> clips without anything in them."""
    held = HeldOut.__new__(HeldOut)
    held.__dict__["clips"] = [
        TalkingClip(
            file, Path(file).parts[1], identity, Audio(np.zeros(0, np.float32)), np.zeros((seconds * FPS, 1, 3), np.float32)
        )
        for identity, clips in people.items()
        for file, seconds in clips
    ]
    return held


def test_people_are_measured_where_enough_is_left_to_learn_from():
    people = _people(
        held_out(
            long=[("eval/a/one.mp4", 21)],
            short=[("eval/a/two.mp4", 19)],
            pair=[("eval/a/three.mp4", 12), ("eval/a/four.mp4", 11)],
            uneven=[("eval/a/five.mp4", 30), ("eval/a/six.mp4", 5)],
        )
    )
    assert set(people) == {"long", "pair"}
    assert people["long"] == [Part(0, slice(0, 262), "a"), Part(0, slice(262, 525), "b")]
    assert [(part.clip, part.fold) for part in people["pair"]] == [(2, "three"), (3, "four")]


def test_takes_of_one_sentence_are_of_one_fold():
    clips = [(f"eval/javanese_emotion/01-0{sentence}-0{mood}_01.mp4", 6) for sentence in (1, 2) for mood in (1, 2)]
    assert [part.fold for part in _people(held_out(ana=clips))["ana"]] == ["01", "01", "02", "02"]


def test_the_control_is_another_person_of_the_same_source():
    clips = {"ana": [("eval/a/1.mp4", 30)], "bo": [("eval/b/2.mp4", 30)], "cy": [("eval/a/3.mp4", 30)]}
    styles = {
        (who, fold): SpeakingStyle.of(np.ones((2, 3, 3), np.float32), np.zeros(2), np.ones(2), Habits(who, 10.0))
        for who in clips
        for fold in "xy"
    }
    held = held_out(**clips)
    for who, other in (("ana", "cy"), ("cy", "ana"), ("bo", "cy")):
        style = _of_another(held, styles, who)
        assert style is not None and style.habits.articulator == other
    assert _of_another(held, {("ana", "x"): styles["ana", "x"]}, "ana") is None


def test_the_table_gives_each_person_a_vote_and_every_row_the_offset_of_the_first():
    def found(identity, r, lag):
        values = np.zeros(2 * LAGS + 1, np.float32)
        values[LAGS + lag] = r
        return Correlated(f"{identity}.mp4", "a", identity, values)

    correlated = {
        "opening": {
            WITHOUT: [found("ana", 0.5, 3), found("ana", 0.7, 3), found("bo", 0.4, 3)],
            OWN: [found("ana", 0.9, 3), found("ana", 0.9, 3), found("bo", 0.9, -3)],
        }
    }
    spread = {"opening": {WITHOUT: [np.log(0.5), np.log(0.5), np.log(2)], OWN: [0.0, 0.0, 0.0]}}
    rows = _table(correlated, spread, "opening").rows
    assert rows[WITHOUT]["all"] == pytest.approx(0.5) and rows[WITHOUT]["ana"] == pytest.approx(0.6)
    assert rows[WITHOUT]["spread"] == pytest.approx(1) and rows[WITHOUT]["people"] == 2
    # What is right at another moment than the source's own is not right.
    assert rows[OWN]["ana"] == pytest.approx(0.9) and rows[OWN]["bo"] == pytest.approx(0)
    assert rows[REAL]["all"] == 1


def test_nobody_to_measure_gives_tables_without_rows():
    tables = adaptation_tables(held_out(short=[("eval/a/one.mp4", 5)]))
    assert [table.rows for table in tables] == [{}, {}]
    assert "10 s are left to learn from" in tables[0].markdown()
