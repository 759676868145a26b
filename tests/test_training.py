"""What training stages share: manifests that are read with care, arrays that are there whole or not at all."""

import numpy as np
import pytest

from talkinghead.errors import InputError
from talkinghead.training import read_manifest, save_arrays


def test_a_manifest_is_a_row_a_line(tmp_path):
    (tmp_path / "manifest.jsonl").write_text('{"file": "a.mp4"}\n{"file": "b.mp4", "audio": true}\n')
    assert read_manifest(tmp_path) == [{"file": "a.mp4"}, {"file": "b.mp4", "audio": True}]


def test_a_manifest_that_is_none(tmp_path):
    with pytest.raises(InputError, match=r"manifest.jsonl: no such file; give the folder that holds manifest.jsonl"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.jsonl").write_text('{"file": "a.mp4"}\nb.mp4\n')
    with pytest.raises(InputError, match=r"line 2 is not JSON .*; write one object a line"):
        read_manifest(tmp_path)


def test_arrays_come_back_and_a_write_that_fails_leaves_no_npz(tmp_path):
    path = tmp_path / "new/folder/a.npz"
    save_arrays(path, numbers=np.arange(3), name="somebody")
    with np.load(path, allow_pickle=False) as file:
        assert file["numbers"].tolist() == [0, 1, 2] and str(file["name"]) == "somebody"
    before = path.read_bytes()
    with pytest.raises(ValueError, match="allow_pickle"):
        save_arrays(path, numbers=np.arange(4), what=np.array([object()]))
    assert path.read_bytes() == before and list(path.parent.glob("*.npz")) == [path]
