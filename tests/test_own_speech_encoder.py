"""A network of the user's own in place of Whisper, from its folder to a video: features, training, resumed, generated."""

import importlib.util
import json
import sys

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from transformers import WavLMConfig, WavLMModel

from talkinghead import arkit, cli, cli_motion, cli_video
from talkinghead.audio.hidden_unit_encoder import HiddenUnitEncoder, load_speech_encoder
from talkinghead.audio.waveform import load_audio
from talkinghead.checkpoints import checkpoint_folder
from talkinghead.errors import CheckpointError, EmotionError
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.io import save_motion
from talkinghead.motion.trainer import train_articulator
from talkinghead.motion.training_clips import ArticulatorConfig
from talkinghead.pipeline import TalkingHead
from talkinghead.preparation.clip import Tools
from talkinghead.types import SAMPLE_RATE, SAMPLES_PER_FRAME, FaceMotion
from talkinghead.video.reader import read_frames

NUM_FRAMES, WIDTH = 40, 16


def script(root, name):
    spec = importlib.util.spec_from_file_location(name, root / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A folder as transformers saves one."""
    torch.manual_seed(0)
    config = WavLMConfig(
        hidden_size=WIDTH,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    folder = tmp_path_factory.mktemp("networks") / "wavlm-tiny"
    WavLMModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data(root, network, tmp_path_factory):
    """Five clips of sound, their features by the script and lips that open with the loudness."""
    folder = tmp_path_factory.mktemp("data")
    prepare = script(root, "prepare_speech")
    encoder = load_speech_encoder(network)
    rows = []
    for index in range(5):
        random = np.random.default_rng(index)
        loud = np.repeat(random.uniform(0, 0.5, NUM_FRAMES), SAMPLES_PER_FRAME)
        wave = (loud * random.standard_normal(len(loud)) / 4).astype(np.float32)
        name = f"train/p{index}"
        (folder / "train").mkdir(exist_ok=True)
        wavfile.write(folder / f"{name}.wav", SAMPLE_RATE, wave)
        (folder / "features/train").mkdir(parents=True, exist_ok=True)
        prepare.write_features(folder / f"{name}.wav", folder / f"features/{name}.npz", encoder)
        opening = loud[::SAMPLES_PER_FRAME].astype(np.float32)
        points = np.tile(random.uniform(0, 1, (478, 3)).astype(np.float32), (NUM_FRAMES, 1, 1))
        points[:, [33, 263, 61, 291]] = np.float32([[0, 0, 0], [1, 0, 0], [0.2, 1, 0], [0.8, 1, 0]])
        points[:, 13], points[:, 14] = np.float32([0.5, 1, 0]), np.float32([0.5, 1, 0])
        points[:, 14, 1] += 0.4 * opening
        motion = FaceMotion.neutral(NUM_FRAMES)
        motion.blendshapes[:, arkit.INDEX["jawOpen"]] = opening
        for kind in ("prepared", "motion"):
            (folder / kind / "train").mkdir(parents=True, exist_ok=True)
        np.savez(folder / f"prepared/{name}.npz", points=points, presence=np.ones(NUM_FRAMES))
        save_motion(folder / f"motion/{name}.npz", motion)
        rows.append(json.dumps({"file": f"{name}.wav", "split": "train", "identity": f"p{index}", "audio": True}))
    (folder / "manifest.jsonl").write_text("\n".join(rows))
    return folder


def config(data, output):
    return ArticulatorConfig(
        data=str(data),
        prepared=str(data),
        output=str(output),
        ridge_penalty=0.1,
        head_width=4,
        head_dilations=(1,),
        steps=6,
        batch_size=2,
        crop_frames=20,
        save_every=2,
    )


class Killed(Exception):
    pass


def test_from_the_folder_to_a_video(root, network, data, tmp_path, monkeypatch, capfd, astronaut):
    with np.load(data / "features/train/p0.npz") as file:
        assert file["content"].shape == (NUM_FRAMES, 3 * WIDTH) and file["voice"].shape == (NUM_FRAMES, 3 * WIDTH)
    whole = train_articulator(config(data, tmp_path / "whole"), None, lambda _: None)

    def kill(line):
        if line.startswith("step 4"):
            raise Killed

    with pytest.raises(Killed):
        train_articulator(config(data, tmp_path / "runs/articulator"), None, kill)
    said = []
    resumed = train_articulator(config(data, tmp_path / "runs/articulator"), None, said.append)
    assert "going on from step 4" in said
    first, second = Articulator.load(whole), Articulator.load(resumed)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))
    assert first.config.content_width == 3 * WIDTH

    arguments = ["make_checkpoint.py", tmp_path / "runs", "--speech_encoder", network, "-o", tmp_path / "mine"]
    monkeypatch.setattr(sys, "argv", [str(argument) for argument in arguments])
    script(root, "make_checkpoint").main()
    arguments = ["make_checkpoint.py", tmp_path / "none", "--speech_encoder", network, "-o", tmp_path / "ear"]
    monkeypatch.setattr(sys, "argv", [str(argument) for argument in arguments])
    script(root, "make_checkpoint").main()
    assert Tools.load(checkpoint_folder(tmp_path / "ear")).encoder.content_width == 3 * WIDTH, "what `prepare` hears with"
    assert checkpoint_folder(tmp_path / "mine") and not (tmp_path / "mine/emotion_encoder").exists()
    assert not (tmp_path / "mine/speech_encoder/adapter.safetensors").exists()
    head = TalkingHead.from_pretrained(tmp_path / "mine", device="cpu")
    assert isinstance(head.speech_encoder, HiddenUnitEncoder)
    assert torch.equal(head.motion.articulator.readout.weight, first.readout.weight)

    samples = wavfile.read(data / "train/p1.wav")[1][: 6 * SAMPLES_PER_FRAME]
    wavfile.write(tmp_path / "short.wav", SAMPLE_RATE, samples)
    for module in (cli_motion, cli_video):
        monkeypatch.setattr(module, "loaded_head", lambda checkpoint, device: head)
    spoken = ["--checkpoint", tmp_path / "mine", "--audio", tmp_path / "short.wav"]
    command = ["generate", "-i", astronaut, *spoken, "--size", 192, "-q", "draft", "-o", tmp_path / "out.mp4"]
    assert cli.main([str(word) for word in command]) == 0, capfd.readouterr().err
    assert sum(1 for _ in read_frames(tmp_path / "out.mp4")) == 6
    capfd.readouterr()
    assert cli.main([str(word) for word in ["stream", *spoken]]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and "hears whole recordings only" in said and "the default encoder's" in said


def test_models_of_another_ear_say_so(network, data):
    head = TalkingHead.from_pretrained(device="cpu")
    features = load_speech_encoder(network).encode(load_audio(data / "train/p0.wav"), with_voice=True)
    with pytest.raises(
        CheckpointError, match=r"the articulator hears 1536 features a frame, the speech encoder gives 48; train"
    ):
        head.motion.articulator.articulate(features)
    with pytest.raises(EmotionError, match=r"it learnt from another speech encoder; name the emotion instead of 'auto'"):
        head.hear(features)
