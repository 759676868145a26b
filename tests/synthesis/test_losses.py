import torch

from talkinghead.synthesis.losses import reconstruction_loss


def _guide(picture, mouth):
    guide = torch.zeros(1, 16, *picture.shape[2:])
    guide[:, :3] = picture * 2 - 1
    guide[:, 13] = 1
    guide[:, 14] = mouth
    return guide


def test_teeth_a_little_elsewhere_beat_a_blur_between_the_lips_and_only_there():
    """The guide's stripes are half a tooth off the real ones; the blur is the pixelwise best guess."""
    stripes = (torch.arange(64) // 4 % 2).float().expand(1, 3, 48, 64).contiguous()
    real, guided = stripes, stripes.roll(2, -1)
    blur = torch.full_like(real, 0.5)
    inside, outside = (_guide(guided, mouth) for mouth in (1.0, 0.0))
    assert reconstruction_loss(guided, real, inside) < reconstruction_loss(blur, real, inside)
    assert reconstruction_loss(guided, real, outside) > reconstruction_loss(blur, real, outside)


def test_the_right_tone_between_the_lips_is_asked_for():
    stripes = (torch.arange(64) // 4 % 2).float().expand(1, 3, 48, 64).contiguous() * 0.5
    guide = _guide(stripes, 1.0)
    assert reconstruction_loss(stripes + 0.2, stripes + 0.2, guide) < reconstruction_loss(stripes, stripes + 0.2, guide)
