"""docs/reenactment.md: every example in it runs as it is written."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from scipy.io import wavfile

from talkinghead import cli, cli_motion, cli_video
from talkinghead.audio.waveform import load_audio
from talkinghead.motion.io import load_motion, save_motion
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.view import FREE_TURN_DEG, MAX_TURN_DEG, MAX_VIEW_DEG
from talkinghead.types import SAMPLE_RATE, SAMPLES_PER_FRAME
from talkinghead.video.reader import read_frames
from talkinghead.video.writer import VideoWriter

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reenactment.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.M | re.S)
COMMANDS = [line for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
NUM_FRAMES = 12


@pytest.fixture(scope="module")
def small():
    """The whole head and a portrait of 320 px, so that a page of videos takes seconds."""
    head = TalkingHead.from_pretrained(device="cpu")
    return head, head.load_portrait(ROOT / "assets/astronaut.jpg", size=320)


@pytest.fixture
def folder(tmp_path, small, astronaut, monkeypatch):
    """A folder with the files that the page names; models and portrait are loaded once, all else is as on the command line."""
    head, portrait = small
    monkeypatch.chdir(tmp_path)
    for module in (cli_motion, cli_video):
        monkeypatch.setattr(module, "loaded_head", lambda checkpoint, device: head)
    monkeypatch.setattr(TalkingHead, "load_portrait", lambda *_, **__: portrait)
    shutil.copy(astronaut, "portrait.jpg")
    samples = load_audio(ROOT / "assets/speech.wav").samples[: NUM_FRAMES * SAMPLES_PER_FRAME]
    wavfile.write("speech.wav", SAMPLE_RATE, samples)
    with VideoWriter(tmp_path / "driver.mp4", tmp_path / "speech.wav") as video:
        for _ in range(NUM_FRAMES):
            video.write(portrait.image)
    save_motion(tmp_path / "driver.npz", head.animate(tmp_path / "speech.wav", "happy", 1.0))
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_runs(folder, command, capfd):
    program, *arguments = shlex.split(command)
    assert program == "talkinghead"
    assert cli.main(arguments) == 0, capfd.readouterr().err
    if arguments[0] == "track":
        assert len(load_motion(folder / "driver.npz")) == NUM_FRAMES
    else:
        assert sum(1 for _ in read_frames(folder / "out.mp4")) == NUM_FRAMES


def test_the_first_example_has_the_drivers_sound_and_who_gives_none_hears_of_it(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    first = shlex.split(next(command for command in COMMANDS if " render " in command))[1:]
    assert cli.main(first) == 0 and "has no sound" not in capsys.readouterr().err
    assert load_audio(folder / "out.mp4").duration_s > 0.4
    sound = first.index("--audio")
    assert cli.main(first[:sound] + first[sound + 2 :]) == 0
    shown = capsys.readouterr().err
    assert "out.mp4: has no sound; give the recording with --audio, driver.mp4 for example\n" in shown


def test_the_python_of_the_page_runs(folder, small, monkeypatch):
    monkeypatch.setattr(TalkingHead, "from_pretrained", staticmethod(lambda *_: small[0]))
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    names = {}
    exec(compile(code, "docs/reenactment.md", "exec"), names)
    assert sum(1 for _ in names["frames"]) == NUM_FRAMES


def test_the_page_says_the_limits_there_are():
    assert f"at most {MAX_VIEW_DEG:g}. A path" in PAGE
    assert f"up to {FREE_TURN_DEG:g} degrees" in PAGE and f"never beyond {MAX_TURN_DEG:g}" in PAGE
