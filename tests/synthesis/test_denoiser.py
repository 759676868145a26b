"""The network computes what its plain layers would, whichever way round it is done."""

import torch
from torch.nn import functional as F

from talkinghead.synthesis.denoiser import ResidualDenoiser, conv_of_doubled, doubled, taps_of_doubled


def network():
    torch.manual_seed(0)
    denoiser = ResidualDenoiser(channels=(4, 8, 12))
    for parameter in denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return denoiser.eval()


def given(batch=2):
    generator = torch.Generator().manual_seed(1)
    sample, guide = (torch.randn(batch, channels, 16, 24, generator=generator) for channels in (3, 16))
    return sample, torch.tensor([0.3, 0.9])[:batch], guide


def test_a_convolution_of_a_doubled_picture_needs_no_doubled_picture():
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(2, 5, 7, 6, generator=generator), torch.randn(4, 5, 3, 3, generator=generator)
    torch.testing.assert_close(conv_of_doubled(x, taps_of_doubled(weight)), F.conv2d(doubled(x), weight, padding=1))


@torch.no_grad()
def test_folded_it_gives_the_same_and_saves_the_same(tmp_path):
    denoiser = network()
    names, before = set(denoiser.state_dict()), denoiser(*given())
    denoiser.fold()
    torch.testing.assert_close(denoiser(*given()), before, atol=1e-5, rtol=1e-4)
    assert set(denoiser.state_dict()) == names and before.std() > 0.01


@torch.no_grad()
def test_what_comes_in_is_unshuffled_and_convolved():
    denoiser = network()
    sample, _, guide = given()
    plain = denoiser.conv_in(F.pixel_unshuffle(torch.cat([sample, guide], 1), 2))
    torch.testing.assert_close(denoiser._taken_in(sample, guide), plain, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_one_noise_and_one_level_serve_a_whole_batch():
    denoiser, (sample, sigma, guide) = network(), given()
    one = denoiser(sample[:1], sigma[:1], guide)
    each = denoiser(sample[:1].expand(2, -1, -1, -1), sigma[:1].expand(2), guide)
    torch.testing.assert_close(one, each, atol=1e-5, rtol=1e-4)
    assert (one - denoiser(sample, sigma, guide)).abs().max() > 1e-3


def test_a_folded_network_follows_its_weights_to_another_type():
    denoiser = network()
    denoiser.fold()
    assert denoiser.to(torch.float64)(*(x.double() for x in given())).dtype == torch.float64


def test_training_reaches_every_weight():
    denoiser = network()
    denoiser(*given()).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in denoiser.parameters() if p.ndim == 4)
