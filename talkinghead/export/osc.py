"""A frame of motion -> OSC datagrams, for avatars that are driven live: VMC (in two vocabularies) and plain ARKit.

Source: VMC protocol specification (performer to marionette): bones in Unity's left-handed axes, expressions by name, and
`Apply` last. An avatar shows either ARKit's names ("perfect sync") or VRM's presets, hence two vocabularies.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from talkinghead import arkit
from talkinghead.export.angles import eye_quaternion, head_quaternion
from talkinghead.export.vrm import OLD_NAMES, expressions
from talkinghead.rig.gaze import with_eye_look
from talkinghead.types import FaceMotion

MAX_DATAGRAM_BYTES: Final = 1400
"""A datagram that Ethernet carries in one piece."""
_SIZE_BYTES: Final = 4

Packets = Callable[[FaceMotion, int, float], list[bytes]]
"""(one frame of motion, its number, seconds since the first) -> datagrams."""


def vmc(frame: FaceMotion, _number: int, time_s: float) -> list[bytes]:
    """VMC with ARKit's 52 as expressions, as avatars with "perfect sync" want them: EyeBlinkLeft, JawOpen ..."""
    shapes = with_eye_look(frame.blendshapes, frame.gaze)[0]
    values = {name[0].upper() + name[1:]: float(value) for name, value in zip(arkit.BLENDSHAPES, shapes, strict=True)}
    return _vmc(frame, values, time_s)


def vrm(frame: FaceMotion, _number: int, time_s: float) -> list[bytes]:
    """VMC with the presets of VRM 0.x, which every VRM avatar has: A, I, U, E, O, Blink ..."""
    made = expressions(with_eye_look(frame.blendshapes, frame.gaze))
    return _vmc(frame, {OLD_NAMES[name]: float(values[0]) for name, values in made.items()}, time_s)


def plain(frame: FaceMotion, number: int, time_s: float) -> list[bytes]:
    """One datagram of four messages.

    `/arkit/frame` number and seconds, `/arkit/blendshapes` 52 floats in ARKit's order, `/arkit/head` axis-angle (rad) and place
    (m), `/arkit/gaze` yaw and pitch (rad).
    """
    shapes = with_eye_look(frame.blendshapes, frame.gaze)[0]
    head = [*frame.head_rotation[0], *frame.head_translation[0]]
    messages = [_message("/arkit/frame", number, time_s), _message("/arkit/blendshapes", *map(float, shapes))]
    messages += [_message("/arkit/head", *map(float, head)), _message("/arkit/gaze", *map(float, frame.gaze[0]))]
    return _bundles(messages)


OSC_FORMATS: Final[dict[str, Packets]] = {"vmc": vmc, "vrm": vrm, "arkit": plain}


def _vmc(frame: FaceMotion, expressions_: dict[str, float], time_s: float) -> list[bytes]:
    head, eye = head_quaternion(frame.head_rotation)[0], eye_quaternion(frame.gaze)[0]
    messages = [_message("/VMC/Ext/OK", 1), _message("/VMC/Ext/T", time_s)]
    for bone, (x, y, z, w) in (("Head", head), ("LeftEye", eye), ("RightEye", eye)):
        turn = (float(x), -float(y), -float(z), float(w))  # x to the other side: right-handed to left-handed
        messages.append(_message("/VMC/Ext/Bone/Pos", bone, 0.0, 0.0, 0.0, *turn))
    messages += [_named(name) + struct.pack(">f", value) for name, value in expressions_.items()]
    return _bundles([*messages, _message("/VMC/Ext/Blend/Apply")])


def _message(address: str, *values: str | float) -> bytes:
    builder = OscMessageBuilder(address)
    for value in values:
        kind = "s" if isinstance(value, str) else "i" if isinstance(value, int) else "f"
        builder.add_arg(value, kind)
    return builder.build().dgram


@cache
def _named(name: str) -> bytes:
    """The message of an expression up to its value: 52 of them are built from nothing 60 times a second otherwise."""
    return _message("/VMC/Ext/Blend/Val", name, 0.0)[:-4]


def _bundles(messages: Iterable[bytes]) -> list[bytes]:
    """As few datagrams as hold them, in order."""
    head = OscBundleBuilder(IMMEDIATELY).build().dgram
    bundles = [bytearray(head)]
    for message in messages:
        if len(bundles[-1]) + _SIZE_BYTES + len(message) > MAX_DATAGRAM_BYTES:
            bundles.append(bytearray(head))
        bundles[-1] += struct.pack(">i", len(message)) + message
    return [bytes(bundle) for bundle in bundles]
