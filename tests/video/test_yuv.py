"""The planes that are stored are BT.709's, as another converter has them."""

import av
import numpy as np
import pytest

from talkinghead.video.yuv import yuv420

BT709 = 1


@pytest.mark.parametrize(
    ("colour", "planes"),
    [
        ((255, 255, 255), (235, 128, 128)),
        ((0, 0, 0), (16, 128, 128)),
        ((255, 0, 0), (63, 102, 240)),
        ((0, 0, 255), (32, 240, 118)),
    ],
)
def test_pure_colours(colour, planes):
    stored = yuv420(np.full((4, 6, 3), colour, np.uint8))
    assert stored.shape == (6, 6)
    flat = stored.ravel()
    assert (set(flat[:24]), set(flat[24:30]), set(flat[30:])) == tuple({value} for value in planes)


def test_a_smooth_picture_is_what_a_general_converter_makes_of_it():
    y, x = np.mgrid[:64, :96]
    picture = np.stack([x * 2.5, y * 3.5, 255 - x - y], -1).clip(0, 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p", dst_colorspace=BT709)
    difference = np.abs(frame.to_ndarray().astype(int) - yuv420(picture))
    assert difference[:64].max() <= 1 and np.percentile(difference[64:], 99) <= 2


def test_one_colour_stands_for_four_pixels():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0] = (255, 0, 0)
    luma, chroma = yuv420(picture)[:2], yuv420(picture)[2]
    assert luma.tolist() == [[63, 16], [16, 16]]
    assert chroma.tolist() == [128 - 6, 128 + 28]  # a quarter of the way to 102 and 240; halves are rounded up
