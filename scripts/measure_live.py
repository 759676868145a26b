"""How evenly `talkinghead stream --osc` drives an avatar: intervals between datagrams, what is lost, and memory over time.

    python scripts/measure_live.py                      # a minute, plain ARKit at 25 a second
    python scripts/measure_live.py --minutes 10 --osc-format vmc --fps 60

Runs the real command, speaks the example's sentence into its pipe over and over in real time, and listens on a real socket; a
frame arrives when the kernel stamps it, so the listener's own delays do not count. Linux.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from talkinghead.audio.waveform import load_audio
from talkinghead.types import FPS, SAMPLE_RATE

ROOT = Path(__file__).parents[1]
PIECE_S = 0.02
SILENCE_S = 0.4
WARM_S = 10.0
"""Not counted: the first frames wait for the models' first run."""
SO_TIMESTAMPNS = 35
MARKS = {"arkit": b"/arkit/frame\0", "vmc": b"/VMC/Ext/T\0", "vrm": b"/VMC/Ext/T\0"}
"""What the first datagram of each frame holds, and before the end of which its time stands."""


def speak(pipe, seconds: float, is_heard: threading.Event) -> None:
    """A little silence until the models are loaded, then the sentence over and over, as a microphone would give it."""
    samples = load_audio(ROOT / "assets/speech.wav").samples
    sound = (samples * 32767).astype("<i2").tobytes()
    piece = round(PIECE_S * SAMPLE_RATE) * 2
    pipe.write(bytes(round(SILENCE_S * SAMPLE_RATE) * 2))
    pipe.flush()
    is_heard.wait()
    start = time.perf_counter()
    for index in range(round(seconds / PIECE_S)):
        at = index * piece % (len(sound) - piece)
        pipe.write(sound[at : at + piece])
        pipe.flush()
        time.sleep(max(0.0, start + (index + 1) * PIECE_S - time.perf_counter()))
    pipe.close()


def listen(
    receiver: socket.socket, mark: bytes, program: subprocess.Popen, is_heard: threading.Event
) -> tuple[np.ndarray, np.ndarray]:
    """-> (N,) s when each frame came, by the kernel's clock, and (N,) s the time it says."""
    came, said = [], []
    while True:
        try:
            data, stamps, _, _ = receiver.recvmsg(65_536, socket.CMSG_SPACE(16))
        except TimeoutError:
            if program.poll() is not None:
                is_heard.set()
                return np.array(came), np.array(said)
            continue
        at = data.find(mark)
        if at < 0:
            continue
        tags = (at + len(mark) + 3) & ~3
        values = tags + 4
        is_numbered = data[tags : tags + 4] == b",if\0"
        (shown_s,) = struct.unpack_from(">f", data, values + 4 if is_numbered else values)
        is_heard.set()
        seconds, nanoseconds = struct.unpack("qq", stamps[0][2])
        came.append(seconds + nanoseconds * 1e-9)
        said.append(shown_s)


def memory_mb(process: int) -> float:
    """Resident, of a running process."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def watch_memory(program: subprocess.Popen, every_s: float, found: list[float]) -> None:
    while program.poll() is None:
        found += [size] if (size := memory_mb(program.pid)) else []  # nothing is left while it ends
        time.sleep(every_s)


def report(came: np.ndarray, said: np.ndarray, memory: list[float], minutes: float, fps: float) -> None:
    counted = came - came[0] > min(WARM_S, 20 * minutes)
    intervals = np.diff(came[counted]) * 1000
    nominal = 1000 / fps
    lost = round(said[-1] * fps) + 1 - len(came)
    wanted = (minutes * 60 + SILENCE_S) * fps
    half = max(1, len(memory) // 2)
    print(f"{len(came)} frames of {wanted:.0f} in {minutes:g} min at {fps:g} a second, {len(intervals) + 1} of them counted")
    print(f"interval: nominal {nominal:.2f} ms, median {np.median(intervals):.2f} ms")
    away = np.abs(intervals - nominal)
    median, high = np.percentile(away, [50, 99])
    print(f"away from nominal: median {median:.2f} ms, 99th percentile {high:.2f} ms, most {away.max():.2f} ms")
    print(f"lost: {lost}; out of order: {int((np.diff(said) <= 0).sum())}")
    print(f"memory: {memory[half]:.0f} MB halfway, {memory[-1]:.0f} MB at the end, most {max(memory):.0f} MB")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--osc-format", choices=sorted(MARKS), default="arkit")
    parser.add_argument("--fps", type=float, default=float(FPS))
    parser.add_argument("--buffer", type=float, help="s, the command's own by default")
    options = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(1.0)
        address = f"127.0.0.1:{receiver.getsockname()[1]}"
        command = [sys.executable, "-m", "talkinghead", "stream", "--emotion", "happy", "--osc", address]
        command += ["--osc-format", options.osc_format, "--fps", str(options.fps)]
        command += [] if options.buffer is None else ["--buffer", str(options.buffer)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=ROOT) as program:
            memory: list[float] = []
            is_heard = threading.Event()
            voice = threading.Thread(target=speak, args=(program.stdin, options.minutes * 60, is_heard))
            watcher = threading.Thread(target=watch_memory, args=(program, 2.0, memory))
            voice.start()
            watcher.start()
            came, said = listen(receiver, MARKS[options.osc_format], program, is_heard)
            voice.join()
            watcher.join()
        if program.returncode:
            raise SystemExit(f"error: the stream ended with status {program.returncode}")
    report(came, said, memory, options.minutes, options.fps)


if __name__ == "__main__":
    main()
