"""What goes together and how: labels, regions, prompts, affect, references and timelines as one track."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talkinghead.emotion.track import EmotionRequest, emotion_track, is_neutral, requested_track
from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS, EmotionTrack

HAPPY, ANGRY, SAD = (EMOTIONS.index(name) for name in ("happy", "angry", "sad"))
BROW, EYES, MOUTH = range(3)


def read_a_smile(path: Path) -> np.ndarray:
    smile = np.zeros((3, 3, 8), np.float32)
    smile[1, :, HAPPY] = 0.5
    return smile


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_each_label_is_its_own_column(emotion: str) -> None:
    track = emotion_track(emotion, 0.7, 100)
    assert np.all(track.weights[:, EMOTIONS.index(emotion)] == 1) and np.all(track.weights.sum(1) == 1)
    assert track.intensity[50] == np.float32(0.7) and track.regional is None


@pytest.mark.parametrize("num_frames", [1, 2, 5, 50, 500])
def test_it_eases_in_and_out(num_frames: int) -> None:
    intensity = emotion_track("angry", 1.0, num_frames).intensity
    assert np.allclose(intensity, intensity[::-1], atol=1e-6) and intensity.max() > 0.4
    assert np.abs(np.diff(intensity)).max(initial=0) < 0.7
    if num_frames >= 50:
        assert intensity[0] < 0.02 and np.all(intensity[10:-10] == 1)


def test_activation_and_track_say_the_same() -> None:
    for emotion in ("happy:0.7,surprised:0.3", "neutral", "sad,angry:brow:0.8"):
        track = emotion_track(emotion, 0.6, 60)
        back = EmotionTrack.from_activation(track.activation)
        assert np.array_equal(back.activation, track.activation) and np.allclose(back.weights, track.weights)
        assert np.allclose(back.intensity, track.intensity) and (back.regional is None) == (track.regional is None)
        assert np.allclose(track.weights.sum(1), 1)


def test_regions_go_over_any_source(tmp_path: Path) -> None:
    (tmp_path / "cues.yaml").write_text("- {time: 0, emotion: sad, intensity: 0.5}")
    for source in (
        {"emotions": ("sad", "happy:mouth:0.9")},
        {"emotions": ("happy:mouth:0.9",), "prompt": "sad"},
        {"emotions": ("happy:mouth:0.9",), "valence": -0.63, "arousal": -0.27},
        {"emotions": ("happy:mouth:0.9",), "timeline": tmp_path / "cues.yaml"},
    ):
        activation = requested_track(EmotionRequest(**source), 100).activation[50]
        assert np.isclose(activation[MOUTH, HAPPY], 0.9) and activation[MOUTH].sum() == activation[MOUTH, HAPPY]
        assert np.all(activation[[BROW, EYES]].argmax(1) == SAD)
    alone = requested_track(EmotionRequest(("happy:mouth:0.9",), reference=Path("x")), 101, read_a_smile).activation[50]
    assert np.allclose(alone[:, HAPPY], [0.5, 0.5, 0.9])


def test_intensity_is_the_strength_or_the_peak() -> None:
    def peak(**asked: Any) -> float:
        return float(requested_track(EmotionRequest(**asked), 100).activation.sum(2).max())

    assert np.isclose(peak(emotions=("happy",)), 0.7) and np.isclose(peak(emotions=("happy",), intensity=0.4), 0.4)
    assert np.isclose(peak(prompt="quietly furious, then relieved"), 0.5)
    assert np.isclose(peak(prompt="quietly furious, then overjoyed", intensity=0.8), 0.8)
    assert np.isclose(peak(valence=0.4, arousal=0.25), np.hypot(0.4, 0.25), atol=0.01)
    assert np.isclose(peak(valence=0.4, arousal=0.25, intensity=1.0), 1)
    assert peak(valence=0.0, intensity=1.0) == 0 and peak(prompt="not angry", intensity=1.0) == 0
    for asked in ({"emotions": ("happy",)}, {"prompt": "happy"}, {"valence": 0.8}):
        assert is_neutral(requested_track(EmotionRequest(**asked, intensity=0.0), 20))


def test_valence_or_arousal_alone_leaves_the_other_in_the_middle() -> None:
    alone = requested_track(EmotionRequest(valence=0.7), 50).activation
    assert np.array_equal(alone, requested_track(EmotionRequest(valence=0.7, arousal=0.0), 50).activation)


def test_a_timeline_begins_from_the_emotion(tmp_path: Path) -> None:
    (tmp_path / "cues.yaml").write_text("- {time: 2, emotion: happy, intensity: 0.5}")
    track = requested_track(EmotionRequest(("sad", "angry:brow:0.8"), 0.4, timeline=tmp_path / "cues.yaml"), 100)
    assert np.allclose(track.activation[:50, MOUTH, SAD], 0.4) and np.allclose(track.activation[-1, MOUTH, HAPPY], 0.5)
    assert np.allclose(track.activation[:, BROW, ANGRY], 0.8), "the region stays all along"


def test_a_reference_is_stretched_over_the_clip() -> None:
    track = requested_track(EmotionRequest(reference=Path("smile.mp4")), 101, read_a_smile)
    assert track.intensity.argmax() == 50 and np.isclose(track.intensity[50], 0.5)
    assert np.isclose(requested_track(EmotionRequest((), 0.9, reference=Path("x")), 101, read_a_smile).intensity[50], 0.9)
    with pytest.raises(EmotionError, match=r"reference smile.mp4: needs the face tracker; ask TalkingHead"):
        requested_track(EmotionRequest(reference=Path("smile.mp4")), 10)


def test_nothing_asked_is_neutral() -> None:
    assert is_neutral(requested_track(EmotionRequest(), 10))
    assert is_neutral(emotion_track("neutral", 1.0, 10)) and is_neutral(emotion_track("happy", 0.0, 10))
    assert not is_neutral(emotion_track("happy", 0.1, 10))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"timeline": Path("c.yaml"), "prompt": "sad"},
            "timeline and prompt each say what the whole face feels; drop timeline or prompt",
        ),
        (
            {"prompt": "sad", "valence": 0.1, "reference": Path("x")},
            "prompt and valence and arousal and reference .* all but one",
        ),
        (
            {"emotions": ("happy",), "prompt": "sad"},
            "prompt and emotion 'happy' both say .*; drop one .* region, such as happy:mouth",
        ),
        ({"emotions": ("happy",), "arousal": 0.5}, "valence and arousal and emotion 'happy' both"),
        ({"emotions": ("happy",), "reference": Path("x")}, "reference and emotion 'happy' both"),
        ({"emotions": ("happy:mouth:0.5",), "intensity": 0.5}, "intensity has nothing to act on, .*; drop one of them"),
        ({"intensity": -0.1}, "intensity is -0.1; give a number from 0 "),
        ({"intensity": 1.5}, "intensity is 1.5; give a number from 0 "),
        ({"intensity": float("nan")}, "intensity is nan; give a number from 0 "),
        ({"valence": 2}, "valence is 2; give a number from -1 to 1"),
        ({"arousal": -2}, "arousal is -2; give a number from -1 to 1"),
        ({"prompt": "xylophone"}, "prompt 'xylophone' has no word of emotion"),
        ({"emotions": ("hungry",)}, "'hungry' is not known"),
        ({"emotions": ("",)}, "'' is not known"),
    ],
)
def test_contradictions_are_errors(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(EmotionError, match=message):
        EmotionRequest(**asked)


def test_no_frames_is_an_error() -> None:
    with pytest.raises(EmotionError, match="num_frames is 0"):
        emotion_track("happy", 0.5, 0)


def test_tracks_of_wrong_shapes_are_errors() -> None:
    weights, intensity = np.eye(8, dtype=np.float32), np.ones(8, np.float32)
    with pytest.raises(EmotionError, match=r"weights has shape \(8, 7\); give \(T, 8\)"):
        EmotionTrack(weights[:, :7], intensity)
    with pytest.raises(EmotionError, match=r"intensity has shape \(7,\); give \(8,\)"):
        EmotionTrack(weights, intensity[:7])
    with pytest.raises(EmotionError, match=r"regional has shape \(8, 2, 8\); give \(8, 3, 8\)"):
        EmotionTrack(weights, intensity, np.zeros((8, 2, 8), np.float32))
