"""Lids that open wider than the portrait's show an eye, not what its lids and lashes left of one."""

import cv2
import numpy as np
import pytest

from talkinghead.synthesis.eyeballs import eyeballs_of
from talkinghead.synthesis.regions import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS

SIZE, HALF, IRIS = 400, 50, 22
CENTRES = {"right": (110, 200), "left": (290, 200)}
SKIN, WHITE, BROWN, LASH = (np.float32(c) for c in ([200, 150, 120], [190, 185, 180], [90, 50, 30], [40, 25, 20]))
STILL = np.float32([[1, 0, 0], [0, 1, 0]])
HERE = np.s_[150:250, 50:170]


def eyes_of(gap, scale=1.0, looking=0.0):
    """(478, 3) px: two eyes whose lids are `gap` px apart, irises in their middle; the cheeks below."""
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = SIZE / 2, SIZE * 0.8
    for name, loop, iris in (("right", RIGHT_EYE, RIGHT_IRIS), ("left", LEFT_EYE, LEFT_IRIS)):
        x, y = CENTRES[name]
        way = np.linspace(0, 2 * np.pi, len(loop), endpoint=False)
        outwards = -1 if name == "right" else 1
        points[loop, :2] = np.c_[x + outwards * HALF * np.cos(way), y - gap / 2 * np.sin(way)]
        points[iris, :2] = np.float32([x + looking, y]) + IRIS * np.float32([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]])
    points[:, :2] *= scale
    return points


def picture_of(gap, white=WHITE, scale=1.0):
    """Those eyes in plain skin, a dark rim of lashes along the upper lid."""
    points, image = eyes_of(gap), np.full((SIZE, SIZE, 3), SKIN, np.float32)
    for (x, y), loop in ((CENTRES["right"], RIGHT_EYE), (CENTRES["left"], LEFT_EYE)):
        eye = np.full_like(image, white)
        cv2.circle(eye, (x, y), IRIS, BROWN.tolist(), -1, cv2.LINE_AA)
        mask = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillPoly(mask, [np.round(points[loop, :2]).astype(int)], 255)
        image[mask > 0] = eye[mask > 0]
        cv2.polylines(image, [np.round(points[loop[:9], :2]).astype(int)], False, LASH.tolist(), 4)
    whole = image.astype(np.uint8)
    return cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale != 1 else whole


def drawn(image, own, target):
    """The eyes of a portrait laid into plain skin, where the mesh is."""
    picture = np.full(image.shape, SKIN, np.float32)
    for eyeball in eyeballs_of(image, own):
        eyeball.lay_in(picture, target, STILL)
    return picture


def test_an_iris_that_lids_cut_is_round_when_they_open():
    shown = drawn(picture_of(24), eyes_of(24), eyes_of(60))
    x, y = CENTRES["right"]
    brown = np.abs(shown[..., 0] - BROWN[0]) < 30
    assert brown[y - 16 : y + 17 : 4, x].all()  # all over its height, where the lids left 24 px
    assert not brown[y - 20, [x - 20, x + 20]].any()  # and round: its corners are white
    beside = shown[y, [x - 38, x + 38]]
    assert (np.abs(beside / beside.mean() - WHITE / WHITE.mean()) < 0.06).all()


def test_no_lashes_stay_on_an_eye_that_opens():
    shown = drawn(picture_of(24), eyes_of(24), eyes_of(60))
    x, y = CENTRES["right"]
    white = shown[y - 14 : y + 15, x - 34].mean(-1)
    assert white.min() > 0.6 * WHITE.mean()


@pytest.mark.parametrize("gap", [24, 44])
def test_lids_as_the_portrait_has_them_show_what_it_shows(gap):
    image = picture_of(gap)
    picture = image.copy()
    for eyeball in eyeballs_of(image, eyes_of(gap)):
        eyeball.lay_in(picture, eyes_of(gap), STILL)
    assert np.abs(picture.astype(int) - image).max() <= 1


def test_between_lids_that_nearly_touch_is_no_line_of_ink(monkeypatch):
    image, own, nearly = picture_of(44), eyes_of(44), eyes_of(3)
    x, y = CENTRES["right"]
    column = drawn(image, own, nearly)[y - 12 : y + 13, x].mean(-1)
    monkeypatch.setattr("talkinghead.synthesis.eyeballs._SOFT", 0)
    ink = drawn(image, own, nearly)[y - 12 : y + 13, x].mean(-1)
    assert column.min() < SKIN.mean() - 30, "it is dark there"
    assert np.abs(np.diff(column)).max() < 0.75 * np.abs(np.diff(ink)).max(), "and softly so"


def test_the_white_is_lighter_than_the_shade_in_which_narrow_eyes_showed_it():
    dark = WHITE * np.float32([0.45, 0.35, 0.3])
    shown = drawn(picture_of(24, dark), eyes_of(24), eyes_of(60))
    x, y = CENTRES["left"]
    white = shown[y + 4, x + 36]
    assert white.mean() > 1.4 * dark.mean()
    assert np.ptp(white) / white.mean() < 0.5 * np.ptp(dark) / dark.mean()


def test_the_upper_lid_shades_an_eye_that_it_opened():
    shown = drawn(picture_of(24), eyes_of(24), eyes_of(60))
    x, y = CENTRES["right"]
    column = shown[:, x - 30].mean(-1)
    assert column[y - 16] < 0.93 * column[y]


def test_an_eye_of_few_pixels_goes_on_as_its_rim():
    """The network learnt with this, and there is nothing to measure."""
    small, own = picture_of(24, scale=0.2), eyes_of(24, 0.2)
    shown = drawn(small, own, eyes_of(60, 0.2))
    x, y = (round(0.2 * c) for c in CENTRES["right"])
    above = shown[y - 4, x - 4 : x + 5].mean(-1)
    assert above.max() < 0.7 * WHITE.mean()  # lashes, as the lid's rim has them


def test_an_eye_that_the_portrait_does_not_show_is_not_made_up():
    image, outside = picture_of(24), eyes_of(24)
    outside[:, 0] += 2 * SIZE
    for target in (outside, eyes_of(24)):
        picture = image.copy()
        for eyeball in eyeballs_of(image, outside):
            eyeball.lay_in(picture, target, STILL)
        np.testing.assert_array_equal(picture, image)


def test_a_glance_shows_no_white_above_the_shade_of_the_lid():
    """What moves with the iris along a slanting lid uncovers what was behind it."""
    image, own = picture_of(40), eyes_of(40)
    shown = drawn(image, own, eyes_of(40, looking=16))
    x, y = CENTRES["right"]
    for column in range(x - 36, x - 5, 6):
        rim = y - 20 * np.sqrt(1 - ((column - x) / HALF) ** 2)
        assert shown[round(rim) + 1, column].mean() < 60


def test_an_iris_that_looks_up_is_round_below():
    """What the lower lid hid of it comes out, and no line of that lid stays across the eye."""
    own, up = eyes_of(30), eyes_of(30)
    for iris in (RIGHT_IRIS, LEFT_IRIS):
        up[iris, 1] -= 10
    shown = drawn(picture_of(30), own, up)
    x, y = CENTRES["right"]
    brown = np.abs(shown[..., 0] - BROWN[0]) < 30
    assert brown[y + 8, x] and not brown[y + 8, [x - 21, x + 21]].any()
    np.testing.assert_allclose(shown[y + 2 : y + 9, x + 30].mean(-1), shown[y + 2, x + 30].mean(), atol=12)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_head_that_is_rolled_has_the_eyes_of_an_upright_one(quarters):
    """Which lid is the upper one the mesh says, not the picture."""
    image, own, target = picture_of(24), eyes_of(24), eyes_of(60)
    upright = drawn(image, own, target)

    def rolled(points):
        result = points.copy()
        for _ in range(quarters):
            result[:, 0], result[:, 1] = result[:, 1].copy(), SIZE - 1 - result[:, 0]
        return result

    turned = drawn(np.ascontiguousarray(np.rot90(image, quarters)), rolled(own), rolled(target))
    assert np.abs(np.rot90(turned, -quarters) - upright).mean() < 1


def test_a_socket_that_nods_or_turns_clears_nothing():
    """It goes up and gets narrower as a whole; its eye shows no more than the portrait does."""
    image, own = picture_of(40), eyes_of(40)
    still, nodding, turning = own.copy(), own.copy(), own.copy()
    for loop, iris in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
        both = np.r_[loop, iris]
        nodding[both, 1] -= 8
        middle = own[both, 0].mean()
        turning[both, 0] = middle + 0.75 * (own[both, 0] - middle)
    for eyeball in eyeballs_of(image, own):
        assert eyeball._wider(still[eyeball._loop, :2], np.zeros(2)) == 0
        assert eyeball._wider(nodding[eyeball._loop, :2], np.float32([0, -8])) == 0
        assert eyeball._wider(turning[eyeball._loop, :2], np.zeros(2)) == 0


def test_what_an_opened_eye_kept_is_its_own():
    """Its iris is the portrait's where the portrait shows it, to the spot."""
    image = picture_of(30)
    x, y = CENTRES["right"]
    cv2.circle(image, (x + 8, y), 3, (150, 120, 40), -1)
    shown = drawn(image, eyes_of(30), eyes_of(60))
    assert np.abs(shown[y, x + 8] - (150, 120, 40)).max() < 25


def bare_picture_of(gap):
    """As `picture_of`, with lids of skin without lashes: the rim of the eye is half skin."""
    image = picture_of(gap)
    lashes = np.abs(image.astype(np.float32) - LASH).max(-1) < 40
    image[lashes] = SKIN
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def test_no_skin_lies_over_an_eye_that_opens_under_a_lid_without_lashes():
    """It was a veil between the old rim of the lid and the new one."""
    middle = 0.5 * (SKIN[0] / SKIN[2] + WHITE[0] / WHITE[2])
    shown = drawn(bare_picture_of(33), eyes_of(33), eyes_of(44))
    for eyeball, (x, y) in zip(eyeballs_of(bare_picture_of(33), eyes_of(33)), CENTRES.values(), strict=True):
        behind = (np.int32([x - 33, y - 14]) - eyeball._left_top).astype(int)
        for colour in (shown[y - 13, x - 33], shown[y - 13, x + 33], eyeball.opened[behind[1], behind[0]]):
            assert colour[0] / colour[2] < middle


def test_the_upper_lid_of_an_opened_eye_has_its_line_of_lashes():
    shown = drawn(picture_of(24), eyes_of(24), eyes_of(60))
    x, y = CENTRES["right"]
    column = shown[y - 25 : y, x - 34].mean(-1)
    assert column.min() < 0.75 * column[-8:].mean(), "darker at the rim than the white below"


def test_the_corners_of_an_open_eye_stay_pink():
    image = picture_of(34)
    pink = np.float32([200, 120, 120])
    for x, y in CENTRES.values():
        for corner in (x - 46, x + 46):
            cv2.circle(image, (corner, y), 4, pink.tolist(), -1)
    shown = drawn(image, eyes_of(34), eyes_of(50))
    x, y = CENTRES["left"]
    assert all(shown[y, corner, 0] / shown[y, corner, 1] > 1.3 for corner in (x - 46, x + 46))
