"""`talkinghead adapt` and --style by the real command line; and each thing that goes wrong gives one line and no folder."""

import json

import numpy as np
import pytest

from talkinghead import cli
from talkinghead.audio.waveform import load_audio
from talkinghead.motion.io import load_motion
from talkinghead.motion.style import FILES, SpeakingStyle
from talkinghead.pipeline import TalkingHead
from talkinghead.types import SAMPLE_RATE, Audio
from talkinghead.video.writer import VideoWriter


@pytest.fixture(scope="module")
def speech(root):
    """Three seconds of the example."""
    return Audio(load_audio(root / "assets/speech.wav").samples[: 3 * SAMPLE_RATE])


@pytest.fixture(scope="module")
def ana(root, tmp_path_factory, speech):
    """Twelve seconds of a drawn woman who says the same again and again."""
    head = TalkingHead.from_pretrained()
    path = tmp_path_factory.mktemp("ana") / "ana.mp4"
    portrait = head.load_portrait(root / "assets/drawn_woman.png", size=192)
    frames = list(head(portrait, speech, quality="draft", lip_strength=1.3))
    with VideoWriter(path, Audio(np.tile(speech.samples, 4))) as video:
        for frame in 4 * frames:
            video.write(frame)
    return path


@pytest.fixture(scope="module")
def style(ana, tmp_path_factory):
    folder = tmp_path_factory.mktemp("styles") / "ana"
    assert cli.main(["adapt", str(ana), "-o", str(folder)]) == 0
    return folder


def line_of(capfd, *arguments):
    """The one line that a refused command gives."""
    capfd.readouterr()
    status = cli.main([str(argument) for argument in arguments])
    line = capfd.readouterr().err
    assert status == 2 and line.startswith("talkinghead: ") and line.count("\n") == 1, line
    return line


def animate(root, output, *arguments):
    assert cli.main(["animate", "--audio", str(root / "assets/speech.wav"), "-o", str(output), *map(str, arguments)]) == 0
    return load_motion(output)


def test_a_style_is_learnt_and_moves_the_mouth(root, style, tmp_path):
    assert sorted(path.name for path in style.iterdir()) == sorted(FILES)
    assert sum(path.stat().st_size for path in style.iterdir()) < 1e6
    habits = SpeakingStyle.load(style).habits
    # The video is the model's own work: its lips follow, and hardly anything is left to learn.
    assert habits.seconds == pytest.approx(12, abs=0.2) and habits.held_out["opening before"] > 0.7
    plain, own = animate(root, tmp_path / "plain.npz"), animate(root, tmp_path / "own.npz", "--style", style)
    assert not np.array_equal(plain.blendshapes, own.blendshapes)
    assert own.head_rotation.std() < plain.head_rotation.std()


def test_the_same_video_gives_the_same_bytes(ana, style, tmp_path):
    assert cli.main(["adapt", str(ana), "-o", str(tmp_path / "again")]) == 0
    assert all((tmp_path / "again" / name).read_bytes() == (style / name).read_bytes() for name in FILES)


def test_what_cannot_be_learnt_from_gives_one_line_and_no_folder(talking_video, tmp_path, capfd, monkeypatch):
    output = tmp_path / "styles/x"
    short, mute = talking_video(tmp_path / "short.mp4", 2.0), talking_video(tmp_path / "mute.mp4", 11.0, sound=False)
    silent = tmp_path / "silent.mp4"
    with VideoWriter(silent, Audio(np.zeros(11 * SAMPLE_RATE, np.float32))) as video:
        for _ in range(11 * 25):
            video.write(np.zeros((64, 64, 3), np.uint8))
    for inputs, wanted in (
        ((short,), "2.0 s, at least 10 s of one person speaking are wanted"),
        ((short, short), "4.0 s, at least 10 s"),
        ((mute,), "without sound"),
        ((silent,), "the sound is silent"),
        ((tmp_path / "absent.mp4",), "absent.mp4: no such file"),
        ((tmp_path,), "is a folder"),
    ):
        assert wanted in line_of(capfd, "adapt", *inputs, "-o", output)
        assert not output.exists()
    monkeypatch.setattr("talkinghead.adaptation.MIN_S", 1.0)
    assert "a face is seen in 0% of its frames" in line_of(capfd, "adapt", short, "-o", output)
    assert not output.exists()


def test_a_folder_of_something_else_is_kept(ana, tmp_path, capfd):
    (tmp_path / "notes.txt").write_text("mine")
    assert "holds something else" in line_of(capfd, "adapt", ana, "-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_style_that_cannot_be_used_gives_one_line(root, style, tmp_path, capfd):
    def refused(folder):
        line = line_of(capfd, "animate", "--text", "hello", "-o", tmp_path / "x.npz", "--style", folder)
        assert not (tmp_path / "x.npz").exists()
        return line

    assert "no such folder" in refused(tmp_path / "absent")
    settings = json.loads((style / FILES[0]).read_text())
    for name, change, wanted in (
        (
            "old",
            {"format": 0},
            "is of format 0, and this version of talkinghead reads 1; learn it again with: talkinghead adapt",
        ),
        ("other", {"articulator": "0123456789ab"}, "belongs to articulator 0123456789ab"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / FILES[1]).write_bytes((style / FILES[1]).read_bytes())
        (tmp_path / name / FILES[0]).write_text(json.dumps(settings | change))
        assert wanted in refused(tmp_path / name)


def test_help_shows_an_example(capsys):
    assert cli.main(["adapt", "--help"]) == 0
    assert "talkinghead adapt ana.mp4 -o styles/ana" in " ".join(capsys.readouterr().out.split())
