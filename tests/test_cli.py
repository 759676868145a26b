"""The command line: quick help, every command, and what it says to people and to scripts."""

import os
import re
import subprocess
import sys
import time
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from talkinghead import __version__, cli, cli_progress, cli_values, cli_video
from talkinghead.doctor import EXTRAS
from talkinghead.errors import InputError, install_command
from talkinghead.motion.io import load_motion
from talkinghead.pipeline import TalkingHead
from talkinghead.synthesis.portrait import resized
from talkinghead.types import SAMPLE_RATE, Audio
from talkinghead.video.reader import read_frames

COMMANDS = ("generate", "animate", "render", "track", "evaluate", "doctor")


@pytest.fixture(scope="module")
def short_speech(root, tmp_path_factory):
    """The first 0.6 s of the example's sentence."""
    path = tmp_path_factory.mktemp("speech") / "short.wav"
    with wave.open(str(root / "assets/speech.wav")) as source, wave.open(str(path), "w") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(round(0.6 * SAMPLE_RATE)))
    return path


def test_help_answers_in_under_a_second_and_loads_nothing_heavy():
    # The smallest of three: a busy machine is not the command line's fault.
    code = (
        "import sys; from talkinghead.cli import main; status = main(['--help']); assert status == 0;"
        "heavy = {'torch', 'numpy', 'diffusers', 'transformers', 'librosa', 'numba', 'cv2', 'av'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    seconds = []
    for _ in range(3):
        start = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        seconds.append(time.monotonic() - start)
    assert min(seconds) < 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    assert cli.main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"talkinghead {command}" in shown
    assert command == "doctor" or "Example: talkinghead" in shown


def test_no_command_shows_the_help(capsys):
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert "Usage: talkinghead" in out and not err


def test_help_lists_the_commands_and_version_the_version(capsys):
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^│ {command} ", shown, re.M) for command in COMMANDS)
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"talkinghead {__version__}\n"


def test_the_choices_and_limits_are_those_of_the_parts():
    from talkinghead.synthesis.pipeline import QUALITIES

    assert tuple(QUALITIES) == cli_values.QUALITIES


def test_a_wrong_knob_is_named_as_it_was_typed():
    assert cli_values.checked_knobs(head_motion=2.0, blink_rate=None, gaze="10,-5") == {"head_motion": 2.0, "gaze": "10,-5"}
    for knob, value, message in (
        ("expression_strength", 2.5, "--expression-strength 2.5: out of range; give 0 to 2, 1 is natural."),
        ("blink_rate", "often", "--blink-rate often: not understood; give 20"),
        ("gaze", "up", "--gaze up: not understood; give camera, natural, or degrees"),
    ):
        with pytest.raises(InputError, match=f"^{message}"):
            cli_values.checked_knobs(**{knob: value})


def test_a_share_of_the_smile_is_named_as_it_was_typed():
    assert cli_values.checked_reenactment(keep_smile=0.25).keep_smile == 0.25
    assert 0 < cli_values.checked_reenactment().keep_smile < 1
    for share in (-0.1, 1.5, float("nan")):
        with pytest.raises(InputError, match=rf"^--keep-smile {share}: out of range; give 0 to 1, 1 is all of it\.$"):
            cli_values.checked_reenactment(keep_smile=share)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "-o", "x.mp4"], "talkinghead: Missing option '--image' / '-i'; see: talkinghead generate --help"),
        (["animate", "--seed", "x", "-o", "m.npz"], "Invalid value for '--seed': "),
        (["generate", "--emotoin", "sad"], "No such option: --emotoin"),
        (["sing"], "No such command 'sing'"),
    ],
)
def test_usage_errors_are_one_line(arguments, message, capfd):
    assert cli.main(arguments) == 2
    out, err = capfd.readouterr()
    assert not out and err.count("\n") == 1 and message in err


def test_doctor_says_what_is_there_and_what_to_do(tmp_path, capsys):
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert f"talkinghead {__version__}" in shown and "torch 2.13.0" in shown and "models: " in shown
    assert "libx264 and aac" in shown and shown.endswith("all is well\n")
    assert cli.main(["doctor", "--checkpoint", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "MISSING articulator/config.json" in shown
    assert "PROBLEM models are missing: reinstall talkinghead, or give --checkpoint a whole folder" in shown


def test_doctor_heads_what_is_optional_and_says_what_each_is_for(root, capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(EXTRAS, "voice", ("no-such-package",))
    monkeypatch.setitem(EXTRAS, "ray", ("numpy",))
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heading = lines.index(f"optional, videos need none of them; to add one: pip install -e '{root}[NAME]'")
    extras = lines[heading + 1 : -1]
    assert [line.split(":")[0].strip() for line in extras] == list(EXTRAS)
    assert "  voice: natural voices, --voice piper, and the pitch of every voice" in extras
    assert "  ray: talkinghead batch on a cluster (installed)" in extras
    assert install_command("voice", tmp_path) == "pip install 'talkinghead[voice]'", "from a wheel, no pyproject.toml is there"


def test_doctor_names_a_package_that_does_not_load(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert cli.main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "av: BROKEN" in shown and "PROBLEM av does not load (" in shown and "pip install --force-reinstall av" in shown


def test_generate_makes_a_video_with_its_sound_and_is_quiet(astronaut, short_speech, tmp_path, capfd):
    output = tmp_path / "out.mp4"
    arguments = ["--image", str(astronaut), "--audio", str(short_speech), "--emotion", "happy", "--intensity", "0.7"]
    assert cli.main(["generate", *arguments, "--size", "256", "--quality", "draft", "--fps", "50", "-o", str(output)]) == 0
    assert capfd.readouterr() == ("", ""), "not a terminal"
    assert list(tmp_path.iterdir()) == [output]
    frames = list(read_frames(output, fps=50))
    assert len(frames) == 30 and frames[0].shape == (256, 256, 3)
    with av.open(str(output)) as file:
        assert file.streams.audio and file.streams.video[0].average_rate == 50


def test_a_line_of_text_is_spoken_and_the_seed_decides(astronaut, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        arguments = ["--text", "Bob paid", "--emotion", "surprised", "--seed", str(seed), "-o", str(tmp_path / f"{name}.npz")]
        assert cli.main(["animate", *arguments]) == 0
    a, b, c = (load_motion(tmp_path / f"{name}.npz") for name in "abc")
    assert np.array_equal(a.blendshapes, b.blendshapes) and np.array_equal(a.head_rotation, b.head_rotation)
    assert not np.array_equal(a.head_rotation, c.head_rotation)


def test_animate_then_render_then_track(astronaut, short_speech, tmp_path):
    motion, video, back = (str(tmp_path / name) for name in ("m.npz", "v.mp4", "back.npz"))
    assert cli.main(["animate", "--audio", str(short_speech), "--emotion", "sad", "-o", motion]) == 0
    render = ["render", "--image", str(astronaut), "--motion", motion, "--size", "256", "-q", "draft", "-o", video]
    assert cli.main([*render, "--audio", str(short_speech)]) == 0
    assert len(list(read_frames(tmp_path / "v.mp4"))) == len(load_motion(motion)) == 15
    assert cli.main(["track", video, "-o", back]) == 0
    assert len(load_motion(back)) == 15


def test_ctrl_c_is_one_line_and_leaves_what_was_there(astronaut, short_speech, tmp_path, capfd, monkeypatch):
    from talkinghead.video.writer import VideoWriter

    output = tmp_path / "out.mp4"
    output.write_bytes(b"before")
    write, count = VideoWriter.write, []

    def write_three(self, frame):
        count.append(1)
        if len(count) == 4:
            raise KeyboardInterrupt
        write(self, frame)

    monkeypatch.setattr(VideoWriter, "write", write_three)
    arguments = ["--image", str(astronaut), "--audio", str(short_speech), "--size", "256", "-q", "draft", "-o", str(output)]
    assert cli.main(["generate", *arguments]) == 130
    out, err = capfd.readouterr()
    assert not out and err == "talkinghead: stopped; no broken file is left, and what was there before is as it was.\n"
    assert output.read_bytes() == b"before" and list(tmp_path.iterdir()) == [output]


def test_a_terminal_sees_progress(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("FORCE_COLOR", "1")
    cli_progress.write_video(iter([np.zeros((64, 64, 3), np.uint8)] * 5), 5, tmp_path / "o.mp4", None, 25)
    shown = capsys.readouterr().err
    assert "o.mp4" in shown and "frames/s" in shown and re.search(r"5/5", shown)


def test_without_a_terminal_a_long_video_says_how_far_it_is_and_a_short_one_nothing(capsys, monkeypatch, tmp_path):
    frames = [np.zeros((64, 64, 3), np.uint8)] * 4
    cli_progress.write_video(iter(frames), 4, tmp_path / "o.mp4", None, 25)
    assert not capsys.readouterr().err
    monkeypatch.setattr(cli_progress, "LOG_EVERY_S", 0.0)
    cli_progress.write_video(iter(frames), 4, tmp_path / "o.mp4", None, 25)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5 and re.fullmatch(r".*o\.mp4: 2 of 4 frames, [\d.]+ a second, \d+ s left", lines[1])
    assert re.fullmatch(r".*o\.mp4: 0\.2 s of video in [\d.]+ s", lines[-1])


def test_a_person_hears_of_a_face_that_is_small_in_its_picture(capsys, monkeypatch, astronaut):
    head = TalkingHead.from_pretrained()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    small, fine = (head.load_portrait(astronaut, size=size) for size in (512, 1024))
    cli_video._say_of_portrait(astronaut, small, small, head)
    shown = capsys.readouterr().err
    assert re.search(r"astronaut.jpg: the face is \d+ px wide: teeth will be soft; --size 960 or a larger picture gives", shown)
    assert shown.count("\n") == 1
    cli_video._say_of_portrait(astronaut, fine, fine, head)
    assert not capsys.readouterr().err
    cli_progress.say_size(astronaut, fine, resized(fine, 960))
    assert re.search(r"1024 x 1024 px; the video is 960 x 960, --size 1024 makes", capsys.readouterr().err)


@pytest.mark.parametrize(("loudness_dbfs", "is_said"), [(None, True), (-70, True), (-50, False)])
def test_a_person_hears_that_nobody_speaks(loudness_dbfs, is_said, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    peak = 0.0 if loudness_dbfs is None else 2**0.5 * 10 ** (loudness_dbfs / 20)
    hum = (peak * np.sin(np.arange(SAMPLE_RATE + 100) / 6)).astype(np.float32)
    cli_progress.say_silence(Path("quiet.wav"), Audio(hum))
    said = "quiet.wav: no speech is heard; the lips will not move\n"
    assert capsys.readouterr().err == (said if is_said else "")
    cli_progress.say_silence(None, Audio(hum))  # a text is spoken by a voice
    assert not capsys.readouterr().err


@pytest.mark.parametrize("command", ["generate", "animate"])
def test_silence_is_made_a_video_or_a_motion_and_said(command, capsys, monkeypatch, tmp_path, astronaut):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    silence = tmp_path / "silence.wav"
    with wave.open(str(silence), "w") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(bytes(SAMPLE_RATE))
    picture = ["-i", str(astronaut), "--size", "256", "-q", "draft"] if command == "generate" else []
    output = tmp_path / ("o.mp4" if command == "generate" else "o.npz")
    assert cli.main([command, *picture, "-a", str(silence), "-o", str(output)]) == 0
    assert "silence.wav: no speech is heard" in capsys.readouterr().err


def test_a_phones_photo_becomes_a_video_that_players_take(capsys, monkeypatch, tmp_path, astronaut, short_speech):
    asked = []

    def rendered(head, portrait, speech, **_):
        asked.append(portrait.image.shape[:2])
        return iter([np.zeros((64, 64, 3), np.uint8)] * speech.num_frames)

    monkeypatch.setattr(TalkingHead, "__call__", rendered)
    photo = tmp_path / "photo.jpg"
    Image.open(astronaut).resize((2400, 2400)).save(photo)
    arguments = ["generate", "-i", str(photo), "-a", str(short_speech), "-o", str(tmp_path / "o.mp4")]
    assert cli.main(arguments) == 0 and cli.main([*arguments, "--size", "2400"]) == 0
    assert asked == [(1920, 1920), (2400, 2400)]


def test_what_is_said_while_stages_pass_stands_above_them(capfd, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with cli_progress.stages() as begin:
        begin("lips")
        cli_progress.say("of note")
    assert re.search("\x1b\\[2Kof note *\n.*lips", capfd.readouterr().err), "what stood there is wiped out before, not after"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_sees_the_stages_and_a_script_nothing(terminal, capfd, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")
    with cli_progress.stages() as begin:
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nsomething of note\n")
        begin("lips")
        begin("pictures [0]")
    out, err = capfd.readouterr()
    loaded, shown = err.split("\n", 1)
    assert (out, loaded) == ("", "something of note")
    assert re.search(r"lips.*0:00:00.*pictures \[0\].*0:00:00", shown, re.S) if terminal else not shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--data", "data", "--split", "test", "-o", "report"],
            "split: 'test' is not in data/manifest.jsonl; choose from eval.",
        ),
        (["--data", ".", "-o", "report"], "data manifest.jsonl: no such file; give the folder that holds manifest.jsonl."),
        (["--data", "data", "-o", "file"], "file: is a file; give the name of a folder for the report."),
    ],
)
def test_evaluate_says_what_it_cannot_use_before_it_loads_anything(options, message, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "data/manifest.jsonl").write_text('{"file": "a.mp4", "split": "eval", "identity": "a"}')
    assert cli.main(["evaluate", *options]) == 2
    assert capfd.readouterr() == ("", f"talkinghead: {message}\n")
    assert not (tmp_path / "report").exists()


def test_evaluate_without_its_extra_says_so_at_once(root, tmp_path, capfd, monkeypatch):
    monkeypatch.setitem(EXTRAS, "evaluate", ("scikit-image", "no-such-package"))
    assert cli.main(["evaluate", "-o", str(tmp_path / "report")]) == 2
    wanted = f"talkinghead: no-such-package not installed; run: pip install -e '{root}[evaluate]'.\n"
    assert capfd.readouterr() == ("", wanted)


@pytest.mark.parametrize("arguments", [("perform", "--schema"), ("stream", "--audio", "assets/speech.wav")])
def test_a_reader_who_leaves_ends_it_quietly(root, arguments):
    """As `talkinghead perform --schema | head -1` does: the reader closes the pipe before anything is written."""
    command = [sys.executable, "-m", "talkinghead", *arguments]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, cwd=root, check=False)
    assert done.returncode == 1 and done.stderr == b""
