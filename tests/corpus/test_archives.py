"""Members of folders, tars and zips have the bytes that were put in, read in place; what is broken costs itself only."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from talkinghead.corpus.archives import Member, members
from talkinghead.errors import InputError

CONTENTS = {f"video/front/angry/level_1/{n:03}.mp4": bytes([n]) * (700 + 13 * n) for n in range(1, 6)}


def tar_bytes(contents: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def zip_bytes(contents: dict[str, bytes], method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


def listed(root: Path) -> tuple[dict[str, Member], list[tuple[str, str]]]:
    complaints: list[tuple[str, str]] = []
    found = {member.name: member for member in members(root, lambda what, why: complaints.append((what, why)))}
    return found, complaints


def content(member: Member) -> bytes:
    with member.open() as file:
        return file.read()


@pytest.mark.parametrize("archive", [
    tar_bytes(CONTENTS), zip_bytes(CONTENTS, zipfile.ZIP_STORED), zip_bytes(CONTENTS, zipfile.ZIP_DEFLATED),
    zip_bytes({"in.tar": tar_bytes(CONTENTS)}, zipfile.ZIP_STORED),
    tar_bytes({"in.zip": zip_bytes(CONTENTS, zipfile.ZIP_DEFLATED)}),
], ids=["tar", "stored zip", "squeezed zip", "tar in zip", "zip in tar"])  # fmt: skip
def test_members_are_what_was_put_in(tmp_path: Path, archive: bytes) -> None:
    kind = "zip" if archive[:2] == b"PK" else "tar"
    (tmp_path / f"M003.{kind}").write_bytes(archive)
    found, complaints = listed(tmp_path)
    assert not complaints
    inner = {"in.tar", "in.zip"} & {part for name in found for part in name.split("/")}
    prefix = f"{tmp_path.name}/M003.{kind}/" + "".join(f"{name}/" for name in inner)
    assert {name.removeprefix(prefix): content(member) for name, member in found.items()} == CONTENTS


def test_members_can_be_sought_in(tmp_path: Path) -> None:
    words = b"zero one two three four"
    (tmp_path / "a.tar").write_bytes(tar_bytes({"before": b"x" * 999, "words": words, "after": b"y"}))
    found, _ = listed(tmp_path)
    with found[f"{tmp_path.name}/a.tar/words"].open() as file:
        file.seek(-4, io.SEEK_END)
        assert file.read() == b"four"
        file.seek(5)
        assert file.read(3) == b"one" and file.tell() == 8 and file.read(1000) == words[8:]


def test_folders_links_and_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "disk/M003/video").mkdir(parents=True)
    (tmp_path / "disk/M003/video/001.mp4").write_bytes(b"clip")
    (tmp_path / "disk/M003/video/._001.mp4").write_bytes(b"not a clip")
    (tmp_path / "disk/M003/back").symlink_to(tmp_path / "disk")  # a loop
    (tmp_path / "root").mkdir()
    (tmp_path / "root/MEAD").symlink_to(tmp_path / "disk")
    found, complaints = listed(tmp_path / "root")
    assert list(found) == ["root/MEAD/M003/video/001.mp4"] and not complaints


def test_a_tar_that_breaks_off_gives_what_stands_before(tmp_path: Path) -> None:
    archive = tar_bytes(CONTENTS)
    whole = archive.index(bytes([4]) * 700)
    (tmp_path / "M003.tar").write_bytes(archive[: whole + 100])
    found, complaints = listed(tmp_path)
    assert [content(member) for member in found.values()] == list(CONTENTS.values())[:3]
    assert any("breaks off" in why for _, why in complaints)
    assert any("004.mp4" in what for what, _ in complaints)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_that_breaks_off_gives_what_stands_before(tmp_path: Path, method: int) -> None:
    archive = zip_bytes(CONTENTS, method)
    fourth = archive.index(b"004.mp4")
    (tmp_path / "M003.zip").write_bytes(archive[: fourth + 10])
    found, complaints = listed(tmp_path)
    assert [content(member) for member in found.values()] == list(CONTENTS.values())[:3]
    assert any("breaks off" in why for _, why in complaints)


def test_what_is_no_archive_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"this is no tar " * 100)
    (tmp_path / "b.tar").write_bytes(b"")
    (tmp_path / "c.tar.gz").write_bytes(b"squeezed")
    (tmp_path / "d.tar").write_bytes(tar_bytes({"clip.mp4": b"clip"}))
    found, complaints = listed(tmp_path)
    assert [content(member) for member in found.values()] == [b"clip"]
    reasons = {what.rpartition("/")[2]: why for what, why in complaints}
    assert "no readable archive" in reasons["a.tar"] and reasons["b.tar"] == "is empty"
    assert "decompress it" in reasons["c.tar.gz"]


def test_no_such_root(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; give the one that holds the actors"):
        list(members(tmp_path / "gone", lambda _what, _why: None))
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(InputError, match=r"neither a folder nor a \.tar or \.zip"):
        list(members(tmp_path / "notes.txt", lambda _what, _why: None))
