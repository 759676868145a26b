"""Every recording that people have becomes 16 kHz mono; what cannot is refused in one line."""

import wave
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from talkinghead.audio.waveform import load_audio
from talkinghead.errors import AudioError
from talkinghead.types import SAMPLE_RATE


def tone(seconds, rate, hz=440.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def write_pcm(path, samples, rate, codec="pcm_s16le", container="wav"):
    """samples: (C, N) float32."""
    layout = "mono" if len(samples) == 1 else "stereo"
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        to_codec = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        size = stream.codec_context.frame_size or 1024
        fifo = av.AudioFifo()
        for part in to_codec.resample(frame):
            fifo.write(part)
        while part := fifo.read(size, partial=True):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


def strongest_hz(samples):
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * SAMPLE_RATE / len(samples))


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
def test_any_rate_keeps_pitch_and_length(tmp_path, rate):
    audio = load_audio(write_pcm(tmp_path / "a.wav", tone(1.0, rate)[None], rate))
    assert audio.samples.dtype == np.float32 and audio.samples.ndim == 1
    assert abs(len(audio.samples) - SAMPLE_RATE) <= 1
    assert abs(strongest_hz(audio.samples) - 440) < 2
    assert abs(np.abs(audio.samples[2000:-2000]).max() - 0.5) < 0.01


def test_a_16_khz_file_comes_through_bit_exactly(tmp_path):
    written = np.round(tone(0.5, SAMPLE_RATE) * 32768) / 32768
    audio = load_audio(write_pcm(tmp_path / "a.wav", written[None], SAMPLE_RATE))
    assert np.array_equal(audio.samples, written.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [
        ("24.wav", "pcm_s24le", "wav"),
        ("float.wav", "pcm_f32le", "wav"),
        ("a.flac", "flac", "flac"),
        ("a.mp3", "libmp3lame", "mp3"),
        ("a.m4a", "aac", "ipod"),
        ("a.ogg", "libopus", "ogg"),
    ],
)
def test_the_usual_formats_are_read(tmp_path, name, codec, container):
    stereo = np.stack([tone(1.0, 48000)] * 2)
    audio = load_audio(write_pcm(tmp_path / name, stereo, 48000, codec, container))
    assert abs(audio.duration_s - 1) < 0.08
    assert abs(strongest_hz(audio.samples) - 440) < 2
    assert 0.45 < np.abs(audio.samples[4000:-4000]).max() < 0.56, "stereo is averaged, not added"


def test_ogg_vorbis_is_read(tmp_path):
    soundfile.write(tmp_path / "a.ogg", tone(1.0, 44100), 44100, format="OGG", subtype="VORBIS")
    audio = load_audio(tmp_path / "a.ogg")
    assert abs(audio.duration_s - 1) < 0.02 and abs(strongest_hz(audio.samples) - 440) < 2


def test_one_silent_channel_halves_the_other(tmp_path):
    samples = np.stack([tone(0.5, SAMPLE_RATE), np.zeros(SAMPLE_RATE // 2, np.float32)])
    audio = load_audio(write_pcm(tmp_path / "a.wav", samples, SAMPLE_RATE))
    assert abs(np.abs(audio.samples).max() - 0.25) < 1e-3


def test_the_soundtrack_of_a_video_is_read(tmp_path, talking_video):
    audio = load_audio(talking_video(tmp_path / "v.mp4", seconds=1.0))
    assert abs(audio.duration_s - 1) < 0.1 and abs(strongest_hz(audio.samples) - 440) < 2


def test_silence_is_allowed(tmp_path):
    assert not load_audio(write_pcm(tmp_path / "a.wav", np.zeros((1, 8000)), SAMPLE_RATE)).samples.any()


def test_louder_than_full_scale_is_turned_down(tmp_path):
    audio = load_audio(write_pcm(tmp_path / "a.wav", 8 * tone(0.5, SAMPLE_RATE)[None], SAMPLE_RATE, "pcm_f32le"))
    assert np.abs(audio.samples).max() == pytest.approx(1)
    assert abs(strongest_hz(audio.samples) - 440) < 2


def test_a_wav_from_a_pipe_has_no_length_and_is_read(tmp_path):
    whole = write_pcm(tmp_path / "a.wav", tone(0.5, SAMPLE_RATE)[None], SAMPLE_RATE).read_bytes()
    at = whole.index(b"data") + 4
    (tmp_path / "b.wav").write_bytes(whole[:at] + b"\xff" * 4 + whole[at + 4 :])
    assert abs(load_audio(tmp_path / "b.wav").duration_s - 0.5) < 0.01


@pytest.mark.parametrize(("codec", "container"), [("pcm_s16le", "wav"), ("flac", "flac")])
def test_a_truncated_file_is_refused(tmp_path, codec, container):
    noise = np.random.default_rng(0).normal(size=(1, 32000)).astype(np.float32) * 0.1
    whole = write_pcm(tmp_path / "a", noise, SAMPLE_RATE, codec, container).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match=r"cut: truncated.*; copy or record it again\.$"):
        load_audio(tmp_path / "cut")


def test_what_is_not_a_number_is_refused(tmp_path):
    samples = tone(0.5, SAMPLE_RATE)[None].copy()
    samples[0, 4000] = np.nan
    with pytest.raises(AudioError, match="samples that are not numbers"):
        load_audio(write_pcm(tmp_path / "a.wav", samples, SAMPLE_RATE, "pcm_f32le"))


@pytest.mark.parametrize(("codec", "container"), [("aac", "adts"), ("flac", "flac")])
def test_a_rate_that_changes_on_the_way_keeps_its_pitch(tmp_path, codec, container):
    parts = [write_pcm(tmp_path / str(rate), tone(1.0, rate)[None], rate, codec, container) for rate in (48_000, 24_000)]
    (tmp_path / "both").write_bytes(b"".join(part.read_bytes() for part in parts))
    samples = load_audio(tmp_path / "both").samples
    assert abs(len(samples) / SAMPLE_RATE - 2) < 0.15
    assert abs(strongest_hz(samples[2000:14_000]) - 440) < 2 and abs(strongest_hz(samples[20_000:30_000]) - 440) < 2


@pytest.mark.parametrize(("num_samples", "message"), [(0, "holds 0 s of sound"), (800, "50 ms of sound, at least 100 ms")])
def test_too_short_is_refused(tmp_path, num_samples, message):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(b"\1\0" * num_samples)
    with pytest.raises(AudioError, match=message):
        load_audio(tmp_path / "a.wav")


def test_no_file_a_folder_an_empty_file_a_text_file(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("I am not a recording.\n" * 50)
    for name, message in (
        ("none.wav", "no such file; give a recording"),
        (".", "is a folder; give a recording"),
        ("empty.wav", "is empty; give a recording"),
        ("text.wav", "cannot be read as sound .*; give a recording"),
    ):
        with pytest.raises(AudioError, match=message):
            load_audio(tmp_path / name)


def test_a_video_without_sound_is_refused(tmp_path, talking_video):
    with pytest.raises(AudioError, match="holds a picture or video without sound"):
        load_audio(talking_video(tmp_path / "v.mp4", seconds=0.4, sound=False))


def test_a_playlist_does_not_reach_out(tmp_path):
    target = write_pcm(tmp_path / "a.wav", tone(0.5, SAMPLE_RATE)[None], SAMPLE_RATE)
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/{target.name}\n#EXT-X-ENDLIST\n")
    with pytest.raises(AudioError):
        load_audio(tmp_path / "list.m3u8")
