"""Who is trained on and who is tested: the published splits of MEAD as data, and what a checkpoint was trained on.

The lists are written out: sorting rules give others. `eat` holds four people out (Gan et al., EAT, ICCV 2023), `emote` fifteen
in two groups (Danecek et al., EMOTE, SIGGRAPH Asia 2023; W017 is in none), `official` holds sentences of everybody out (Wang
et al., MEAD, ECCV 2020). Somebody whom `eat` tests is a training actor of `emote`, so a checkpoint says whom it has seen
(`TrainedOn`), and `check_overlap` refuses a score on people it was trained on. Knows names; opens no clip.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from talkinghead.errors import CheckpointError, InputError
from talkinghead.files import whole

Role = Literal["train", "val", "test"]

OWN: Final = "own"
"""The split that the manifest's own column says, for sets that come with one."""
SPLITS: Final = ("eat", "emote", "official", OWN)

MEN: Final = (
    "M003", "M005", "M007", "M009", "M011", "M012", "M013", "M019", "M022", "M023", "M024", "M025", "M026", "M027", "M028",
    "M029", "M030", "M031", "M032", "M033", "M034", "M035", "M037", "M039", "M040", "M041", "M042",
)  # fmt: skip
WOMEN: Final = (
    "W009", "W011", "W014", "W015", "W016", "W017", "W018", "W019", "W021", "W023", "W024", "W025", "W026", "W028", "W029",
    "W033", "W035", "W036", "W037", "W038", "W040",
)  # fmt: skip
ACTORS: Final = MEN + WOMEN
"""The 48 of MEAD that are released."""

EAT_TEST: Final = ("M003", "M030", "W009", "W015")
EMOTE: Final[dict[Role, tuple[str, ...]]] = {
    "train": (
        "M003", "M005", "M007", "M009", "M011", "M012", "M013", "M019", "M022", "M023", "M024", "M025", "M026", "M027", "M028",
        "M029", "M030", "M031", "W009", "W011", "W014", "W015", "W016", "W018", "W019", "W021", "W023", "W024", "W025", "W026",
        "W028", "W029",
    ),
    "val": ("M032", "M033", "M034", "M035", "W033", "W035", "W036"),
    "test": ("M037", "M039", "M040", "M041", "M042", "W037", "W038", "W040"),
}  # fmt: skip

OFFICIAL_TEST_NEUTRAL: Final = 10
OFFICIAL_TEST: Final = 6
"""Of each actor, emotion and level: how many of the last sentences are test."""

_OWN_ROLES: Final[dict[str, Role]] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test",
    "eval": "test",
}  # fmt: skip


def role(row: Mapping[str, Any], split: str) -> Role | None:
    """What a clip is for in a split; None where the split leaves it out.

    row: a line of the manifest. `eat` and `emote` read `identity`; `official` also `emotion` and `from_last`, how many
        sentences of the same actor, emotion and level follow in the archive, whatever the view; `own` reads `split`.

    Raises:
        InputError: no such split (they are listed), or the row does not say what the split asks.
    """
    check_split(split)
    if split == OWN:
        return _OWN_ROLES.get(str(row.get("split", "")).lower())
    identity = actor_of(str(row.get("identity", "")))
    if identity not in ACTORS:
        return None
    if split == "eat":
        return "test" if identity in EAT_TEST else "train"
    if split == "emote":
        return next((name for name, people in EMOTE.items() if identity in people), None)
    from_last = row.get("from_last")
    if not isinstance(from_last, int) or isinstance(from_last, bool):
        name = row.get("key", row.get("file", "?"))
        raise InputError(f"clip {name}: has no from_last, which the split official asks; prepare the data again.")
    return "test" if from_last < (OFFICIAL_TEST_NEUTRAL if row.get("emotion") == "neutral" else OFFICIAL_TEST) else "train"


def actor_of(identity: str) -> str:
    """An identity -> MEAD's name of the actor: other sets' manifests write mead_M003."""
    return identity.removeprefix("mead_")


def actors(split: str, role: Role) -> tuple[str, ...]:
    """MEAD's actors who have clips of this role in a split, in MEAD's order; of `official` everybody, and nobody for `val`.

    Raises:
        InputError: no such split, or `own`, which names nobody.
    """
    check_split(split)
    if split == OWN:
        raise InputError(f"split {OWN}: is in the manifest and names nobody; give one of {', '.join(SPLITS[:-1])}.")
    if split == "emote":
        return EMOTE[role]
    if split == "eat":
        return {"train": tuple(name for name in ACTORS if name not in EAT_TEST), "val": (), "test": EAT_TEST}[role]
    return () if role == "val" else ACTORS


def check_split(split: str) -> None:
    """Raise InputError, which lists them, unless there is such a split."""
    if split not in SPLITS:
        raise InputError(f"split {split!r}: there is none of that name; give one of {', '.join(SPLITS)}.")


FILE: Final = "trained_on.json"


@dataclass(frozen=True)
class TrainedOn:
    """What a component was trained on: clips of `split`'s role train.

    dataset: its name, as in `dataset.json`; identities: sorted; num_clips: how many clips of theirs.
    """

    dataset: str
    split: str
    identities: tuple[str, ...]
    num_clips: int

    @staticmethod
    def of(dataset: str, split: str, rows: Iterable[Mapping[str, Any]]) -> TrainedOn:
        """rows: of the manifest, those that were learnt from."""
        rows = list(rows)
        return TrainedOn(dataset, split, tuple(sorted({str(row["identity"]) for row in rows})), len(rows))


def record(folder: Path, trained_on: Iterable[TrainedOn]) -> Path:
    """Write what a component was trained on beside it, the latest last; returns the file."""
    path = folder / FILE
    folder.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        part.write_text(json.dumps([asdict(each) for each in dict.fromkeys(trained_on)], indent=1) + "\n")
    return path


def read(folder: Path) -> list[TrainedOn]:
    """What a component, or any component of a whole checkpoint folder, was trained on; nothing where nothing is recorded.

    Raises:
        CheckpointError: a record is damaged.
    """
    found: list[TrainedOn] = []
    for path in sorted(folder.rglob(FILE)):
        try:
            for line in json.loads(path.read_text()):
                found.append(
                    TrainedOn(
                        str(line["dataset"]), str(line["split"]), tuple(map(str, line["identities"])), int(line["num_clips"])
                    )
                )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"{path}: does not say what the model was trained on ({error}); train it again, or take the file away."
            ) from error
    return list(dict.fromkeys(found))


def overlap(
    trained_on: Iterable[TrainedOn], split: str, tested: Iterable[str] | None = None, scored: Role = "test"
) -> list[str]:
    """The people whom a model was trained on and whom a split would score, sorted; none is as it should be.

    Args:
        trained_on: of `read`.
        split: what the model is to be scored on.
        tested: the identities that are scored, where it is not everybody of the split; needed for `own`.
        scored: the role that is scored. Training people may be looked at; they are then no overlap.

    What was trained on `official` has seen everybody, but no sentence that `official` tests.
    """
    if scored == "train":
        return []
    people = set(actors(split, scored) if tested is None else map(actor_of, tested))
    seen = (each for each in trained_on if not split == each.split == "official")
    return sorted(people.intersection(actor_of(name) for each in seen for name in each.identities))


def check_overlap(folder: Path, split: str, tested: Iterable[str] | None = None, scored: Role = "test") -> None:
    """Raise InputError, with the names, where a checkpoint was trained on people whom a split scores (see `overlap`)."""
    trained_on = read(folder)
    if names := overlap(trained_on, split, tested, scored):
        splits = ", ".join(sorted({each.split for each in trained_on if set(each.identities) & set(names)}))
        raise InputError(
            f"split {split}: checkpoint {folder} was trained (split {splits}) on {', '.join(names)}, whom this split tests; "
            f"score it on the split that it was trained on, or train on {split}."
        )
