"""Frames as they are made -> datagrams at an even pace, for an avatar that moves while somebody speaks.

Knows clocks and sockets. Frames come in the rhythm of a sound card and of a busy computer; they leave by the clock, a short
buffer behind. Who makes them faster than they are shown is made to wait, so nothing is dropped and nothing piles up.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from dataclasses import replace
from types import TracebackType
from typing import Any, Final

import numpy as np

from talkinghead.errors import InputError, OutputError
from talkinghead.export.osc import OSC_FORMATS
from talkinghead.types import FPS, MOTION_ARRAYS, FaceMotion, FloatArray

BUFFER_S: Final = 0.1
"""How long the first frame waits, and all after it: what one may come late without being seen. A frame takes 18 ms of one core
to make, one in a hundred 32."""
MAX_BUFFER_S: Final = 2.0
MIN_FPS: Final = 10.0
MAX_FPS: Final = 120.0
_WAITING_FRAMES: Final = 12
_CATCH_UP: Final = 0.8
"""Of an interval, after a frame that came late: too little to be seen."""
_GIVE_UP_S: Final = 1.0
"""A pause this long is a pause of the speaker's; the clock starts anew after it."""


class LiveSender:
    """`with LiveSender("127.0.0.1:39539") as live: live.send(motion)`; leaving the block sends what still waits.

    Args:
        address: host:port.
        osc_format: one of `OSC_FORMATS`.
        fps: frames a second that are sent; between 25 a second they are interpolated, which takes 40 ms more.
        buffer_s: how far behind, for evenness.

    Raises:
        InputError: an address that is none, no such format, or a rate or a buffer out of range.
    """

    def __init__(self, address: str, osc_format: str = "vmc", fps: float = FPS, buffer_s: float = BUFFER_S) -> None:
        if osc_format not in OSC_FORMATS:
            raise InputError(f"osc format {osc_format}: unknown; choose from {', '.join(OSC_FORMATS)}.")
        if not MIN_FPS <= fps <= MAX_FPS:
            raise InputError(f"fps {fps:g}: out of range; give {MIN_FPS:g} to {MAX_FPS:g} for a live avatar.")
        if not 0 <= buffer_s <= MAX_BUFFER_S:
            raise InputError(f"buffer {buffer_s:g}: out of range; give 0 to {MAX_BUFFER_S:g} s.")
        self._packets, self._fps = OSC_FORMATS[osc_format], fps
        self._buffer_s = buffer_s + (0.0 if fps == FPS else 1 / FPS)  # between two frames the second must be there
        self._socket, self._target = _connected(address)
        self._frames: deque[FaceMotion] = deque()
        self._first = 0  # the number of the oldest frame that waits
        self._is_ended = False
        self._error: Exception | None = None
        self._change = threading.Condition()
        self.num_sent = 0
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def __enter__(self) -> LiveSender:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._change:
            self._is_ended = True
            if kind is not None:
                self._frames.clear()
            self._change.notify_all()
        self._thread.join()
        self._socket.close()
        if kind is None and self._error is not None:
            raise self._failed()

    def send(self, motion: FaceMotion) -> None:
        """Hand over frames, 25 a second; waits while enough of them wait to be shown.

        Raises:
            OutputError: the network does not take them.
        """
        for index in range(len(motion)):
            with self._change:
                self._change.wait_for(lambda: len(self._frames) < _WAITING_FRAMES or self._error is not None)
                if self._error is not None:
                    raise self._failed()
                self._frames.append(motion[index : index + 1])
                self._change.notify_all()

    def _failed(self) -> OutputError:
        host, port = self._target
        return OutputError(f"osc {host}:{port}: cannot be sent to ({self._error}); check the address and the network.")

    def _run(self) -> None:
        try:
            self._play()
        except Exception as error:  # noqa: BLE001 - whatever ends this thread must end who waits for it
            with self._change:
                self._error = error
                self._change.notify_all()

    def _play(self) -> None:
        """Each frame at its own time; after a late one they follow a quarter faster until they are in time."""
        start = sent = 0.0
        while (frame := self._at(self.num_sent * FPS / self._fps)) is not None:
            shown_s = self.num_sent / self._fps
            packets = self._packets(frame, self.num_sent, shown_s)
            now = time.perf_counter()
            if self.num_sent == 0:
                start = now + self._buffer_s
            elif now - (start + shown_s) > _GIVE_UP_S:
                start = now - shown_s
            due = max(start + shown_s, sent + _CATCH_UP / self._fps)
            if due > now:
                time.sleep(due - now)
            sent = time.perf_counter()
            for packet in packets:
                self._socket.sendto(packet, self._target)
            self.num_sent += 1

    def _at(self, position: float) -> FaceMotion | None:
        """The motion at a frame number, between two where it is no whole one; waits until it is there; None after the end."""
        number = int(position)
        share = position - number
        last = number + (share > 1e-6)
        with self._change:
            self._change.wait_for(lambda: self._is_ended or self._first + len(self._frames) > last)
            have = self._first + len(self._frames)
            if number >= have:
                return None
            while self._first < number:
                self._frames.popleft()
                self._first += 1
            here, after = self._frames[0], self._frames[min(last, have - 1) - self._first]
            self._change.notify_all()
        if here is after:
            return here
        between: dict[str, Any] = {n: _between(getattr(here, n), getattr(after, n), share) for n in MOTION_ARRAYS}
        return replace(here, **between)


def _between(here: FloatArray, after: FloatArray, share: float) -> FloatArray:
    between: FloatArray = (here + np.float32(share) * (after - here)).astype(np.float32)
    return between


def _connected(address: str) -> tuple[socket.socket, tuple[str, int]]:
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"osc {address}: is no address; give host:port such as 127.0.0.1:39539.")
    try:
        family, _, _, _, target = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        reason = error.strerror or "unknown"
        raise InputError(f"osc {address}: no such host ({reason}); give its number, as in 127.0.0.1:39539.") from error
    return socket.socket(family, socket.SOCK_DGRAM), (str(target[0]), int(target[1]))
