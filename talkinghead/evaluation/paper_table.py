"""A checkpoint, real clips with sound -> the table of a paper, with the real video and two baselines beside it.

A clip's first frame is the portrait, its own sound is spoken, emotion and level are the manifest's. Resumable at the clip and
system; a clip that cannot be used costs itself. Knows the order of things; the measuring is `paper_scores`.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from talkinghead import __version__
from talkinghead.checkpoints import checkpoint_folder
from talkinghead.corpus.splits import check_overlap
from talkinghead.errors import InputError, OutputError, TalkingHeadError
from talkinghead.evaluation.clip_scores import RUN, ClipScores
from talkinghead.evaluation.networks import Networks
from talkinghead.evaluation.paper_clips import SCORED_PX, PaperClips, name_of
from talkinghead.evaluation.paper_metrics import METRICS, OF_CLIPS, SYSTEMS
from talkinghead.evaluation.paper_report import comparison_table, paper_table
from talkinghead.evaluation.paper_scores import EVERY, Judges, score
from talkinghead.evaluation.paper_videos import SAMPLES, ClipVideos
from talkinghead.files import whole
from talkinghead.pipeline import TalkingHead
from talkinghead.synthesis.face_network import REMEDY

ENDINGS = {"md": "markdown", "csv": "csv", "tex": "latex"}


def paper_evaluation(
    split: str,
    data: Path,
    output: Path,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    prepared: Path | None = None,
    networks: Path | None = None,
    against: Path | None = None,
    pattern: str = "",
) -> Path:
    """Score a checkpoint on the real clips of a split; writes `table.md`, `.csv`, `.tex`, `clips.csv` and `left_out.csv`.

    Args:
        split: eat, emote or official, of which the test clips are scored, own; or a split of the manifest.
        data: what `talkinghead prepare` wrote, or a folder of clips with `manifest.jsonl`.
        output: folder of the report; what is in it of the same run is not scored again.
        checkpoint: folder of the models; None is the installed one.
        say: hears which clip is being scored.
        prepared: of a loose folder, what `scripts/prepare_data.py` tracked.
        networks: folder of the user's networks, see `networks`.
        against: report folder of an earlier evaluation, whose checkpoint is compared with this one clip by clip.
        pattern: which clips, as fnmatch takes it; "" is all.

    Raises:
        InputError: the data are not there, the split is unknown, or the checkpoint was trained on people of it.
        OutputError: the folder holds another run's scores.
        CheckpointError, ConfigError: of the networks.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: is a file; give the name of a folder for the report.")
    folder = checkpoint_folder(checkpoint)
    users = Networks(networks)
    other = None if against is None else ClipScores(against, OF_CLIPS)
    clips = PaperClips(data, split, prepared, pattern)
    check_overlap(folder, split, sorted({str(row["identity"]) for row in clips.rows}))
    judges = Judges(TalkingHead.from_pretrained(folder), users)
    run = {
        "version": __version__, "checkpoint": fingerprint(folder), "data": clips.store.name, "split": split, "clips": pattern,
        "networks": users.fingerprint(), "dlib": judges.dlib is not None,
    }  # fmt: skip
    scores = ClipScores(output, OF_CLIPS, run)
    for number, row in enumerate(clips.rows, 1):
        if wanted := [system for system in SYSTEMS if (name_of(row), system) not in scores.values]:
            say(f"{number} of {len(clips.rows)}: {name_of(row)}")
            try:
                _score_clip(clips, row, wanted, judges, scores)
            except TalkingHeadError as error:
                clips.left_out[name_of(row)] = str(error)
    if not scores.clips(SYSTEMS[-1]):
        why = next(iter(clips.left_out.values()))
        raise InputError(f"data {data}: none of {len(clips.rows)} clips of split '{split}' can be scored; the first: {why}")
    named = Path(folder.name) if checkpoint is None else checkpoint
    table = paper_table(scores, _why_not(judges), _notes(split, clips, named))
    _write(output, "table", {ending: getattr(table, form)() for ending, form in ENDINGS.items()})
    with (output / "left_out.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("clip", "why"), *clips.left_out.items()])
    if other is not None:
        assert against is not None
        compared = comparison_table(scores, other, f"Here: {named}. There: {against}.", _incomparable(run, against))
        _write(output, "comparison", {ending: getattr(compared, form)() for ending, form in ENDINGS.items()})
    return output / "table.md"


def fingerprint(folder: Path) -> str:
    """What is in a checkpoint's folder, in sixteen letters: another file, another fingerprint."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _score_clip(clips: PaperClips, row: dict[str, Any], wanted: list[str], judges: Judges, scores: ClipScores) -> None:
    clip = clips.load(row, judges.head.tracker)
    videos = ClipVideos(judges.head, clip)
    about = {
        "clip": clip.name, "identity": clip.identity, "emotion": clip.emotion, "frames": len(clip.frames),
        "intensity": "" if clip.intensity is None else round(clip.intensity, 4),
    }  # fmt: skip
    for system in wanted:
        scored = score(videos, system, judges)
        scores.append(about | {"system": system}, scored.values, scored.features)


def _why_not(judges: Judges) -> dict[str, str]:
    """Metric -> the files that are missing for it."""
    where = judges.networks.folder or "the folder of --networks"
    found = {}
    for name, metric in METRICS.items():
        if missing := judges.networks.missing(*metric.networks):
            found[name] = f"{', '.join(missing)} missing in {where}"
    if judges.dlib is None:
        found["csim_dlib"] = REMEDY
    return found


def _notes(split: str, clips: PaperClips, checkpoint: Path) -> list[str]:
    people = len({str(row["identity"]) for row in clips.rows})
    return [
        f"{people} people; split {split} of {clips.store.name}; checkpoint {checkpoint}; {len(clips.left_out)} clips left "
        "out, left_out.csv says why.",
        f"The clip's first frame is the portrait, its own sound is spoken, {SCORED_PX} px at 25 frames a second. Mean over "
        "clips, a vote a clip, with its 95 % interval by bootstrap over clips (FID, FVD: jackknife over groups of clips).",
        f"LPIPS, CSIM and emotion are of every {EVERY}th frame; MEE, CE and diversity of {SAMPLES} samples. docs/metrics.md "
        "says what each is, and why no two papers' figures compare.",
    ]


def _incomparable(run: dict[str, Any], against: Path) -> list[str]:
    """Metrics of networks that the other report did not have, or had another of."""
    try:
        other = dict(json.loads((against / RUN).read_text()))
    except (OSError, ValueError) as error:
        raise OutputError(f"{against / RUN}: cannot be read; give the report folder of an earlier evaluation.") from error
    if other.get("split") != run["split"] or other.get("data") != run["data"]:
        theirs = f"{other.get('split')} of {other.get('data')}"
        raise InputError(
            f"against {against}: is of split {theirs}, not of {run['split']} of {run['data']}; evaluate both on the same."
        )
    changed = {name for name, print_ in run["networks"].items() if other.get("networks", {}).get(name) != print_}
    return [name for name, metric in METRICS.items() if changed & set(metric.networks)]


def _write(folder: Path, name: str, texts: dict[str, str]) -> None:
    for ending, text in texts.items():
        with whole(folder / f"{name}.{ending}") as part:
            part.write_text(text, encoding="utf-8")
