"""Grey pictures with gradients: what is in them, and that the gradients are those of finite differences."""

import numpy as np
import pytest
import torch

from talkinghead.synthesis.grey_picture import AMBIENT, LIGHT, GreyPicture

SIDE = 5


def hilly(size_px=12):
    """A hilly sheet that fills the picture, so that no outline is seen: (V, 3) in double precision, and its picture."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[1 : -1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    vertices = np.stack([x, y, 0.2 * random.standard_normal((SIDE, SIDE))], -1).reshape(-1, 3)
    vertices[:, :2] += 0.03 * random.standard_normal((SIDE * SIDE, 2))
    corner = (np.arange(SIDE - 1)[:, None] * SIDE + np.arange(SIDE - 1)).ravel()
    lower_left = np.stack([corner, corner + SIDE, corner + SIDE + 1], 1)
    faces = np.concatenate([lower_left, np.stack([corner, corner + SIDE + 1, corner + 1], 1)])
    tones = random.uniform(0.3, 0.9, SIDE * SIDE)
    return torch.from_numpy(vertices), GreyPicture(faces, tones, (0.0, 0.0), 1.2, size_px)


def test_a_wall_is_as_bright_as_its_tone_and_the_light_say():
    square = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    picture = GreyPicture(np.array([[0, 1, 2], [0, 2, 3]]), np.array([0.5, 0.5, 0.5, 0.5]), (1.0, 0.0), 4.0, 4)(square)
    lit = 0.5 * (AMBIENT + (1 - AMBIENT) * LIGHT[2] / np.hypot(*LIGHT[1:]))
    expected = np.zeros((4, 4))
    expected[1:3, :2] = lit
    assert picture.numpy() == pytest.approx(expected, abs=1e-6)


def test_the_nearer_one_is_seen():
    near, far = [[-1.0, -1, 0.5], [1, -1, 0.5], [0, 1, 0.5]], [[-1.0, -1, 0], [1, -1, 0], [0, 1, 0]]
    for vertices, tones in (((near + far), [1, 1, 1, 0, 0, 0]), ((far + near), [0, 0, 0, 1, 1, 1])):
        picture = GreyPicture(np.arange(6).reshape(2, 3), np.float32(tones), (0.0, 0.0), 2.0, 8)(torch.tensor(vertices))
        assert picture[4, 4] > 0.5


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_its_gradients_are_those_of_finite_differences(axis):
    vertices, picture = hilly()
    weights = torch.from_numpy(np.random.default_rng(1).standard_normal((12, 12)))

    def seen(moved):
        return (picture(moved) * weights).sum()

    vertices.requires_grad_()
    (gradient,) = torch.autograd.grad(seen(vertices), vertices)
    assert gradient[:, axis].abs().max() > 1e-2
    step = 1e-5
    with torch.no_grad():
        for vertex in range(SIDE * SIDE):
            moved = torch.zeros_like(vertices)
            moved[vertex, axis] = step
            difference = (seen(vertices + moved) - seen(vertices - moved)) / (2 * step)
            assert float(difference) == pytest.approx(float(gradient[vertex, axis]), abs=2e-3, rel=1e-3), vertex


def test_leading_axes_are_kept():
    vertices, picture = hilly()
    assert torch.equal(picture(vertices.expand(2, 3, -1, -1))[1, 2], picture(vertices))
