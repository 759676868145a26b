import numpy as np
import pytest

from talkinghead.evaluation.correlation import (
    LAGS,
    Correlated,
    best_correlation,
    best_within,
    lag_correlations,
    mean_by_talker,
    source_offset,
    source_offsets,
)


def curve(length=100, seed=0):
    return np.convolve(np.random.default_rng(seed).normal(size=length + 4), np.ones(5) / 5, "valid").astype(np.float32)


def late_by(frames, seed=0, length=100):
    """(generated, real): the generated curve says everything that many frames later."""
    whole = curve(length + 20, seed)
    return whole[10 - frames : 10 - frames + length], whole[10 : 10 + length]


@pytest.mark.parametrize("frames", [-7, -3, 0, 1, 6])
def test_the_lag_of_the_highest_r_is_by_how_much_the_generated_curve_is_late(frames):
    found = lag_correlations(*late_by(frames))
    assert len(found) == 2 * LAGS + 1
    assert int(found.argmax()) - LAGS == frames and found.max() == pytest.approx(1, abs=1e-5)


def test_a_curve_shifted_by_two_frames_still_correlates_and_by_five_does_not():
    assert best_correlation(*late_by(2)) == pytest.approx(1, abs=1e-5)
    assert best_correlation(*late_by(-2)) == pytest.approx(1, abs=1e-5)
    assert best_correlation(*late_by(5)) < 0.6


def test_frames_without_a_face_are_left_out():
    generated, real = curve(), curve()
    real[20:30] = np.nan
    assert best_correlation(generated, real) == pytest.approx(1, abs=1e-5)


def test_lips_that_do_not_move_score_nothing_and_a_talker_who_does_not_is_no_vote():
    assert best_correlation(np.zeros(50, np.float32), curve(50)) == 0
    assert np.isnan(best_correlation(curve(50), np.zeros(50, np.float32)))
    assert np.isnan(best_correlation(curve(8), curve(8)))
    assert np.isnan(lag_correlations(curve(3), curve(3))).all()


def test_the_offset_of_a_source_is_the_lag_that_most_of_its_clips_agree_on():
    clips = [lag_correlations(*late_by(frames, seed)) for seed, frames in enumerate((3, 3, 2, 4, 3))]
    assert source_offset(clips) == 3
    assert source_offset([np.full(2 * LAGS + 1, np.nan, np.float32)]) == 0
    # Beyond five frames nothing is an offset: a clip that is seven late is put where it fits best within five.
    assert abs(source_offset([lag_correlations(*late_by(7))])) <= 5


def test_a_clip_may_lie_two_frames_beside_its_source_and_not_four():
    clips = [Correlated("f", "a", str(seed), lag_correlations(*late_by(3, seed))) for seed in range(4)]
    near, far = (Correlated("f", "a", "x", lag_correlations(*late_by(lag, 9))) for lag in (5, -1))
    (offset,) = source_offsets([*clips, near, far]).values()
    assert offset == 3
    assert best_within(near.correlations, offset, 2) == pytest.approx(1, abs=1e-5)
    assert best_within(far.correlations, offset, 2) < 0.9


def test_a_talker_has_one_vote_however_many_clips_and_grid_is_not_in_the_wild():
    nothing = np.zeros(1, np.float32)
    scores = {("talkvid", "a"): [1.0, 0.0], ("talkvid", "b"): [1.0], ("grid_others", "c"): [0.8], ("javanese", "d"): [0.1]}
    clips = [Correlated("f", *who, nothing) for who, values in scores.items() for _ in values]
    values = iter([value for values in scores.values() for value in values])
    row = mean_by_talker(clips, lambda _: next(values))
    assert row["wild"] == row["talkvid"] == pytest.approx(0.75)
    assert row["GRID others"] == pytest.approx(0.8)
    assert row["all but GRID"] == pytest.approx((0.5 + 1 + 0.1) / 3)
    assert row["all"] == pytest.approx((0.5 + 1 + 0.8 + 0.1) / 4) and row["talkers"] == 4


def test_a_clip_with_nothing_to_compare_is_no_vote():
    row = mean_by_talker([Correlated("f", "a", "a", np.zeros(1, np.float32))], lambda _: float("nan"))
    assert row["talkers"] == 0 and np.isnan(row["all"])
