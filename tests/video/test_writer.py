"""A video is there whole or not at all, in step with its sound, at any size and rate."""

import resource
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from talkinghead.errors import AudioError, OutputError
from talkinghead.types import SAMPLE_RATE, Audio
from talkinghead.video.reader import read_frames
from talkinghead.video.writer import VideoWriter, check_output


def numbered(count, height=64, width=96):
    """Frames whose grey level is their number, (H, W, 3) uint8."""
    for index in range(count):
        yield np.full((height, width, 3), 20 + 4 * index, np.uint8)


def write(path, frames, sound=None, fps=25):
    with VideoWriter(path, sound, fps) as video:
        for frame in frames:
            video.write(frame)
    return path


def numbers(path, fps):
    return [round((float(frame.mean()) - 20) / 4) for frame in read_frames(path, fps)]


def noise(seconds):
    return Audio((np.random.default_rng(0).normal(size=round(seconds * SAMPLE_RATE)) * 0.1).astype(np.float32))


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".MP4"])
def test_the_file_is_h264_and_aac(tmp_path, ending):
    path = write(tmp_path / f"o{ending}", numbered(25), noise(1))
    with av.open(str(path)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt, video.average_rate) == ("h264", "yuv420p", 25)
        assert (audio.codec_context.name, audio.codec_context.sample_rate) == ("aac", 48_000)
        assert video.codec_context.colorspace == 1, "BT.709"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o444, "as readable as any other file"


def test_it_starts_playing_before_it_is_all_there(tmp_path):
    content = write(tmp_path / "o.mp4", numbered(10), noise(0.4)).read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_frames_and_colours_come_back(tmp_path):
    assert numbers(write(tmp_path / "o.mp4", numbered(30)), 25) == list(range(30))
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[:32], frame[32:] = (200, 30, 60), (20, 90, 210)
    back = next(read_frames(write(tmp_path / "c.mp4", [frame] * 3)))
    assert np.abs(back[4:28].astype(int) - frame[4:28]).max() <= 4 and np.abs(back[36:60].astype(int) - frame[36:60]).max() <= 4


def test_the_sound_is_in_step(tmp_path):
    from talkinghead.audio.waveform import load_audio

    sound = noise(2)
    back = load_audio(write(tmp_path / "o.mp4", numbered(50), sound)).samples
    size = 1 << 17
    peak = np.fft.irfft(np.fft.rfft(back, size) * np.conj(np.fft.rfft(sound.samples, size))).argmax()
    assert min(peak, size - peak) <= 2, "samples"
    assert abs(len(back) - len(sound.samples)) < SAMPLE_RATE / 20


def test_a_sound_file_keeps_its_own_quality(tmp_path):
    rate = 48_000
    t = np.arange(rate) / rate
    with av.open(str(tmp_path / "hi.wav"), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=rate, layout="stereo")
        both = np.stack([np.sin(2 * np.pi * 12_000 * t), np.zeros(rate)]) * 0.5
        frame = av.AudioFrame.from_ndarray((both.T.reshape(1, -1) * 32767).astype(np.int16), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        file.mux([*stream.encode(frame), *stream.encode(None)])
    path = write(tmp_path / "o.mp4", numbered(25), tmp_path / "hi.wav")
    with av.open(str(path)) as file:
        sound = np.concatenate([f.to_ndarray() for f in file.decode(audio=0)], axis=1)
    assert sound.shape[0] == 2
    spectrum = np.abs(np.fft.rfft(sound[0]))
    assert abs(spectrum.argmax() * rate / sound.shape[1] - 12_000) < 20, "beyond what 16 kHz could carry"
    assert np.abs(sound[1]).max() < 0.05


def test_a_sound_file_that_changes_its_rate_keeps_its_pitch(tmp_path):
    for rate in (48_000, 24_000):
        soundfile.write(tmp_path / f"{rate}.flac", 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate), rate)
    (tmp_path / "both.flac").write_bytes(b"".join((tmp_path / f"{rate}.flac").read_bytes() for rate in (48_000, 24_000)))
    path = write(tmp_path / "o.mp4", numbered(50), tmp_path / "both.flac")
    with av.open(str(path)) as file:
        sound = np.concatenate([f.to_ndarray() for f in file.decode(audio=0)], axis=1)[0]
    assert abs(len(sound) / 48_000 - 2) < 0.2, "the decoder loses a block at the seam"
    for part in (sound[4_000:40_000], sound[-40_000:-4_000]):
        assert abs(np.abs(np.fft.rfft(part)).argmax() * 48_000 / len(part) - 440) < 3


@pytest.mark.parametrize(("height", "width"), [(65, 97), (64, 97), (65, 96)])
def test_odd_sizes_are_padded_not_stretched(tmp_path, height, width):
    frame = np.random.default_rng(0).integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    frame = np.kron(frame, np.ones((8, 8, 1), np.uint8))[:height, :width]
    back = next(read_frames(write(tmp_path / "o.mp4", [frame] * 2)))
    assert back.shape == (height + height % 2, width + width % 2, 3)
    grey = back[:height, :width].mean(-1) - frame.mean(-1)
    assert np.abs(grey).mean() < 4
    assert np.abs(back[-1].mean(-1) - back[-2].mean(-1)).mean() < 6, "the last row stands twice"


@pytest.mark.parametrize(
    ("fps", "shown"),
    [
        (50, [i // 2 for i in range(50)]),
        (12.5, list(range(1, 25, 2))),
        (30, [int((i + 0.5) * 25 / 30) for i in range(30)]),
        (5, [2, 7, 12, 17, 22]),
    ],
)
def test_other_rates_repeat_or_drop_whole_frames(tmp_path, fps, shown):
    path = write(tmp_path / "o.mp4", numbered(25), noise(1), fps)
    assert numbers(path, fps) == shown
    with av.open(str(path)) as file:
        video = file.streams.video[0]
        assert abs(float(video.duration * video.time_base) - 1) < 1 / fps


def test_ntsc_is_its_exact_fraction(tmp_path):
    with av.open(str(write(tmp_path / "o.mp4", numbered(25), fps=29.97))) as file:
        assert file.streams.video[0].average_rate == Fraction(30000, 1001)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "o.mp4"
    path.write_bytes(b"before")
    with pytest.raises(error), VideoWriter(path, noise(1)) as video:
        for frame in numbered(10):
            video.write(frame)
        assert len(list(tmp_path.iterdir())) == 2, "written beside"
        raise error
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("limit_bytes", [20_000, 300_000])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, limit_bytes):
    """The limit on a file's size stands for the disk's: the write that crosses it fails."""
    path = tmp_path / "o.mp4"
    path.write_bytes(b"before")
    frames = np.random.default_rng(0).integers(0, 255, (12, 256, 256, 3), np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        with pytest.raises(OutputError, match=r"o.mp4: writing failed \(.*\); free some space or write elsewhere\.$"):
            write(path, [frames[i % 12] for i in range(36)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_a_sound_that_cannot_be_read_is_not_called_a_full_disk(tmp_path):
    mute = write(tmp_path / "mute.mp4", numbered(3))
    (tmp_path / "text.wav").write_text("not sound " * 100)
    for sound, message in ((mute, r"mute.mp4: holds no sound"), (tmp_path / "text.wav", r"text.wav: cannot be read as sound")):
        with pytest.raises(AudioError, match=message):
            write(tmp_path / "o.mp4", numbered(3), sound)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mute.mp4", "text.wav"]


def test_no_frame_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="no frame was made"), VideoWriter(tmp_path / "o.mp4"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_frame_of_another_size_is_an_error(tmp_path):
    with pytest.raises(OutputError, match=r"frame: 96 x 66 px after 96 x 64"), VideoWriter(tmp_path / "o.mp4") as video:
        video.write(np.zeros((64, 96, 3), np.uint8))
        video.write(np.zeros((66, 96, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    for path, message in (
        (tmp_path / "o.avi", r"has '\.avi'; choose one of \.mp4, \.mov, \.mkv"),
        (tmp_path / "o", "has no ending; choose one of"),
        (tmp_path / "none/o.mp4", "there is no folder .*none; make it first"),
        (tmp_path / "file/o.mp4", "there is no folder"),
        (tmp_path / "d.mp4", "is a folder; give the name of a file in it"),
    ):
        if path.name == "d.mp4":
            path.mkdir()
        with pytest.raises(OutputError, match=message):
            check_output(path)
    with pytest.raises(OutputError, match=r"/proc/o\.mp4: cannot be written \(.*\); choose another folder"):
        check_output(type(tmp_path)("/proc/o.mp4"))


@pytest.mark.parametrize("fps", [0, -1, 0.5, 121, float("nan")])
def test_a_rate_out_of_range(tmp_path, fps):
    with pytest.raises(OutputError, match=r"^fps: .*; give 1 to 120\.$"):
        VideoWriter(tmp_path / "o.mp4", fps=fps)


def test_memory_does_not_grow_with_length(tmp_path):
    """A sound and its pictures wait for each other by no more than a few frames."""
    import psutil

    process = psutil.Process()
    frame, after = np.zeros((256, 256, 3), np.uint8), []
    with VideoWriter(tmp_path / "o.mp4", noise(60)) as video:
        for index in range(1500):
            video.write(frame)
            if index in (300, 1499):
                after.append(process.memory_info().rss)
    assert after[1] - after[0] < 8e6
