"""The example scene from a clean start: what a changed line costs, and whether cues act at their words.

    python scripts/measure_scene.py -o /tmp/scene            # renders the scene twice, draft, some minutes
    python scripts/measure_scene.py --cues                   # the cues alone, no picture

Cues: the motion of each line is made with and without each of its cues; where they first differ is when the cue acts. It is
held against the word's time by PocketSphinx on the line's sound (extra `train`), which knows nothing of the times that the
scene uses, and against the time that the voice states.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from talkinghead.screenplay.performance import Performers, cue_times
from talkinghead.screenplay.production import perform
from talkinghead.screenplay.reading import Screenplay, read_scene
from talkinghead.screenplay.rehearsal import Rehearsal, rehearse
from talkinghead.types import FPS, Audio, FaceMotion

ROOT = Path(__file__).resolve().parents[1]
SCENE = ROOT / "assets/scene.yaml"
EDITED = ("I do not think so.", "I do not know that.")
ONSET = 0.1
TOLERANCE_S = 0.08
_PLAIN = str.maketrans("", "", ".,!?;:-")


def costs(folder: Path) -> None:
    """Make the scene, change one of its six lines, and make it again."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("drawn_woman.png", "drawn_man.png", "speech.wav"):
        (folder / name).write_bytes((ROOT / "assets" / name).read_bytes())
    scene, output = folder / "scene.yaml", folder / "scene.mp4"
    text = SCENE.read_text(encoding="utf8")
    seconds = {}
    for name, written in (("from a clean start", text), ("nothing changed", text), ("one line changed", text.replace(*EDITED))):
        scene.write_text(written, encoding="utf8")
        began: dict[str, float] = {}
        start = time.process_time(), time.monotonic()
        made = perform(read_scene(scene), output, lambda stage, began=began: began.setdefault(stage, time.monotonic()), "draft")
        seconds[name] = time.monotonic() - start[1]
        lines = ", ".join(str(index + 1) for index in made.rendered) or "none"
        used = time.process_time() - start[0]
        print(
            f"| {name} | {lines} | {seconds[name]:.1f} s | {used:.1f} s | {time.monotonic() - list(began.values())[-1]:.1f} s |"
        )
    print(f"video: {made.num_frames / FPS:.1f} s")


def without(play: Screenplay, line: int, cue: int) -> Screenplay:
    """The same scene without one of the cues; its words and pauses stay."""
    script = play.scripts[line]
    left = replace(script, cues=script.cues[:cue] + script.cues[cue + 1 :])
    return replace(play, scripts=(*play.scripts[:line], left, *play.scripts[line + 1 :]))


def onset_s(motion: FaceMotion, other: FaceMotion) -> float:
    """When two motions begin to differ by a tenth of the most that they do."""
    parts = [
        np.abs(getattr(motion, name) - getattr(other, name)).sum(1) / scale
        for name, scale in (("blendshapes", 1.0), ("head_rotation", 0.1), ("gaze", 0.1))
    ]
    way = np.max(parts, axis=0)
    return float(np.argmax(way > ONSET * way.max())) / FPS


def cues() -> None:
    """Every cue of the example scene that stands at a word, against the word as it is heard."""
    from talkinghead.pipeline import TalkingHead

    play = read_scene(SCENE)
    with tempfile.TemporaryDirectory() as folder:
        rehearsal = rehearse(play, Path(folder), lambda _: None)
    head = TalkingHead.from_pretrained()
    late, stated, missed = [], [], 0
    for index, line in enumerate(play.scene.lines):
        whole = Performers(head, play, rehearsal).motion(index, line.speaker)
        heard = heard_words(rehearsal, index)
        begin_s = (rehearsal.lines[index].start - rehearsal.part(index)[0]) / FPS
        for number, (cue, _) in enumerate(cue_times(play, rehearsal, index)):
            words = rehearsal.lines[index].delivery.words
            if cue.word >= len(words) or cue.lead_s:
                continue
            acts_s = (
                onset_s(whole, Performers(head, without(play, index, number), rehearsal).motion(index, line.speaker)) - begin_s
            )
            word_s = words[cue.word].start_s
            stated.append(abs(acts_s - word_s))
            if stated[-1] > TOLERANCE_S:
                print(
                    f"line {index + 1}  {cue.name:28s} {words[cue.word].text:10s} {1000 * (acts_s - word_s):+5.0f} ms, stated"
                )
            if heard is None:
                missed += 1
                continue
            late.append(acts_s - heard[cue.word])
            print(f"line {index + 1}  {cue.name:28s} {words[cue.word].text:10s} {1000 * late[-1]:+5.0f} ms")
    for name, values in (("heard word", np.abs(late)), ("time the voice states", np.array(stated))):
        share = (values <= TOLERANCE_S).mean()
        print(f"against the {name}: {len(values)} cues, median {1000 * np.median(values):.0f} ms, "
              f"most {1000 * values.max():.0f} ms, within 80 ms {share:.2f}")  # fmt: skip
    print(f"cues in lines that PocketSphinx could not align: {missed}")


def heard_words(rehearsal: Rehearsal, index: int) -> list[float] | None:
    """When each word of a line begins in its sound, by forced alignment; None when it fails."""
    from pocketsphinx import Decoder

    decoder = Decoder(lm=None, loglevel="FATAL")
    delivery = rehearsal.lines[index].delivery
    audio: Audio = delivery.audio
    pcm = (audio.samples / max(np.abs(audio.samples).max(), 1e-3) * 0.7 * 32767).astype("<i2").tobytes()
    decoder.set_align_text(" ".join(word.text.lower().translate(_PLAIN).strip() for word in delivery.words))
    try:
        for is_second in (False, True):
            if is_second:
                decoder.set_alignment()
            decoder.start_utt()
            decoder.process_raw(pcm, full_utt=True)
            decoder.end_utt()
    except RuntimeError:
        return None
    found = [word.start * 0.01 for word in decoder.get_alignment() if word.name not in ("<sil>", "<s>", "</s>", "SIL")]
    return found if len(found) == len(delivery.words) else None


def main() -> int:
    """Parse the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cues", action="store_true", help="when cues act, instead of what lines cost")
    parser.add_argument("-o", "--output", type=Path, help="an empty folder for the scene")
    arguments = parser.parse_args()
    if arguments.cues:
        cues()
    elif arguments.output is None:
        parser.error("give --output, or --cues.")
    else:
        costs(arguments.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
