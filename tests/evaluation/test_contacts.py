from collections import defaultdict

import numpy as np
import pytest

from talkinghead.evaluation.contacts import (
    RAISED,
    TimedWord,
    add_closures,
    add_labiodentals,
    lip_gap,
    lower_lip_height,
    parts,
    reaches,
    timed_words,
)


def test_the_gap_is_a_part_of_the_mouths_width_and_knows_no_depth():
    points = np.zeros((1, 478, 3), np.float32)
    points[0, 61], points[0, 291] = (-2, -4, 0), (2, -4, 0)
    points[0, [81, 82, 13, 312, 311], 1] = -3.5
    points[0, [178, 87, 14, 317, 402], 1] = -4.5
    assert lip_gap(points)[0] == pytest.approx(1 / 4)
    points[0, [178, 87, 14, 317, 402], 2] = 9
    assert lip_gap(points * 7)[0] == pytest.approx(1 / 4)


def test_a_contact_counts_between_its_times_and_nowhere_else():
    curve = np.ones(50, np.float32)
    curve[20] = 0.01
    assert reaches(curve, 0.7, 0.9, 0.035)
    assert not reaches(curve, 0.9, 1.2, 0.035)
    assert not reaches(curve, 0.7, 0.9, 0.005)
    curve[20] = np.nan
    assert not reaches(curve, 0.7, 0.9, 0.035)
    assert not reaches(curve, 5.0, 5.2, 2.0)


def test_words_are_read_by_clip(tmp_path):
    (tmp_path / "words.tsv").write_text("clip\tstart_s\tend_s\tword\na.mp4\t0.3\t0.5\tbin\nb\t0\t1\tsil\n")
    words = timed_words(tmp_path / "words.tsv")
    assert [(w.text, w.start_s, w.end_s) for w in words["a"]] == [("bin", 0.3, 0.5)] and set(words) == {"a", "b"}


def _mouth(lower, upper=0.0, frames=30):
    """Lips at these heights under the nose, (frames, 478, 3); the eyes 10 apart, the mouth 8 wide."""
    points = np.zeros((frames, 478, 3), np.float32)
    points[:, 33, 0], points[:, 263, 0] = -5, 5
    points[:, 61, 0], points[:, 291, 0] = -4, 4
    points[:, 2, 1] = -3
    points[:, [81, 82, 13, 312, 311], 1] = upper
    points[:, [178, 87, 14, 317, 402], 1] = lower
    return points


def test_the_lower_lip_is_at_the_teeth_when_it_is_as_high_as_in_shut_lips():
    points = _mouth(lower=2.0)
    points[5:10] = _mouth(lower=0.0, frames=5)  # shut
    points[20] = _mouth(lower=-0.3, upper=-0.8, frames=1)[0]  # tucked up, the upper lip raised off it
    height = lower_lip_height(points)
    assert height[7] == pytest.approx(1)
    assert height[20] < 1 < RAISED[0] < height[15]
    assert lip_gap(points)[20] > 0.06, "the lips do not meet, and yet it is a labiodental"
    assert lower_lip_height(points * 3) == pytest.approx(height)
    # Without shut lips the narrowest frames say where they would be.
    assert lower_lip_height(_mouth(lower=2.0))[0] == pytest.approx(1)


def test_a_labiodental_is_asked_of_f_and_v_and_a_closure_of_p_b_m():
    words = [TimedWord("four", 0.4, 0.6), TimedWord("nine", 0.8, 1.0), TimedWord("bin", 1.2, 1.4), TimedWord("m", 1.6, 1.7)]
    curve = np.full(50, 2.0, np.float32)
    curve[10] = 0.99
    curve[30] = 0.0
    hits = {"labiodental": defaultdict(list), "closure": defaultdict(list)}
    add_labiodentals(hits["labiodental"], curve, words)
    add_closures(hits["closure"], curve, words)
    rows = parts(hits)
    assert rows["labiodental"]["at f and v, within 1"] == 1 and rows["labiodental"]["at others, within 1.055"] == 0
    assert rows["labiodental"]["f and v"] == rows["labiodental"]["others"] == 1
    assert rows["closure"] == {"gap under 0.035": 1, "gap under 0.06": 1, "words": 1}
