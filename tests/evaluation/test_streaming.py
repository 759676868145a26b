import numpy as np
import pytest

from talkinghead.evaluation.streaming import trembling


def test_trembling_is_the_power_above_8_hz() -> None:
    time = np.arange(200) / 25
    slow, fast = np.sin(2 * np.pi * 3 * time), np.sin(2 * np.pi * 10 * time)
    assert trembling(slow) < 0.01 * trembling(fast)
    assert trembling(2 * fast) == pytest.approx(4 * trembling(fast))
    assert trembling(slow + 0.5 * fast) == pytest.approx(0.25 * 0.5, rel=0.1)
    assert np.isnan(trembling(fast[:30])) and np.isnan(trembling(np.r_[fast, np.nan]))
