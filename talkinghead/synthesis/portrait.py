"""Picture file -> `Portrait`: upright, 8-bit sRGB, the face that is to speak, and where the person is.

Knows picture files and the choice of a face; knows nothing of motion. Pillow is used itself, not through imageio, because
the header must be looked at, and a JPEG be shrunk, before there are pixels.
Source of the matte: MediaPipe Selfie Segmentation; He, Sun, Tang, "Guided Image Filtering", ECCV 2010 (its edges).
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from talkinghead.errors import FaceError, ImageError, reason_of
from talkinghead.landmarks import FaceDetector
from talkinghead.synthesis.drawn_eyes import with_whole_eyes
from talkinghead.synthesis.eyewear import EyewearDetector
from talkinghead.synthesis.matte import MATTE_FILE, PersonMatte
from talkinghead.types import ByteArray, FloatArray, Portrait, TrackedFace

MAX_PIXELS: Final = 40_000_000
MAX_JPEG_PIXELS: Final = 178_000_000
"""A JPEG is shrunk by 2, 4 or 8 while it is decoded, so that a phone's 108 megapixels need no more memory than 40; of more
than these Pillow opens none."""
MIN_SIDE_PX: Final = 64
MIN_FACE_PX: Final = 64
LARGEST_UNASKED_PX: Final = 1920
"""A video is as large as its picture, but no larger than this unless that was asked for: players stumble over more."""
FINE_FACE_PX: Final = 170
"""About so wide a picture is as fine as the crop of the mouth (`synthesis.mouth`)."""
BACKDROP: Final = 255
"""Grey level that shows through where a picture is transparent."""

_GREY: Final = ("1", "L", "LA", "La")
_PROFILED: Final = {"RGB": (*_GREY, "RGB", "RGBA", "RGBX", "RGBa", "P", "PA"), "GRAY": _GREY, "CMYK": ("CMYK",)}
"""Colour space of a profile -> the modes of the pictures that may carry it."""
_FORMATS: Final = "give a photo such as portrait.jpg, .png, .webp or .tif"


def load_portrait(
    path: Path | str, detector: FaceDetector, face: int | None, matte_folder: Path, eyewear_folder: Path | None = None
) -> Portrait:
    """A picture file -> the whole picture, the chosen face and the matte of the person.

    path: JPEG, PNG, WebP, TIFF, GIF or BMP; the first frame of a moving one.
    face: which, counted from 1 from left to right; None when there is only one.
    matte_folder: where `selfie_segmentation.tflite` is.
    eyewear_folder: of an `EyewearDetector`; None says that nobody wears any.

    Raises:
        ImageError: the file cannot be read, or is too small or too large.
        FaceError: no face, several and none chosen, no such face, or the face is too small.
    """
    path = Path(path)
    matte_network = PersonMatte(matte_folder / MATTE_FILE)
    image, alpha = load_image(path)
    chosen = with_whole_eyes(choose_face(detector.detect(image), face, path), image)
    matte = matte_network(image, chosen.box)
    eyewear = None if eyewear_folder is None else EyewearDetector.load(eyewear_folder)
    wears = eyewear is not None and eyewear(image, chosen.points)
    return Portrait(image, matte if alpha is None else np.minimum(matte, alpha), chosen, wears)


def load_image(path: Path) -> tuple[ByteArray, FloatArray | None]:
    """A picture file -> (H, W, 3) uint8 sRGB, upright, and its (H, W) float32 opacity in [0, 1] or None when it is opaque."""
    check_image_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Opened by its name, a plain TIFF that stands on its side is mapped into memory as if it were upright (Pillow 13).
            with path.open("rb") as file, Image.open(file) as picture:
                _shrink_while_decoding(picture)
                picture.load()
                return _flatten(_srgb(_eight_bit(ImageOps.exif_transpose(picture))))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path}: damaged ({reason_of(error)}); export or copy it again.") from error


def check_image_file(path: Path) -> None:
    """Raise ImageError for what the header alone tells: no picture, too small, too large. Decodes nothing."""
    if path.is_dir():
        raise ImageError(f"{path}: is a folder; {_FORMATS}.")
    if not path.is_file():
        raise ImageError(f"{path}: no such file; {_FORMATS}.")
    if not path.stat().st_size:
        raise ImageError(f"{path}: is empty; {_FORMATS}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                (width, height), is_jpeg = picture.size, picture.format == "JPEG"
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: is not a picture that can be read; {_FORMATS}.") from error
    except Image.DecompressionBombError as error:
        most = MAX_PIXELS // 10**6
        raise ImageError(f"{path}: too large ({reason_of(error)}); shrink it to at most {most} megapixels.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{path}: cannot be read as a picture ({reason_of(error)}); {_FORMATS}.") from error
    if min(width, height) < MIN_SIDE_PX:
        wanted = f"at least {MIN_SIDE_PX} x {MIN_SIDE_PX} are wanted; use a larger picture"
        raise ImageError(f"{path}: is {width} x {height} px, {wanted}.")
    most = MAX_JPEG_PIXELS if is_jpeg else MAX_PIXELS
    if width * height > most:
        wanted = f"at most {most // 10**6} megapixels are wanted; shrink it, to 4096 px a side for example"
        raise ImageError(f"{path}: is {width} x {height} px, {wanted}.")


def choose_face(faces: list[TrackedFace], number: int | None, path: Path) -> TrackedFace:
    """The face that is to speak. Faces too small to use are not counted when there is one that is not.

    number: from 1, left to right.
    """
    if not faces:
        raise FaceError(f"No face found in {path}; use a picture with one face at least {MIN_FACE_PX} px wide.")
    usable = sorted((f for f in faces if _width(f) >= MIN_FACE_PX), key=lambda f: float(f.box[0] + f.box[2]))
    if not usable:
        widest = max(_width(f) for f in faces)
        wanted = f"at least {MIN_FACE_PX} px are wanted; use a larger picture"
        raise FaceError(f"The face in {path} is {widest:.0f} px wide, {wanted}.")
    if number is not None:
        if not 1 <= number <= len(usable):
            raise FaceError(f"--face {number}: {path} has {len(usable)}; {_listing(usable)}.")
        return usable[number - 1]
    if len(usable) > 1:
        raise FaceError(f"{len(usable)} faces in {path}; choose with --face N: {_listing(usable)}.")
    return usable[0]


def _listing(faces: list[TrackedFace]) -> str:
    def box(face: TrackedFace) -> str:
        left, top, right, bottom = face.box
        return f"{right - left:.0f} x {bottom - top:.0f} px at x {left:.0f}, y {top:.0f}"

    return "; ".join(f"{number} is {box(face)}" for number, face in enumerate(faces, 1)) + " (left to right)"


def _width(face: TrackedFace) -> float:
    return float(face.box[2] - face.box[0])


def _shrink_while_decoding(picture: Image.Image) -> None:
    width, height = picture.size
    divisor = next((d for d in (1, 2, 4, 8) if width * height / d**2 <= MAX_PIXELS), 8)
    if divisor > 1:
        picture.draft(None, (-(-width // divisor), -(-height // divisor)))


def _srgb(picture: Image.Image) -> Image.Image:
    """Colours of a wide-gamut photo (Display P3, Adobe RGB) and of a CMYK print as the screen shows them; opacity stays."""
    plain = picture.convert("RGB") if picture.mode in ("YCbCr", "LAB", "HSV", "CMYK") else picture
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
        space = profile.profile.xcolor_space.strip()
        if picture.mode not in _PROFILED.get(space, ()):
            return plain  # a profile of another kind of picture: the colours are then those of one without
        layers = picture.convert("RGBA") if _is_layered(picture) else None
        colours = (picture if layers is None else layers.convert("RGB")).convert("L" if space == "GRAY" else space)
        converted = ImageCms.profileToProfile(colours, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (KeyError, ImageCms.PyCMSError, OSError):
        return plain  # no profile, or a damaged one
    if converted is None:
        return plain
    if layers is not None:
        converted.putalpha(layers.getchannel("A"))
    return converted


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Pillow clips 16-bit and float grey to its first 8 bits; here they are scaled."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("pixels that are not numbers")
    full = next(m for m in (1.0, 255.0, 65535.0, max(65536.0, values.max())) if values.max() <= m)
    grey = Image.fromarray(np.clip(values / full * 255 + 0.5, 0, 255).astype(np.uint8))
    if "icc_profile" in picture.info:
        grey.info["icc_profile"] = picture.info["icc_profile"]
    return grey


def _is_layered(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info


def _flatten(picture: Image.Image) -> tuple[ByteArray, FloatArray | None]:
    if not _is_layered(picture):
        return np.ascontiguousarray(picture.convert("RGB")), None
    layers = np.asarray(picture.convert("RGBA"))
    opacity = layers[..., 3:].astype(np.float32) / 255
    image = (layers[..., :3] * opacity + BACKDROP * (1 - opacity) + 0.5).astype(np.uint8)
    return image, None if opacity.min() == 1 else np.ascontiguousarray(opacity[..., 0])


def for_players(portrait: Portrait) -> Portrait:
    """A portrait at its picture's size -> at the size of a video for which none was asked: `LARGEST_UNASKED_PX` at most.

    Larger where its face would otherwise be coarser than the crop of the mouth.
    """
    longest = max(portrait.image.shape[:2])
    size = max(LARGEST_UNASKED_PX, math.ceil(longest * FINE_FACE_PX / max(1.0, _width(portrait.face))))
    return portrait if size >= longest else resized(portrait, size)


def resized(portrait: Portrait, size: int) -> Portrait:
    """The same picture, its longest side `size` px, with its points and its matte."""
    height, width = portrait.image.shape[:2]
    scale = size / max(height, width)
    new = (max(2, round(width * scale)), max(2, round(height * scale)))
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    face = replace(portrait.face, points=portrait.face.points * np.float32(scale), box=portrait.face.box * np.float32(scale))
    matte = cv2.resize(portrait.matte, new, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    image = cv2.resize(portrait.image, new, interpolation=flags)
    return replace(portrait, image=np.asarray(image, np.uint8), matte=np.asarray(matte, np.float32), face=face)
