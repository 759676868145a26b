import numpy as np

from talkinghead.motion.ridge import RidgeSums, with_neighbours


def rows(num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).standard_normal((num_rows, 6)).astype(np.float32) * np.arange(1, 7, dtype=np.float32)
    return x, (x @ np.arange(12).reshape(6, 2) + 3).astype(np.float32)


def test_a_linear_map_is_found_again() -> None:
    sums = RidgeSums.zeros(6, 2)
    for seed in range(3):
        sums.add(*rows(200, seed))
    weights, bias = sums.solve(penalty=1e-6)
    assert np.allclose(weights, np.arange(12).reshape(6, 2), atol=1e-2) and np.allclose(bias, 3, atol=1e-2)


def test_a_strong_penalty_leaves_the_mean() -> None:
    sums = RidgeSums.zeros(6, 2)
    x, y = rows(300, 0)
    sums.add(x, y)
    weights, bias = sums.solve(penalty=1e9)
    assert np.abs(weights).max() < 1e-3 and np.allclose(bias, y.mean(0), atol=1e-2)


def test_mixing_weighs_groups_and_not_rows() -> None:
    many, few = RidgeSums.zeros(6, 2), RidgeSums.zeros(6, 2)
    many.add(*rows(1000, 0))
    few.add(*rows(10, 1))
    mixed = many.mixed(0.25, few)
    assert np.allclose(mixed.totals, 0.25 * many.totals / 1000 + 0.75 * few.totals / 10)
    assert many.mixed(0.25, RidgeSums.zeros(6, 2)) is many


def test_neighbours_repeat_at_the_ends() -> None:
    stacked = with_neighbours(np.array([[1.0], [2.0], [3.0]], np.float32))
    assert stacked.tolist() == [[1, 1, 2], [1, 2, 3], [2, 3, 3]]
