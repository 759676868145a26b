"""wav2vec2, HuBERT and WavLM of random weights and a few channels: the features of transformers, a row a video frame."""

import json

import numpy as np
import pytest
import torch
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel

from talkinghead.audio.hidden_unit_encoder import HiddenUnitEncoder, load_speech_encoder
from talkinghead.audio.speech_encoder import WINDOW_FRAMES, SpeechEncoder, loudness_dbfs
from talkinghead.audio.speech_stream import SpeechStream
from talkinghead.errors import AudioError, CheckpointError
from talkinghead.types import SAMPLES_PER_FRAME, Audio

KINDS = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model, "layer"),
    "hubert": (HubertConfig, HubertModel, "group"),
    "wavlm": (WavLMConfig, WavLMModel, "layer"),
}
WIDTH = 16


def save_tiny(folder, kind="wav2vec2", normalise=True, **changes):
    """As transformers saves them."""
    config_of, model_of, norm = KINDS[kind]
    settings = {
        "hidden_size": WIDTH, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32, "conv_dim": (8,) * 7,
        "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "feat_extract_norm": norm,
    }  # fmt: skip
    torch.manual_seed(0)
    model_of(config_of(**settings | changes)).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": normalise}))
    return folder


def voice_like(num_samples, seed=0):
    random = np.random.default_rng(seed)
    time = np.arange(num_samples) / 16000
    loud = 0.3 * np.sin(2 * np.pi * 3 * time) ** 2
    return (loud * np.sin(2 * np.pi * 140 * time) + 0.02 * random.standard_normal(num_samples)).astype(np.float32)


@pytest.fixture(scope="module", params=KINDS)
def folder(request, tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("network") / request.param, request.param)


def test_the_features_are_transformers_own(folder):
    samples = voice_like(20 * SAMPLES_PER_FRAME - 100)
    encoder = load_speech_encoder(folder)
    assert isinstance(encoder, HiddenUnitEncoder) and encoder.content_width == 3 * WIDTH
    features = encoder.encode(Audio(samples), with_voice=True)
    whole = np.pad(samples, (0, 100))
    whole = (whole - whole.mean()) / whole.std()
    # 400 samples a step, one every 320: 40 more on each side, and 20 frames are 40 steps.
    with torch.no_grad():
        steps = encoder.network(torch.from_numpy(np.pad(whole, 40))[None], output_hidden_states=True).hidden_states
    assert steps[0].shape[1] == 40
    frames = [layer[0].reshape(20, 2, WIDTH).mean(1).numpy() for layer in steps]
    assert np.allclose(features.content, np.concatenate([frames[2], frames[3], frames[4]], 1), atol=1e-4)
    assert np.allclose(features.voice, np.concatenate(frames[1:4], 1), atol=1e-4)
    assert np.array_equal(features.loudness, loudness_dbfs(np.pad(samples, (0, 100)))) and features.articulation is None
    assert features.content.std() > 0.1, "not all the same"


@pytest.mark.parametrize("num_samples", [1, 640, 641, 12 * 640, 26 * 640 + 5])
def test_any_length_gives_its_frames(folder, num_samples):
    features = load_speech_encoder(folder).encode(Audio(voice_like(num_samples)))
    assert features.content.shape == (-(-num_samples // 640), 3 * WIDTH) and np.isfinite(features.content).all()
    assert len(features.loudness) == len(features) and features.voice is None


def test_windows_are_near_the_whole(folder, monkeypatch):
    encoder = load_speech_encoder(folder)
    audio = Audio(voice_like((WINDOW_FRAMES + 60) * SAMPLES_PER_FRAME))
    windows = encoder.encode(audio).content
    monkeypatch.setattr("talkinghead.audio.hidden_unit_encoder.WINDOW_FRAMES", 10_000)
    whole = encoder.encode(audio).content
    assert np.abs(windows - whole).mean() < 0.1 * whole.std() and not np.array_equal(windows, whole)


def test_loudness_is_taken_out_where_the_network_learnt_so(tmp_path):
    samples = voice_like(10 * SAMPLES_PER_FRAME)
    for normalise in (True, False):
        encoder = load_speech_encoder(save_tiny(tmp_path / str(normalise), "wav2vec2", normalise))
        loud, soft = (encoder.encode(Audio(gain * samples)).content for gain in (np.float32(1), np.float32(0.1)))
        assert (np.abs(loud - soft).max() < 1e-2) == normalise


def test_the_configuration_says_which_blocks(tmp_path):
    encoder = load_speech_encoder(save_tiny(tmp_path / "a", content_layers=[4]))
    assert encoder.content_width == WIDTH
    with pytest.raises(CheckpointError, match=r"content_layers \[5\]: its blocks are 1 to 4"):
        load_speech_encoder(save_tiny(tmp_path / "b", content_layers=[5]))


def test_folders_that_are_none_are_one_line(tmp_path, root, capfd):
    assert isinstance(load_speech_encoder(root / "checkpoints/default/speech_encoder"), SpeechEncoder)
    bare = save_tiny(tmp_path / "bare")
    (bare / "model.safetensors").rename(bare / "pytorch_model.bin")
    other = save_tiny(tmp_path / "other")
    settings = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(settings | {"num_hidden_layers": 6}))
    narrow = save_tiny(tmp_path / "narrow")
    (narrow / "config.json").write_text(json.dumps(settings | {"intermediate_size": 48}))
    paces = save_tiny(tmp_path / "paces", conv_stride=(5, 2, 2, 2, 2, 2, 3))
    for wrong, message in (
        (bare, "there is no model.safetensors"),
        (other, r"model.safetensors lacks 32 of its tensors, encoder.layers.4.attention.k_proj.bias for one"),
        (narrow, "no wav2vec2, HuBERT or WavLM encoder"),
        (paces, "a step every 480 samples does not divide a video frame of 640"),
    ):
        capfd.readouterr()
        with pytest.raises(CheckpointError, match=message) as error:
            load_speech_encoder(wrong)
        assert capfd.readouterr() == ("", ""), "transformers says nothing besides"
        assert "\n" not in str(error.value) and "safe_serialization=True" in str(error.value)
    with pytest.raises(CheckpointError, match="not a speech encoder"):
        load_speech_encoder(tmp_path / "none")


def test_broken_sound_and_streams_are_refused(folder):
    encoder = load_speech_encoder(folder)
    with pytest.raises(AudioError, match="holds no samples"):
        encoder.encode(Audio(np.zeros(0, np.float32)))
    with pytest.raises(
        CheckpointError, match=r"hears whole recordings only; .* the default encoder's, so leave --checkpoint out"
    ):
        SpeechStream(encoder)
