"""Who wears glasses is known, and what stands before the eyes does not bend."""

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file

from talkinghead.errors import CheckpointError
from talkinghead.rig.face_rig import FaceRig
from talkinghead.synthesis.eyewear import NUM_FEATURES, WEIGHTS_FILE, EyewearDetector, edges, eye_crop, turned_away
from talkinghead.synthesis.glasses import behind_lenses, held_still
from talkinghead.synthesis.portrait import load_image, load_portrait
from talkinghead.synthesis.proxies import ReferenceFace, warp_picture
from talkinghead.synthesis.regions import INNER_LIPS, LEFT_EYE, RIGHT_EYE

BROWS = [105, 66, 107, 336, 296, 334]


@pytest.fixture(scope="module")
def detector(root):
    return EyewearDetector.load(root / "checkpoints/default/eyewear")


@pytest.fixture(scope="module")
def drawn_man(root, tracker):
    image = load_image(root / "assets/drawn_man.png")[0]
    return image, tracker.detect(image)[0].points


def with_glasses(image, points, light=150):
    """A thin oval wire round each eye, a bridge, and two temples."""
    worn = image.copy()
    right, left = (points[loop, :2].mean(0) for loop in (RIGHT_EYE, LEFT_EYE))
    width = np.linalg.norm(points[RIGHT_EYE[0], :2] - points[RIGHT_EYE[8], :2])
    axes, line = (round(0.85 * width), round(0.6 * width)), max(2, round(0.05 * width))
    inks = {"color": (light,) * 3, "thickness": line, "lineType": cv2.LINE_AA}
    for x, y in (right, left):
        cv2.ellipse(worn, (round(x), round(y + 0.1 * width)), axes, 0, 0, 360, **inks)
    ends = [(round(x), round(y)) for x, y in (right + np.array([axes[0], 0]), left - np.array([axes[0], 0]))]
    cv2.line(worn, *ends, **inks)
    return worn


@pytest.mark.parametrize("size", [256, 512, 1500])
def test_who_wears_glasses_is_known_at_any_size(detector, drawn_man, size):
    image, points = drawn_man
    scale = size / max(image.shape[:2])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small, worn = (
        cv2.resize(x, None, fx=scale, fy=scale, interpolation=flags) for x in (image, with_glasses(image, points, 40))
    )
    assert detector(worn, points * scale)
    assert not detector(small, points * scale)


def test_a_face_that_fills_the_picture_wears_them_too(detector, drawn_man):
    """What lies outside goes on as the border; a black bar would be the hardest edge of all."""
    image, points = drawn_man
    worn = with_glasses(image, points, 40)
    corners = points[[33, 263], :2]
    margin = 0.12 * float(np.ptp(corners[:, 0]))
    left, right = int(corners[0, 0] - margin), int(corners[1, 0] + margin)
    shift = np.array([left] + [0] * (points.shape[1] - 1))
    assert detector(np.ascontiguousarray(worn[:, left:right]), points - shift)
    assert not detector(np.ascontiguousarray(image[:, left:right]), points - shift)


def test_the_crop_does_not_alias_and_shows_what_is_below_the_eyes(drawn_man):
    image, points = drawn_man
    large = cv2.resize(image, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    crop, fine = eye_crop(image, points), eye_crop(large, points * 6)
    assert np.abs(crop.astype(int) - fine).mean() < 6
    striped = np.where(np.arange(large.shape[1]) % 2 > 0, 255, 0).astype(np.uint8)
    assert eye_crop(np.ascontiguousarray(np.broadcast_to(striped[None, :, None], large.shape)), points * 6).std() < 12
    marked = image.copy()
    eyes = points[[33, 263], :2]
    y = int(eyes[:, 1].mean() + 0.28 * np.linalg.norm(eyes[1] - eyes[0]))
    marked[y - 2 : y + 3] = (255, 0, 0)
    assert (eye_crop(marked, points)[..., 0] > 200).any(1).argmax() > 30


def test_in_a_mirror_too(detector, drawn_man):
    image, points = drawn_man
    worn = with_glasses(image, points, 40)
    crop = eye_crop(worn, points)
    scores = [detector.score(edges(np.ascontiguousarray(seen))) for seen in (crop, crop[:, ::-1])]
    assert min(scores) > 0


def test_of_a_face_that_is_turned_far_nothing_is_said(detector, drawn_man):
    image, points = drawn_man
    assert not turned_away(points)
    turned = points.copy()
    turned[LEFT_EYE, 0] = turned[LEFT_EYE[0], 0] + 0.5 * (turned[LEFT_EYE, 0] - turned[LEFT_EYE[0], 0])
    assert turned_away(turned) and not detector(with_glasses(image, points, 40), turned)


def test_features_have_their_shape_and_light_does_not_matter(drawn_man):
    image, points = drawn_man
    features = edges(eye_crop(image, points))
    assert features.shape == (NUM_FEATURES,) and features.dtype == np.float32
    darker = edges(eye_crop((image * 0.6).astype(np.uint8), points))
    assert np.corrcoef(features, darker)[0, 1] > 0.97


def test_a_checkpoint_without_it_says_that_nobody_wears_any(tmp_path, root, tracker):
    assert EyewearDetector.load(tmp_path) is None
    portrait = load_portrait(root / "assets/drawn_man.png", tracker, None, root / "checkpoints/default/matte", tmp_path)
    assert not portrait.wears_glasses


@pytest.mark.parametrize(
    "arrays",
    [{"weight": np.zeros(7, np.float16), "bias": np.zeros(1, np.float32)}, {"weight": np.zeros(NUM_FEATURES, np.float16)}],
)
def test_weights_of_another_shape_are_refused(tmp_path, arrays):
    save_file(arrays, tmp_path / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match=r"eyewear.safetensors: .* reinstall"):
        EyewearDetector.load(tmp_path)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / WEIGHTS_FILE).write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match=r"eyewear.safetensors: cannot be read"):
        EyewearDetector.load(tmp_path)


@pytest.fixture(scope="module")
def mesh(root):
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")
    return (rig.neutral * np.float32([2000, -2000, -2000]) + np.float32([256, 256, 0])).astype(np.float32)


def test_brows_hardly_move_behind_glasses_and_lids_and_lips_do(mesh):
    frown = mesh.copy()
    for part, way in ((BROWS, 12), (RIGHT_EYE, 5), (LEFT_EYE, 5), (INNER_LIPS, 9)):
        frown[part, 1] += way
    moved = held_still(frown, mesh, behind_lenses(mesh)) - mesh
    assert np.abs(moved[BROWS, 1]).max() < 0.5 * 12
    np.testing.assert_allclose(moved[np.r_[RIGHT_EYE, LEFT_EYE], 1], 5, atol=1e-3)
    np.testing.assert_allclose(moved[INNER_LIPS, 1], 9, atol=1e-3)


def test_a_head_that_turns_takes_its_glasses_along(mesh):
    angle = np.radians(10)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    tilted = mesh.copy()
    tilted[:, :2] = mesh[:, :2] @ turn.T + np.float32([20, -30])
    np.testing.assert_allclose(held_still(tilted, mesh, behind_lenses(mesh)), tilted, atol=0.05)


def test_a_warped_picture_keeps_its_wire_straight(face, picture):
    points, topology = face
    raised = points.copy()
    raised[BROWS, 1] -= 8
    brow = tuple(points[BROWS, :2].mean(0).round().astype(int))
    here = np.s_[brow[1] - 10 : brow[1] + 10, brow[0] - 40 : brow[0] + 40]
    free, stiff = (
        np.abs(warp_picture(ReferenceFace(picture, points, topology, wears_glasses=wears), raised) - picture)[here].mean()
        for wears in (False, True)
    )
    assert stiff < 0.6 * free
