"""docs/emotion.md: every example in it runs as it is written, and what it lists is what there is."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from scipy.io import wavfile

from talkinghead import arkit, cli, cli_motion, cli_video
from talkinghead.audio.waveform import load_audio
from talkinghead.emotion.audio2face import AUDIO2FACE
from talkinghead.emotion.easing import EASINGS
from talkinghead.emotion.grammar import SYNONYMS
from talkinghead.emotion.lexicon import FEELINGS
from talkinghead.motion.io import load_motion
from talkinghead.pipeline import TalkingHead
from talkinghead.synthesis.portrait import load_image
from talkinghead.types import EMOTIONS, SAMPLE_RATE, SAMPLES_PER_FRAME
from talkinghead.video.reader import read_frames
from talkinghead.video.writer import VideoWriter

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/emotion.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.M | re.S)
COMMANDS = [line for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
NUM_FRAMES = 50


@pytest.fixture(scope="module")
def head():
    return TalkingHead.from_pretrained(device="cpu")


@pytest.fixture
def folder(tmp_path, astronaut, monkeypatch, head):
    """A folder with the files that the page names; the models are loaded once, all else is as on the command line."""
    monkeypatch.chdir(tmp_path)
    for module in (cli_motion, cli_video):
        monkeypatch.setattr(module, "loaded_head", lambda checkpoint, device: head)
    for kind, block in BLOCKS:
        if kind == "yaml":
            Path(block.split()[1]).write_text(block)
    shutil.copy(astronaut, "portrait.jpg")
    shutil.copy(astronaut, "smile.jpg")
    with VideoWriter("smile.mp4") as video:
        for _ in range(8):
            video.write(load_image(astronaut)[0])
    write_speech(NUM_FRAMES)
    return tmp_path


def write_speech(num_frames):
    samples = load_audio(ROOT / "assets/speech.wav").samples[: num_frames * SAMPLES_PER_FRAME]
    wavfile.write("speech.wav", SAMPLE_RATE, samples)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_runs(folder, command, capfd):
    program, *arguments = shlex.split(command)
    assert program == "talkinghead"
    if arguments[0] == "generate":
        write_speech(10)
    assert cli.main(arguments) == 0, capfd.readouterr().err
    if arguments[0] == "generate":
        assert sum(1 for _ in read_frames(folder / "out.mp4")) == 10
    else:
        motion = load_motion(folder / "motion.npz")
        assert len(motion) == NUM_FRAMES and motion.blendshapes[:, list(arkit.BROW)].max() < 1


def test_the_python_of_the_page_runs(folder, head, monkeypatch):
    monkeypatch.setattr(TalkingHead, "from_pretrained", staticmethod(lambda *_: head))
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    names = {}
    exec(compile(code, "docs/emotion.md", "exec"), names)
    assert names["track"].activation.shape == (NUM_FRAMES, 3, 8)


def test_the_page_lists_what_there_is():
    assert ", ".join(EMOTIONS) in PAGE and all(word in PAGE for word in (*SYNONYMS, *AUDIO2FACE, *EASINGS, *arkit.REGIONS))
    assert f"some {round(sum(len(words.split()) for *_, words in FEELINGS), -2)} words" in PAGE
    helped = {option for line in COMMANDS for option in re.findall(r"--[\w-]+", line)}
    assert {"--emotion", "--intensity", "--prompt", "--timeline", "--valence", "--arousal", "--emotion-reference"} <= helped
