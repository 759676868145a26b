"""The published lists, counted and hashed: a name that moves is noticed; and who may be scored on what."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from talkinghead.corpus.splits import (
    ACTORS,
    EMOTE,
    SPLITS,
    TrainedOn,
    actors,
    check_overlap,
    overlap,
    read,
    record,
    role,
)
from talkinghead.errors import CheckpointError, InputError


def fingerprint(names: tuple[str, ...]) -> str:
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:12]


def test_actors_are_the_48_that_are_released() -> None:
    assert len(ACTORS) == len(set(ACTORS)) == 48
    assert sum(name.startswith("M") for name in ACTORS) == 27


def test_emote_is_as_published() -> None:
    """MEAD.md's ranges, written here a second time and otherwise."""
    men = [3, 5, 7, 9, 11, 12, 13, 19, *range(22, 32)]
    women = [9, 11, 14, 15, 16, 18, 19, 21, *range(23, 27), 28, 29]
    assert EMOTE["train"] == tuple([f"M{n:03}" for n in men] + [f"W{n:03}" for n in women])
    assert EMOTE["val"] == tuple([f"M{n:03}" for n in range(32, 36)] + ["W033", "W035", "W036"])
    assert EMOTE["test"] == ("M037", *(f"M{n:03}" for n in range(39, 43)), "W037", "W038", "W040")
    everybody = [name for names in EMOTE.values() for name in names]
    assert sorted([*everybody, "W017"]) == sorted(ACTORS)


def test_eat_tests_four_and_trains_on_the_others() -> None:
    assert actors("eat", "test") == ("M003", "M030", "W009", "W015")
    assert sorted(actors("eat", "train") + actors("eat", "test")) == sorted(ACTORS)
    assert actors("eat", "val") == ()


@pytest.mark.parametrize(("split", "identity", "expected"), [
    ("eat", "mead_M003", "test"), ("eat", "M003", "test"),
    ("emote", "M003", "train"), ("eat", "W017", "train"), ("emote", "W017", None),
    ("emote", "M035", "val"), ("emote", "W040", "test"), ("eat", "grid_s1", None), ("emote", "M004", None),
])  # fmt: skip
def test_role_of_a_person(split: str, identity: str, expected: str | None) -> None:
    assert role({"identity": identity}, split) == expected


@pytest.mark.parametrize(("emotion", "from_last", "expected"), [
    ("angry", 0, "test"), ("angry", 5, "test"), ("angry", 6, "train"), ("neutral", 9, "test"), ("neutral", 10, "train"),
])  # fmt: skip
def test_official_holds_the_last_sentences_out(emotion: str, from_last: int, expected: str) -> None:
    assert role({"identity": "W011", "emotion": emotion, "from_last": from_last}, "official") == expected


def test_official_asks_for_the_sentence_s_place() -> None:
    with pytest.raises(InputError, match=r"clip M003_front_sad_1_001: has no from_last"):
        role({"identity": "M003", "key": "M003_front_sad_1_001", "emotion": "sad"}, "official")


def test_own_reads_the_manifest() -> None:
    assert [role({"split": name}, "own") for name in ("train", "dev", "eval", "left")] == ["train", "val", "test", None]


def test_unknown_split_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"split 'eatt': there is none of that name; give one of eat, emote, official, own"):
        role({"identity": "M003"}, "eatt")
    with pytest.raises(InputError, match="names nobody"):
        actors("own", "test")


def trained(split: str) -> TrainedOn:
    return TrainedOn("mead", split, tuple(sorted(actors(split, "train"))), 100)


def test_each_split_has_seen_nobody_of_its_own_test() -> None:
    for split in SPLITS[:-1]:
        assert overlap([trained(split)], split) == []


def test_eat_s_test_actors_are_training_actors_of_emote() -> None:
    assert overlap([trained("emote")], "eat") == ["M003", "M030", "W009", "W015"]
    assert overlap([trained("eat")], "emote") == sorted(EMOTE["test"])
    assert overlap([trained("eat")], "official") == sorted(actors("eat", "train"))
    assert overlap([trained("official")], "eat") == ["M003", "M030", "W009", "W015"]
    # Nobody of these was seen, whatever else the split tests.
    assert overlap([trained("emote")], "eat", tested=["W040"]) == []
    assert overlap([trained("emote")], "emote", scored="train") == []
    # However a manifest writes the name.
    mixed = TrainedOn("data", "own", ("grid_s1", "mead_W009"), 2)
    assert overlap([mixed], "eat") == ["W009"] and overlap([trained("emote")], "eat", tested=["mead_M003"]) == ["M003"]


def test_record_keeps_every_component_s_history(tmp_path: Path) -> None:
    rows = [{"identity": name} for name in ("W011", "M005", "W011")]
    first, second = TrainedOn.of("mead", "eat", rows), trained("emote")
    assert first == TrainedOn("mead", "eat", ("M005", "W011"), 3)
    record(tmp_path / "articulator", [first])
    record(tmp_path / "renderer/denoiser", [first, second, first])
    assert read(tmp_path) == [first, second]
    assert read(tmp_path / "articulator") == [first]
    assert read(tmp_path / "gesture") == []


def test_overlapping_score_is_refused_with_the_names(tmp_path: Path) -> None:
    record(tmp_path / "articulator", [trained("emote")])
    check_overlap(tmp_path, "emote")
    with pytest.raises(InputError, match=r"was trained \(split emote\) on M003, M030, W009, W015, whom this split tests"):
        check_overlap(tmp_path, "eat")


def test_damaged_record_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "trained_on.json").write_text('[{"dataset": "mead"}]')
    with pytest.raises(CheckpointError, match="does not say what the model was trained on"):
        read(tmp_path)


def test_lists_have_not_moved() -> None:
    names = (*ACTORS, *actors("eat", "test"), *EMOTE["train"], *EMOTE["val"], *EMOTE["test"])
    assert fingerprint(names) == "0b84ced30607"
