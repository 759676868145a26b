"""Expressions fold the skin where they draw it together, on whoever's face, and smooth it where they draw it apart."""

import cv2
import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.rig.face_rig import FaceRig
from talkinghead.synthesis.creases import Creases

SKIN = np.uint8([200, 150, 120])
SIZE = 400
HERE = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float32)
"""Each pixel where it is in the portrait."""
OPEN = 0.4
"""As far as talking opens a jaw."""


@pytest.fixture(scope="module")
def skin(root):
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")
    return rig.faces[slice(*rig.part_faces["skin"])]


@pytest.fixture(scope="module")
def faces(root):
    """Name of a blendshape -> (V, 3) px of a face that shows it, 340 px high in a square of 400; `neutral` shows none."""
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")

    def placed(name):
        coefficients = np.zeros((1, 52), np.float32)
        for column in () if name == "neutral" else arkit_columns(name):
            coefficients[0, column] = OPEN if name == "jawOpen" else 1
        points = rig.express(coefficients, np.zeros((1, 2), np.float32), rig.neutral)[0] * np.float32([1, -1, -1])
        low, high = rig.neutral[:468].min(0), rig.neutral[:468].max(0)
        return (points * np.float32(340 / (high - low)[1]) + np.float32([SIZE / 2, SIZE / 2, 0])).astype(np.float32)

    return {name: placed(name) for name in ("neutral", "mouthSmile", "browDown", "browInnerUp", "jawOpen")}


def arkit_columns(name):
    return [column for column, known in enumerate(arkit.BLENDSHAPES) if known.startswith(name)]


def shaded(creases, target):
    """What becomes of plain skin in the portrait's own place."""
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    creases.shade(image, target, HERE)
    return image.astype(int) - SKIN


@pytest.fixture(scope="module")
def plain(faces, skin):
    return Creases(np.full((SIZE, SIZE, 3), SKIN, np.uint8), faces["neutral"], skin)


@pytest.fixture(scope="module")
def lined(faces, skin):
    """Skin with the unevenness of a photograph's: 3 % up and down."""
    blotches = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, (SIZE, SIZE)).astype(np.float32), (0, 0), 2)
    image = SKIN * (1 + 0.03 * blotches / blotches.std())[..., None]
    return Creases(image.astype(np.uint8), faces["neutral"], skin)


@pytest.mark.parametrize(
    ("name", "beside"), [("mouthSmile", (206, 216, 426, 436)), ("browDown", (9, 8, 55, 285)), ("browInnerUp", (108, 151, 337))]
)
def test_an_expression_folds_the_skin_that_it_draws_together(lined, faces, name, beside):
    change = shaded(lined, faces[name])
    assert change.min() < -12
    y, x = np.nonzero(change.min(-1) < -10)
    near = np.linalg.norm(np.c_[x, y][:, None] - faces["neutral"][list(beside), :2], axis=-1).min(1)
    assert np.median(near) < 0.08 * 340


def test_smooth_skin_folds_softly(plain, lined, faces):
    soft, deep = (shaded(creases, faces["mouthSmile"]).min() for creases in (plain, lined))
    assert deep * 0.6 < soft <= -5


@pytest.mark.parametrize("name", ["neutral", "jawOpen"])
def test_a_calm_face_that_talks_stays_as_it_is(lined, faces, name):
    assert np.abs(shaded(lined, faces[name])).max() <= 3


def test_a_face_that_turns_is_not_folded_by_it(lined, faces):
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], np.float32)
    turned = 0.8 * (faces["neutral"] - SIZE / 2) @ turn.T + SIZE / 2
    assert not shaded(lined, turned.astype(np.float32)).any()


def with_line(colour, own, ends=(206, 216), towards=165):
    """Plain skin with a line of a colour where a smile folds it, (x, y) of its middle, and that skin."""
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    first, last = (own[end, :2] for end in ends)
    line = np.linspace(first, last, 50) + 0.2 * (own[towards, :2] - first)
    for x, y in line.round().astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = colour
    return image, line[25].round().astype(int)


def lit(image, own, target, skin):
    """What a portrait's folds change in the portrait itself."""
    result = image.copy()
    Creases(image, own, skin).shade(result, target, HERE)
    return result.astype(int) - image


def test_a_fold_of_the_portraits_own_is_gone_when_it_is_drawn_apart(faces, skin):
    """A portrait that smiles has it; a calm face has not."""
    image, (x, y) = with_line(0.75 * SKIN, faces["mouthSmile"])
    change = lit(image, faces["mouthSmile"], faces["neutral"], skin)
    assert (image[y, x] + change[y, x]).mean() > 0.9 * SKIN.mean()
    assert change.min() >= -3
    assert not lit(image, faces["mouthSmile"], faces["mouthSmile"], skin).any()


def test_where_it_was_the_skin_has_pores_as_beside_it(faces, skin):
    own = faces["mouthSmile"]
    image, (x, y) = with_line(0.75 * SKIN, own)
    pores = np.random.default_rng(0).normal(0, 6, image.shape[:2]) * (image == SKIN).all(-1)
    image = np.clip(image + pores[..., None], 0, 255).astype(np.uint8)
    calm = image + lit(image, own, faces["neutral"], skin)
    here, beside = calm[y - 2 : y + 3, x - 2 : x + 3], calm[y - 2 : y + 3, x + 12 : x + 17]
    assert 0.5 < here.mean(-1).std() / beside.mean(-1).std() < 2


def test_skin_that_it_parted_meets_softly(faces, skin):
    """The cheek that a smile lifts is in the light, what is below it is not."""
    own = faces["mouthSmile"]
    image, (x, y) = with_line(0.6 * SKIN, own)
    image[:, :x][(image[:, :x] == SKIN).all(-1)] = (0.8 * SKIN).astype(np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 1)
    across = (image + lit(image, own, faces["neutral"], skin))[y, x - 12 : x + 13].mean(-1)
    step = 0.2 * SKIN.mean()
    assert across[17] - across[7] < step / 3


def test_so_is_its_lower_end_beneath_the_mouth_and_that_of_a_grey_picture(faces, skin):
    own = faces["mouthSmile"]
    image, (x, y) = with_line(0.75 * SKIN, own, (212, 204), 212)
    assert lit(image, own, faces["neutral"], skin)[y, x].mean() > 12
    grey = np.repeat(with_line(0.75 * SKIN, own)[0].mean(-1, keepdims=True), 3, -1).astype(np.uint8)
    x, y = with_line(0.75 * SKIN, own)[1]
    assert lit(grey, own, faces["neutral"], skin)[y, x].mean() > 12


def test_a_moustache_is_no_fold(faces, skin):
    """Hair is of another hue than skin in its own shade, be it as thin and as dark."""
    own = faces["mouthSmile"]
    image, (x, y) = with_line((95, 92, 90), own)
    assert lit(image, own, faces["neutral"], skin)[y, x].mean() < 4


def test_hair_over_the_forehead_is_not_folded(faces, skin):
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    brows = int(faces["neutral"][[66, 296], 1].min()) - 3
    image[:brows] = (60, 40, 25)
    change = shaded(Creases(image, faces["neutral"], skin), faces["browInnerUp"])
    assert np.abs(change[: brows - 8]).max() <= 3


def test_grey_skin_is_shaded_in_grey_and_a_part_of_a_picture_as_the_whole(faces, skin):
    grey = np.full((SIZE, SIZE, 3), 150, np.uint8)
    stone = Creases(grey, faces["neutral"], skin)
    result = grey.copy()
    stone.shade(result, faces["mouthSmile"], HERE)
    assert np.ptp(result, axis=-1).max() == 0 and result.min() < 140
    part = grey[101:].copy()
    stone.shade(part, faces["mouthSmile"], HERE[101:])
    assert np.array_equal(part, result[101:])


def test_a_fold_goes_where_the_skin_goes(lined, faces):
    """To the pixel, for a line of light beside a groove is worse than the groove."""
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    lined.shade(image, faces["mouthSmile"], HERE + np.float32([7, -4]))
    still = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    lined.shade(still, faces["mouthSmile"], HERE)
    assert np.array_equal(image[4:, :-7], still[:-4, 7:])


def test_a_fold_that_the_portrait_does_not_show_is_not_drawn(faces, skin):
    """Beside the far wing of the nose of a face that is turned away."""
    angle = np.radians(45)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], np.float32)
    middle = faces["neutral"][:468].mean(0)
    turned = {name: (points - middle) @ turn.T + middle for name, points in faces.items()}
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    change = shaded(Creases(image, turned["neutral"].astype(np.float32), skin), turned["mouthSmile"].astype(np.float32)).min(-1)
    near, far = (turned["neutral"][point, :2].round().astype(int) for point in (426, 206))
    if turned["neutral"][426, 2] > turned["neutral"][206, 2]:
        near, far = far, near
    around = 12
    assert change[near[1] - around : near[1] + around, near[0] - around : near[0] + around].min() < -10
    assert change[far[1] - around : far[1] + around, far[0] - around : far[0] + around].min() > -3


def test_a_strand_of_hair_of_the_skins_hue_stays_on_the_forehead(faces, skin):
    """Auburn hair is as warm as skin; what it would be lit by is little."""
    own, target = faces["browInnerUp"], faces["neutral"]
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    middle = own[[108, 151, 337], :2].mean(0).round().astype(int)
    image[middle[1] - 3 : middle[1] + 4, 120:280] = 0.3 * SKIN
    lifted = lit(image, own, target, skin)[middle[1] - 1 : middle[1] + 2, 120:280]
    assert lifted.max() < 0.15 * SKIN.max()


def test_lips_are_not_lit_as_a_fold(faces, skin):
    """The corner of a mouth is dark, narrow and warm, and lies in the fold's band."""
    own = faces["mouthSmile"]
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    lips = [61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91]
    cv2.fillPoly(image, [own[lips, :2].round().astype(int)], (0.7 * SKIN).tolist())
    change = lit(image, own, faces["neutral"], skin)
    x, y = (own[61, :2] * 0.8 + own[291, :2] * 0.2).round().astype(int)
    assert change[y, x].mean() < 5


@pytest.mark.parametrize("share", [0.9, 0.8, 0.76])
def test_a_line_between_two_lines_of_the_forehead_is_filled_once(faces, skin, share):
    own = faces["browInnerUp"]
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    ends = np.array(
        [0.65 * own[a, :2] + 0.35 * own[b, :2] for a, b in ((69, 66), (108, 107), (151, 9), (337, 336), (299, 296))]
    )
    cv2.polylines(image, [ends.round().astype(int)], False, (share * SKIN).tolist(), 3)
    after = image + lit(image, own, faces["neutral"], skin)
    assert after.mean(-1).max() < 1.08 * SKIN.mean()
    x, y = ends[2].round().astype(int)
    assert after[y, x].mean() > image[y, x].mean() + 3


def test_a_fold_of_its_own_that_is_turned_away_is_left_alone(faces, skin):
    """There the picture shows the nose, or the room."""
    angle = np.radians(60)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], np.float32)
    middle = np.float32([SIZE / 2, SIZE / 2, 0])
    own, target = (((faces[name] - middle) @ turn.T + middle).astype(np.float32) for name in ("mouthSmile", "neutral"))
    changes = []
    for ends, towards in (((206, 216), 165), ((426, 436), 391)):
        image, (x, y) = with_line(0.75 * SKIN, own, ends, towards)
        changes.append(lit(image, own, target, skin)[y - 3 : y + 4, x - 3 : x + 4].mean())
    assert min(changes) < 1 < 5 < max(changes)
