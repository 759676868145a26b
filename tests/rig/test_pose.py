"""Poses of a tracked head."""

import numpy as np
import pytest

from talkinghead.rig.pose import STEADY_RAD, steadied

RANDOM = np.random.default_rng(0)
STILL = np.zeros((200, 3), np.float32)


def speed(values: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(values, axis=0), axis=1).mean())


def test_a_trembling_head_is_calmed_and_a_turn_stays_as_quick_as_it_was() -> None:
    tremble = RANDOM.normal(0, STEADY_RAD / 3, STILL.shape).astype(np.float32)
    turn = np.where(np.arange(200) < 100, 0, 0.3)[:, None] * np.array([[0, 1, 0]], np.float32)
    calm, _ = steadied((tremble + turn).astype(np.float32), STILL)
    assert speed((calm - turn)[:100]) < 0.6 * speed(tremble[:100])
    assert np.diff(calm[:, 1])[99] == pytest.approx(0.3, abs=0.01)


def test_a_steady_movement_and_a_single_frame_stay_what_they_are() -> None:
    nod = np.linspace(0, 0.4, 100, dtype=np.float32)[:, None] * np.array([[1, 0, 0]], np.float32)
    rotation, translation = steadied(nod, nod * 0.1)
    assert np.abs(rotation - nod)[4:-4].max() < 1e-5 and np.abs(translation - nod * 0.1)[4:-4].max() < 1e-5
    assert np.array_equal(steadied(nod[5:6], nod[5:6])[0], nod[5:6])
