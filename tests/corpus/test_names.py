"""Every name that MEAD's clips are met under says the same; what merely looks alike says nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest

from talkinghead.corpus.names import PAGES, PROBTALK3D_EMOTIONS, ClipName, clip_name
from talkinghead.types import EMOTIONS

ANGRY = ClipName("M003", "front", "angry", 1, 1)
STRONG = ClipName("M003", "front", "angry", 3, 1)


@pytest.mark.parametrize(("path", "name"), [
    ("MEAD/M003/video.tar/video/front/angry/level_1/001.mp4", ANGRY),
    ("MEAD/M003/video/front/angry/level_1/001.mp4", ANGRY),
    ("MEAD/M003/video-001/video/front/angry/level_1/001.mp4", ANGRY),
    ("MEAD/M003/video-001.zip/video/front/angry/level_1/001.mp4", ANGRY),
    ("MEAD/M003.tar/M003/1/front/angry/level_1/001.mp4", ANGRY),
    ("M003/2/front/angry/level_1/001.mp4", ANGRY),
    ("M003/video/angry/front/level_1/001.mp4", ANGRY),
    ("M003/video/angry/level_1/front/001.mp4", ANGRY),
    ("copies/M003_ang_3_001.mp4", STRONG),
    ("copies/M003#angry#level_3#001.mp4", STRONG),
    ("copies/M003_001_6_2.mp4", STRONG),
    ("copies/M003_front_angry_level3_001.mp4", STRONG),
    ("copies/M003_level_3_angry_001.mp4", STRONG),
    ("mead/M003_front_angry_3_001.mp4", STRONG),
    ("M003/video/left_30/neutral/level_1/040.mp4", ClipName("M003", "left_30", "neutral", 1, 40)),
    ("W011_right_60_surprised_2_030.mp4", ClipName("W011", "right_60", "surprised", 2, 30)),
    ("W011_neu_1_007.mp4", ClipName("W011", "front", "neutral", 1, 7)),
    ("M003/audio.tar/audio/sad/level_2/020.m4a", ClipName("M003", None, "sad", 2, 20)),
    ("M003_72_1_output_01.mp4", ClipName("M003", "front", "neutral", 1, 1101)),
])  # fmt: skip
def test_every_form_of_a_name(path: str, name: ClipName) -> None:
    assert clip_name(path) == name


@pytest.mark.parametrize("path", [
    "M003/video/front/angry/level_1/second take.mp4",
    "M003/video/front/angry/level_1/copy/001.mp4",
    "M003/video/angry/level_1/001.mp4",  # of which view?
    "M003/video/front/angry/001.mp4",  # how strongly?
    "M003/video/front/neutral/level_2/001.mp4",
    "M003/video/front/angry/level_1/M003_sad_1_001.mp4",
    "M003/video/front/angry/level_4/001.mp4",
    "front/angry/level_1/001.mp4",
    "M003_74_1_output_01.mp4",
    "M003_001_5_1.mp4 copy.mp4",
    "contempt.mp4",
])  # fmt: skip
def test_what_is_not_understood_is_not_guessed_at(path: str) -> None:
    assert clip_name(path) is None


def test_key_is_a_name_that_is_understood() -> None:
    name = ClipName("W040", "left_60", "disgusted", 2, 7)
    assert name.key == "W040_left_60_disgusted_2_007"
    assert clip_name(f"{name.key}.mp4") == name


def test_pages_follow_one_another_and_are_as_published() -> None:
    ranges = sorted(PAGES.values())
    assert ranges[0][0] == 1 and ranges[-1][1] == 73
    assert all(after[0] == before[1] + 1 for before, after in pairwise(ranges))
    assert sorted(PAGES) == sorted(PROBTALK3D_EMOTIONS) == sorted(EMOTIONS)
    for page, emotion in ((8, "angry"), (9, "disgusted"), (24, "contempt"), (33, "fear"), (34, "happy"), (61, "surprised")):
        name = clip_name(f"M003_{page}_2_output_03.mp4")
        assert name is not None and name.emotion == emotion
