"""The tracker's lids go to the rims of a drawing's large eyes, and stay where they are on people."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from talkinghead.synthesis.drawn_eyes import with_whole_eyes
from talkinghead.synthesis.portrait import load_image
from talkinghead.synthesis.regions import LEFT_EYE, RIGHT_CREASE, RIGHT_EYE
from talkinghead.types import TrackedFace

SKIN, WHITE, LINE = (235, 180, 150), (245, 245, 250), (40, 25, 20)


def drawn(image, eyes):
    """Eyes of a doll: (centre, half axes) each."""
    for centre, axes in eyes:
        cv2.ellipse(image, centre, axes, 0, 0, 360, LINE, -1)
        cv2.ellipse(image, centre, (axes[0] - 5, axes[1] - 5), 0, 0, 360, WHITE, -1)
    return image


@pytest.fixture
def doll(face):
    """A face whose tracked lids span the upper half of eyes 60 px high, and where these end (centre, half axes)."""
    points = 3 * face[0]
    image = np.full((768, 768, 3), SKIN, np.uint8)
    eyes = []
    for loop in (RIGHT_EYE, LEFT_EYE):
        x, y = points[loop, :2].mean(0)
        half = 0.55 * float(np.ptp(points[loop, 0]))
        centre, axes = (round(float(x)), round(float(y) + 0.4 * half)), (round(half), round(0.95 * half))
        eyes.append((centre, axes))
    return (
        drawn(image, eyes),
        TrackedFace(points.astype(np.float32), np.zeros(52, np.float32), np.float32([0, 0, 768, 768]), 1.0),
        eyes,
    )


def test_lids_go_to_the_rims_of_a_large_drawn_eye(doll):
    image, face, eyes = doll
    whole = with_whole_eyes(face, image).points
    for loop, (centre, axes) in zip((RIGHT_EYE, LEFT_EYE), eyes, strict=True):
        was, now = (np.linalg.norm((p[loop, :2] - centre) / axes, axis=1) for p in (face.points, whole))
        assert now.min() > 0.9 and now.max() < 1.35
        assert was.min() < 0.7


def test_the_skin_round_it_gives_way_and_nothing_folds(doll):
    image, face, _ = doll
    face.points[RIGHT_CREASE] = face.points[RIGHT_EYE[1:8]] - np.float32([0, 12, 0])
    whole = with_whole_eyes(face, image).points
    away = np.linalg.norm(face.points[:, None, :2] - face.points[None, np.r_[RIGHT_EYE, LEFT_EYE], :2], axis=-1).min(1)
    moved = np.linalg.norm(whole[:, :2] - face.points[:, :2], axis=1)
    assert moved[away > 150].max() < 1
    assert np.array_equal(whole[:, 2], face.points[:, 2])
    assert (whole[RIGHT_CREASE, 1] < whole[RIGHT_EYE[1:8], 1]).all()
    assert (whole[RIGHT_EYE[1:8], 1] < whole[RIGHT_EYE[:8:-1], 1]).all()


def test_eyes_that_the_tracker_sees_whole_stay(doll):
    image, face, eyes = doll
    points = face.points.copy()
    for loop, (centre, axes) in zip((RIGHT_EYE, LEFT_EYE), eyes, strict=True):
        middle = points[loop, :2].mean(0)
        points[loop, :2] = centre + (points[loop, :2] - middle) / (np.ptp(points[loop, :2], axis=0) / 2) * axes
    seen = replace(face, points=points)
    assert with_whole_eyes(seen, image) is seen


def test_one_large_eye_is_a_mistake(doll):
    image, face, eyes = doll
    (x, y), axes = eyes[0]
    cv2.ellipse(image, (x, y), axes, 0, 0, 360, SKIN, -1)
    assert with_whole_eyes(face, image) is face


@pytest.mark.parametrize("name", ["astronaut.jpg", "drawn_man.png", "drawn_woman.png"])
def test_portraits_of_people_keep_their_points(root, tracker, name):
    image, _ = load_image(root / "assets" / name)
    face = tracker.detect(image)[0]
    assert with_whole_eyes(face, image) is face


def test_a_face_at_the_edge_of_the_picture_and_one_of_no_size_are_left_alone(doll):
    image, face, _ = doll
    for points in (face.points + np.float32([5000, 0, 0]), np.zeros_like(face.points)):
        odd = replace(face, points=points)
        assert with_whole_eyes(odd, image) is odd


def test_the_same_eyes_are_found_in_a_mirror_in_a_crop_and_in_noise(doll):
    image, face, _ = doll
    noise = np.random.default_rng(0).normal(0, 8, image.shape)
    assert with_whole_eyes(face, np.clip(image + noise, 0, 255).astype(np.uint8)) is not face
    for left, top in ((4, 4), (1, 3)):
        cropped = replace(face, points=face.points - np.float32([left, top, 0]))
        assert with_whole_eyes(cropped, np.ascontiguousarray(image[top:, left:])) is not cropped
    points = face.points.copy()
    points[:, 0] = 768 - points[:, 0]
    points[np.r_[RIGHT_EYE, LEFT_EYE]] = points[np.r_[LEFT_EYE, RIGHT_EYE]]
    mirrored = replace(face, points=points)
    assert with_whole_eyes(mirrored, np.ascontiguousarray(image[:, ::-1])) is not mirrored


def no_larger(centre, axes):
    return centre, (round(axes[0] * 0.5), round(axes[1] * 0.9))


def far_up(centre, axes):
    return (centre[0], centre[1] - axes[1]), (axes[0], round(axes[1] * 1.05))


def huge(centre, axes):
    return centre, (round(axes[0] * 1.5), round(axes[1] * 1.8))


@pytest.mark.parametrize("other", [no_larger, far_up, huge])
def test_what_is_lower_but_no_larger_or_above_the_lids_or_as_large_as_hair_is_no_drawn_eye(doll, other):
    image, face, eyes = doll
    image[:] = SKIN
    assert with_whole_eyes(face, drawn(image, [other(*eye) for eye in eyes])) is face


def test_spots_that_run_together_with_an_eye_are_none(doll):
    image, face, eyes = doll
    image[:] = SKIN
    for (x, y), (wide, high) in eyes:
        for end in (x - wide, x + wide):
            cv2.line(image, (x, y - high // 3), (end, y + 2 * high), LINE, 26)
    assert with_whole_eyes(face, image) is face


def test_what_goes_on_beyond_the_window_is_hair(doll):
    image, face, eyes = doll
    image[:] = SKIN
    for (x, y), (wide, _) in eyes:
        cv2.ellipse(image, (x, round(y + 0.9 * wide)), (round(0.5 * wide), round(1.9 * wide)), 0, 0, 360, LINE, -1)
    assert with_whole_eyes(face, image) is face
