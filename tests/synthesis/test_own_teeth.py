"""Of what a smile shows, only the upper row of teeth rides with the skull: no gap, and no lower row."""

import cv2
import numpy as np
import pytest

from talkinghead.synthesis.own_teeth import OwnTeeth, _usual_gain
from talkinghead.synthesis.regions import INNER_LIPS
from talkinghead.synthesis.topology import MeshTopology

SIZE, WIDE, HIGH = 400, 160, 60
LEFT, TOP = 120, 170
SKIN, TOOTH, DARK = (224, 171, 153), (230, 220, 205), (30, 15, 12)
ROWS_MEET = TOP + 38


@pytest.fixture
def mouth():
    """(V, 3) px of a face whose parted lips are a box, and a topology whose upper row of teeth fills that box."""
    points = np.zeros((478 + 4, 3), np.float32)
    points[:, :2] = 200
    points[[50, 280, 205, 425, 101, 330, 36, 266], :2] = [60, 60]
    along = np.linspace(0, WIDE, 9)[1:-1]
    upper = np.c_[np.r_[0, 0, along, WIDE, WIDE], np.r_[HIGH / 2, np.zeros(9), HIGH / 2]]
    lower = np.c_[np.r_[WIDE, along[::-1], 0], np.full(9, HIGH)]
    points[INNER_LIPS, :2] = np.concatenate([upper, lower]) + np.array([LEFT, TOP])
    points[478:, :2] = [[LEFT, TOP], [LEFT + WIDE, TOP], [LEFT, TOP + HIGH], [LEFT + WIDE, TOP + HIGH]]
    teeth = np.array([[478, 480, 479], [479, 480, 481]])
    empty = np.zeros((0, 3), np.int64)
    colours = np.full((482, 3), 0.7, np.float32)
    topology = MeshTopology(empty, empty, teeth, colours, points / 1000, slice(478, 482), slice(0, 0), slice(0, 0))
    return points, topology


def smiling(lower_row=True, gap=None):
    """A mouth full of teeth, in two rows that meet in a row of dark corners between them; gap: columns without teeth."""
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    image[TOP : TOP + HIGH, LEFT : LEFT + WIDE] = TOOTH
    if lower_row:
        for x in range(LEFT + 8, LEFT + WIDE, 20):
            cv2.circle(image, (x, ROWS_MEET), 3, DARK, -1)
    if gap:
        image[TOP : TOP + HIGH, gap[0] : gap[1]] = DARK
    return image


def shown(image, mouth):
    points, topology = mouth
    return OwnTeeth.of(image, points, topology, np.full((482, 3), 0.8, np.float32), 1.0).shown


def test_one_row_is_shown_whole(mouth):
    seen = shown(smiling(lower_row=False), mouth)
    assert seen[TOP + 8 : TOP + HIGH - 8, LEFT + 8 : LEFT + WIDE - 8].min() > 0.9
    assert seen[TOP + HIGH + 3 :].max() < 0.01 and seen[:, : LEFT - 3].max() < 0.01


def test_the_lower_row_of_two_is_not_shown(mouth):
    seen = shown(smiling(), mouth)[:, LEFT + 10 : LEFT + WIDE - 10]
    assert np.median(seen[TOP + 8 : ROWS_MEET - 10]) > 0.9
    assert seen[ROWS_MEET + 2 : TOP + HIGH].max() < 0.1


@pytest.mark.parametrize("degrees", [-80, -20, 20, 80])
def test_nor_is_it_in_a_head_on_its_side(mouth, degrees):
    points, topology = mouth
    turn = cv2.getRotationMatrix2D((200.0, 200.0), degrees, 1)
    turned = points.copy()
    turned[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    image = cv2.warpAffine(smiling(), turn, (SIZE, SIZE), borderValue=SKIN)
    seen = cv2.warpAffine(shown(image, (turned, topology)), cv2.invertAffineTransform(turn), (SIZE, SIZE))
    assert np.median(seen[TOP + 8 : ROWS_MEET - 10, LEFT + 15 : LEFT + WIDE - 15]) > 0.9
    assert seen[ROWS_MEET + 4 : TOP + HIGH, LEFT + 15 : LEFT + WIDE - 15].max() < 0.2


def test_behind_a_slit_no_row_is_looked_for(mouth):
    points, topology = mouth
    slit = points.copy()
    lips = slit[INNER_LIPS, 1]
    slit[INNER_LIPS, 1] = TOP + HIGH / 2 + 0.1 * (lips - TOP - HIGH / 2)
    assert np.isfinite(shown(smiling(), (slit, topology))).all()


def test_a_gap_is_not_shown_and_a_line_between_two_teeth_is(mouth):
    seen = shown(smiling(lower_row=False, gap=(190, 204)), mouth)[TOP + 10 : TOP + HIGH - 10]
    assert seen[:, 196:198].max() < 0.1 and seen[:, 150:180].min() > 0.9
    assert shown(smiling(lower_row=False, gap=(196, 198)), mouth)[TOP + 10 : TOP + HIGH - 10, 196:198].min() > 0.9


def test_teeth_that_are_not_shown_take_less_than_half_of_the_skins_hue():
    rig = np.float32([[0.9, 0.8, 0.7], [0.7, 0.6, 0.5]])
    for skin in ([0.8, 0.55, 0.42], [0.6, 0.6, 0.6], [0.5, 0.55, 0.6]):
        skin = np.float32(skin)
        teeth = rig.mean(0) * _usual_gain(rig, skin)
        assert teeth.mean() == pytest.approx(1.19 * rig.mean(), rel=0.02)
        warmth, own = (np.log(colour[0] / colour[2]) for colour in (skin, teeth))
        assert own == pytest.approx(0.42 * warmth, abs=1e-3)
