"""Lids that come down have the pores of the skin beneath the eye, as fine as they are there."""

import numpy as np
import pytest

from talkinghead.synthesis.geometry import polygon_mask
from talkinghead.synthesis.lid_grain import lay_grain, lid_grains
from talkinghead.synthesis.regions import LEFT_CREASE, LEFT_EYE, RIGHT_CREASE, RIGHT_EYE

SKIN = np.uint8([200, 150, 120])
SIZE = 512
EYES = ((RIGHT_EYE, RIGHT_CREASE), (LEFT_EYE, LEFT_CREASE))


@pytest.fixture
def own(face):
    """The face's mesh, twice as large, its lids 24 px open, with creases 6 px over them."""
    points = 2 * face[0]
    for eye, crease in EYES:
        middle = points[eye].mean(0)
        across = points[eye, 0] - middle[0]
        height = 12 * (1 - (across / np.abs(across).max()) ** 2)
        points[eye[1:8], 1], points[eye[9:], 1] = (middle[1] - height)[1:8], (middle[1] + height)[9:]
        points[crease] = points[eye[1:8]] - np.float32([0, 6, 0])
    return points


@pytest.fixture
def shut(own):
    points = own.copy()
    for eye, _ in EYES:
        points[eye[1:8]] = points[eye[:8:-1]]
    return points


@pytest.fixture
def portrait():
    pores = np.random.default_rng(0).normal(0, 6, (SIZE, SIZE, 1))
    return np.clip(SKIN + pores, 0, 255).astype(np.uint8)


def laid(portrait, own, target):
    """What is done to plain skin."""
    plain = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    lay_grain(plain, lid_grains(portrait, own), own, target, (0, 0))
    return plain.astype(int) - SKIN


def lid(target, eye, crease):
    return polygon_mask([np.concatenate([target[eye[1:8], :2], target[crease[::-1], :2]])], SIZE, SIZE) > 0.9


def test_a_shut_lid_has_pores_and_nothing_else_has(portrait, own, shut):
    change = laid(portrait, own, shut)
    everywhere = np.zeros((SIZE, SIZE), bool)
    for eye, crease in EYES:
        here = lid(shut, eye, crease)
        assert change[here].std() > 2
        everywhere |= here
    far = np.abs(np.argwhere(change.any(-1))[:, None] - np.argwhere(everywhere)[None, ::7]).max(-1).min(1)
    assert far.max() < 12


def test_a_lid_half_way_down_has_some_of_them(portrait, own, shut):
    here = lid(own + np.float32(0.55) * (shut - own), *EYES[0])
    some, all_of_them = (laid(portrait, own, own + np.float32(way) * (shut - own))[here].std() for way in (0.55, 1.0))
    assert 0.05 < some / all_of_them < 0.9


def test_an_open_lid_stays_as_it_is(portrait, own):
    assert not laid(portrait, own, own).any()


def test_pores_are_as_fine_as_in_the_portrait_however_far_the_lid_is_drawn_out(portrait, own, shut):
    change = laid(portrait, own, shut)[..., 0].astype(float)
    here = lid(shut, *EYES[0])
    below = here & np.roll(here, -1, 0)
    alike = np.corrcoef(change[below], np.roll(change, -1, 0)[below])[0, 1]
    assert alike < 0.5, "pores that the lid stretched would be streaks"


def test_they_go_with_the_head_and_a_part_of_the_picture_is_as_the_whole(portrait, own, shut):
    still, moved = laid(portrait, own, shut), laid(portrait, own, shut + np.float32([20, 10, 0]))
    assert np.abs(np.roll(still, (10, 20), (0, 1)) - moved).max() <= 2
    part = np.full((SIZE, SIZE - 100, 3), SKIN, np.uint8)
    lay_grain(part, lid_grains(portrait, own), own, shut, (100, 0))
    assert np.abs(part.astype(int) - SKIN - still[:, 100:]).max() <= 1


def test_a_strand_of_hair_beneath_the_eye_is_no_pore(portrait, own, shut):
    x, y = (own[RIGHT_EYE].mean(0)[:2] + [0, 40]).astype(int)  # noqa: RUF005 - a sum
    plain = laid(portrait, own, shut)
    portrait[y - 30 : y + 30, x - 1 : x + 2] = 10
    assert np.abs(laid(portrait, own, shut)).max() < 2.5 * np.abs(plain).max()


def test_an_eye_at_the_pictures_edge_has_none(portrait, own):
    own[:, 1] += SIZE - own[RIGHT_EYE, 1].mean()
    assert lid_grains(portrait, own) == []
