"""Frames of glasses are found, and stay stiff before a face that frowns."""

import cv2
import numpy as np
import pytest

from talkinghead.synthesis.glasses import Glasses
from talkinghead.synthesis.portrait import load_image
from talkinghead.synthesis.proxies import ReferenceFace, build_proxies, warp_picture
from talkinghead.synthesis.regions import LEFT_EYE, RIGHT_EYE, SKULL

SKIN, FRAME = (225, 180, 150), (25, 22, 20)
BROWS = np.array([105, 334, 66, 296, 52, 282])


@pytest.fixture
def wearer(face):
    """A face three times as large, a picture of skin with round frames before its eyes, and the mask of these."""
    points, topology = face
    points = points * np.float32([3, 3, 3])
    right, left = (points[loop, :2].mean(0) for loop in (RIGHT_EYE, LEFT_EYE))
    points[BROWS, :2] = np.repeat([right, left], 3, 0)[[0, 3, 1, 4, 2, 5]] + np.float32([0, -40])
    points[[9, 197], :2] = (right + left) / 2 + np.float32([[0, -35], [0, 60]])
    mask = np.zeros((768, 768), np.uint8)
    radius = round(float(np.linalg.norm(left - right)) * 0.42)
    for centre in (right, left):
        cv2.circle(mask, tuple(int(v) for v in centre.round()), radius, 1, 9)
    ends = [(right + share * (left - right)).round().astype(int) for share in (0.4, 0.6)]
    cv2.line(mask, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1, 9)
    image = np.where(mask[..., None] > 0, np.uint8(FRAME), np.uint8(SKIN)).astype(np.uint8)
    return image, points, topology, mask > 0


def test_a_dark_frame_is_found_and_the_skin_behind_it_goes_on(wearer):
    image, points, _, frame = wearer
    glasses = Glasses.of(image, points)
    assert glasses is not None
    assert np.abs(glasses.bare.astype(int) - SKIN).max() < 40
    height, width = glasses.frame.shape
    there = frame[glasses.top : glasses.top + height, glasses.left : glasses.left + width]
    assert glasses.frame[there].min() > 0.95 and there.sum() == frame.sum()
    assert glasses.frame.mean() < 4 * there.mean()


def test_a_head_that_does_not_move_is_as_it_was(wearer):
    image, points, topology, _ = wearer
    assert np.abs(warp_picture(ReferenceFace(image, points, topology), points) - image).max() <= 1


def test_brows_that_rise_do_not_bend_it(wearer):
    image, points, topology, frame = wearer
    raised = points.copy()
    soft = np.exp(-((np.linalg.norm(points[:468, None, :2] - points[None, BROWS, :2], axis=-1).min(1) / 60) ** 2))
    soft[SKULL] = 0
    raised[:468, 1] -= 25 * soft
    picture = build_proxies(ReferenceFace(image, points, topology), raised).composite.astype(int)
    assert picture[frame].mean() < 40
    around = cv2.dilate(frame.astype(np.uint8), np.ones((25, 25), np.uint8)) - cv2.dilate(
        frame.astype(np.uint8), np.ones((15, 15), np.uint8)
    )
    assert np.median(picture[around > 0].mean(-1)) > 150


def test_it_goes_with_the_head(wearer):
    image, points, topology, frame = wearer
    shift = np.float32([14, 6, 0])
    picture = build_proxies(ReferenceFace(image, points, topology), points + shift).composite
    assert picture[np.roll(frame, (6, 14), (0, 1))].mean() < 45


@pytest.mark.parametrize("what", ["nothing", "brows", "one glass", "bright"])
def test_what_is_no_frame_is_none(wearer, what):
    image, points, _, frame = wearer
    plain = np.full_like(image, SKIN)
    if what == "brows":
        for side in (slice(0, None, 2), slice(1, None, 2)):
            x, y = points[BROWS[side], :2].mean(0).round().astype(int)
            cv2.ellipse(plain, (int(x), int(y)), (50, 10), 0, 0, 360, FRAME, -1)
    elif what == "one glass":
        half = frame & (np.arange(768)[None] < points[[RIGHT_EYE[0], LEFT_EYE[0]], 0].mean() - 20)
        plain[half] = FRAME
    elif what == "bright":
        plain[frame] = (250, 230, 210)
    assert Glasses.of(plain, points) is None


@pytest.mark.parametrize("name", ["astronaut.jpg", "drawn_man.png", "drawn_woman.png"])
def test_people_without_glasses_wear_none(root, tracker, name):
    image, _ = load_image(root / "assets" / name)
    image = cv2.resize(image, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    assert Glasses.of(image, tracker.detect(image)[0].points) is None


def test_a_small_face_and_one_beside_the_picture_are_left_alone(wearer):
    image, points, _, _ = wearer
    small = np.asarray(cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA), np.uint8)
    assert Glasses.of(small, points / 8) is None
    assert Glasses.of(image, points + np.float32([3000, 0, 0])) is None
