"""Panels fill the picture as the camera asks, and a person stands in theirs with the whole face."""

import numpy as np
import pytest

from talkinghead.screenplay.staging import Panel, crop_of, panels, render_size, shot
from talkinghead.types import Portrait, TrackedFace

ORDER = ["Ana", "Bob", "Cid"]


def portrait(width: int, height: int, face: tuple[float, float, float, float]) -> Portrait:
    image = np.full((height, width, 3), (200, 60, 60), np.uint8)
    matte = np.zeros((height, width), np.float32)
    matte[:, width // 4 : -width // 4] = 1
    tracked = TrackedFace(np.zeros((478, 3), np.float32), np.zeros(52, np.float32), np.array(face, np.float32), 1.0)
    return Portrait(image, matte, tracked)


def test_a_cut_shows_the_speaker_alone() -> None:
    assert panels("cut", (640, 360), "Bob", ORDER) == [Panel("Bob", 0, 0, 640, 360)]


def test_side_by_side_everybody_has_a_part_and_nothing_is_left() -> None:
    found = panels("side by side", (640, 360), "Bob", ORDER)
    assert [panel.name for panel in found] == ORDER and sum(panel.width for panel in found) == 640
    assert [panel.left for panel in found] == [0, found[0].width, found[0].width + found[1].width]


def test_in_small_pictures_the_others_sit_on_their_own_side() -> None:
    whole, ana, cid = panels("picture in picture", (640, 360), "Bob", ORDER)
    assert whole == Panel("Bob", 0, 0, 640, 360) and (ana.name, cid.name) == ("Ana", "Cid")
    assert ana.left < 100 and cid.left + cid.width > 600 and ana.width == ana.height < 120


@pytest.mark.parametrize("size", [(640, 360), (320, 360), (160, 360), (64, 64)])
def test_a_shot_never_cuts_the_face(size: tuple[int, int]) -> None:
    picture = portrait(512, 512, (180, 150, 330, 340))
    left, top, tall = crop_of(picture, *size)
    wide = tall * size[0] / size[1]
    assert left <= 180 and left + wide >= 330 and top <= 150 and top + tall >= 340 and top >= 0 and top + tall <= 512.01


def test_a_picture_that_is_not_wide_enough_fades_into_its_own_sides() -> None:
    placed = shot(portrait(200, 300, (60, 40, 140, 220)), Panel("Ana", 0, 0, 320, 120), None)
    frame = placed.place(np.full((300, 200, 3), (10, 200, 10), np.uint8))
    assert frame.shape == (120, 320, 3)
    assert frame[60, 160].tolist() == [10, 200, 10] and np.abs(frame[60, 2].astype(int) - (200, 60, 60)).max() < 3


def test_beside_a_narrow_picture_its_sides_go_on_and_nobody_stands_a_second_time() -> None:
    picture = portrait(200, 300, (60, 40, 140, 220))
    picture.image[:150], picture.image[:, 60:140] = (40, 90, 160), (250, 250, 250)  # a sky over a field, and somebody
    placed = shot(picture, Panel("Ana", 0, 0, 640, 240), None)
    beside = placed.place(picture.image)[:, np.r_[:180, 460:640]].astype(int)
    assert beside.max() < 215
    assert np.abs(beside[20] - (40, 90, 160)).max() < 12 and np.abs(beside[220] - (200, 60, 60)).max() < 12


def test_a_background_stands_where_the_person_is_not() -> None:
    placed = shot(portrait(200, 200, (60, 40, 140, 160)), Panel("Ana", 0, 0, 100, 100), "#0000ff")
    frame = placed.place(np.full((200, 200, 3), 255, np.uint8))
    assert frame[50, 3].tolist() == [0, 0, 255] and frame[50, 50].tolist() == [255, 255, 255]


def test_no_more_pixels_are_rendered_than_are_shown() -> None:
    large = portrait(2000, 2000, (700, 600, 1300, 1400))
    assert render_size(2000, large, [Panel("Ana", 0, 0, 400, 400)]) < 500
    assert render_size(512, portrait(512, 512, (180, 150, 330, 340)), [Panel("Ana", 0, 0, 2000, 2000)]) == 512
