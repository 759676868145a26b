import numpy as np
import pytest
import torch
from accelerate import Accelerator
from diffusers import FlowMatchEulerDiscreteScheduler

from talkinghead.errors import ConfigError
from talkinghead.synthesis.dataset import PairDataset, PreparedClip
from talkinghead.synthesis.denoiser import ResidualDenoiser
from talkinghead.synthesis.metrics import score_region
from talkinghead.synthesis.pipeline import FaceRenderer, PortraitCrop
from talkinghead.synthesis.trainer import DenoiserConfig, DenoiserTrainer, train_denoiser

TINY = (4, 8)


def _renderer() -> FaceRenderer:
    torch.manual_seed(0)
    denoiser = ResidualDenoiser(channels=TINY)
    torch.nn.init.normal_(denoiser.conv_out.weight, std=0.05)
    return FaceRenderer(denoiser.eval(), FlowMatchEulerDiscreteScheduler())


def _meshes(points, count):
    return [points + np.array([0.7 * t, 0.3 * t, 0], np.float32) for t in range(count)]


def test_same_seed_same_frames_and_any_chunk_size(face, picture):
    points, topology = face
    renderer, crop = _renderer(), PortraitCrop.of(picture, points, topology)
    runs = [list(renderer(crop, _meshes(points, 5), 2, seed=3, chunk=n)) for n in (1, 4, 4)]
    assert len(runs[0]) == 5
    assert runs[0][0].shape == picture.shape and runs[0][0].dtype == np.uint8
    for a, b in zip(runs[1], runs[2], strict=True):
        assert (a == b).all()
    for a, b in zip(runs[0], runs[1], strict=True):
        assert np.abs(a.astype(int) - b).max() <= 1
    other = next(renderer(crop, _meshes(points, 1), 2, seed=4))
    assert (other != runs[0][0]).any()


def test_a_still_face_is_still(face, picture):
    points, topology = face
    frames = list(_renderer()(PortraitCrop.of(picture, points, topology), [points] * 6, 1, chunk=3))
    for frame in frames[1:]:
        assert np.abs(frame.astype(int) - frames[0]).max() <= 1


def test_saved_then_loaded_is_equal(tmp_path):
    renderer = _renderer()
    renderer.save_pretrained(tmp_path)
    loaded = FaceRenderer.from_pretrained(tmp_path)
    for a, b in zip(renderer.denoiser.parameters(), loaded.denoiser.parameters(), strict=True):
        assert torch.equal(a, b)
    assert '"talkinghead.synthesis.denoiser"' in (tmp_path / "model_index.json").read_text()


def test_a_perfect_denoiser_gives_the_clean_residual_in_any_number_of_steps():
    renderer = _renderer()
    clean = torch.linspace(-1, 1, 3 * 192 * 160).reshape(1, 3, 192, 160)
    scale = renderer.denoiser.config.residual_scale
    renderer.denoiser.forward = lambda sample, sigma, guide: clean.expand_as(sample)
    noise = torch.randn(1, 3, 192, 160)
    for steps in (1, 2, 4):
        found = renderer.denoise(torch.zeros(2, 16, 192, 160), noise, steps)
        assert torch.allclose(found, clean.expand(2, -1, -1, -1) * scale, atol=0.02)


@pytest.fixture()
def clip(face, picture, tmp_path):
    points, _ = face
    file = tmp_path / "meshes" / "a.npz"
    file.parent.mkdir()
    frames = np.stack([np.roll(picture, t, 1) for t in range(4)])
    np.savez(file, frames=frames, meshes=np.stack(_meshes(points, 4)), identity="nobody")
    return file


def test_every_pair_is_a_function_of_its_index(clip, face):
    data = [PairDataset([PreparedClip.load(clip)], face[1], seed=1, length=8) for _ in range(2)]
    for index in (5, 0, 7):
        for a, b in zip(data[0][index], data[1][index], strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(data[0][0][0], data[0][1][0])


def test_training_killed_and_resumed_ends_where_it_would_have(clip, face, tmp_path):
    def run(output, steps):
        config = DenoiserConfig(
            meshes=str(clip.parent), output=str(tmp_path / output), steps=4, batch_size=2, channels=TINY, adversarial_from=2,
            num_workers=0, bf16=False, warmup_steps=2,
        )  # fmt: skip
        if steps < 4:
            killed = _Killed()
            with pytest.raises(KeyboardInterrupt):
                train_denoiser(DenoiserConfig(**{**config.__dict__, "save_every_s": 0.0}), face[1], killed.after(steps))
        return train_denoiser(config, face[1], lambda step, losses: None)

    whole, resumed = run("whole", 4), run("resumed", 2)
    a, b = (ResidualDenoiser.from_pretrained(folder) for folder in (whole, resumed))
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(p, q)


class _Killed:
    def after(self, steps):
        def report(step, losses):
            if step == steps:
                raise KeyboardInterrupt

        return report


def test_training_learns_a_constant_tint(clip, face):
    torch.manual_seed(0)
    config = DenoiserConfig(channels=TINY, bf16=False, warmup_steps=1, adversarial_from=99, one_step_share=1)
    trainer = DenoiserTrainer(config, Accelerator(cpu=True))
    data = PairDataset([PreparedClip.load(clip)], face[1], seed=0, length=2)
    guide = torch.stack([data[i][0] for i in range(2)])
    tinted = ((guide[:, :3] + 1) / 2 + 0.1).clamp(0, 1)
    losses = [trainer.train_step(guide, tinted)["reconstruction"] for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


def test_a_checkpoint_of_another_shape_is_refused(clip, tmp_path):
    config = DenoiserConfig(channels=TINY, output=str(tmp_path))
    DenoiserTrainer(config, Accelerator(cpu=True)).save(tmp_path / "checkpoint")
    with pytest.raises(ConfigError, match="another shape"):
        DenoiserTrainer(DenoiserConfig(channels=(4, 8, 8)), Accelerator(cpu=True)).load(tmp_path / "checkpoint")


def test_scores_tell_better_from_worse(picture):
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 20, picture.shape), 0, 255).astype(np.uint8)
    same, worse = score_region(picture, picture, (0, 0, 64, 64)), score_region(noisy, picture, (0, 0, 64, 64))
    assert same.ssim == pytest.approx(1) and same.sharpness == pytest.approx(1)
    assert same.perceptual == pytest.approx(0, abs=1e-3)
    assert worse.psnr_db < 30 and worse.ssim < same.ssim and worse.perceptual > same.perceptual
