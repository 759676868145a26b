"""The latent denoiser at tiny width: what the reference, the temporal layers and the guide do, and windows of any length."""

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler

from talkinghead.errors import ConfigError
from talkinghead.synthesis.latent_denoiser import build_denoiser, encode, working_size
from talkinghead.synthesis.latent_networks import TINY, begin, tiny_unet, tiny_vae
from talkinghead.synthesis.latent_trainer import LatentConfig, noised
from talkinghead.synthesis.latent_windows import fade_in, over_windows

SIZE = (12, 10)


@pytest.fixture(scope="module")
def networks():
    """The image UNet, and the denoiser made of it."""
    torch.manual_seed(0)
    unet = tiny_unet().eval()
    return unet, build_denoiser(unet).eval()


def latents(count, frames=None, seed=1):
    shape = (count, 4, *SIZE) if frames is None else (count, 4, frames, *SIZE)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def run(denoiser, sample, **options):
    masks = torch.ones(len(sample), 3, sample.shape[2], *SIZE)
    with torch.no_grad():
        return denoiser(
            sample, torch.full((len(sample),), 300.0), latents(len(sample), sample.shape[2], seed=9), masks, **options
        )


def test_it_begins_as_the_image_network_frame_by_frame(networks):
    """Temporal layers and the guide's weights are zero: a window is its frames, each as the image network has it."""
    unet, denoiser = networks
    sample = latents(2, 5)
    whole = run(denoiser, sample)
    frames = sample.transpose(1, 2).flatten(0, 1)
    with torch.no_grad():
        each = unet(frames, 300.0, torch.zeros(10, 1, 8), return_dict=False)[0]
    torch.testing.assert_close(whole.transpose(1, 2).flatten(0, 1), each, atol=1e-5, rtol=1e-5)
    assert whole.std() > 0.1
    assert any("motion_modules" in name and value.std() > 0 for name, value in denoiser.unet.named_parameters())


def test_temporal_layers_that_are_not_zero_join_the_frames():
    torch.manual_seed(0)
    denoiser = build_denoiser(tiny_unet()).eval()
    middle = denoiser.unet.mid_block.motion_modules[0].proj_out
    torch.nn.init.normal_(middle.weight, std=0.5)
    sample = latents(1, 4)
    changed = sample.clone()
    changed[:, :, 3] = 0
    apart = (run(denoiser, sample) - run(denoiser, changed)).abs().amax((0, 1, 3, 4))
    assert (apart[:3] > 1e-4).all()


def test_the_portrait_is_seen_and_another_portrait_gives_another_picture(networks):
    _, denoiser = networks
    sample = latents(1, 3)
    plain, one, other = run(denoiser, sample), *(run(denoiser, sample, portrait=latents(1, seed=s)) for s in (2, 3))
    assert (plain - one).abs().max() > 1e-3 and (one - other).abs().max() > 1e-3
    with torch.no_grad():
        states = denoiser.reference_states(latents(1, seed=2))
    assert len(states) == 4 and all(value.std() > 0 for value in states.values())
    assert torch.equal(run(denoiser, sample, states=states), one)
    # Every layer looks at it.
    for name in states:
        without = {**states, name: torch.zeros_like(states[name])}
        assert (run(denoiser, sample, states=without) - one).abs().max() > 1e-6, name


def test_what_a_frame_knows_already_changes_nothing(networks):
    """A reference network of equal weights that sees the frame itself offers each key twice: attention stays as it is."""
    unet, denoiser = networks
    frame = latents(1)
    with torch.no_grad():
        unet(frame, 300.0, torch.zeros(1, 1, 8))
        own = {name: each.states for name, each in denoiser._offering.items()}
    sample = frame[:, :, None].repeat(1, 1, 3, 1, 1)
    torch.testing.assert_close(run(denoiser, sample, states=own), run(denoiser, sample), atol=1e-5, rtol=1e-5)
    # States of zero are keys that say nothing and values that are nothing: they thin out what the frame sees.
    nothing = {name: torch.zeros_like(value) for name, value in own.items()}
    assert (run(denoiser, sample, states=nothing) - run(denoiser, sample)).abs().max() > 1e-3


def test_each_window_sees_its_own_portrait(networks):
    _, denoiser = networks
    sample, portraits = latents(2, 3), latents(2, seed=4)
    both = run(denoiser, sample, portrait=portraits)
    masks, guide = torch.ones(1, 3, 3, *SIZE), latents(2, 3, seed=9)
    for k in range(2):
        with torch.no_grad():
            alone = denoiser(sample[k : k + 1], torch.tensor([300.0]), guide[k : k + 1], masks, portrait=portraits[k : k + 1])
        torch.testing.assert_close(both[k : k + 1], alone, atol=1e-5, rtol=1e-5)


def test_gradient_checkpointing_gives_the_same_gradients_to_both_networks():
    found = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        denoiser = build_denoiser(tiny_unet()).train()
        if checkpointing:
            denoiser.unet.enable_gradient_checkpointing()
            denoiser.reference_unet.enable_gradient_checkpointing()
        masks, timestep = torch.ones(1, 3, 2, *SIZE), torch.tensor([300.0])
        denoiser(latents(1, 2), timestep, latents(1, 2, 5), masks, portrait=latents(1, seed=2)).square().mean().backward()
        found.append({name: p.grad for name, p in denoiser.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], atol=1e-6, rtol=1e-3)
    for seen in ("unet.conv_in.weight", "reference_unet.conv_in.weight", "unet.mid_block.motion_modules.0.proj_out.weight"):
        assert found[0][seen].abs().max() > 0
    assert (found[0]["unet.conv_in.weight"][:, 4:].abs().amax((0, 2, 3)) > 0).all(), "guide and masks"


def test_the_vae_sees_whole_multiples_of_its_factor():
    vae = tiny_vae()
    assert working_size(vae, 1) == (192, 160) and working_size(vae, 2) == (384, 320)
    vae.register_to_config(block_out_channels=(8,) * 7)
    assert working_size(vae, 1) == (192, 192)
    with torch.no_grad():
        picture = torch.rand(3, 3, 192, 160)
        assert torch.equal(encode(vae, picture, (64, 64), 1)[2:], encode(vae, picture[2:], (64, 64), 2))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_right_prediction_is_one_step_from_the_clean_latent(prediction):
    """What is to be predicted is what the scheduler takes it for; flow matching below."""
    scheduler = DDIMScheduler(prediction_type=prediction, clip_sample=False)
    clean, noise = latents(1, 3), latents(1, 3, seed=2)
    sample, timestep, target = noised(scheduler, clean, noise, torch.Generator().manual_seed(3))
    scheduler.set_timesteps(1000)
    found = scheduler.step(target, int(timestep), sample).pred_original_sample
    torch.testing.assert_close(found, clean, atol=1e-3, rtol=1e-3)


def test_the_velocity_of_flow_matching_leads_to_the_clean_latent():
    scheduler = begin(TINY, TINY, "", "").scheduler
    clean, noise = latents(2, 3), latents(2, 3, seed=2)
    sample, timestep, velocity = noised(scheduler, clean, noise, torch.Generator().manual_seed(3))
    level = (timestep / 1000).view(2, 1, 1, 1, 1)
    assert float(timestep.min()) > 0 and float(timestep.max()) < 1000
    torch.testing.assert_close(sample - level * velocity, clean, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 7, 8, 13, 40])
@pytest.mark.parametrize(("size", "overlap"), [(4, 0), (4, 1), (4, 3), (5, 2), (1, 0)])
def test_windows_of_any_length_give_each_frame_once_and_weights_sum_to_one(length, size, overlap):
    sizes = []

    def make(items):
        sizes.append(len(items))
        return torch.tensor(items, dtype=torch.float32)[:, None]

    found = list(over_windows(range(length), make, size, overlap))
    assert [item for item, _ in found] == list(range(length))
    assert all(abs(float(value) - item) < 1e-5 for item, value in found)
    assert not sizes or max(sizes) <= size


def test_windows_fade_into_one_another():
    """Two windows that disagree: no step is larger than a share of the fade."""
    made = iter((0.0, 1.0))
    values = [float(v) for _, v in over_windows(range(12), lambda items: torch.full((len(items),), next(made)), 8, 4)]
    assert values[:4] == [0.0] * 4 and values[8:] == [1.0] * 4
    assert values[4:8] == pytest.approx(fade_in(4).tolist()) and values[4:8] == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_no_more_than_a_window_is_read_ahead():
    read = []
    stream = over_windows((read.append(k) or k for k in range(10_000)), lambda items: torch.zeros(len(items)), 8, 2)
    for _ in range(100):
        next(stream)
    assert len(read) < 100 + 2 * 8


def test_what_cannot_be_used_is_said_in_a_line(tmp_path):
    tiny_vae().save_pretrained(tmp_path / "vae")
    tiny_unet().save_pretrained(tmp_path / "unet")
    for options, said in (
        (("", TINY, ""), "vae: is empty; give a folder in diffusers' format"),
        ((str(tmp_path / "none"), TINY, ""), "no AutoencoderKL can be loaded .*; give a folder with its config.json"),
        ((str(tmp_path / "unet"), TINY, ""), "holds UNet2DConditionModel, not AutoencoderKL"),
        ((TINY, str(tmp_path / "unet"), ""), "holds no scheduler_config.json; give the scheduler's folder"),
    ):
        with pytest.raises(ConfigError, match=said) as error:
            begin(*options, "")
        assert "\n" not in str(error.value)
    (tmp_path / "vae/diffusion_pytorch_model.safetensors").write_bytes(b"cut")
    with pytest.raises(ConfigError, match="no AutoencoderKL can be loaded"):
        begin(str(tmp_path / "vae"), TINY, "", "")
    odd = AutoencoderKL(latent_channels=3, norm_num_groups=4, block_out_channels=(8,))
    odd.save_pretrained(tmp_path / "odd")
    with pytest.raises(ConfigError, match="unet: takes 4 channels, and the VAE's latents have 3"):
        begin(str(tmp_path / "odd"), TINY, "", "")
    for options, said in (
        ({"window": 33}, "window is 33; give 1 to 32"),
        ({"overlap": 16}, "give 0 to 15"),
        ({"scale": 0}, "scale is 0"),
    ):
        with pytest.raises(ConfigError, match=said):
            LatentConfig(**options).check()


@pytest.mark.parametrize(
    "other",
    [
        {"addition_embed_type": "text", "cross_attention_dim": 64, "encoder_hid_dim": 64},
        {"resnet_time_scale_shift": "scale_shift"},
    ],
)
def test_a_unet_that_temporal_layers_do_not_suit_is_refused(other):
    with pytest.raises(ConfigError, match=r"unet: .*temporal layers.*; give a UNet of Stable Diffusion"):
        build_denoiser(tiny_unet(**other))
