"""What the command line does when no emotion is asked for: it listens, where the checkpoint has what hears."""

from pathlib import Path

import numpy as np
import pytest

from talkinghead import cli, cli_progress
from talkinghead.checkpoints import OPTIONAL_FILES, has_emotion_encoder
from talkinghead.cli_values import emotion_request
from talkinghead.emotion.track import AUTO, EmotionRequest
from talkinghead.motion.io import load_motion

ROOT = Path(__file__).parents[2]


def asked(checkpoint: Path | None = None, **options: object) -> EmotionRequest:
    names = ("emotion", "intensity", "timeline", "prompt", "valence", "arousal", "reference")
    return emotion_request(*(options.get(name) for name in names), checkpoint)  # type: ignore[arg-type]


@pytest.fixture
def deaf(tmp_path: Path) -> Path:
    """A checkpoint without the emotion encoder."""
    (tmp_path / OPTIONAL_FILES[0]).parent.mkdir()
    (tmp_path / OPTIONAL_FILES[0]).touch()
    return tmp_path


def test_nothing_asked_is_what_is_heard_as_strongly_as_asked() -> None:
    assert asked().emotions == (AUTO,) and asked(intensity=0.4) == EmotionRequest((AUTO,), 0.4)


@pytest.mark.parametrize(
    "options",
    [
        {"emotion": ["neutral"]},
        {"emotion": ["happy:mouth:0.5"]},
        {"prompt": "sad"},
        {"valence": 0.0},
        {"reference": Path("a.jpg")},
    ],
)
def test_whatever_is_asked_is_done(options: dict[str, object]) -> None:
    assert not asked(**options).is_heard


def test_a_checkpoint_that_cannot_hear_stays_neutral_and_a_terminal_is_told(
    deaf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not has_emotion_encoder(deaf) and asked(deaf) == EmotionRequest()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    cli_progress.say_emotion(asked(deaf))
    shown = capsys.readouterr().err
    assert shown == "emotion: neutral, this checkpoint has no emotion encoder to hear one; name one with --emotion.\n"
    cli_progress.say_emotion(asked())
    assert not capsys.readouterr().err


def test_plain_speech_is_calm_by_default_and_neutral_is_exactly_neutral(tmp_path: Path) -> None:
    shown = {}
    for name, options in {"default": [], "auto": ["--emotion", "auto"], "neutral": ["--emotion", "neutral"]}.items():
        file = tmp_path / f"{name}.npz"
        assert cli.main(["animate", "--audio", str(ROOT / "assets/speech.wav"), *options, "-o", str(file)]) == 0
        shown[name] = load_motion(file).blendshapes
    assert np.array_equal(shown["default"], shown["auto"])
    assert np.abs(shown["default"] - shown["neutral"]).max() < 0.1
    from talkinghead.emotion.track import emotion_track
    from talkinghead.motion.expression import expression

    assert not expression(emotion_track("neutral", 1.0, 50), 0).any()
