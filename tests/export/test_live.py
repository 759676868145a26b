"""OSC over a real socket, read by a parser of OSC 1.0 of the test's own."""

import socket
import struct
import threading

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from talkinghead import arkit
from talkinghead.errors import InputError, OutputError
from talkinghead.export.live import LiveSender
from talkinghead.export.osc import MAX_DATAGRAM_BYTES, OSC_FORMATS
from talkinghead.export.vrm import OLD_NAMES, expressions


def string(data, at):
    end = data.index(b"\0", at)
    return data[at:end].decode(), (end + 4) & ~3


def messages(data):
    """One datagram -> [(address, values)]."""
    if data.startswith(b"#bundle\0"):
        found, at = [], 16
        while at < len(data):
            (size,) = struct.unpack_from(">i", data, at)
            found += messages(data[at + 4 : at + 4 + size])
            at += 4 + size
        return found
    address, at = string(data, 0)
    tags, at = string(data, at)
    values = []
    for tag in tags[1:]:
        if tag == "s":
            value, at = string(data, at)
        else:
            (value,), at = struct.unpack_from({"i": ">i", "f": ">f"}[tag], data, at), at + 4
        values.append(value)
    return [(address, values)]


@pytest.fixture
def listener():
    """(address, all datagrams so far) of a socket that listens."""
    received, stop = [], threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.05)

        def listen():
            while not stop.is_set():
                try:
                    received.append(receiver.recv(65_536))
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen)
        thread.start()

        def heard(num_frames, per_frame=1):
            for _ in range(100):
                if len(received) >= num_frames * per_frame:
                    break
                stop.wait(0.05)
            return [message for data in received for message in messages(data)]

        yield f"127.0.0.1:{receiver.getsockname()[1]}", heard
        stop.set()
        thread.join()


def test_every_frame_arrives_in_order_with_all_its_values(listener, motion, take):
    address, heard = listener
    with LiveSender(address, "arkit") as live:
        live.send(motion[:3])
        live.send(motion[3:10])
    came = heard(10)
    frames = [values for name, values in came if name == "/arkit/frame"]
    assert [number for number, _ in frames] == list(range(10)) and frames[5][1] == pytest.approx(0.2)
    shapes = np.array([values for name, values in came if name == "/arkit/blendshapes"])
    assert np.allclose(shapes, take.blendshapes[:10])
    heads = np.array([values for name, values in came if name == "/arkit/head"])
    assert np.allclose(heads[:, :3], motion.head_rotation[:10]) and np.allclose(heads[:, 3:], motion.head_translation[:10])
    assert np.allclose([values for name, values in came if name == "/arkit/gaze"], motion.gaze[:10])


def test_twice_the_rate_is_every_frame_and_the_middles(listener, motion):
    address, heard = listener
    with LiveSender(address, "arkit", fps=50) as live:
        live.send(motion[:6])
    gaze = np.array([values for name, values in heard(12) if name == "/arkit/gaze"])
    assert len(gaze) == 12 and np.allclose(gaze[::2], motion.gaze[:6])
    assert np.allclose(gaze[1:10:2], (motion.gaze[:5] + motion.gaze[1:6]) / 2, atol=1e-6) and np.allclose(gaze[11], gaze[10])


def test_vmc_is_bones_then_perfect_sync_then_apply(motion, take):
    packets = OSC_FORMATS["vmc"](motion[7:8], 7, 0.28)
    assert max(map(len, packets)) <= MAX_DATAGRAM_BYTES
    came = [message for packet in packets for message in messages(packet)]
    assert came[0] == ("/VMC/Ext/OK", [1]) and came[-1] == ("/VMC/Ext/Blend/Apply", [])
    values = dict(value for name, value in came if name == "/VMC/Ext/Blend/Val")
    assert list(values) == [name[0].upper() + name[1:] for name in arkit.BLENDSHAPES]
    assert np.allclose(list(values.values()), take.blendshapes[7])
    bones = {value[0]: value[1:] for name, value in came if name == "/VMC/Ext/Bone/Pos"}
    assert set(bones) == {"Head", "LeftEye", "RightEye"} and bones["Head"][:3] == [0, 0, 0]
    turn = Rotation.from_rotvec(motion.head_rotation[7]).as_matrix()
    flip = np.diag([-1, 1, 1])  # Unity's left-handed axes
    assert np.allclose(Rotation.from_quat(bones["Head"][3:]).as_matrix(), flip @ turn @ flip, atol=1e-6)


def test_vrm_is_the_presets_every_avatar_has(motion, take):
    came = [message for packet in OSC_FORMATS["vrm"](motion[7:8], 7, 0.28) for message in messages(packet)]
    values = dict(value for name, value in came if name == "/VMC/Ext/Blend/Val")
    made = expressions(take.blendshapes[7:8])
    assert set(values) == set(OLD_NAMES.values())
    assert all(values[OLD_NAMES[name]] == pytest.approx(float(made[name][0]), abs=1e-6) for name in made)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("localhost",), "osc localhost: is no address; give host:port such as 127.0.0.1:39539"),
        (("127.0.0.1:0",), "is no address"),
        (("127.0.0.1:70000",), "is no address"),
        (("127.0.0.1:9000", "dmx"), "osc format dmx: unknown; choose from vmc, vrm, arkit"),
        (("127.0.0.1:9000", "vmc", 5), "fps 5: out of range; give 10 to 120"),
        (("127.0.0.1:9000", "vmc", 25, -1), "buffer -1: out of range; give 0 to 2 s"),
    ],
)
def test_what_is_no_address_format_or_rate_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        LiveSender(*arguments)


def test_a_network_that_refuses_is_said_to_who_sends(motion):
    with pytest.raises(OutputError, match=r"osc 255.255.255.255:9: cannot be sent to"), LiveSender("255.255.255.255:9") as live:
        for _ in range(4):
            live.send(motion)


def test_an_error_of_the_sender_ends_it_at_once(listener, motion):
    address, heard = listener
    with pytest.raises(KeyError), LiveSender(address, "arkit") as live:
        live.send(motion[:5])
        raise KeyError
    assert len([name for name, _ in heard(0) if name == "/arkit/frame"]) < 5
