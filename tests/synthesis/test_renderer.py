from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from diffusers import FlowMatchEulerDiscreteScheduler
from safetensors.torch import load_file, save_file

from talkinghead.errors import ConfigError, InputError
from talkinghead.synthesis import pipeline
from talkinghead.synthesis.dataset import MeshFile, PairDataset, PreparedClip
from talkinghead.synthesis.denoiser import ResidualDenoiser
from talkinghead.synthesis.metrics import score_region
from talkinghead.synthesis.mouth import mirrored_mouth
from talkinghead.synthesis.pipeline import FaceRenderer, PortraitCrop, fixed_noise
from talkinghead.synthesis.proxies import build_proxies, mirrored
from talkinghead.synthesis.regions import INNER_LIPS
from talkinghead.synthesis.trainer import DenoiserConfig, DenoiserTrainer, train_denoiser

TINY = (4, 8)


def _renderer() -> FaceRenderer:
    torch.manual_seed(0)
    face, mouth = ResidualDenoiser(channels=TINY), ResidualDenoiser(channels=TINY, residual_scale=0.5)
    for network in (face, mouth):
        torch.nn.init.normal_(network.conv_out.weight, std=0.05)
    return FaceRenderer(face.eval(), mouth.eval(), FlowMatchEulerDiscreteScheduler())


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


@pytest.fixture
def threads():
    """Sets how many threads torch has, and puts them back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_side_by_side_as_one_by_one(face, picture, threads):
    points, topology = face
    renderer, crop = _renderer(), PortraitCrop.of(picture, points, topology)
    runs = []
    for number in (1, 2, 3):
        threads(number)
        runs.append(list(renderer(crop, _meshes(points, 9), 2, chunk=2)))
        assert torch.get_num_threads() == number
    for other in runs[1:]:
        for a, b in zip(runs[0], other, strict=True):
            assert np.abs(a.astype(int) - b).max() <= 1


def test_a_video_left_in_the_middle_or_broken_off_ends_its_threads(face, picture, threads):
    points, topology = face
    threads(2)
    renderer, crop = _renderer(), PortraitCrop.of(picture, points, topology)
    frames = renderer(crop, _meshes(points, 40), chunk=1)
    next(frames)
    frames.close()
    assert torch.get_num_threads() == 2

    def broken():
        yield points
        raise InputError("the motion ends here")

    with pytest.raises(InputError, match="ends here"):
        list(renderer(crop, broken(), chunk=1))
    with pytest.raises(IndexError):
        list(renderer(crop, [points, points[:400]], chunk=1))


@pytest.mark.parametrize(("height", "width", "waiting"), [(1080, 1920, 10), (3000, 3000, 2), (3000, 4000, 1), (8192, 8192, 1)])
def test_frames_in_the_making_take_so_much_memory(height, width, waiting):
    """As shipped: 27 MB a frame of 3000 x 3000 px, before what the warp needs besides."""
    image = np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3))
    assert PortraitCrop(image, SimpleNamespace(image=image), 0, 0).num_waiting == waiting


def test_of_a_large_picture_fewer_frames_wait_for_the_denoiser(face, picture, threads, monkeypatch):
    monkeypatch.setattr(pipeline, "WAITING_BYTES", 16_000_000)

    def asked_for(times):
        """How many meshes are taken before the first frame comes."""
        asked, points = [], face[0] * np.array([times, times, 1], np.float32)
        image = np.repeat(np.repeat(picture, times, 0), times, 1)
        meshes = (asked.append(mesh) or mesh for mesh in [points] * 6)
        frame = next(_renderer()(PortraitCrop.of(image, points, face[1]), meshes, 1))
        assert frame.shape == image.shape
        return len(asked)

    threads(1)
    assert asked_for(1) == 4
    assert asked_for(8) == 2  # a crop of 1208 x 1528 px, 5.5 MB a frame
    assert asked_for(12) == 1
    threads(2)
    assert asked_for(8) == 3  # two in the making, one that waits
    assert asked_for(12) == 1


def test_a_still_face_is_still(face, picture):
    points, topology = face
    frames = list(_renderer()(PortraitCrop.of(picture, points, topology), [points] * 6, 1, chunk=3))
    for frame in frames[1:]:
        assert np.abs(frame.astype(int) - frames[0]).max() <= 1


def test_the_mouths_network_alone_leaves_skin_and_eyes_to_the_warp(face, picture):
    points, topology = face
    renderer, crop = _renderer(), PortraitCrop.of(picture, points, topology)
    whole, alone = (next(renderer(crop, [points], mouth_alone=mouth_alone)) for mouth_alone in (False, True))
    x, y = points[INNER_LIPS, :2].mean(0).round().astype(int)
    near = [np.abs(frame[60:120].astype(int) - picture[60:120]).max() for frame in (whole, alone)]
    assert near[1] <= 1 < near[0]
    assert np.array_equal(alone[y, x], whole[y, x])


def test_saved_then_loaded_is_equal(tmp_path):
    renderer = _renderer()
    renderer.save_pretrained(tmp_path)
    loaded = FaceRenderer.from_pretrained(tmp_path)
    for name in ("denoiser", "mouth_expert"):
        for a, b in zip(getattr(renderer, name).parameters(), getattr(loaded, name).parameters(), strict=True):
            assert torch.equal(a, b)
    assert '"talkinghead.synthesis.denoiser"' in (tmp_path / "model_index.json").read_text()


def test_a_perfect_denoiser_gives_the_clean_residual_in_any_number_of_steps():
    renderer = _renderer()
    clean = torch.linspace(-1, 1, 3 * 192 * 160).reshape(1, 3, 192, 160)
    scale = renderer.denoiser.config.residual_scale
    renderer.denoiser.forward = lambda sample, sigma, guide: clean.expand_as(sample)
    noise = torch.randn(1, 3, 192, 160)
    for steps in (1, 2, 4):
        found = renderer.denoise(renderer.denoiser, torch.zeros(2, 16, 192, 160), noise, steps)
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
    data = [PairDataset([clip], face[1], seed=1, length=8) for _ in range(2)]
    for index in (5, 0, 7):
        for a, b in zip(data[0][index], data[1][index], strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(data[0][0][0], data[0][1][0])


def test_clips_are_read_when_wanted_and_no_more_kept_than_fit(clip, face):
    with np.load(clip) as archive:
        for name in "bcde":
            np.savez(clip.with_name(f"{name}.npz"), **{**archive, "identity": f"somebody_{name}"})
    files, two = sorted(clip.parent.glob("*.npz")), 2.5 * PreparedClip.load(clip).num_bytes
    all_kept, few_kept = (PairDataset(files, face[1], seed=1, length=12, cache_gb=gb) for gb in (1, two / 1e9))
    assert few_kept.clips.num_bytes == 0 and len(few_kept.people) == 5
    for index in range(12):
        for a, b in zip(all_kept[index], few_kept[index], strict=True):
            assert torch.equal(a, b)
        assert 0 < few_kept.clips.num_bytes <= two
    assert all_kept.clips.num_bytes > 2 * two - two / 2.5
    sources = [MeshFile.of(file) for file in files]
    kept = few_kept.clips[sources[0]]
    few_kept.clips[sources[1]]
    assert few_kept.clips[sources[0]] is kept  # wanted again, so the other one is the older
    few_kept.clips[sources[2]]
    assert few_kept.clips[sources[0]] is kept
    tight = PairDataset(files, face[1], seed=1, length=1, cache_gb=0)
    assert torch.equal(tight[0][0], all_kept[0][0])


def test_training_killed_and_resumed_ends_where_it_would_have(clip, face, tmp_path):
    def run(output, steps):
        config = DenoiserConfig(
            meshes=str(clip.parent), output=str(tmp_path / output), steps=4, batch_size=2, channels=TINY, adversarial_from=2,
            adversarial_weight=0.02, num_workers=0, bf16=False, warmup_steps=2,
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
    config = DenoiserConfig(channels=TINY, bf16=False, warmup_steps=1, one_step_share=1)
    trainer = DenoiserTrainer(config, Accelerator(cpu=True))
    data = PairDataset([clip], face[1], seed=0, length=2)
    guide = torch.stack([data[i][0] for i in range(2)])
    tinted = ((guide[:, :3] + 1) / 2 + 0.1).clamp(0, 1)
    losses = [trainer.train_step(guide, tinted)["reconstruction"] for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


def _trainer(**changes):
    return DenoiserTrainer(
        DenoiserConfig(**{"channels": TINY, "bf16": False, "warmup_steps": 1} | changes), Accelerator(cpu=True)
    )


def _batch():
    random = torch.Generator().manual_seed(0)
    return torch.rand(2, 16, 32, 32, generator=random), torch.rand(2, 3, 32, 32, generator=random)


@pytest.mark.parametrize(
    ("key", "value"),
    [("channels", (4, 16)), ("learning_rate", 1e-3), ("seed", 1), ("meshes", "other"), ("steps", 7), ("start_from", "there")],
)
def test_a_checkpoint_of_another_configuration_is_refused(tmp_path, key, value):
    _trainer().save(tmp_path / "checkpoint")
    if key == "start_from":
        _trainer().export(tmp_path / value)
        value = str(tmp_path / value)
    with pytest.raises(ConfigError, match=rf"trained with {key} .*\(now .*\); use another output folder"):
        _trainer(**{key: value}).load(tmp_path / "checkpoint")


def test_what_nothing_learnt_depends_on_may_change_when_a_run_is_resumed(tmp_path):
    trainer = _trainer(output="a")
    trainer.train_step(*_batch())
    trainer.save(tmp_path / "checkpoint")
    other = _trainer(output="b", num_threads=2, num_workers=3, save_every_s=1, cache_gb=0.5)
    other.load(tmp_path / "checkpoint")
    assert other.step == 1


def test_a_checkpoint_of_several_processes_is_refused_by_one(tmp_path):
    _trainer().save(tmp_path)
    file = tmp_path / "state.safetensors"
    save_file(load_file(file) | {"num_processes": torch.tensor(2)}, file)
    with pytest.raises(ConfigError, match="was trained by 2 processes, not 1; launch as many, or use another output"):
        _trainer().load(tmp_path)
    save_file({name: value for name, value in load_file(file).items() if name != "num_processes"}, file)
    _trainer().load(tmp_path)  # before several processes could train, one did


def test_the_averaged_weights_are_resumed_on_the_device_that_trains(tmp_path, monkeypatch):
    """The meta device stands for a GPU: what is left on the CPU shows."""
    _trainer().save(tmp_path)
    trainer = _trainer()
    monkeypatch.setattr(trainer.accelerator.state, "device", torch.device("meta"))
    trainer.load(tmp_path)
    assert {weight.device.type for weight in trainer.ema.shadow_params} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_training_is_resumed_on_a_gpu(tmp_path):
    trainers = [DenoiserTrainer(DenoiserConfig(channels=TINY), Accelerator()) for _ in range(2)]
    batch = [x.to("cuda") for x in _batch()]
    trainers[0].train_step(*batch)
    trainers[0].save(tmp_path)
    trainers[1].load(tmp_path)
    losses = [trainer.train_step(*batch)["reconstruction"] for trainer in trainers]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def test_training_starts_from_a_denoiser_of_the_same_channels_alone(tmp_path):
    trainer = _trainer()
    trainer.train_step(*_batch())
    trainer.export(tmp_path / "before")
    before = ResidualDenoiser.from_pretrained(tmp_path / "before", torch_dtype=torch.float32)
    started = _trainer(start_from=str(tmp_path / "before"))
    for a, b in zip(before.parameters(), started.denoiser.parameters(), strict=True):
        assert torch.equal(a, b)
    started.save(tmp_path / "checkpoint")
    assert str(tmp_path) not in (tmp_path / "denoiser/config.json").read_text()
    with pytest.raises(ConfigError, match=r"before: has channels \[4, 8\], not \[8, 8\]; write channels: \[4, 8\], or"):
        _trainer(start_from=str(tmp_path / "before"), channels=(8, 8))
    for folder in (tmp_path / "none", "nobody/denoiser"):
        with pytest.raises(ConfigError, match=r"start_from .*: holds no denoiser; give a folder that a training run wrote"):
            _trainer(start_from=str(folder))


def test_no_weight_no_discriminator():
    without, with_it = (_trainer(adversarial_from=0, adversarial_weight=weight) for weight in (0, 0.02))
    before = [weight.clone() for weight in without.discriminator.parameters()]
    assert "critic" not in without.train_step(*_batch()) and "critic" in with_it.train_step(*_batch())
    for a, b, c in zip(before, without.discriminator.parameters(), with_it.discriminator.parameters(), strict=True):
        assert torch.equal(a, b) and not torch.equal(a, c)
    assert DenoiserConfig().adversarial_weight == 0


def test_scores_tell_better_from_worse(picture):
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 20, picture.shape), 0, 255).astype(np.uint8)
    same, worse = score_region(picture, picture, (0, 0, 64, 64)), score_region(noisy, picture, (0, 0, 64, 64))
    assert same.ssim == pytest.approx(1) and same.sharpness == pytest.approx(1)
    assert same.perceptual == pytest.approx(0, abs=1e-3)
    assert worse.psnr_db < 30 and worse.ssim < same.ssim and worse.perceptual > same.perceptual


def test_both_ways_of_a_mirrored_face_is_the_mirror_image(face, picture):
    """The mean of what is made of a face and of its mirror image is the same whichever of the two it was given."""
    points, topology = face
    renderer, crop = _renderer(), PortraitCrop.of(picture, points, topology)
    guide = torch.randn(2, 16, 192, 160)
    assert torch.equal(mirrored(mirrored(guide)), guide) and torch.equal(mirrored_mouth(mirrored_mouth(guide)), guide)
    proxies = [build_proxies(crop.reference, points - (crop.left, crop.top, 0))]
    noises = [fixed_noise(0, 192, 160), fixed_noise(0, 80, 112)]
    one_way, both = (renderer.residuals(proxies, noises, 1, both_ways) for both_ways in (False, True))
    for part, network, stack, turned in zip(
        both,
        (renderer.denoiser, renderer.mouth_expert),
        (proxies[0].face_guides.stack(), proxies[0].mouth_guides.stack()),
        (mirrored, mirrored_mouth),
        strict=True,
    ):
        there = torch.from_numpy(stack)[None]
        noise = noises[0] if len(part[0]) == 192 else noises[1]
        ways = [renderer.denoise(network, x, noise, 1) for x in (there, turned(there))]
        mean = (ways[0] + ways[1].flip(-1)) / 2
        assert part[0] == pytest.approx(mean[0].permute(1, 2, 0).numpy(), abs=1e-5)
    assert any(np.abs(a[0] - b[0]).max() > 0.01 for a, b in zip(one_way, both, strict=True))


def test_the_mouths_expert_is_trained_on_mouths(clip, face):
    data = PairDataset([clip], face[1], seed=1, length=2, part="mouth")
    guide, real = data[0]
    assert guide.shape == (16, 80, 112) and real.shape == (3, 80, 112)
    config = DenoiserConfig(channels=TINY, bf16=False, warmup_steps=1, one_step_share=1, part="mouth", residual_scale=0.5)
    trainer = DenoiserTrainer(config, Accelerator(cpu=True))
    assert trainer.denoiser.config.residual_scale == 0.5
    losses = [trainer.train_step(guide[None], real[None])["reconstruction"] for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_part_that_is_not_trained_is_refused(clip, face, tmp_path):
    with pytest.raises(ConfigError, match="part: 'nose' is no part that is trained; choose from face, mouth"):
        train_denoiser(DenoiserConfig(meshes=str(clip.parent), output=str(tmp_path), part="nose"), face[1], lambda *_: None)
