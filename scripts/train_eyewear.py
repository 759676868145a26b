"""Photographs, some of people who wear glasses -> the read-out that knows who does, and how often it is right.

    python scripts/train_eyewear.py ../shared/data -o checkpoints/default/eyewear

Who wears some is in configs/eyewear.yaml. Logistic regression; its figures are those of photographs left out, a fifth at a
time, and a yes takes a higher score than all but a few of those left out who wear none. Needs no extra.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml
from safetensors.numpy import save_file
from scipy.optimize import minimize

from talkinghead.landmarks import FaceTracker
from talkinghead.synthesis.eyewear import WEIGHTS_FILE, edges, eye_crop, turned_away
from talkinghead.synthesis.portrait import load_image

CHECKPOINT = Path(__file__).resolve().parents[1] / "checkpoints/default"
FOLDS = 5
ROUNDS = 3


def seen(folder: Path, names: list[str]) -> tuple[np.ndarray, list[str]]:
    """(N, 2, F) features of each photograph and of its mirror image, and the names of those that are not seen from the side."""
    tracker = FaceTracker(CHECKPOINT / "tracker/face_landmarker.task")
    features, used = [], []
    for name in names:
        image = load_image(folder / f"{name}.jpg")[0]
        faces = tracker.detect(image)
        if not faces:
            continue
        face = max(faces, key=lambda found: found.box[2] - found.box[0])
        if not turned_away(face.points):
            crop = eye_crop(image, face.points)
            features.append([edges(crop), edges(np.ascontiguousarray(crop[:, ::-1]))])
            used.append(name)
    return np.array(features), used


def fitted(features: np.ndarray, wears: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """(N, 2, F), (N,) bool -> (F,) weights and a bias; both kinds of people weigh alike."""
    x, y = features.reshape(-1, features.shape[-1]), np.repeat(np.where(wears, 1.0, -1.0), 2)
    share = np.where(y > 0, 1 / (y > 0).sum(), 1 / (y < 0).sum()) / 2

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        margin = y * (x @ parameters[:-1] + parameters[-1])
        slope = -share * y / (1 + np.exp(margin))
        ridge = penalty / len(x) * parameters[:-1]
        value = share @ np.logaddexp(0, -margin) + ridge @ parameters[:-1] / 2
        return float(value), np.append(slope @ x + ridge, slope.sum())

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x
    return found[:-1], float(found[-1])


def left_out_scores(features: np.ndarray, wears: np.ndarray, penalty: float) -> np.ndarray:
    """(N,) what each photograph scores, the mean over rounds, by read-outs that were fitted without it."""
    scores = np.zeros(len(wears))
    for number in range(ROUNDS):
        fold = np.random.default_rng(number).permutation(len(wears)) % FOLDS
        for k in range(FOLDS):
            weight, bias = fitted(features[fold != k], wears[fold != k], penalty)
            scores[fold == k] += (features[fold == k, 0] @ weight + bias) / ROUNDS
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the folder of the data")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the read-out")
    parser.add_argument("--config", type=Path, default=Path(__file__).resolve().parents[1] / "configs/eyewear.yaml")
    options = parser.parse_args()
    config = yaml.safe_load(options.config.read_text())
    folder = options.source / config["photographs"]
    names = sorted(file.stem for file in folder.glob("*.jpg") if file.stem not in config["left_out"])
    if not names:
        raise SystemExit(f"error: {folder}: holds no photograph; give the folder of the data.")
    if unknown := sorted(set(config["wearers"]) - set(names)):
        raise SystemExit(f"error: {options.config}: wearers {', '.join(unknown)}: no such photograph in {folder}.")
    features, used = seen(folder, names)
    wears = np.isin(used, config["wearers"])
    scores = left_out_scores(features, wears, config["penalty"])
    least = float(np.sort(scores[~wears])[-1 - config["mistaken"]])
    weight, bias = fitted(features, wears, config["penalty"])
    options.output.mkdir(parents=True, exist_ok=True)
    arrays = {"weight": weight.astype(np.float16), "bias": np.array([bias - least], np.float32)}
    save_file(arrays, options.output / WEIGHTS_FILE)
    ranked = np.mean(scores[wears][:, None] > scores[~wears][None])
    found = " and ".join(
        f"{(scores[kind] > least).sum()} of {kind.sum()} {name}" for kind, name in ((wears, "wearers"), (~wears, "others"))
    )
    print(
        f"{len(used)} of {len(names)} photographs are seen from before; left out a fifth at a time, {found} are taken for "
        f"wearers; area under the curve {ranked:.3f}"
    )
    nearest = [used[k] for k in np.argsort(-np.where(wears, -np.inf, scores))[:5]]
    print(f"who wears none and was nearest to a yes: {', '.join(nearest)}")


if __name__ == "__main__":
    main()
