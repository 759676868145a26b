"""`talkinghead stream --audio ... --osc ...` on the real command line, over a real socket."""

import io
import json
import socket
import subprocess
import sys
import wave

import pytest
import typer

from talkinghead import cli, cli_live, cli_motion, cli_video
from talkinghead.cli_stream import READ_BYTES
from talkinghead.types import SAMPLE_RATE, FaceMotion

NUM_FRAMES = 15


@pytest.fixture
def short_speech(root, tmp_path):
    with wave.open(str(root / "assets/speech.wav")) as source, wave.open(str(tmp_path / "short.wav"), "w") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(round(NUM_FRAMES / 25 * SAMPLE_RATE)))
    return tmp_path / "short.wav"


def test_a_recording_goes_to_the_avatar_and_to_standard_output(root, short_speech):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.1)
        address = f"127.0.0.1:{receiver.getsockname()[1]}"
        command = [sys.executable, "-m", "talkinghead", "stream", "--audio", str(short_speech), "--osc", address]
        done = subprocess.run([*command, "--osc-format", "arkit"], capture_output=True, text=True, check=True, cwd=root)
        datagrams = [receiver.recv(65_536) for _ in range(NUM_FRAMES)]
        with pytest.raises(TimeoutError):
            receiver.recv(65_536)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(NUM_FRAMES)) and len(datagrams) == NUM_FRAMES
    assert all(b"/arkit/blendshapes" in datagram for datagram in datagrams)


class Still:
    """A stream whose face keeps still, and a sender that counts what it is given."""

    def __init__(self):
        self.count = 0

    def push(self, samples):
        return FaceMotion.neutral(1)

    def finish(self):
        return FaceMotion.neutral(0)

    def send(self, motion):
        self.count += len(motion)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize("has_avatar", [True, False])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_is_not_flooded_while_an_avatar_is_driven(has_avatar, is_terminal, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal, raising=False)
    still = Still()
    cli_live.play(io.BytesIO(bytes(3 * READ_BYTES)), still, still if has_avatar else None)
    shown = capsys.readouterr().out
    assert still.count == (3 if has_avatar else 0)
    assert shown.count("\n") == (0 if has_avatar and is_terminal else 3)


def test_the_help_says_so():
    parameters = {option.name: option for option in typer.main.get_command(cli.app).commands["stream"].params}
    assert "A terminal then gets no JSON." in parameters["osc"].help


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--osc", "here"], "--osc here: is no address; give host:port such as 127.0.0.1:39539."),
        (["--osc", "127.0.0.1:9", "--osc-format", "dmx"], "--osc-format dmx: unknown; choose from vmc, vrm, arkit."),
        (["--osc", "127.0.0.1:9", "--fps", "200"], "--fps 200: out of range; give 10 to 120 for a live avatar."),
        (["--osc", "127.0.0.1:9", "--buffer", "3"], "--buffer 3: out of range; give 0 to 2 s."),
        (["--fps", "50"], "--fps 50: is of what --osc sends; give --osc 127.0.0.1:39539 too."),
    ],
)
def test_what_does_not_go_is_one_line_before_models_are_loaded(short_speech, arguments, message, capfd, monkeypatch):
    for module in (cli_motion, cli_video):
        monkeypatch.setattr(module, "loaded_head", lambda *_: pytest.fail("models were loaded"))
    assert cli.main(["stream", "--audio", str(short_speech), *arguments]) == 2
    assert capfd.readouterr().err == f"talkinghead: {message}\n"


def test_no_such_recording(capfd):
    assert cli.main(["stream", "--audio", "none.wav"]) == 2
    assert "none.wav: no such file" in capfd.readouterr().err
