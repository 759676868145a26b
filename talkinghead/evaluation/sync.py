"""SyncNet's view of lips and sound -> LSE-C and LSE-D.

Source: Chung, Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016, and its code, syncnet_python by
joonson; the names are Prajwal et al.'s, "A Lip Sync Expert Is All You Need", ACM MM 2020. The network looks at five frames of
the face and 0.2 s of sound. Real video scores about 8 on MEAD: more is no better. Knows arrays; the network is the user's.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

from talkinghead.types import SAMPLE_RATE, FloatArray

WINDOW_FRAMES: Final = 5
WINDOW_COLUMNS: Final = 20
"""Of the cepstra, 100 a second: 0.2 s."""
COLUMNS_A_FRAME: Final = 4
MAX_SHIFT: Final = 15
"""Frames that the sound is moved either way."""
NUM_CEPSTRA: Final = 13
CROP_MARGIN: Final = 0.4
_NUM_BANDS, _FFT, _LIFTER, _PREEMPHASIS = 26, 512, 22, 0.97
_WINDOW, _HOP = round(0.025 * SAMPLE_RATE), round(0.01 * SAMPLE_RATE)
_PCM: Final = 32768.0
Array = npt.NDArray[np.float64]


def cepstra(samples: FloatArray) -> FloatArray:
    """samples: (N,) in [-1, 1], 16 kHz -> (13, 100 a second) as SyncNet was trained on.

    The mel cepstra of python_speech_features 0.6 at its defaults, of 16-bit samples: windows of 25 ms every 10 ms without a
    taper, 26 bands to 8 kHz, the first coefficient replaced by the log energy, the rest liftered by 22.
    """
    pcm = np.round(samples.astype(np.float64) * _PCM)
    emphasised = np.append(pcm[:1], pcm[1:] - _PREEMPHASIS * pcm[:-1])
    count = 1 + max(0, -(-(len(emphasised) - _WINDOW) // _HOP))
    padded = np.pad(emphasised, (0, max(0, (count - 1) * _HOP + _WINDOW - len(emphasised))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:count]
    power = np.abs(np.fft.rfft(windows, _FFT)) ** 2 / _FFT
    energy, bands = (np.where(x == 0, np.finfo(float).eps, x) for x in (power.sum(1), power @ _mel_bands().T))
    coefficients = dct(np.log(bands), type=2, axis=1, norm="ortho")[:, :NUM_CEPSTRA]
    coefficients *= 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(NUM_CEPSTRA) / _LIFTER)
    coefficients[:, 0] = np.log(energy)
    return np.asarray(coefficients.T, np.float32)


def num_windows(num_frames: int, num_samples: int) -> int:
    """How many windows of five frames the reference code looks at: the last five frames begin none."""
    return max(0, min(num_frames, num_samples // (COLUMNS_A_FRAME * _HOP)) - WINDOW_FRAMES)


def sound_windows(samples: FloatArray, count: int) -> FloatArray:
    """samples: (N,) -> (count, 1, 13, 20), the cepstra that belong to the windows of the picture."""
    columns = cepstra(samples)
    columns = np.pad(columns, ((0, 0), (0, max(0, (count - 1) * COLUMNS_A_FRAME + WINDOW_COLUMNS - columns.shape[1]))))
    starts = [COLUMNS_A_FRAME * index for index in range(count)]
    return np.stack([columns[None, :, start : start + WINDOW_COLUMNS] for start in starts])


def sync_scores(picture: FloatArray, sound: FloatArray, max_shift: int = MAX_SHIFT) -> tuple[float, float, int]:
    """Embeddings of the windows, (N, D) each -> LSE-C (confidence; more is better), LSE-D (distance), and the offset.

    d(s): the mean over windows of |picture_i - sound_i+s|, s from -15 to 15, zeros beyond the ends. LSE-D = min_s d(s),
    LSE-C = median_s d(s) - min_s d(s), offset: by how many frames the sound comes after the lips (below 0: before). No unit.
    A clip is one value; the table is the mean over clips. NaN without a window.
    """
    if not len(picture):
        return float("nan"), float("nan"), 0
    padded = np.pad(sound.astype(np.float64), ((max_shift, max_shift), (0, 0)))
    count, width = len(picture), 2 * max_shift + 1
    # The reference adds 1e-6 to each difference (torch's pairwise_distance).
    means = [float(np.linalg.norm(picture - padded[s : s + count] + 1e-6, axis=1).mean()) for s in range(width)]
    least = int(np.argmin(means))
    return float(np.median(means)) - means[least], means[least], least - max_shift


def sync_box(points: FloatArray) -> tuple[int, int, int]:
    """points: (T, 478, 2 or 3) px of a clip, some frame with a face -> left, top, side px of one square for all frames.

    The middle of the face's boxes, with SyncNet's margin: 0.4 of half the side to left and right, 0.8 of it below, none above.
    """
    seen = points[np.isfinite(points).all((1, 2)), :, :2]
    box = np.median(np.concatenate([seen.min(1), seen.max(1)], 1), 0)
    half = max(box[2] - box[0], box[3] - box[1]) / 2
    centre = (box[:2] + box[2:]) / 2
    side = 2 * half * (1 + CROP_MARGIN)
    return round(centre[0] - side / 2), round(centre[1] - half), round(side)


def _mel_bands() -> Array:
    """(26, 257) triangles, their corners at whole bins."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, _NUM_BANDS + 2) / 2595) - 1)
    corners = np.floor((_FFT + 1) * hertz / SAMPLE_RATE)
    bands = np.zeros((_NUM_BANDS, _FFT // 2 + 1))
    for index, (low, middle, high) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
        rising, falling = np.arange(int(low), int(middle)), np.arange(int(middle), int(high))
        bands[index, rising] = (rising - low) / (middle - low)
        bands[index, falling] = (high - falling) / (high - middle)
    return bands
