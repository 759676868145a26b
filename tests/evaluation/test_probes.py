"""Probes on representations of which it is known what they hold."""

import numpy as np
import pytest

from talkinghead.evaluation.classifier import fit_linear, unweighted_recall
from talkinghead.evaluation.probes import emotion_probe, exchange_probe, phone_probe, temporal_emotion_probe

NUM_CLIPS, WIDTH = 120, 6
RANDOM = np.random.default_rng(0)
LABEL = np.arange(NUM_CLIPS) % 3
FOLD = np.arange(NUM_CLIPS) // 24


def clips(shift: float) -> list[np.ndarray]:
    content = [RANDOM.normal(0, 1, (40 + k % 9, WIDTH)).astype(np.float32) for k in range(NUM_CLIPS)]
    for clip, label in zip(content, LABEL, strict=True):
        clip[:, label] += shift
    return content


@pytest.mark.parametrize("probe", [emotion_probe, temporal_emotion_probe])
def test_a_probe_finds_what_is_there_and_nothing_where_there_is_nothing(probe) -> None:
    assert probe(clips(1.5), LABEL, FOLD).recall > 0.9
    nothing = probe(clips(0.0), LABEL, FOLD)
    assert nothing.chance == pytest.approx(1 / 3) and abs(nothing.recall - 1 / 3) < 0.2


def test_only_a_probe_that_follows_time_finds_what_is_in_the_order() -> None:
    content = [RANDOM.normal(0, 0.1, (60, 1)).astype(np.float32) for _ in range(NUM_CLIPS)]
    for clip, label in zip(content, LABEL % 2, strict=True):
        clip[:, 0] += np.where(np.arange(60) % 4 < 2, 1, -1) if label else np.where(np.arange(60) % 2, 1, -1)
    assert emotion_probe(content, LABEL % 2, FOLD).recall < 0.8
    assert temporal_emotion_probe(content, LABEL % 2, FOLD).recall > 0.9


def test_what_mean_and_deviation_do_not_tell_its_shape_does() -> None:
    content = [RANDOM.exponential(1, (60, 2)) * (1 if label else -1) for label in LABEL % 2]
    content = [((c - c.mean(0)) / c.std(0)).astype(np.float32) for c in content]
    assert emotion_probe(content, LABEL % 2, FOLD).recall < 0.7
    assert emotion_probe(content, LABEL % 2, FOLD, shape=True).recall > 0.95


def test_an_exchange_is_told_by_whichever_holds_the_class() -> None:
    giver = np.roll(LABEL, 1)
    own = clips(1.5)
    moved = [c - c.mean(0) + own[k - 1].mean(0) for k, c in enumerate(own)]
    effort, content = exchange_probe(own, moved, LABEL, giver, FOLD)
    assert effort.recall > 0.9 and content.recall < 0.1
    effort, content = exchange_probe(own, own, LABEL, giver, FOLD)
    assert effort.recall < 0.1 and content.recall > 0.9


def test_phones_are_found_by_frames_and_rare_ones_left_out() -> None:
    phones = [np.array(["AA"] * 20 + ["S"] * 20 + [""] * 10 + (["ZH"] if k == 0 else [])) for k in range(20)]
    frames = [RANDOM.normal(0, 0.3, (len(p), 4)).astype(np.float32) + (p == "S")[:, None] for p in phones]
    found = phone_probe(frames, phones, np.arange(20) % 5)
    assert found.recall > 0.95 and found.chance == 0.5
    assert abs(phone_probe([np.zeros_like(f) for f in frames], phones, np.arange(20) % 5).recall - 0.5) < 0.01


def test_each_class_weighs_the_same_however_rare() -> None:
    x = np.concatenate([RANDOM.normal(-1, 1, (950, 2)), RANDOM.normal(1, 1, (50, 2))]).astype(np.float32)
    label = np.repeat([0, 1], [950, 50])
    said = fit_linear(x, label, 2, 1e-3)(x).argmax(1)
    assert unweighted_recall(label, said) > 0.85 and (said[label == 1] == 1).mean() > 0.85
