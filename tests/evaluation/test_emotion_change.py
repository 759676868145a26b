import numpy as np
import pytest

from talkinghead.errors import InputError
from talkinghead.evaluation.emotion_change import change_point, shown, splices
from talkinghead.types import EMOTIONS, NEUTRAL, EmotionTrack

SAD = EMOTIONS.index("sad")


@pytest.mark.parametrize("change", [25, 60, 110, 175])
def test_the_change_of_a_noisy_track_is_where_it_was_made(change: int) -> None:
    noise = np.random.default_rng(change).normal(0, 0.1, (200, 8))
    felt = np.zeros((200, 8)) + noise
    felt[:change, SAD] += 1
    felt[change:, NEUTRAL] += 1
    assert abs(change_point(felt.astype(np.float32)) - change) <= 1


def test_what_is_shown_sums_to_one_and_a_faint_emotion_is_mostly_neutral() -> None:
    weights = np.zeros((2, 8), np.float32)
    weights[:, SAD] = 1
    felt = shown(EmotionTrack(weights, np.array([0.1, 1.0], np.float32)))
    assert felt.sum(1) == pytest.approx(1) and felt[0, NEUTRAL] == pytest.approx(0.9) and felt[1, SAD] == 1


def test_a_folder_without_recordings_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match="holds none of the recordings prepared"):
        next(splices(tmp_path, tmp_path, 5, 1, 0))
