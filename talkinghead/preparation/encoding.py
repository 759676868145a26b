"""Frames and sound -> the bytes of an mp4, the same for the same input. Knows codecs; knows nothing of clips."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np

from talkinghead.types import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, Audio, ByteArray, FloatArray


def encoded(frames: list[ByteArray], audio: Audio | None) -> bytes:
    """Frames (H, W, 3) uint8 RGB, 25 a second, and sound -> an mp4: H.264, AAC 16 kHz mono. The same input, the same bytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        video: Any = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "medium"})
        video.height, video.width, video.pix_fmt = *frames[0].shape[:2], "yuv420p"
        video.codec_context.thread_count = 1
        sound: Any = None
        if audio is not None:
            sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
            sound.bit_rate = 64_000
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
            if audio is not None:
                start = number * SAMPLES_PER_FRAME
                container.mux(sound.encode(_chunk(audio.samples[start : start + SAMPLES_PER_FRAME], start)))
        container.mux(video.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    return file.getvalue()


def _chunk(samples: FloatArray, start: int) -> av.AudioFrame:
    chunk = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None], np.float32), format="fltp", layout="mono")
    chunk.sample_rate, chunk.pts, chunk.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    return chunk
