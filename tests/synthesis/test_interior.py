import numpy as np
import pytest

from talkinghead.synthesis.interior import draw_mouth, lit_colours

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
