import pytest
import torch

from talkinghead.synthesis.face_network import FaceNetwork
from talkinghead.synthesis.losses import deep_loss, mouth_loss, mouth_weight, patch_weight, reconstruction_loss, region_weight

SIZE = (48, 64)


def _guide(mouth: float = 0.0, eyes: float = 0.0):
    """Skin everywhere; mouth and eyes, or inside and lips, in the left half."""
    guide = torch.zeros(1, 16, *SIZE)
    guide[:, 13] = 1
    guide[:, 14, :, :32], guide[:, 15, :, :32] = mouth, eyes
    return guide


def _stripes():
    return (torch.arange(SIZE[1]) // 4 % 2).float().expand(1, 3, *SIZE).contiguous()


def test_the_face_is_asked_for_eyes_before_skin_and_for_nothing_between_the_lips():
    eyes, mouth = region_weight(_guide(eyes=1)), region_weight(_guide(mouth=1))
    assert eyes[..., :16].min() > 3 * eyes[..., 56:].max() > 0
    assert mouth[..., :32].max() == 0 and mouth[..., 56:].min() > 0.9
    real, wrong = torch.zeros(1, 3, *SIZE), torch.zeros(1, 3, *SIZE)
    wrong[..., :31] = 1
    assert reconstruction_loss(wrong, real, _guide(mouth=1)) == pytest.approx(0, abs=1e-6)
    assert reconstruction_loss(wrong, real, _guide(eyes=1)) > 3


def test_the_mouth_is_asked_for_what_lies_between_the_lips_first():
    inside, lips = mouth_weight(_guide(mouth=1)), mouth_weight(_guide(eyes=1))
    assert inside[..., :16].min() > 1.4 * lips[..., :16].min() > inside[..., 56:].max()
    real = _stripes() * 0.5
    assert mouth_loss(real, real, _guide(mouth=1)) == 0
    assert mouth_loss(real.roll(2, -1), real, _guide(mouth=1)) > 2 * mouth_loss(real.roll(2, -1), real, _guide())


def test_teeth_a_little_elsewhere_are_nearer_than_a_blur_to_a_network_and_not_to_pixels(dlib_file):
    """Half a tooth off, against the pixelwise best guess."""
    network = FaceNetwork(dlib_file[0])
    real, weight = _stripes(), torch.ones(1, 1, *SIZE)
    moved, blur = real.roll(2, -1), torch.full_like(real, 0.5)
    assert deep_loss(network, moved, real, weight) < deep_loss(network, blur, real, weight)
    assert (moved - real).abs().mean() >= (blur - real).abs().mean()
    assert deep_loss(network, real, real, weight) == pytest.approx(0, abs=1e-6)


def test_what_weighs_nothing_is_not_counted_by_the_network_and_gradients_reach_the_picture(dlib_file):
    network = FaceNetwork(dlib_file[0])
    real, output = _stripes(), torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weight = torch.zeros(1, 1, *SIZE)
    weight[..., :8] = 1
    deep_loss(network, output, real, weight).backward()
    assert output.grad is not None and output.grad[..., :8].abs().max() > 0
    assert output.grad[..., 56:].abs().mean() < 0.05 * output.grad[..., :8].abs().mean()


def test_a_patch_counts_as_its_pixels_do():
    weight = torch.zeros(1, 1, *SIZE)
    weight[..., :8, :8] = 2
    patches = patch_weight(weight)
    assert patches.shape == (1, 1, 6, 8) and patches[0, 0, 0, 0] == 2 and patches.sum() == 2
