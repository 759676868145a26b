"""How voices do what a line asks: emotions heard, words at their times, lengths met.

    python scripts/measure_voices.py emotion              # is an emotion heard in espeak-ng's voice? against chance
    python scripts/measure_voices.py emotion --voice piper
    python scripts/measure_voices.py words                # alignment of recordings against exact times
    python scripts/measure_voices.py fit                  # lengths asked and met

The emotion is heard by the project's own encoder, which learnt from actors and from no synthesiser; the table of prosody was
chosen on the sentences and voices of `--chosen-on`, and is measured on others.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from talkinghead.audio.delivery import deliver
from talkinghead.audio.prosody import OF_EMOTION, Prosody
from talkinghead.audio.speaker import open_voice
from talkinghead.types import EMOTIONS

CHOSEN_ON = (
    ("en-us", "en-gb+f2", "de"),
    (
        "The train leaves at seven in the morning.",
        "She put the letter on the kitchen table.",
        "We will talk about it again tomorrow.",
    ),
)
MEASURED_ON = (
    ("en-us+m3", "en-us+f4", "en-gb", "en-gb+f5"),
    (
        "There is somebody waiting at the door.",
        "He said that he would call me back.",
        "I have never seen anything like this before.",
        "They are moving to another town next week.",
        "You can leave your coat on the chair.",
    ),
)
HEARD = tuple(name for name in EMOTIONS if name != "contempt")
ALIGNED = (
    "Please call her and ask her to bring these things with her from the store.",
    "Nobody believes me when I tell them what happened in the garden last night.",
    "We were away a year ago, for what it is worth, and nothing had changed.",
    "The quick brown fox jumps over the lazy dog, and then it sleeps.",
)


def emotions(voices: Sequence[str], sentences: Sequence[str], strength: float) -> None:
    """Every sentence in every voice and emotion -> what is heard most, against what was asked."""
    from talkinghead.emotion.emotion_encoder import EmotionEncoder, window_statistics
    from talkinghead.pipeline import TalkingHead

    head = TalkingHead.from_pretrained()
    encoder = EmotionEncoder.load(head.folder / "emotion_encoder")
    columns = [EMOTIONS.index(name) for name in HEARD]
    import torch

    scores = np.zeros((len(voices), len(sentences), len(HEARD), len(HEARD)))
    for v, voice in enumerate(voices):
        speaker = open_voice(voice, Path())
        for s, sentence in enumerate(sentences):
            for e, name in enumerate(HEARD):
                line = deliver(speaker, sentence.split(), prosody=scaled(OF_EMOTION[name], strength))
                _, statistics = window_statistics(head.heard(line.audio, "auto"))
                with torch.inference_mode():
                    logits = encoder(torch.from_numpy(statistics))[:, columns].log_softmax(-1).mean(0)
                scores[v, s, e] = logits.numpy()
    report(scores)


def report(scores: np.ndarray) -> None:
    """scores: (V, S, asked, heard) log probabilities."""
    asked = np.arange(len(HEARD))
    first = scores.argmax(-1) == asked
    # What a voice sounds like anyhow is taken off: its mean over all that was asked of it with the same words.
    own = scores - scores.mean(2, keepdims=True)
    told = own.argmax(-1) == asked
    rng = np.random.default_rng(0)
    heard = own.argmax(-1).reshape(-1, len(HEARD))
    draws = [np.mean([row[rng.permutation(len(HEARD))] == asked for row in heard]) for _ in range(1000)]
    print(f"{first.size} lines; heard first: {first.mean():.2f}; beside the voice's own colour: {told.mean():.2f}")
    print(f"chance {1 / len(HEARD):.2f}, by shuffling {np.mean(draws):.2f} (95 % below {np.quantile(draws, 0.95):.2f})")
    print("| asked | heard first | beside its own colour | then mostly |")
    print("|---|---|---|---|")
    for e, name in enumerate(HEARD):
        most = np.bincount(own[:, :, e].argmax(-1).ravel(), minlength=len(HEARD)).argmax()
        print(f"| {name} | {first[..., e].mean():.2f} | {told[..., e].mean():.2f} | {HEARD[most]} |")


def scaled(prosody: Prosody, strength: float) -> Prosody:
    return Prosody(
        prosody.rate**strength,
        strength * prosody.pitch_st,
        prosody.range**strength,
        strength * prosody.volume_db,
        strength * prosody.tilt_db,
    )


def words() -> None:
    """Aligned times against the times that the synthesiser states."""
    from talkinghead.audio.alignment import align

    print("| voice | words | median error, ms | 90 % below | within 80 ms |")
    print("|---|---|---|---|---|")
    for voice in ("en-us+m3", "en-us+f4", "en-gb", "piper"):
        speaker, errors = open_voice(voice, Path()), []
        for sentence in ALIGNED:
            # Another pace and pitch than the aligner's own voice has.
            line = deliver(speaker, sentence.split(), prosody=Prosody() if voice == "piper" else Prosody(0.85, 2.0))
            found = align(line.audio, sentence.split(), "en-us")
            errors += [abs(word.start_s - start_s) for word, (start_s, _) in zip(line.words, found.words, strict=True)]
        milliseconds = 1000 * np.array(errors)
        print(
            f"| {voice} | {len(errors)} | {np.median(milliseconds):.0f} | {np.quantile(milliseconds, 0.9):.0f} "
            f"| {(milliseconds < 80).mean():.2f} |"
        )


def fit() -> None:
    """Lengths asked and met, and how far the pace had to go."""
    print("| voice | natural, s | asked, s | got, s |")
    print("|---|---|---|---|")
    for voice in ("en-us", "de", "piper"):
        speaker = open_voice(voice, Path())
        said = ALIGNED[0].split()
        natural_s = deliver(speaker, said).audio.duration_s
        for factor in (0.7, 0.85, 1.0, 1.2, 1.5):
            asked_s = round(natural_s * factor, 2)
            got = deliver(speaker, said, fit_s=asked_s)
            print(f"| {voice} | {natural_s:.2f} | {asked_s:.2f} | {got.audio.duration_s:.3f} |")


def main() -> int:
    """Parse the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["emotion", "words", "fit"])
    parser.add_argument("--voice", action="append", help="a voice, instead of the four that are measured")
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--chosen-on", action="store_true", help="the sentences and voices on which the table was chosen")
    arguments = parser.parse_args()
    if arguments.what == "emotion":
        voices, sentences = CHOSEN_ON if arguments.chosen_on else MEASURED_ON
        emotions(arguments.voice or voices, sentences, arguments.strength)
    elif arguments.what == "words":
        words()
    else:
        fit()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
