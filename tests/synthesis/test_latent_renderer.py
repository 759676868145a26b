"""The latent renderer at tiny width: frames of any length, trained, killed, resumed, saved, loaded, and through TalkingHead."""

import importlib.util
import sys

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from talkinghead.audio.waveform import load_audio
from talkinghead.checkpoints import missing_files
from talkinghead.corpus.splits import TrainedOn, read
from talkinghead.errors import CheckpointError, ConfigError, InputError
from talkinghead.pipeline import TalkingHead
from talkinghead.synthesis.dataset import MeshFile
from talkinghead.synthesis.latent_dataset import WindowDataset, to_and_fro
from talkinghead.synthesis.latent_networks import TINY, begin
from talkinghead.synthesis.latent_renderer import LatentRenderer
from talkinghead.synthesis.latent_trainer import LatentConfig, LatentTrainer, train_latent_denoiser
from talkinghead.synthesis.pipeline import PortraitCrop
from talkinghead.synthesis.renderer import load_renderer
from talkinghead.types import Audio

SMALL = {"vae": TINY, "unet": TINY, "scale": 1, "window": 3, "overlap": 1, "base_steps": 1}
QUICK = {"accumulate": 2, "warmup_steps": 2, "num_workers": 0, "bf16": False, "learning_rate": 1e-3}


def _renderer():
    torch.manual_seed(0)
    networks = begin(TINY, TINY, "", "")
    torch.nn.init.normal_(networks.vae.decoder.conv_out.weight, std=0.2)  # so that latents are told apart
    vae, unet, reference = networks.vae.eval(), networks.denoiser.unet.eval(), networks.denoiser.reference_unet.eval()
    return LatentRenderer(vae, unet, reference, networks.scheduler, scale=1, window=3, overlap=1, base_steps=1)


def _meshes(points, count):
    return [points + np.array([0.7 * t, 0.3 * t, 0], np.float32) for t in range(count)]


@pytest.fixture(scope="module")
def clip(face, picture, tmp_path_factory):
    """One prepared clip of six frames that move to the right."""
    points, _ = face
    file = tmp_path_factory.mktemp("meshes") / "clip.npz"
    frames = np.stack([np.roll(picture, t, 1) for t in range(6)])
    np.savez(file, frames=frames, meshes=points + np.arange(6)[:, None, None] * np.array([1, 0, 0]), identity="nobody")
    return MeshFile.of(file)


def test_frames_change_where_the_face_is_and_nowhere_else(face, picture):
    points, topology = face
    renderer, crop = _renderer(), PortraitCrop.of(picture, points, topology)
    frames = list(renderer(crop, _meshes(points, 5), seed=3))
    assert len(frames) == 5 and frames[0].shape == picture.shape and frames[0].dtype == np.uint8
    low, high = points[:, :2].min(0) - 12, points[:, :2].max(0) + 12
    outside = np.ones(picture.shape[:2], bool)
    outside[int(low[1]) : int(high[1]) + 1, int(low[0]) : int(high[0]) + 1] = False
    assert outside.any() and all((frame[outside] == picture[outside]).all() for frame in frames)
    assert (frames[0] != picture).any(), "it draws noise of its own into the face"
    # The same whatever comes after, and whatever the VAE sees at a time; another seed is another.
    again = list(renderer(crop, _meshes(points, 3), seed=3, chunk=3))
    for a, b in zip(frames[:2], again[:2], strict=True):
        assert np.abs(a.astype(int) - b).max() <= 1
    assert (next(renderer(crop, _meshes(points, 1), seed=4)) != frames[0]).any()


def test_what_the_denoiser_leaves_alone_is_the_guide(face, picture, monkeypatch):
    """A latent that is the guide's own changes nothing, whatever the VAE loses: not a pixel of the face, and of the mouth."""
    points, topology = face
    renderer, crop = _renderer(), PortraitCrop.of(picture, points, topology)
    made = next(renderer(crop, _meshes(points, 1)))
    monkeypatch.setattr(
        "talkinghead.synthesis.latent_renderer.decode", lambda vae, latents, chunk: torch.zeros(len(latents), 3, 192, 160)
    )
    guide = next(renderer(crop, _meshes(points, 1)))
    inside = (128 - 20, 128 + 20)
    assert np.abs(guide.astype(int) - picture)[slice(*inside), slice(*inside)].mean() < 4
    assert np.abs(made.astype(int) - guide).max() > 4


def test_the_mouth_alone_and_both_ways(face, picture):
    points, topology = face
    renderer, crop = _renderer(), PortraitCrop.of(picture, points, topology)
    whole, mouth, both = (
        next(renderer(crop, _meshes(points, 1), **options)).astype(int)
        for options in ({}, {"mouth_alone": True}, {"both_ways": True})
    )
    forehead, lips = (slice(60, 80), slice(110, 146)), (slice(165, 180), slice(110, 146))
    assert np.abs(whole - mouth)[forehead].max() > 0 and np.abs(mouth - picture)[forehead].max() <= 2
    assert np.abs(mouth - picture)[lips].max() > 2 and (both != whole).any()


def test_it_says_that_it_cannot_be_live():
    with pytest.raises(
        InputError, match="draws 3 frames at a time and none live; use the checkpoint that came with talkinghead"
    ):
        _renderer().noises(0)


def test_windows_of_a_clip(face, clip):
    _, topology = face
    data = WindowDataset([clip], topology, 0, 8, 4)
    reference, guides, masks, real = data[3]
    assert reference.shape == (3, 192, 160) and guides.shape == masks.shape == real.shape == (4, 3, 192, 160)
    assert all(torch.equal(a, b) for a, b in zip(data[3], WindowDataset([clip], topology, 0, 8, 4)[3], strict=True))
    assert float(real.min()) >= 0 and float(real.max()) <= 1 and set(masks.unique().tolist()) >= {0.0, 1.0}
    seen = masks[:, :1] * (1 - masks[:, 1:].amax(1, keepdim=True)) > 0.99
    assert float(((guides - real).abs() * seen).sum() / seen.sum() / 3) < 0.05, "the guide is the frame, nearly"
    assert WindowDataset([clip], topology, 0, 8, 9)[0][1].shape[0] == 9
    assert [to_and_fro(k, 3) for k in range(7)] == [0, 1, 2, 1, 0, 1, 2] and [to_and_fro(k, 1) for k in range(3)] == [0] * 3


def test_a_killed_run_ends_where_an_uninterrupted_one_ends_and_is_a_renderer(face, picture, clip, tmp_path):
    points, topology = face
    whole = LatentConfig(output=str(tmp_path / "whole"), steps=2, save_every_s=1e9, **SMALL, **QUICK)
    losses = []
    trained = [TrainedOn("mead", "eat", ("W011",), 1)]
    folder = train_latent_denoiser(whole, topology, lambda step, each: losses.append(each["latent"]), [clip], trained)
    assert len(losses) == 2 and np.isfinite(losses).all() and read(folder) == trained

    class Killed(Exception):
        pass

    def kill(step, _):
        if step == 1:
            raise Killed  # between two steps, the one that was taken not yet saved

    broken = LatentConfig(**(vars(whole) | {"output": str(tmp_path / "killed"), "save_every_s": 0.0}))
    with pytest.raises(Killed):
        train_latent_denoiser(broken, topology, kill, [clip])
    assert not (tmp_path / "killed/renderer").exists()
    assert int(load_file(tmp_path / "killed/checkpoint/state.safetensors")["step"]) == 1
    train_latent_denoiser(broken, topology, lambda *_: None, [clip])
    expected, got = (load_file(tmp_path / name / "checkpoint/state.safetensors") for name in ("whole", "killed"))
    assert expected.keys() == got.keys() and int(got["step"]) == 2
    assert all(torch.equal(value, got[name]) for name, value in expected.items())
    other = LatentConfig(**(vars(whole) | {"learning_rate": 0.1}))
    with pytest.raises(ConfigError, match=r"learning_rate 0.001 .now 0.1.; use another output"):
        train_latent_denoiser(other, topology, lambda *_: None, [clip])

    # What was saved is what is loaded, and what draws; the weights are the averaged ones.
    loaded = load_renderer(folder)
    assert isinstance(loaded, LatentRenderer) and dict(loaded.config)["window"] == 3
    saved = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    assert all(torch.equal(value.to(loaded.unet.dtype), loaded.unet.state_dict()[name]) for name, value in saved.items())
    assert saved["conv_in.weight"][:, 4:].abs().max() > 0, "it looks at the guide"
    assert not torch.equal(saved["conv_in.weight"], expected["denoiser.unet.conv_in.weight"].half())
    crop = PortraitCrop.of(picture, points, topology)
    one, two = (list(load_renderer(folder)(crop, _meshes(points, 4))) for _ in range(2))
    assert len(one) == 4 and all((a == b).all() for a, b in zip(one, two, strict=True))


def test_without_the_spatial_weights_the_image_network_stays(face, clip):
    config = LatentConfig(steps=2, train_spatial=False, **SMALL, **QUICK)
    trainer = LatentTrainer(config, Accelerator(cpu=True))
    before = {name: value.clone() for name, value in trainer.denoiser.named_parameters()}
    data = WindowDataset([clip], face[1], 0, 2, 3)
    for _ in range(2):  # the temporal layers' inner weights have no gradient before their last one has left zero
        trainer.train_step(*(torch.stack(each) for each in zip(data[0], data[1], strict=True)))
    changed = {name for name, value in trainer.denoiser.named_parameters() if not torch.equal(value, before[name])}
    assert changed and all("motion_modules" in n or "conv_in" in n or ".attn1." in n for n in changed)
    assert not any(name.startswith("reference_unet") for name in changed)
    assert "unet.conv_in.weight" in changed and any("motion_modules" in n and "to_q" in n for n in changed)


def test_bad_folders_are_told_in_a_line(tmp_path):
    _renderer().save_pretrained(tmp_path / "renderer")
    file = tmp_path / "renderer/unet/diffusion_pytorch_model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    with pytest.raises(CheckpointError, match=r"renderer: cannot be loaded .*; train it again"):
        load_renderer(tmp_path / "renderer")
    file.unlink()
    assert "renderer/unet/diffusion_pytorch_model.safetensors" in missing_files(tmp_path)
    assert not any("mouth_expert" in name or name.startswith("renderer/denoiser") for name in missing_files(tmp_path))
    index = tmp_path / "renderer/model_index.json"
    index.write_text(index.read_text().replace("LatentRenderer", "OtherPipeline"))
    with pytest.raises(CheckpointError, match="is a OtherPipeline; give a checkpoint with a FaceRenderer or a LatentRenderer"):
        load_renderer(tmp_path / "renderer")


def test_through_make_checkpoint_and_talking_head(root, tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    _renderer().to(torch.float16).save_pretrained(runs / "latent_denoiser/renderer")
    spec = importlib.util.spec_from_file_location("make_checkpoint", root / "scripts/make_checkpoint.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(sys, "argv", ["make_checkpoint.py", str(runs), "-o", str(tmp_path / "mine")])
    script.main()
    head = TalkingHead.from_pretrained(tmp_path / "mine", device="cpu")
    assert isinstance(head.renderer, LatentRenderer)
    portrait = head.load_portrait(root / "assets/drawn_woman.png", size=256)
    sound = Audio(load_audio(root / "assets/speech.wav").samples[:3200])
    frames = list(head(portrait, sound, still_body=True))
    assert len(frames) == 5 and all(frame.shape == portrait.image.shape for frame in frames)
    corner = (slice(0, 12), slice(0, 12))
    assert all((frame[corner] == portrait.image[corner]).all() and (frame != portrait.image).any() for frame in frames)
    with pytest.raises(InputError, match="none live"):
        next(head.stream(iter([sound.samples]), portrait))
