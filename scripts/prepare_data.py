"""Videos -> tracked points, tracker scores and presence, a .npz a clip, in `data/prepared`.

    python scripts/prepare_data.py ../shared/data -o data/prepared --workers 2

Reads `manifest.jsonl` (a `file`, `split` and `identity` a line). Resumable: a clip that is there is skipped, a clip cut off
in the middle leaves no file. Ends with a report of what was left out and why (`report.json`); clips that cannot be used are no
failure, anything else that went wrong is. Needs no extra.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from rich.progress import track as progress

from talkinghead.errors import TalkingHeadError
from talkinghead.landmarks import FaceTracker
from talkinghead.training import read_manifest, save_arrays
from talkinghead.video.reader import read_frames

TASK_FILE = Path(__file__).parents[1] / "checkpoints/default/tracker/face_landmarker.task"
MIN_TRACKED = 0.8

_tracker: FaceTracker | None = None


def prepare_clip(source: Path, target: Path) -> str | None:
    """Track one clip; returns why it was left out, or None."""
    global _tracker
    if _tracker is None:
        _tracker = FaceTracker(TASK_FILE, num_threads=1)
    try:
        faces = list(_tracker.track(read_frames(source)))
    except TalkingHeadError as error:
        return str(error)
    seen = np.array([face is not None for face in faces])
    if seen.mean() < MIN_TRACKED:
        return f"the face is seen in {seen.mean():.0%} of its frames, {MIN_TRACKED:.0%} are needed"
    # A frame without a face repeats the one before it and is marked by presence 0.
    filled = faces[int(seen.argmax())]
    points, scores, presence = [], [], []
    for face in faces:
        filled = face or filled
        points.append(filled.points)
        scores.append(filled.scores)
        presence.append(face.presence if face else 0.0)
    save_arrays(target, points=np.stack(points), scores=np.stack(scores), presence=np.array(presence, np.float32))
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder that holds manifest.jsonl")
    parser.add_argument("-o", "--output", type=Path, default=Path("data/prepared"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--common-source", default="grid_s1", help="folder of the one talker with most clips: they come last")
    options = parser.parse_args()
    try:
        clips = [row["file"] for row in read_manifest(options.source)]
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    # The fewest first: the many clips of one talker come last, so training can start on everybody else.
    clips.sort(key=lambda clip: options.common_source in Path(clip).parts)
    jobs = {}
    left_out: dict[str, str] = {}
    failed = tracked = 0
    try:
        with ProcessPoolExecutor(options.workers) as pool:
            for clip in clips:
                target = (options.output / clip).with_suffix(".npz")
                if not target.exists():
                    jobs[pool.submit(prepare_clip, options.source / clip, target)] = clip
            for job in progress(as_completed(jobs), total=len(jobs), description="tracking"):
                # What nobody thought of costs its own clip only.
                failure = job.exception()
                reason = job.result() if failure is None else f"{type(failure).__name__}: {failure}"
                failed, tracked = failed + (failure is not None), tracked + (reason is None)
                if reason:
                    left_out[jobs[job]] = reason
    finally:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "report.json").write_text(json.dumps(left_out, indent=1, sort_keys=True))
        there, report = len(clips) - len(jobs), options.output / "report.json"
        print(f"{tracked} clips tracked, {there} were there, {len(left_out)} left out: {report}")
    if failed:
        raise SystemExit(f"error: {failed} clips failed in a way that is no fault of theirs; see the report")


if __name__ == "__main__":
    main()
