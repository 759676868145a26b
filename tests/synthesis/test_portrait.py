"""A portrait is the same portrait in any file that people have; what cannot be one is refused in one line."""

import hashlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from talkinghead.errors import CheckpointError, FaceError, ImageError
from talkinghead.synthesis import portrait as portrait_module
from talkinghead.synthesis.matte import MATTE_FILE, PersonMatte
from talkinghead.synthesis.portrait import (
    FINE_FACE_PX,
    check_image_file,
    for_players,
    load_image,
    load_portrait,
)
from talkinghead.types import Portrait, TrackedFace


@pytest.fixture(scope="module")
def matte_folder(root):
    return root / "checkpoints/default/matte"


@pytest.fixture(scope="module")
def picture(astronaut):
    return Image.open(astronaut).convert("RGB")


@pytest.fixture(scope="module")
def loaded(astronaut, tracker, matte_folder):
    return load_portrait(astronaut, tracker, None, matte_folder)


def face_at(left, width=100.0):
    box = np.array([left, 50, left + width, 50 + 1.2 * width], np.float32)
    return TrackedFace(np.zeros((478, 3), np.float32), np.zeros(52, np.float32), box, 1.0)


class Faces:
    """A detector that sees what it is told."""

    def __init__(self, *faces):
        self.faces = list(faces)

    def detect(self, image):
        return self.faces


def grey_file(tmp_path, size=(640, 480)):
    Image.new("RGB", size, (90, 90, 90)).save(tmp_path / "grey.png")
    return tmp_path / "grey.png"


def test_the_face_and_the_person_are_found(loaded, picture):
    assert np.array_equal(loaded.image, np.asarray(picture))
    left, top, right, bottom = loaded.face.box
    assert 170 < left < 200 and 260 < right < 285 and 60 < top < 90 and 170 < bottom < 190
    assert loaded.matte.shape == (512, 512) and loaded.matte.dtype == np.float32
    assert loaded.matte.min() >= 0 and loaded.matte.max() <= 1
    assert loaded.matte[90:170, 195:255].min() > 0.95, "the face"
    assert loaded.matte[300:500, 150:280].mean() > 0.9, "the suit"
    assert loaded.matte[:60, :120].max() < 0.05 and loaded.matte[:100, 350:].mean() < 0.1, "flag and shuttle"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(tmp_path, picture, orientation):
    undo = {1: [], 2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}[orientation]
    turned = picture
    for method in undo:
        turned = turned.transpose(Image.Transpose(method))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(
        np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")).convert("RGB")), np.asarray(picture)
    )
    assert np.array_equal(load_image(tmp_path / "a.png")[0], np.asarray(picture))


@pytest.mark.parametrize(
    ("name", "mode", "tolerance"),
    [
        ("a.png", "RGB", 0),
        ("a.bmp", "RGB", 0),
        ("a.tif", "RGB", 0),
        ("a.webp", "RGB", 3),
        ("a.jpg", "RGB", 3),
        ("a.tif", "CMYK", 2),
        ("a.gif", "P", 12),
        ("a.png", "P", 12),
    ],
)
def test_formats_and_modes_show_the_same(tmp_path, picture, name, mode, tolerance):
    made = picture.quantize(256) if mode == "P" else picture.convert(mode)
    made.save(tmp_path / name, **({"quality": 95} if name.endswith(("webp", "jpg")) else {}))
    image, opacity = load_image(tmp_path / name)
    assert image.dtype == np.uint8 and image.shape == (512, 512, 3) and opacity is None
    assert np.abs(image.astype(int) - np.asarray(picture)).mean() <= tolerance


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("depth", [8, 16])
def test_grey_pictures_keep_their_tones(tmp_path, picture, name, depth):
    grey = np.asarray(picture.convert("L"))
    Image.fromarray(grey if depth == 8 else grey.astype(np.uint16) * 257).save(tmp_path / name)
    image, _ = load_image(tmp_path / name)
    assert np.abs(image.astype(int) - grey[..., None]).max() <= 1


def test_16_bit_colour_keeps_its_tones(tmp_path, picture):
    import cv2

    colours = np.asarray(picture)
    for name in ("a.png", "a.tif"):
        cv2.imwrite(str(tmp_path / name), colours[..., ::-1].astype(np.uint16) * 257)
        assert np.abs(load_image(tmp_path / name)[0].astype(int) - colours).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white_and_not_the_person(tmp_path, picture, mode, tracker, matte_folder):
    layers = np.dstack([np.asarray(picture), np.full((512, 512), 255, np.uint8)])
    layers[:, :170, 3] = 0
    made = Image.fromarray(layers).convert("RGBA")
    (made.quantize(256) if mode == "P" else made.convert(mode)).save(tmp_path / "a.png")
    portrait = load_portrait(tmp_path / "a.png", tracker, None, matte_folder)
    assert (portrait.image[:, :165] >= 254).all() and not portrait.matte[:, :165].any()
    assert portrait.matte[90:170, 195:255].min() > 0.9


def test_a_moving_picture_gives_its_first_frame(tmp_path, picture):
    other = Image.new("RGB", picture.size, (255, 0, 0))
    for name in ("a.gif", "a.webp", "a.png"):
        picture.save(tmp_path / name, save_all=True, append_images=[other], duration=100)
        assert np.abs(load_image(tmp_path / name)[0].astype(int) - np.asarray(picture)).mean() < 12


@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
@pytest.mark.parametrize("mode", ["CMYK", "RGBA", "P", "L", "I;16"])
def test_a_tiff_on_its_side_comes_out_upright(tmp_path, picture, mode, orientation):
    """Uncompressed, which Pillow maps into memory when it may."""
    grey = np.asarray(picture.convert("L"))[:400]
    made = picture.crop((0, 0, 512, 400))
    made = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else made.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    made.save(tmp_path / "turned.tif", exif=exif)
    turn = {3: lambda x: np.rot90(x, 2), 5: lambda x: x.swapaxes(0, 1), 6: lambda x: np.rot90(x, -1), 8: np.rot90}[orientation]
    wanted = np.repeat(grey[..., None], 3, -1) if mode in ("L", "I;16") else np.asarray(made.convert("RGB"))
    assert np.abs(load_image(tmp_path / "turned.tif")[0].astype(int) - turn(wanted)).max() <= 1


def swapped_profile():
    """sRGB but that red and blue have each other's place: who heeds it swaps them."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12)
    red, blue = (next(at for at in tags if profile[at : at + 4] == name) for name in (b"rXYZ", b"bXYZ"))
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def linear_grey_profile():
    """A grey scale whose numbers are proportional to light."""

    def xyz(*values):
        return b"XYZ " + bytes(4) + b"".join(round(v * 65536).to_bytes(4, "big") for v in values)

    tags = {
        b"desc": b"desc" + bytes(4) + (2).to_bytes(4, "big") + b"a\0" + bytes(78),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"kTRC": b"curv" + bytes(4) + (0).to_bytes(4, "big"),
    }
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + (start + len(body)).to_bytes(4, "big") + len(content).to_bytes(4, "big")
        body += content + bytes(-len(content) % 4)
    header = bytes(4) + bytes(4) + bytes.fromhex("02100000") + b"mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28)
    header += xyz(0.9642, 1.0, 0.8249)[8:] + bytes(48)
    whole = header + len(tags).to_bytes(4, "big") + table + body
    return len(whole).to_bytes(4, "big") + whole[4:]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "P with a clear colour"])
def test_a_wide_gamut_photo_is_turned_to_srgb(tmp_path, picture, mode):
    made = picture.quantize(256) if mode.startswith("P") else picture.convert(mode)
    wanted, options = np.asarray(made.convert("RGB"))[..., ::-1], {}
    if mode == "RGBA":
        made.putalpha(Image.fromarray(np.repeat(np.uint8([[255], [255], [0], [0]]), 512, 1).repeat(128, 0)))
    elif mode != "RGB":
        options = {"transparency": 255} if "clear" in mode else {}
    made.save(tmp_path / "a.png", icc_profile=swapped_profile(), **options)
    image, opacity = load_image(tmp_path / "a.png")
    opaque = np.ones((512, 512), bool) if opacity is None else opacity == 1
    assert (opacity is not None) == (mode in ("RGBA", "P with a clear colour")) and opaque.mean() > 0.4
    assert np.abs(image.astype(int) - wanted)[opaque].max() <= 2
    assert (image[~opaque] == 255).all()


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_profile_is_heeded(tmp_path, picture, mode):
    grey = np.asarray(picture.convert("L"))
    made = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    made.save(tmp_path / "a.png", icc_profile=linear_grey_profile())
    light = grey[..., None] / 255
    wanted = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    error = np.abs(load_image(tmp_path / "a.png")[0] - wanted)
    assert error[grey > 20].max() <= 2 and error.mean() < 2  # the steepest shadows are coarse in Little CMS


def test_a_profile_that_is_none_or_of_another_kind_of_picture_changes_nothing(tmp_path, picture):
    for made, profile in (
        (picture, b"not a profile"),
        (picture, linear_grey_profile()),
        (picture.convert("CMYK"), swapped_profile()),
        (picture.convert("L"), swapped_profile()),
    ):
        made.save(tmp_path / "a.tif", icc_profile=profile)
        wanted = np.asarray(made.convert("RGB")).astype(int)
        assert np.abs(load_image(tmp_path / "a.tif")[0] - wanted).max() <= 1


def test_a_phone_jpeg_beyond_the_limit_is_shrunk_while_decoding(tmp_path, picture, monkeypatch):
    picture.resize((1024, 1024)).save(tmp_path / "a.jpg", quality=95)
    monkeypatch.setattr(portrait_module, "MAX_PIXELS", 300_000)
    image, _ = load_image(tmp_path / "a.jpg")
    assert image.shape == (512, 512, 3)
    assert np.abs(image.astype(int) - np.asarray(picture)).mean() < 4


def test_a_picture_of_400_megapixels_is_refused_before_it_is_decoded(tmp_path):
    """Only the header says 20,000 x 20,000; had the pixels been wanted, the message would be another."""
    header = bytearray(grey_file(tmp_path).read_bytes())
    header[16:24] = (20_000).to_bytes(4, "big") * 2
    import zlib

    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    (tmp_path / "huge.png").write_bytes(header)
    with pytest.raises(ImageError, match=r"huge.png: (is 20000 x 20000 px|too large).* 40 megapixels"):
        check_image_file(tmp_path / "huge.png")


def test_what_is_no_picture(tmp_path, astronaut):
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("I am not a picture.")
    (tmp_path / "cut.jpg").write_bytes(astronaut.read_bytes()[:20_000])
    for name, message in (
        ("none.jpg", "no such file; give a photo"),
        (".", "is a folder; give a photo"),
        ("empty.jpg", "is empty; give a photo"),
        ("text.jpg", "text.jpg: is not a picture that can be read; give a photo"),
        ("one.png", "is 1 x 1 px, at least 64 x 64 are wanted"),
        ("cut.jpg", r"cut.jpg: damaged \(.*truncated.*\); export or copy it again"),
    ):
        with pytest.raises(ImageError, match=message):
            load_image(tmp_path / name)


def test_no_face_in_a_grey_picture(tmp_path, tracker, matte_folder):
    with pytest.raises(FaceError, match=r"^No face found in .*grey.png; use a picture with one face at least 64 px wide\.$"):
        load_portrait(grey_file(tmp_path), tracker, None, matte_folder)


def test_a_small_face_is_refused(tmp_path, picture, tracker, matte_folder):
    picture.resize((256, 256)).save(tmp_path / "small.png")
    with pytest.raises(FaceError, match=r"The face in .*small.png is 4\d px wide, at least 64 px are wanted"):
        load_portrait(tmp_path / "small.png", tracker, None, matte_folder)


def test_several_faces_are_listed_from_left_to_right(tmp_path, picture, tracker, matte_folder):
    both = Image.new("RGB", (1024, 512))
    both.paste(picture, (0, 0))
    both.paste(ImageOps.mirror(picture), (512, 0))
    both.save(tmp_path / "two.png")
    listing = (
        r"2 faces in .*two.png; choose with --face N: "
        r"1 is \d+ x \d+ px at x 1\d\d, y \d+; 2 is .* at x 7\d\d, y \d+ \(left to right\)"
    )
    with pytest.raises(FaceError, match=listing):
        load_portrait(tmp_path / "two.png", tracker, None, matte_folder)
    left, right = (load_portrait(tmp_path / "two.png", tracker, n, matte_folder).face.box for n in (1, 2))
    assert left[2] < 512 < right[0]
    with pytest.raises(FaceError, match=r"^--face 3: .*two.png has 2; 1 is"):
        load_portrait(tmp_path / "two.png", tracker, 3, matte_folder)


def test_passers_by_too_small_to_use_are_not_counted(tmp_path, matte_folder):
    near, far = face_at(300), face_at(20, width=30)
    assert load_portrait(grey_file(tmp_path), Faces(near, far), None, matte_folder).face is near
    assert load_portrait(grey_file(tmp_path), Faces(near, far), 1, matte_folder).face is near


def test_a_small_person_in_a_large_picture_has_a_matte_too(tmp_path, picture, tracker, matte_folder, loaded):
    wide = Image.new("RGB", (2400, 1600), (120, 140, 160))
    wide.paste(picture, (1600, 800))
    wide.save(tmp_path / "wide.png")
    portrait = load_portrait(tmp_path / "wide.png", tracker, None, matte_folder)
    assert portrait.matte[890:970, 1795:1855].mean() > 0.97
    assert portrait.matte[:700].max() < 0.05


def test_the_networks_are_the_ones_of_their_notice(root):
    for name, expected in (
        (f"matte/{MATTE_FILE}", "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c"),
        ("tracker/face_landmarker.task", "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"),
    ):
        file = root / "checkpoints/default" / name
        assert hashlib.sha256(file.read_bytes()).hexdigest() == expected
        assert expected in file.with_name("NOTICE").read_text()
        assert "Apache License" in file.with_name("LICENSE").read_text()


def test_a_damaged_network_is_a_checkpoint_error(tmp_path):
    with pytest.raises(CheckpointError, match="not a person segmentation network"):
        PersonMatte(tmp_path / MATTE_FILE)
    (tmp_path / MATTE_FILE).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"not a person segmentation network .*; reinstall talkinghead"):
        PersonMatte(tmp_path / MATTE_FILE)


@pytest.mark.parametrize(
    ("shape", "face_px", "longest"),
    [
        ((3000, 4000), 1200, 1920),
        ((3000, 4000), 129, 4000),
        ((4000, 6000), 298, 3423),
        ((1920, 1080), 600, 1920),
        ((300, 64), 64, 300),
    ],
)
def test_a_video_of_a_large_picture_is_no_larger_than_players_take_unless_its_face_needs_it(shape, face_px, longest):
    face = TrackedFace(np.zeros((478, 3), np.float32), np.zeros(52, np.float32), np.float32([10, 10, 10 + face_px, 200]), 1.0)
    shown = for_players(Portrait(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.float32), face))
    assert max(shown.image.shape[:2]) == longest
    assert float(shown.face.box[2] - shown.face.box[0]) >= min(face_px, FINE_FACE_PX) - 0.5
