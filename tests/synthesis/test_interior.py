import numpy as np
import pytest

from talkinghead.synthesis.geometry import polygon_mask
from talkinghead.synthesis.interior import draw_mouth, lit_colours, lowered, with_bare_lids
from talkinghead.synthesis.regions import (
    LEFT_CREASE,
    LEFT_EYE,
    LEFT_RIDGE,
    RIGHT_CREASE,
    RIGHT_EYE,
    RIGHT_RIDGE,
)

TOOTH, TONGUE = np.float32([[0.90, 0.87, 0.80]]), np.float32([[0.68, 0.32, 0.32]])


def _skin(picture, colour):
    return np.full_like(picture, np.round(np.array(colour) * 255).astype(np.uint8))


def test_where_the_mouth_holds_nothing_it_is_black(face, picture):
    """Whatever colours the vertices have that no part of the mouth uses."""
    points, topology = face
    assert not len(topology.inner) and topology.colours.min() > 0
    assert not draw_mouth(topology, lit_colours(topology.colours, picture, points), points, (100, 160, 156, 190)).any()


def test_a_grey_portrait_has_grey_teeth_and_a_grey_tongue(face, picture):
    lit = lit_colours(np.concatenate([TOOTH, TONGUE]), _skin(picture, (0.5, 0.5, 0.5)), face[0])
    assert np.ptp(lit, axis=1) == pytest.approx(0, abs=1e-6)
    assert lit[0, 0] > lit[1, 0]


def test_teeth_take_a_part_of_the_lights_tint_and_get_darker_with_it(face, picture):
    white, warm, dark = (
        lit_colours(TOOTH, _skin(picture, colour), face[0])[0]
        for colour in ((0.8, 0.67, 0.6), (0.8, 0.5, 0.3), (0.3, 0.25, 0.22))
    )
    assert warm[2] / warm[0] < white[2] / white[0]
    assert warm[2] / warm[0] > 0.3 / 0.8  # but they are not as yellow as the skin
    assert dark.mean() < white.mean()
    assert dark.mean() > 0.25  # teeth in a dark face are lighter than its skin


@pytest.fixture
def lidded(face):
    """The face's mesh with creases and ridges 3 and 12 px over the rims of its upper lids."""
    points = face[0].copy()
    for eye, crease, ridge in ((RIGHT_EYE, RIGHT_CREASE, RIGHT_RIDGE), (LEFT_EYE, LEFT_CREASE, LEFT_RIDGE)):
        for row, over in ((crease, 3), (ridge, 12)):
            points[row] = points[eye[1:8]] - np.float32([0, over, 0])
    return points


def test_a_bare_lid_has_the_skin_above_it_and_a_dark_rim(lidded):
    """Whatever lashes and paint stand on the open one."""
    skin, paint = np.uint8([200, 150, 120]), np.uint8([20, 30, 90])
    image = np.full((256, 256, 3), skin, np.uint8)
    lid = np.concatenate([lidded[RIGHT_EYE[1:8], :2], lidded[RIGHT_CREASE[::-1], :2]])
    image[polygon_mask([lid], 256, 256) > 0] = paint
    bare = with_bare_lids(image, lidded)
    x, crease_y, rim_y = (int(v) for v in (*lidded[RIGHT_CREASE[3], :2], lidded[RIGHT_EYE[4], 1]))
    assert np.abs(image[crease_y + 1, x].astype(int) - skin).max() > 100
    assert np.abs(bare[crease_y + 1, x].astype(int) - skin).max() < 40
    assert bare[rim_y + 1, x].mean() < 80
    far = np.ones((256, 256), bool)
    far[80:120] = False
    assert np.array_equal(bare[far], image[far])


def test_a_lid_is_as_far_down_as_the_gap_is_smaller(lidded):
    own, shut, wide = (lidded[RIGHT_EYE, :2].copy() for _ in range(3))
    shut[:, 1] = own[:, 1].max()
    wide[:, 1] = own[:, 1].mean() + 1.5 * (own[:, 1] - own[:, 1].mean())
    half = (own + shut) / 2
    assert lowered(shut, own) == 1 and lowered(own, own) == 0 and lowered(wide, own) == 0
    assert 0.2 < lowered(half, own) < 0.8
