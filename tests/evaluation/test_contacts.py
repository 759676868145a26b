import numpy as np
import pytest

from talkinghead.evaluation.contacts import lip_gap, reaches, timed_words


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
