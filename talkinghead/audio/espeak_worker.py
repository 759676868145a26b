"""Line of text -> speech with phoneme and word times, by espeak-ng, as a program of its own.

espeak-ng is licensed under GPL-3; nothing else of the package loads it, and this file is run, not imported: text comes on
standard input, the result leaves on standard output as one line of JSON followed by 16-bit samples. It needs no numpy.
Exit status 3: no such voice, whose languages are then the output. Source: espeak-ng, `src/include/espeak-ng/speak_lib.h`.
"""

import ctypes
import json
import sys
from typing import Any

AUDIO_OUTPUT_SYNCHRONOUS = 2
INITIALIZE_PHONEME_EVENTS_IPA = 1 | 2
CHARS_UTF8 = 1
SSML = 0x10
PHONEMES_IPA = 2
RATE_WORDS_PER_MINUTE, VOLUME, PITCH, RANGE = 1, 2, 3, 4
EVENT_WORD, EVENT_PHONEME = 1, 7
EXIT_FAILED, EXIT_NO_VOICE = 1, 3


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("uid", ctypes.c_uint), ("position", ctypes.c_int), ("length", ctypes.c_int),
        ("time_ms", ctypes.c_int), ("sample", ctypes.c_int), ("user", ctypes.c_void_p), ("id", _Id),
    )  # fmt: skip


class _Voice(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("languages", ctypes.c_char_p), ("identifier", ctypes.c_char_p))


def _voices(espeak: Any) -> list[tuple[str, str]]:
    """Language and identifier of every voice."""
    espeak.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    found, index = [], 0
    voices = espeak.espeak_ListVoices(None)
    while voices[index]:
        # The first byte of `languages` is a priority, then comes the name of the language.
        texts = voices[index].contents.languages[1:], voices[index].contents.identifier
        language, identifier = (text.decode("utf8", "replace") for text in texts)
        found.append((language, identifier))
        index += 1
    return found


def _languages(espeak: Any) -> list[str]:
    return sorted({language for language, _ in _voices(espeak)})


def _voices_of(espeak: Any, language: str) -> list[str]:
    return [identifier for own, identifier in _voices(espeak) if own == language]


def _ipa(espeak: Any, text: bytes) -> list[str]:
    """The IPA letters of each clause, stress marks kept."""
    espeak.espeak_TextToPhonemes.restype = ctypes.c_char_p
    cursor = ctypes.c_char_p(text)
    clauses = []
    while cursor.value:
        clauses.append(espeak.espeak_TextToPhonemes(ctypes.byref(cursor), CHARS_UTF8, PHONEMES_IPA).decode("utf8", "ignore"))
    return clauses


def main(voice: str, words_per_minute: int, pitch: int, pitch_range: int, volume: int, form: str) -> int:
    """Speak what comes on standard input; form: "text", "ssml", or "ipa" for the letters alone, of each of its lines."""
    import espeakng_loader

    espeak = ctypes.CDLL(espeakng_loader.get_library_path())
    data_path = str(espeakng_loader.get_data_path()).encode()
    rate = espeak.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data_path, INITIALIZE_PHONEME_EVENTS_IPA)
    if rate <= 0:
        sys.stderr.write(f"espeak-ng cannot start with the data in {data_path.decode()}\n")
        return EXIT_FAILED
    language, _, variant = voice.partition("+")
    # Some languages are not the name of a voice: what is spoken is then the first voice of that language.
    names = [voice, *(name + ("+" + variant if variant else "") for name in _voices_of(espeak, language))]
    if all(espeak.espeak_SetVoiceByName(name.encode()) for name in names):
        sys.stdout.write(json.dumps(_languages(espeak)))
        return EXIT_NO_VOICE
    if form == "ipa":
        lines = sys.stdin.buffer.read().split(b"\n")
        sys.stdout.write(json.dumps([_ipa(espeak, line) for line in lines]))
        return 0
    samples = bytearray()
    phonemes: list[tuple[str, float]] = []
    words: list[tuple[int, int, float]] = []

    def receive(chunk: Any, num_samples: int, events: Any) -> int:
        if chunk and num_samples:
            samples.extend(ctypes.string_at(chunk, 2 * num_samples))
        index = 0
        while events[index].type:
            event = events[index]
            if event.type == EVENT_PHONEME:
                phonemes.append((event.id.string.decode("utf8", "ignore"), event.sample / rate))
            if event.type == EVENT_WORD:
                words.append((event.position - 1, event.length, event.sample / rate))
            index += 1
        return 0

    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))
    callback = prototype(receive)
    espeak.espeak_SetSynthCallback(callback)
    espeak.espeak_SetParameter(RATE_WORDS_PER_MINUTE, words_per_minute, 0)
    espeak.espeak_SetParameter(PITCH, pitch, 0)
    espeak.espeak_SetParameter(RANGE, pitch_range, 0)
    espeak.espeak_SetParameter(VOLUME, volume, 0)
    text = sys.stdin.buffer.read()
    flags = CHARS_UTF8 | (SSML if form == "ssml" else 0)
    if espeak.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, flags, None, None):
        sys.stderr.write("espeak-ng cannot speak this text\n")
        return EXIT_FAILED
    espeak.espeak_Synchronize()
    header = {"rate": rate, "phonemes": phonemes, "words": words}
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + samples)
    return 0


if __name__ == "__main__":
    name, pace, height, melody, loudness, written_as = sys.argv[1:]
    sys.exit(main(name, int(pace), int(height), int(melody), int(loudness), written_as))
