"""How emotion is heard, changes, is shown, and what it is mixed with; every figure with its chance beside it.

    python scripts/measure_emotion.py ../shared/data change calm     # a voice's change of mood; plain speech stays calm
    python scripts/measure_emotion.py ../shared/data judge           # our faces, judged by what acted clips taught
    python scripts/measure_emotion.py ../shared/data probes phones   # emotion in the content, phones in the emotion

Wants what `scripts/prepare_speech.py` prepared, and of `scripts/train.py emotion` the encoders of the folds, whose speakers
they have not heard. Prints Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from talkinghead.audio.phones import PhoneTimes, articulation_steps
from talkinghead.audio.speech_encoder import SpeechEncoder
from talkinghead.audio.waveform import load_audio
from talkinghead.emotion.emotion_encoder import EmotionEncoder, window_statistics
from talkinghead.emotion.voices import read_voice, speaker_folds, spoken_emotion
from talkinghead.errors import TalkingHeadError
from talkinghead.evaluation.classifier import Labels
from talkinghead.evaluation.emotion import judge_markdown, judge_table
from talkinghead.evaluation.emotion_change import calm_of, calm_table, change_table, splices
from talkinghead.evaluation.phones import RAVDESS_WORDS, Aligner
from talkinghead.evaluation.probes import emotion_probe, exchange_probe, phone_probe, temporal_emotion_probe
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.spoken_content import SpokenContent
from talkinghead.pipeline import TalkingHead
from talkinghead.training import read_manifest
from talkinghead.types import ARTICULATIONS, FloatArray, SpeechFeatures

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/default"
PORTRAITS = ("astronaut.jpg", "drawn_woman.png", "drawn_man.png")
NUM_SPLICES = 100
NUM_FOLDS = 5
PHONE_CLIPS = 6
EXCHANGE_STEP = 8


def fold_encoders(runs: Path) -> list[EmotionEncoder]:
    """The encoders that have not heard a fold's speakers."""
    return [EmotionEncoder.load(runs / f"folds/{k}") for k in range(NUM_FOLDS)]


def print_table(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Markdown."""
    names = list(next(iter(rows.values())))
    print(f"| {title} | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(f"{row[n]:.3g}" for n in names) + " |", flush=True)


def measure_change(options: argparse.Namespace) -> None:
    """Splices of two moods."""
    joined = splices(options.features / "voices", options.source / "ravdess", NUM_FOLDS, NUM_SPLICES, seed=0)
    table = change_table(SpeechEncoder.from_pretrained(CHECKPOINT / "speech_encoder"), fold_encoders(options.runs), joined)
    print_table("change of mood, speakers held out", table)


def measure_calm(options: argparse.Namespace) -> None:
    """Plain speech."""
    unacted = [r for r in read_manifest(options.source) if r["split"] == "eval" and r["audio"] and not r.get("emotion")]
    files = [options.source / row["file"] for row in unacted]
    speech_encoder = SpeechEncoder.from_pretrained(CHECKPOINT / "speech_encoder")
    encoder = EmotionEncoder.load(options.checkpoint / "emotion_encoder")
    rows = {
        "training's plain voices, held out": calm_table(fold_encoders(options.runs), options.features / "voices"),
        "talkers of eval, nobody acting": calm_of(speech_encoder, encoder, files),
    }
    print_table("plain speech", rows)


def measure_judge(options: argparse.Namespace) -> None:
    """Our faces and real ones."""
    head = TalkingHead.from_pretrained(options.checkpoint, "cpu")
    portraits = [CHECKPOINT.parents[1] / "assets" / name for name in PORTRAITS]
    print(judge_markdown(judge_table(head, options.source, options.motion, portraits)))


def ravdess(options: argparse.Namespace) -> tuple[list[Path], Labels, Labels]:
    """Prepared recordings, the emotion and the fold of each."""
    files = sorted((options.features / "voices/ravdess").glob("*.npz"))
    said = [row for file in files if (row := spoken_emotion(file)) is not None]
    return files, np.array([row[0] for row in said]), speaker_folds(np.array([row[2] for row in said]), NUM_FOLDS)


def measure_probes(options: argparse.Namespace) -> None:
    """Emotion, of the encoder's content, of what the lips are computed from, and of the phones' own times."""
    files, label, fold = ravdess(options)
    speech_encoder = SpeechEncoder.from_pretrained(options.checkpoint / "speech_encoder")
    articulator = Articulator.load(options.checkpoint / "articulator")
    encoded = [speech_encoder.encode(load_audio(options.source / "ravdess" / f"{file.stem}.ogg")) for file in files]
    spoken = [articulator.spoken(features) for features in encoded]
    effort = [np.stack([s.effort.level, s.effort.spread]).reshape(1, -1) for s in spoken]
    said = [phone_shares(options.phones / "ravdess" / f"{f.stem}.npz", len(c)) for f, c in zip(files, encoded, strict=True)]
    kinds: dict[str, list[FloatArray]] = {
        "the lips' content: tracks and contacts": [np.c_[s.tracks, s.contacts.closed, s.contacts.tucked] for s in spoken],
        "the opening alone, of the tracks": [s.tracks[:, :1] for s in spoken],
        "the lips with their effort": [s.components() for s in spoken],
        "the known phones and their times, no sound": said,
        "the encoder's content": [features.content for features in encoded],
    }
    print("| emotion, speakers held out, chance .14 | mean, deviation | and shape | over time |\n|---|---|---|---|")
    print(f"| of the effort, one row a recording | {emotion_probe(effort, label, fold).recall:.2f} | | |", flush=True)
    for name, rows in kinds.items():
        plain, shape = (emotion_probe(rows, label, fold, with_shape).recall for with_shape in (False, True))
        print(f"| of {name} | {plain:.2f} | {shape:.2f} | {temporal_emotion_probe(rows, label, fold).recall:.2f} |", flush=True)
    measure_exchange(articulator, encoded, spoken, label, fold)


def phone_shares(file: Path, num_frames: int) -> FloatArray:
    """(T, A) what is articulated by the known phones of a recording; zeros where they are not known."""
    if not file.is_file():
        return np.zeros((num_frames, len(ARTICULATIONS)), np.float32)
    with np.load(file) as archive:
        phones = PhoneTimes(archive["symbols"], archive["starts"], archive["ends"])
    shares: FloatArray = articulation_steps(phones, 2 * num_frames)[0].reshape(num_frames, 2, -1).mean(1)
    return shares


def measure_exchange(
    articulator: Articulator, encoded: list[SpeechFeatures], spoken: list[SpokenContent], label: Labels, fold: Labels
) -> None:
    """The content of each recording with the effort of another, of another emotion, drawn by a fixed seed."""
    random = np.random.default_rng(0)
    giver = np.array([random.choice(np.flatnonzero((label != label[i]) & (fold == fold[i]))) for i in range(len(label))])
    efforts, travel = [spoken[g].effort for g in giver], articulator.travel
    assert travel is not None
    said = [s.components(effort) for s, effort in zip(spoken, efforts, strict=True)]
    effort, content = exchange_probe([s.components() for s in spoken], said, label, label[giver], fold)
    r = []
    for i in range(0, len(encoded), EXCHANGE_STEP):
        own, other = (articulator.articulate(encoded[i], effort=e)[0] @ travel.parting for e in (None, efforts[i]))
        r.append(np.corrcoef(own, other)[0, 1])
    print("\n| content of one, effort of another, speakers held out | |\n|---|---|")
    print(
        f"| opening of the lips as by its own effort, r: mean, 5th percentile | {np.mean(r):.3f}, {np.percentile(r, 5):.3f} |"
    )
    print(f"| the probe says the effort's emotion; the content's; chance .14 | {effort.recall:.2f}; {content.recall:.2f} |")


def measure_phones(options: argparse.Namespace) -> None:
    """Phones, of the encoder's features and of what is heard of emotion in them."""
    files, _, fold = ravdess(options)
    print("| probe, speakers held out | recall | chance |\n|---|---|---|")
    encoder = EmotionEncoder.load(options.checkpoint / "emotion_encoder")
    chosen = [i for k in np.unique(fold) for i in np.flatnonzero(fold == k)[::PHONE_CLIPS].tolist()]
    phones: list[npt.NDArray[np.str_]] = []
    frames: dict[str, list[FloatArray]] = {"content": [], "voice": [], "embedding": [], "track": []}
    align = Aligner()
    for i in chosen:
        features = read_voice(files[i])
        audio = load_audio(options.source / "ravdess" / f"{files[i].stem}.ogg")
        phones.append(align(audio, RAVDESS_WORDS[files[i].stem.split("-")[4]])[: len(features)])
        frames["content"].append(features.content)
        assert features.voice is not None
        frames["voice"].append(features.voice)
        frames["embedding"].append(embedded(encoder, features))
        frames["track"].append(encoder.hear(features).activation[:, 0])
    names = {"content": "the encoder's content", "voice": "its first block", "embedding": "the emotion encoder's embedding"}
    for kind, rows in frames.items():
        probe = phone_probe(rows, phones, fold[chosen])
        print(f"| phone, of {names.get(kind, 'the emotion track')} | {probe.recall:.2f} | {probe.chance:.2f} |", flush=True)


def embedded(encoder: EmotionEncoder, features: SpeechFeatures) -> FloatArray:
    """(T, D) the embedding of the window about each frame, linear between windows."""
    centres, statistics = window_statistics(features)
    rows = encoder.embed(torch.from_numpy(statistics)).numpy()
    times = np.arange(len(features))
    return np.stack([np.interp(times, centres, column) for column in rows.T], axis=1).astype(np.float32)


MEASURES = {
    "change": measure_change,
    "calm": measure_calm,
    "judge": measure_judge,
    "phones": measure_phones,
    "probes": measure_probes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder that holds manifest.jsonl, ravdess and eval")
    parser.add_argument("what", nargs="+", choices=sorted(MEASURES))
    parser.add_argument("--features", type=Path, default=Path("data/features"))
    parser.add_argument("--phones", type=Path, default=Path("data/phones"))
    parser.add_argument("--motion", type=Path, default=Path("data/motion"))
    parser.add_argument("--runs", type=Path, default=Path("runs/emotion_encoder"), help="where the emotion encoder was trained")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        for what in options.what:
            MEASURES[what](options)
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
