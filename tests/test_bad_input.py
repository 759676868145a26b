"""Each thing that people get wrong gives one line, exit status 2, no file, and leaves an existing output alone.

Runs the real command line. What is odd but usable (silence, 8 kHz, 24 bit, mp3 ...) must work, and is here too.
"""

import os
import resource
import shutil
import signal
import wave

import av
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from talkinghead import cli
from talkinghead.motion.io import load_motion, save_motion
from talkinghead.types import SAMPLE_RATE, FaceMotion
from talkinghead.video.writer import VideoWriter


@pytest.fixture
def speech(tmp_path):
    """Half a second of a tone, 16 kHz."""
    return write_wav(tmp_path / "in/speech.wav", 0.3 * np.sin(np.arange(8000) / 6))


@pytest.fixture
def run(tmp_path, astronaut, speech, capfd):
    """(command, option=value ...) -> exit status and standard error; a value of None leaves the option out."""
    output_folder = tmp_path / "out"
    output_folder.mkdir()

    def go(command="generate", **options):
        defaults = {
            "generate": {"image": astronaut, "audio": speech, "size": 256, "quality": "draft"},
            "animate": {"audio": speech},
        }
        suffix = ".mp4" if command in ("generate", "render") else ".npz"
        options = {"output": output_folder / f"o{suffix}"} | defaults.get(command, {}) | options
        positional = [str(options.pop("video"))] if "video" in options else []
        pairs = [part for name, value in options.items() if value is not None for part in (f"--{name}", str(value))]
        status = cli.main([command, *positional, *pairs])
        return status, capfd.readouterr().err

    go.folder = output_folder
    return go


def refused(run, *wanted, command="generate", **options):
    """The command line gives one line with all of `wanted`, and no file; twice, the second time over an existing output."""
    status, line = run(command, **options)
    assert status == 2, line
    assert line.startswith("talkinghead: ") and line.count("\n") == 1 and "Traceback" not in line
    for part in wanted:
        assert part in line
    assert not list(run.folder.iterdir())
    if "output" not in options:
        existing = run.folder / ("o.mp4" if command in ("generate", "render") else "o.npz")
        existing.write_bytes(b"before")
        assert run(command, **options) == (2, line)
        assert existing.read_bytes() == b"before" and list(run.folder.iterdir()) == [existing]


def write_wav(path, samples, rate=SAMPLE_RATE, width=2, channels=1):
    path.parent.mkdir(exist_ok=True)
    scaled = np.round(np.asarray(samples) * (2 ** (8 * width - 1) - 1)).astype("<i4")
    content = np.repeat(scaled, channels).view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(content)
    return path


def encode(path, codec, container, seconds=0.6, rate=48_000):
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        to_codec = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        tone = (0.3 * np.sin(np.arange(round(seconds * rate)) / 20)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(tone[None], format="flt", layout="mono")
        frame.sample_rate = rate
        fifo = av.AudioFifo()
        for part in to_codec.resample(frame):
            fifo.write(part)
        while part := fifo.read(stream.codec_context.frame_size or 1024, partial=True):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


# --- files


@pytest.mark.parametrize(
    ("option", "ending", "remedy"), [("audio", "wav", "give a recording"), ("image", "jpg", "give a photo")]
)
def test_an_input_that_is_no_file_a_folder_or_empty(run, tmp_path, option, ending, remedy):
    none, empty = tmp_path / f"none.{ending}", tmp_path / f"empty.{ending}"
    empty.touch()
    for path, what in ((none, "no such file"), (tmp_path, "is a folder"), (empty, "is empty")):
        refused(run, f"{path}: {what}; {remedy}", **{option: path})
        for file in run.folder.iterdir():
            file.unlink()


@pytest.mark.parametrize("option", ["audio", "image", "output"])
def test_a_name_that_the_file_system_refuses(run, option):
    """A line to speak, given to --audio by mistake, is such a name."""
    name = run.folder / f"{'I can hardly believe that you came. ' * 9}.{'mp4' if option == 'output' else 'wav'}"
    refused(run, f"{name.name}: File name too long; check its name", **{option: name})


# --- the recording


def test_text_called_wav(run, tmp_path):
    (tmp_path / "t.wav").write_text("not sound " * 100)
    refused(run, "t.wav: cannot be read as sound", "give a recording", audio=tmp_path / "t.wav")


def test_truncated_wav(run, tmp_path, speech):
    (tmp_path / "cut.wav").write_bytes(speech.read_bytes()[:6000])
    refused(run, "cut.wav: truncated", "16000 bytes", "5956 are there", audio=tmp_path / "cut.wav")


def test_video_without_sound(run, tmp_path, talking_video):
    path = talking_video(tmp_path / "mute.mp4", seconds=0.4, sound=False)
    refused(run, "mute.mp4: holds a picture or video without sound", audio=path)


@pytest.mark.parametrize(("seconds", "what"), [(0, "holds 0 s of sound"), (0.05, "50 ms of sound, at least 100 ms are wanted")])
def test_no_sound_or_too_little(run, tmp_path, seconds, what):
    refused(run, what, audio=write_wav(tmp_path / "in/a.wav", np.full(round(seconds * SAMPLE_RATE), 0.1)))


def test_samples_that_are_not_numbers(run, tmp_path):
    with av.open(str(tmp_path / "nan.wav"), "w") as file:
        stream = file.add_stream("pcm_f32le", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, 8000), np.nan, np.float32), format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        file.mux([*stream.encode(frame), *stream.encode(None)])
    refused(run, "nan.wav: has samples that are not numbers", audio=tmp_path / "nan.wav")


def test_neither_or_both_of_audio_and_text(run):
    refused(run, "--audio, --text: neither came; give one", audio=None)
    (run.folder / "o.mp4").unlink()
    refused(run, "--audio, --text: both came; give one", text="hello")


@pytest.mark.parametrize(("text", "what"), [("", "text: is empty"), ("...", "holds nothing to speak")])
def test_text_with_nothing_to_say(run, text, what):
    refused(run, what, audio=None, text=text)


def test_unknown_voice(run):
    refused(run, "voice: no 'klingon-x' in espeak-ng; choose one of af,", audio=None, text="hi", voice="klingon-x")


def test_silence_is_allowed_and_the_face_idles_and_blinks(run, tmp_path):
    from talkinghead import arkit

    status, line = run("animate", audio=write_wav(tmp_path / "in/silence.wav", np.zeros(8 * SAMPLE_RATE)))
    assert (status, line) == (0, "")
    motion = load_motion(run.folder / "o.npz")
    assert len(motion) == 200
    assert motion.blendshapes[:, arkit.INDEX["eyeBlinkLeft"]].max() > 0.6, "blinks"
    assert motion.blendshapes[:, arkit.INDEX["jawOpen"]].max() < 0.2, "keeps quiet"
    assert np.ptp(motion.head_rotation, axis=0).max() > 1e-3, "is alive"


def test_8_khz_44_khz_stereo_and_24_bit_are_allowed(run, tmp_path):
    for options in ({"rate": 8000}, {"rate": 44_100, "channels": 2}, {"rate": 48_000, "width": 3}):
        samples = 0.3 * np.sin(np.arange(round(0.6 * options["rate"])) / 20)
        assert run("animate", audio=write_wav(tmp_path / "in/a.wav", samples, **options)) == (0, "")
        assert len(load_motion(run.folder / "o.npz")) == 15


@pytest.mark.parametrize(
    ("name", "codec", "container"), [("mp3", "libmp3lame", "mp3"), ("m4a", "aac", "ipod"), ("ogg", "libopus", "ogg")]
)
def test_mp3_m4a_and_ogg_are_allowed(run, tmp_path, name, codec, container):
    assert run("animate", audio=encode(tmp_path / f"a.{name}", codec, container)) == (0, "")
    assert 14 <= len(load_motion(run.folder / "o.npz")) <= 18


def test_a_videos_soundtrack_is_allowed(run, tmp_path, talking_video):
    assert run("animate", audio=talking_video(tmp_path / "v.mp4", seconds=0.6)) == (0, "")
    assert 15 <= len(load_motion(run.folder / "o.npz")) <= 17


# --- the picture


def test_text_called_jpg(run, tmp_path):
    (tmp_path / "t.jpg").write_text("not a picture")
    refused(run, "t.jpg: is not a picture that can be read; give a photo", image=tmp_path / "t.jpg")


def test_truncated_jpeg(run, tmp_path, astronaut):
    (tmp_path / "cut.jpg").write_bytes(astronaut.read_bytes()[:20_000])
    refused(run, "cut.jpg: damaged (", "truncated", "export or copy it again", image=tmp_path / "cut.jpg")


def test_a_picture_of_one_pixel(run, tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    refused(run, "one.png: is 1 x 1 px, at least 64 x 64 are wanted", image=tmp_path / "one.png")


@pytest.mark.parametrize("name", ["huge.png", "huge.jpg"])
def test_a_picture_of_20000_by_20000(run, tmp_path, name):
    Image.MAX_IMAGE_PIXELS = None
    Image.new("1" if name.endswith("png") else "L", (20_000, 20_000)).save(tmp_path / name)
    Image.MAX_IMAGE_PIXELS = 89_478_485
    before = _peak_bytes()
    refused(run, name, "megapixels", "shrink it", image=tmp_path / name)
    assert _peak_bytes() - before < 50e6, "the header is enough"


def _peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_no_face(run, tmp_path):
    Image.new("RGB", (320, 240), (90, 90, 90)).save(tmp_path / "grey.png")
    refused(run, "No face found in", "grey.png; use a picture with one face at least 64 px wide.", image=tmp_path / "grey.png")


def test_several_faces(run, tmp_path, astronaut):
    one = Image.open(astronaut)
    both = Image.new("RGB", (1024, 512))
    both.paste(one, (0, 0))
    both.paste(one, (512, 0))
    both.save(tmp_path / "two.png")
    refused(run, "2 faces in", "choose with --face N: 1 is", "; 2 is", "left to right", image=tmp_path / "two.png")
    (run.folder / "o.mp4").unlink()
    refused(run, "--face 3:", "has 2; 1 is", image=tmp_path / "two.png", face=3)
    (run.folder / "o.mp4").unlink()
    refused(run, "--face 0: faces are counted from 1", image=tmp_path / "two.png", face=0)


def test_a_face_under_64_px(run, tmp_path, astronaut):
    Image.open(astronaut).resize((256, 256)).save(tmp_path / "small.png")
    refused(run, "The face in", "px wide, at least 64 px are wanted", image=tmp_path / "small.png", size=None)


# --- what is wished


def test_unknown_emotion_lists_the_choices(run):
    refused(run, "'cheerful'", "angry, contempt, disgusted, fear, happy, neutral, sad, surprised", emotion="cheerful")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"emotion": "Auto:0.5"}, "'auto' takes no number and no region; its strength is the intensity"),
        ({"emotion": "auto,happy"}, "emotion 'auto' and emotion 'happy' both say what the whole face feels; drop one of them"),
        (
            {"emotion": "happy:nose:0.5"},
            "give a share of 0 or more after the colon, such as happy:0.7, or a region of brow, eyes, mouth",
        ),
        ({"emotion": "happy:mouth:2"}, "give a strength from 0 to 1 after the region"),
        ({"emotion": "happy:mouth:0.5", "intensity": 0.5}, "intensity has nothing to act on"),
        ({"prompt": ""}, "prompt is empty; write for example"),
        ({"prompt": "hapy"}, "no word of emotion, not known: 'hapy' (did you mean happy?)"),
        (
            {"prompt": "sad", "emotion": "happy"},
            "prompt and emotion 'happy' both say what the whole face feels; drop one of them",
        ),
        (
            {"prompt": "sad", "timeline": "cues.yaml"},
            "timeline and prompt each say what the whole face feels; drop timeline or prompt",
        ),
        ({"valence": 2}, "valence is 2.0; give a number from -1 to 1"),
        ({"arousal": "nan"}, "arousal is nan; give a number from -1 to 1"),
        ({"timeline": "none.yaml"}, "none.yaml: no such file; give a YAML file of cues"),
        ({"emotion-reference": "none.jpg"}, "none.jpg: no such file; give a photo"),
        ({"emotion-reference": "none.mp4"}, "none.mp4: no such file; give a video file"),
    ],
)
def test_emotions_that_cannot_be(run, options, what):
    refused(run, what, **options)


def test_cues_name_their_line_and_the_clips_end(run, tmp_path):
    (tmp_path / "cues.yaml").write_text("- {time: 0, emotion: sad}\n- {time: 0.9, emotion: happy}\n")
    refused(run, "cues.yaml:2: time 0.9 is past the clip's end; give 0 to less than 0.52 s", timeline=tmp_path / "cues.yaml")


@pytest.mark.parametrize("command", ["generate", "animate"])
def test_a_blink_after_the_end(run, command):
    refused(run, "--blink-rate 2.4s: the speech ends at 0.52 s", command=command, **{"blink-rate": "0.1s,2.4s"})


def test_a_reference_with_no_face_or_several(run, tmp_path, astronaut, talking_video):
    Image.new("RGB", (320, 240), (90, 90, 90)).save(tmp_path / "grey.png")
    for name, what in (
        ("grey.png", "No face found in"),
        ("two.png", "two.png; cut the reference down to the one that is to be imitated"),
        ("grey.mp4", "a face is seen in 0% of its frames"),
    ):
        if name == "two.png":
            one = np.asarray(Image.open(astronaut))
            Image.fromarray(np.concatenate([one, one], 1)).save(tmp_path / name)
        elif name == "grey.mp4":
            talking_video(tmp_path / name, seconds=0.2)
        status, line = run("animate", **{"emotion-reference": tmp_path / name})
        assert status == 2 and what in line and line.count("\n") == 1
        assert not list(run.folder.iterdir())


def test_a_reference_or_cues_are_not_overwritten(run, astronaut, talking_video, tmp_path):
    clip = talking_video(tmp_path / "clip.mp4", seconds=0.2)
    refused(run, "clip.mp4: is one of the inputs and would be overwritten", output=clip, **{"emotion-reference": clip})


@pytest.mark.parametrize("intensity", ["1.5", "-0.1", "nan"])
def test_intensity_out_of_range(run, intensity):
    refused(run, f"intensity is {float(intensity)}; give a number from 0", intensity=intensity)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"fps": 0}, "--fps 0: out of range; give 1 to 120"),
        ({"size": 8}, "--size 8: out of range; give 64 to 8192"),
        ({"quality": "ultra"}, "--quality ultra: unknown; choose from draft, standard, best"),
        ({"steps": 0}, "--steps 0: out of range; give 1 to 100"),
        ({"head-motion": -1}, "--head-motion -1: out of range; give 0 to 2"),
        ({"blink-rate": 500}, "--blink-rate 500: out of range; give 0 to 60"),
        ({"blink-rate": "often"}, "--blink-rate often: not understood; give 20 (a minute)"),
        ({"gaze": "90,0"}, "--gaze 90,0: out of range; give at most 30 degrees"),
        ({"articulation": 2.1}, "--articulation 2.1: out of range; give 0 to 2"),
        ({"expression-strength": -0.5}, "--expression-strength -0.5: out of range; give 0 to 2"),
        ({"seed": -1}, "--seed -1: out of range; give 0 to 4294967295"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_other_wishes_out_of_range(run, options, what):
    refused(run, what, **options)


def test_motion_files_that_are_none(run, tmp_path, astronaut):
    (tmp_path / "t.npz").write_text("not motion")
    refused(run, "t.npz: is not a motion file", command="render", image=astronaut, motion=tmp_path / "t.npz")
    (run.folder / "o.mp4").unlink()
    refused(run, "none.npz: no such file", command="render", image=astronaut, motion=tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": 1.6}, "--strength 1.6: out of range; give 0 to 1.5, 1 is as the motion is."),
        ({"camera": "25,0"}, "--camera 25,0: out of range; give at most 20 degrees to a side, up or down."),
        ({"camera": "left"}, "--camera left: not understood; give yaw,pitch such as 15,-5, or a path such as"),
        ({"camera": "0,0 9s:5,5"}, "--camera has a view at 9s: the video ends at 0.2 s; give an earlier time."),
        ({"lips-from": "none.wav"}, "none.wav: no such file"),
    ],
)
def test_how_a_motion_is_put_on_a_portrait(run, tmp_path, astronaut, options, message):
    save_motion(tmp_path / "m.npz", FaceMotion.neutral(5))
    refused(run, message, command="render", image=astronaut, motion=tmp_path / "m.npz", **options)


def test_a_camera_of_a_spoken_video(run):
    refused(run, "--camera 0,30: out of range; give at most 20 degrees", camera="0,30")
    (run.folder / "o.mp4").unlink()
    refused(run, "--camera has a view at 2s: the video ends at 0.52 s", camera="0,0 2s:5,5")


def test_videos_to_track_that_are_none(run, tmp_path, talking_video):
    (tmp_path / "t.mp4").write_text("not a video " * 50)
    refused(run, "t.mp4: cannot be read as a video", command="track", video=tmp_path / "t.mp4")
    (run.folder / "o.npz").unlink()
    refused(run, "a face is seen in 0% of its frames", command="track", video=talking_video(tmp_path / "grey.mp4", seconds=0.2))


# --- the result


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("o.avi", "has '.avi'; choose one of .mp4, .mov, .mkv"),
        ("o", "has no ending; choose one of .mp4, .mov, .mkv"),
        ("none/o.mp4", "there is no folder"),
    ],
)
def test_output_of_unknown_extension_or_nowhere(run, name, what):
    refused(run, what, output=run.folder / name)


def test_output_that_cannot_be_written(run):
    refused(run, "/proc/o.mp4: cannot be written (", "choose another folder", output="/proc/o.mp4")


def test_output_that_is_an_input(run, tmp_path, talking_video):
    path = talking_video(tmp_path / "v.mp4", seconds=0.6)
    content = path.read_bytes()
    refused(run, "v.mp4: is one of the inputs and would be overwritten", audio=path, output=path)
    assert path.read_bytes() == content


def test_full_disk(run):
    """A limit on the size of files stands for the disk's: the write that crosses it fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, hard))
    try:
        refused(run, "o.mp4: writing failed (", "free some space or write elsewhere")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_from_outside_while_frames_flow(run, monkeypatch, sent, status):
    output = run.folder / "o.mp4"
    output.write_bytes(b"before")
    write, beside = VideoWriter.write, []

    def write_until_stopped(self, frame):
        write(self, frame)
        if self.num_frames_in == 4:
            beside.extend(run.folder.iterdir())
            os.kill(os.getpid(), sent)

    monkeypatch.setattr(VideoWriter, "write", write_until_stopped)
    # Where tests run in several processes, these are told to leave Ctrl-C to the first.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        try:
            came, line = run()
        except SystemExit as stop:
            came, line = stop.code, ""
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, before)
    assert len(beside) == 2, "it was being written beside"
    assert came == status and line.count("\n") == (sent == signal.SIGINT)
    assert output.read_bytes() == b"before" and list(run.folder.iterdir()) == [output]


# --- the models


@pytest.fixture
def checkpoint(root, tmp_path):
    return shutil.copytree(root / "checkpoints/default", tmp_path / "checkpoint")


def test_checkpoint_that_is_no_folder(run, tmp_path, astronaut):
    refused(
        run, "none: no such folder; reinstall talkinghead, or give --checkpoint a whole folder", checkpoint=tmp_path / "none"
    )
    (run.folder / "o.mp4").unlink()
    refused(run, "is a file, not a folder", checkpoint=astronaut)


def test_checkpoint_with_each_file_missing(run, checkpoint):
    from talkinghead.checkpoints import FILES

    for name in FILES:
        kept = (checkpoint / name).read_bytes()
        (checkpoint / name).unlink()
        status, line = run(checkpoint=checkpoint)
        assert status == 2 and line.count("\n") == 1 and f"{name} missing or empty; reinstall talkinghead" in line
        (checkpoint / name).write_bytes(kept)
    assert not list(run.folder.iterdir())


def test_checkpoint_with_a_file_of_the_wrong_shape(run, checkpoint):
    for file in sorted(checkpoint.rglob("*.safetensors")):
        kept = file.read_bytes()
        tensors = load_file(file)
        name = max(tensors, key=lambda n: tensors[n].size)
        save_file(tensors | {name: np.ascontiguousarray(tensors[name][..., :-1])}, file)
        status, line = run(checkpoint=checkpoint, emotion="auto")
        assert status == 2, file
        assert line.count("\n") == 1 and "Traceback" not in line, file
        assert str(checkpoint / file.relative_to(checkpoint).parts[0]) in line, file
        file.write_bytes(kept)
    assert not list(run.folder.iterdir())


def test_checkpoint_with_a_damaged_file(run, checkpoint):
    from talkinghead.checkpoints import FILES

    for name in FILES:
        if name == "renderer/model_index.json":
            continue  # diffusers writes it for those who look into the folder; nothing here reads it
        kept = (checkpoint / name).read_bytes()
        (checkpoint / name).write_bytes(b"damaged")
        status, line = run(checkpoint=checkpoint)
        assert status == 2, name
        assert line.count("\n") == 1 and str(checkpoint) in line, name
        (checkpoint / name).write_bytes(kept)
    assert not list(run.folder.iterdir())
