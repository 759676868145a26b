"""The voice's emotion: on features made so that the answer is known, and with the shipped weights on the shipped sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from talkinghead.audio.speech_encoder import SpeechEncoder
from talkinghead.audio.waveform import load_audio
from talkinghead.emotion.emotion_encoder import (
    WINDOW_FRAMES,
    EmotionEncoder,
    narrowed,
    neutral_unless_sure,
    statistics,
    window_statistics,
)
from talkinghead.emotion.emotion_training import EmotionConfig, train_emotion_encoder
from talkinghead.emotion.voices import load_voices, speaker_folds
from talkinghead.errors import CheckpointError, ConfigError, EmotionError
from talkinghead.types import EMOTIONS, NEUTRAL, EmotionTrack, SpeechFeatures

ROOT = Path(__file__).parents[2]
WIDTH = 4
ANGRY, HAPPY = EMOTIONS.index("angry"), EMOTIONS.index("happy")


def speech(emotions, frames_each=80, seed=0):
    """Each emotion is a shift of one column of the voice."""
    generator = np.random.default_rng(seed)
    voice = generator.normal(0, 0.3, (frames_each * len(emotions), 3 * WIDTH)).astype(np.float32)
    for index, emotion in enumerate(emotions):
        part = slice(index * frames_each, (index + 1) * frames_each)
        voice[part, {"angry": 0, "happy": 1, "neutral": 2}[emotion]] += 2
    content = generator.normal(0, 0.3, (len(voice), 2 * WIDTH)).astype(np.float32)
    return SpeechFeatures(content, np.full(len(voice), -20, np.float32), voice)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    number = {"neutral": "01", "happy": "03", "angry": "05"}
    for actor in range(1, 13):
        for emotion, code in number.items():
            features = speech([emotion], seed=actor * 10 + int(code))
            file = folder / "ravdess" / f"03-01-{code}-02-01-01-{actor:02}.npz"
            file.parent.mkdir(exist_ok=True)
            np.savez(file, content=features.content, loudness=features.loudness, voice=features.voice)
            if actor % 2:  # some are varied, some are not
                varied = folder.parent / "varied/1" / file.relative_to(folder)
                varied.parent.mkdir(parents=True, exist_ok=True)
                np.savez(varied, content=features.content[:60, :0], loudness=features.loudness[:60], voice=features.voice[:60])
    settings = {"hidden": 16, "members": 2, "epochs": 60, "batch_size": 8, "folds": 3, "learning_rate": 1e-2}
    config = EmotionConfig(str(folder), str(folder.parent / "varied"), str(folder / "run"), **settings)
    said = []
    return EmotionEncoder.load(train_emotion_encoder(config, said.append)), folder, said


def test_it_learns_what_speakers_it_never_heard_feel(trained):
    _, folder, said = trained
    table = json.loads((folder / "run/held_out.json").read_text())["ravdess"]
    assert table["classes"] == ["angry", "happy", "neutral"] and table["recall"] > 0.9
    assert np.trace(table["confusion"]) > 0.9 * np.sum(table["confusion"])
    assert said[0] == "36 recordings of 12 speakers, 108 forms of them"
    assert "| ravdess | angry | happy | neutral |" in (folder / "run/confusion.md").read_text()
    assert [EmotionEncoder.load(folder / f"run/folds/{k}").config.num_members for k in range(3)] == [2, 2, 2]


def test_a_mood_that_changes_gives_a_track_that_changes_within_half_a_window(trained):
    encoder, _, _ = trained
    track = encoder.hear(speech(["angry", "happy", "neutral"], seed=99))
    top = track.weights.argmax(1)
    assert len(track) == 240 and np.allclose(track.weights.sum(1), 1, atol=1e-5)
    half = WINDOW_FRAMES // 2
    assert (top[: 80 - half] == ANGRY).all() and (top[190:] == NEUTRAL).all()
    assert (top[80 + half : 160 - half] == HAPPY).all()
    assert track.intensity[:55].min() > 0.5 > track.intensity[200:].max()


def test_an_emotion_that_nobody_acted_is_never_heard(trained):
    encoder, _, _ = trained
    track = encoder.hear(speech(["angry", "happy"], seed=5))
    assert track.weights[:, EMOTIONS.index("contempt")].max() == 0


def test_silence_feels_nothing(trained):
    encoder, _, _ = trained
    features = speech(["angry"])
    silent = SpeechFeatures(features.content, np.full(80, -100, np.float32), features.voice)
    assert encoder.hear(silent).intensity.max() == 0


@pytest.mark.parametrize("num_frames", [1, 2, WINDOW_FRAMES, WINDOW_FRAMES + 1, 301])
def test_any_length_has_windows_within_it(num_frames):
    features = speech(["angry"], frames_each=num_frames)
    centres, rows = window_statistics(features)
    assert len(centres) == len(rows) and np.isfinite(rows).all()
    assert centres.min() >= 0 and centres.max() < num_frames and (np.diff(centres) > 0).all()


def test_a_constant_recording_has_its_values_for_a_mean_and_no_deviation():
    features = SpeechFeatures(
        np.zeros((30, WIDTH), np.float32), np.full(30, -20, np.float32), np.full((30, 3 * WIDTH), 2.0, np.float32)
    )
    row = statistics(features, 0, 30)
    assert row[: 3 * WIDTH] == pytest.approx(2.0)
    assert np.abs(row[3 * WIDTH :]).max() < 1e-3


def test_what_is_not_clearly_heard_is_left_out():
    weights = np.zeros((2, 8), np.float32)
    weights[0, ANGRY], weights[0, NEUTRAL] = 0.3, 0.7
    weights[1, ANGRY], weights[1, NEUTRAL] = 0.9, 0.1
    track = neutral_unless_sure(EmotionTrack(weights, np.ones(2, np.float32)))
    assert track.intensity.tolist() == [0, 1]


def test_features_without_a_voice_and_folders_without_an_encoder_are_named(tmp_path):
    features = speech(["angry"])
    with pytest.raises(EmotionError, match="hold no voice; encode the speech with with_voice=True"):
        window_statistics(SpeechFeatures(features.content, features.loudness))
    with pytest.raises(CheckpointError, match=r"no emotion encoder .*name the emotion instead of 'auto'"):
        EmotionEncoder.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"diffusion_pytorch_model.safetensors: no emotion encoder"):
        EmotionEncoder.load(tmp_path)
    with pytest.raises(ConfigError, match=r"no prepared recording; run scripts/prepare_speech.py first"):
        load_voices(tmp_path, None, 1, 0)


def test_the_shipped_encoder_hears_nothing_in_a_sentence_read_plainly():
    encoder = SpeechEncoder.from_pretrained(ROOT / "checkpoints/default/speech_encoder")
    features = encoder.encode(load_audio(ROOT / "assets/speech.wav"), with_voice=True)
    track = neutral_unless_sure(EmotionEncoder.load(ROOT / "checkpoints/default/emotion_encoder").hear(features))
    assert len(track) == len(features) and track.intensity.max() < 0.1


def test_the_logits_are_the_mean_of_the_members_and_the_embedding_holds_them_all():
    torch.manual_seed(1)
    encoder = EmotionEncoder(10, 4, 3).eval()
    rows = torch.randn(5, 10)
    with torch.inference_mode():
        each = torch.stack([member(rows) for member in encoder.members])
        assert torch.allclose(encoder(rows), each.mean(0), atol=1e-6)
    assert encoder.embed(rows).shape == (5, 12)


def test_a_narrowed_encoder_says_the_same_of_rows_that_vary_in_few_ways_and_less_is_lost_with_a_higher_rank():
    torch.manual_seed(2)
    encoder = EmotionEncoder(20, 8, 3).eval()
    encoder.mean.data, encoder.deviation.data = torch.randn(20), torch.rand(20) + 0.5
    encoder.unheard.data[1] = -torch.inf
    rows = torch.randn(200, 4) @ torch.randn(4, 20) + encoder.mean
    narrow = narrowed(encoder, rows, 4)
    with torch.inference_mode():
        assert torch.allclose(narrow(rows), encoder(rows), atol=1e-3)
        rows = torch.randn(400, 20)
        lost = [float((narrowed(encoder, rows, k)(rows) - encoder(rows))[:, 2:].abs().mean()) for k in (2, 8, 16, 20)]
    assert lost == sorted(lost, reverse=True) and lost[0] > 0.01 and lost[-1] < 1e-4
    assert sum(p.numel() for p in narrow.parameters()) < sum(p.numel() for p in encoder.parameters())


@pytest.mark.parametrize("rank", [0, -1, 21])
def test_a_rank_that_an_encoder_cannot_have_is_named(rank):
    with pytest.raises(EmotionError, match=rf"rank is {rank}; give a whole number from 1 to 20"):
        narrowed(EmotionEncoder(20, 8, 3), torch.randn(5, 20), rank)


def test_a_run_with_a_rank_writes_narrow_encoders(trained, tmp_path):
    _, folder, _ = trained
    settings = {"hidden": 16, "members": 2, "epochs": 60, "batch_size": 8, "folds": 3, "learning_rate": 1e-2, "rank": 5}
    config = EmotionConfig(str(folder), str(folder.parent / "varied"), str(tmp_path / "run"), **settings)
    encoder = EmotionEncoder.load(train_emotion_encoder(config, str))
    assert encoder.config.rank == 5 and encoder.members[0][1].weight.shape == (16, 5)
    table = json.loads((tmp_path / "run/held_out.json").read_text())["ravdess"]
    assert table["recall"] > 0.9


def test_a_speaker_is_in_one_fold_and_folds_are_even():
    speaker = np.repeat([f"s{k}" for k in range(10)], 7)
    fold = speaker_folds(speaker, 5)
    assert all(len(set(fold[speaker == name])) == 1 for name in set(speaker))
    assert np.bincount(fold).tolist() == [14] * 5


def test_saved_then_loaded_is_equal(tmp_path):
    torch.manual_seed(0)
    encoder = EmotionEncoder(10, 4, 2, rank=3)
    encoder.save_pretrained(tmp_path)
    for a, b in zip(encoder.parameters(), EmotionEncoder.load(tmp_path).parameters(), strict=True):
        assert torch.equal(a, b)
