import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from talkinghead.audio.adapter import ArticulationAdapter
from talkinghead.audio.encoder_block import EncoderBlock
from talkinghead.audio.speech_encoder import WINDOW_FRAMES, SpeechEncoder, loudness_dbfs
from talkinghead.audio.voice import speak
from talkinghead.audio.waveform import load_audio
from talkinghead.errors import AudioError, CheckpointError
from talkinghead.types import ARTICULATIONS, Audio

FOLDER = Path(__file__).parents[2] / "checkpoints/default/speech_encoder"


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    return SpeechEncoder.from_pretrained(FOLDER)


def babble(seconds: float, seed: int = 0) -> Audio:
    """Noise with a moving formant and syllables: nothing like silence to the encoder."""
    count = int(seconds * 16_000)
    time = np.arange(count) / 16_000
    voice = np.sign(np.sin(2 * np.pi * 120 * time)) * (1 + np.sin(2 * np.pi * 3 * time))
    noise = np.random.default_rng(seed).standard_normal(count)
    return Audio((0.05 * voice + 0.01 * noise).astype(np.float32))


def test_whole_second_as_transformers_has_it(encoder: SpeechEncoder) -> None:
    audio = babble(30)
    whisper = WhisperEncoder(WhisperConfig(**json.loads((FOLDER / "config.json").read_text()))).eval()
    whisper.load_state_dict(encoder.network.state_dict())
    with torch.inference_mode():
        last = whisper(torch.from_numpy(encoder.log_mel(audio.samples))[None]).last_hidden_state[0]
    ours = SpeechEncoder(encoder.network, dtype=torch.float32)._window(encoder.log_mel(audio.samples), False)[0][:, -384:]
    assert np.allclose(ours, last.unflatten(0, (-1, 2)).mean(1).numpy(), atol=1e-4)


def test_half_the_digits_say_the_same(encoder: SpeechEncoder) -> None:
    """bfloat16 against float32, of a spoken sentence: articulation within 0.03, content and voice at r above .999."""
    audio = load_audio(Path(__file__).parents[2] / "assets/speech.wav")
    adapter = ArticulationAdapter.load(FOLDER / "adapter.safetensors")
    exact, quick = (
        SpeechEncoder(encoder.network, adapter, dtype=dtype).encode(audio, with_voice=True)
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert 0 < np.abs(exact.articulation - quick.articulation).max() < 0.03
    assert np.corrcoef(exact.content.ravel(), quick.content.ravel())[0, 1] > 0.999
    assert np.corrcoef(exact.voice.ravel(), quick.voice.ravel())[0, 1] > 0.999


def test_a_block_attends_to_what_was_kept(encoder: SpeechEncoder) -> None:
    """Steps in two parts, the second with the keys and values of the first, as a stream does."""
    steps = torch.randn((1, 40, 384), generator=torch.Generator().manual_seed(0))
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.bfloat16, 0.1)):
        block = EncoderBlock.of(encoder.network.layers[2], dtype)
        with torch.inference_mode():
            whole, (keys, values) = block(steps)
            late, attended_to = block(steps[:, 24:], (keys[:, :, :24], values[:, :, :24]))
        assert torch.allclose(late, whole[:, 24:], atol=tolerance) and attended_to[0].shape == keys.shape


def test_windows_are_near_the_whole(encoder: SpeechEncoder) -> None:
    # Twice a spoken sentence: two windows. What differs is where in its window a frame stands.
    sentence = load_audio(Path(__file__).parents[2] / "assets/speech.wav").samples
    audio = Audio(np.concatenate([sentence, sentence])[: 640 * 320])
    assert audio.num_frames > WINDOW_FRAMES
    windowed, whole = encoder.encode(audio).content, encoder._window(encoder.log_mel(audio.samples), with_voice=False)[0]
    a, b = windowed - windowed.mean(0), whole - whole.mean(0)
    assert (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()) > 0.9


def test_the_voice_is_whispers_own_blocks_and_only_there_when_asked_for(encoder: SpeechEncoder) -> None:
    audio = load_audio(Path(__file__).parents[2] / "assets/speech.wav")
    plain, heard = encoder.encode(audio), encoder.encode(audio, with_voice=True)
    assert plain.voice is None and np.array_equal(plain.content, heard.content)
    assert heard.voice is not None and heard.voice.shape == (audio.num_frames, 3 * 384) and heard.voice.std() > 0


def test_an_adapter_changes_the_content_and_not_the_voice(encoder: SpeechEncoder, tmp_path: Path) -> None:
    audio, bare = load_audio(Path(__file__).parents[2] / "assets/speech.wav"), SpeechEncoder(encoder.network)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        down, up = torch.randn(2, 384), torch.randn(384, 2)
    still = ArticulationAdapter({}, {}, torch.zeros(16, 1536), torch.zeros(16))
    name = "layers.2.self_attn.v_proj"
    moved = ArticulationAdapter({name: down}, {name: 0.01 * up}, torch.zeros(16, 1536), torch.full((16,), 2.0))
    moved.save(tmp_path / "adapter.safetensors")
    plain, same, other = (
        SpeechEncoder(encoder.network, adapter).encode(audio, with_voice=True)
        for adapter in (None, still, ArticulationAdapter.load(tmp_path / "adapter.safetensors"))
    )
    assert np.array_equal(plain.content, same.content) and plain.articulation is None
    assert np.array_equal(plain.content[:, :384], other.content[:, :384]), "the block below the change"
    assert np.abs(plain.content - other.content).max() > 1e-2 and np.array_equal(plain.voice, other.voice)
    assert same.articulation is not None and np.allclose(same.articulation, 0.5)
    assert other.articulation is not None and np.allclose(other.articulation, 1 / (1 + np.exp(-2)), atol=1e-3)
    assert np.array_equal(bare.encode(audio).content, plain.content)


def test_the_shipped_adapter_hears_lips_meet_and_teeth_touch(encoder: SpeechEncoder) -> None:
    spoken = speak("Papa maybe baby Bob. Five very fine fever vows.", "en-gb")
    articulation = encoder.encode(spoken.audio).articulation
    assert articulation is not None
    for name, letters in (("bilabial", "pbm"), ("labiodental", "fv")):
        column = articulation[:, ARTICULATIONS.index(name)]
        there = [
            column[round(25 * p.start_s) : round(25 * p.end_s) + 2].max()
            for p in spoken.phonemes
            if p.symbol and p.symbol in letters
        ]
        vowels = [
            column[round(12.5 * (p.start_s + p.end_s))] for p in spoken.phonemes if p.symbol[:1] in set("aeiouɒɛɪ") and p.symbol
        ]
        assert np.mean(np.array(there) > 0.5) > 0.8 and np.mean(np.array(vowels) > 0.5) < 0.1, name


def test_an_adapter_of_another_version_is_refused(tmp_path: Path) -> None:
    save_file({"articulations.weight": torch.zeros(3, 1536)}, tmp_path / "adapter.safetensors", {"articulations": "open shut"})
    with pytest.raises(CheckpointError, match="knows other articulations"):
        ArticulationAdapter.load(tmp_path / "adapter.safetensors")


@pytest.mark.parametrize("num_samples", [1, 639, 640, 641, 800, 16_000])
def test_any_length_gives_its_frames(encoder: SpeechEncoder, num_samples: int) -> None:
    audio = Audio(np.full(num_samples, 0.1, np.float32))
    features = encoder.encode(audio)
    assert features.content.shape == (audio.num_frames, 1536) and features.loudness.shape == (audio.num_frames,)
    assert np.isfinite(features.content).all() and features.content.dtype == np.float32


def test_silence_is_finite_and_quiet(encoder: SpeechEncoder) -> None:
    features = encoder.encode(Audio(np.zeros(32_000, np.float32)))
    assert np.isfinite(features.content).all() and np.all(features.loudness == -100)


def test_loudness_of_a_full_scale_square_wave_is_zero() -> None:
    assert np.allclose(loudness_dbfs(np.tile(np.float32([1, -1]), 640)), 0, atol=1e-5)


def test_empty_and_broken_sound_are_errors(encoder: SpeechEncoder) -> None:
    with pytest.raises(AudioError, match="no samples"):
        encoder.encode(Audio(np.zeros(0, np.float32)))
    with pytest.raises(AudioError, match="not numbers"):
        encoder.encode(Audio(np.full(800, np.nan, np.float32)))


def test_a_broken_checkpoint_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="not a speech encoder"):
        SpeechEncoder.from_pretrained(tmp_path)
    shutil.copytree(FOLDER, tmp_path / "short")
    settings = json.loads((FOLDER / "config.json").read_text()) | {"d_model": 192, "encoder_ffn_dim": 768}
    (tmp_path / "short" / "config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match="reinstall talkinghead"):
        SpeechEncoder.from_pretrained(tmp_path / "short")
