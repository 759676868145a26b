"""Lashes are taken off a lid's skin, and hang from the line of lids that are shut."""

import cv2
import numpy as np
import pytest

from talkinghead.synthesis.lashes import without_lashes
from talkinghead.synthesis.lids import with_bare_lids
from talkinghead.synthesis.regions import LEFT_CREASE, LEFT_EYE, LEFT_RIDGE, RIGHT_CREASE, RIGHT_EYE, RIGHT_RIDGE

SKIN = np.float32([200, 150, 120])
RIM = np.float32([[5, 31], [75, 31]])


def test_thin_dark_lines_go_and_their_darkness_is_told():
    picture = np.full((60, 80, 3), SKIN, np.float32)
    picture[10:30, 38:41] = 20
    clean, dark = without_lashes(picture, 80, RIM)
    np.testing.assert_allclose(clean[20, 39], SKIN, atol=12)
    assert dark[20, 39] > 0.8 and dark[20, 10] == 0
    assert np.array_equal(clean[:, :20], picture[:, :20])


def test_shading_and_texture_of_skin_stay():
    texture = np.random.default_rng(0).uniform(-3, 3, (60, 80, 1)).astype(np.float32)
    picture = np.linspace(90, 220, 80, dtype=np.float32)[None, :, None] * SKIN / 200 + texture
    clean, dark = without_lashes(picture, 80, RIM)
    assert dark[:, 8:-8].mean() < 0.01
    np.testing.assert_allclose(clean[:, 8:-8], picture[:, 8:-8], atol=4)


@pytest.fixture
def eyes(face):
    """The face's mesh three times as large, with creases and ridges over its lids, and a picture of skin with one lash."""
    points = 3 * face[0]
    for eye, crease, ridge in ((RIGHT_EYE, RIGHT_CREASE, RIGHT_RIDGE), (LEFT_EYE, LEFT_CREASE, LEFT_RIDGE)):
        for row, over in ((crease, 12), (ridge, 30)):
            points[row] = points[eye[1:8]] - np.float32([0, over, 0])
    image = np.full((768, 768, 3), SKIN, np.uint8)
    root = points[RIGHT_EYE[4], :2].round().astype(int)
    cv2.line(image, (int(root[0]), int(root[1])), (int(root[0]), int(root[1]) - 20), (20, 15, 12), 2)
    return image, points, root


def test_a_lash_that_stands_on_an_open_lid_hangs_from_a_shut_one(eyes):
    image, points, (x, y) = eyes
    bare = with_bare_lids(image, points).astype(int)
    assert image[y - 16, x].max() < 40 and bare[y - 16, x].min() > 90
    below = int(points[RIGHT_EYE[12], 1]) + 4
    beside = np.r_[x - 14 : x - 9, x + 10 : x + 15]
    assert bare[below, x - 2 : x + 3].sum(-1).min() < 0.7 * bare[below, beside].sum(-1).mean()


def test_a_lid_without_lashes_has_none_when_shut(eyes):
    _, points, (x, _) = eyes
    bare = with_bare_lids(np.full((768, 768, 3), SKIN, np.uint8), points)
    below = int(points[RIGHT_EYE[12], 1]) + 4
    np.testing.assert_allclose(bare[below, x - 15 : x + 15], np.tile(SKIN, (30, 1)), atol=8)
