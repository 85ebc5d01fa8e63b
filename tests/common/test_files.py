import errno
import os
import pickle
import sys
from pathlib import Path

import pytest

from rndcfl.common.files import WriteError, remove_leftovers, write_whole


def test_write_whole_makes_folders_and_writes_plain_newlines(tmp_path):
    write_whole(tmp_path / "a" / "b.txt", "one\ntwo é\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "one\ntwo é\n".encode()


def test_write_whole_leaves_all_as_it_was_if_writing_fails(tmp_path):
    write_whole(tmp_path / "old.txt", "old")
    for name in ("old.txt", "new.txt"):
        with pytest.raises(UnicodeEncodeError):
            write_whole(tmp_path / name, "begins well " * 10_000 + "\ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


def test_write_whole_replaces_a_file_at_once(tmp_path):
    write_whole(tmp_path / "file.txt", "old")
    with (tmp_path / "file.txt").open() as reader:  # who reads it now goes on reading the old one
        write_whole(tmp_path / "file.txt", "new and longer")
        assert reader.read() == "old"
    assert (tmp_path / "file.txt").read_text() == "new and longer"
    assert len(list(tmp_path.iterdir())) == 1


def full(path, content):
    """As on a disk that has room for half of it."""
    with path.open("wb") as file:
        file.write(content[: len(content) // 2])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def limited(path, content):
    """As `full`, by the operating system: no file may grow beyond half of it."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) // 2, hard))
    try:
        with path.open("wb") as file:
            file.write(content)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("write, reason", [(full, "No space left"), (limited, "File too large")])
def test_a_full_disk_is_one_line_and_leaves_all_as_it_was(tmp_path, monkeypatch, write, reason):
    write_whole(tmp_path / "old.txt", "old")
    monkeypatch.setattr(Path, "write_bytes", write)
    for name in ("old.txt", "new.txt"):
        with pytest.raises(WriteError, match=f"^cannot write .*{name}: {reason}") as caught:
            write_whole(tmp_path / name, "new " * 10_000)
        assert len(str(caught.value).splitlines()) == 1
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"^cannot write .*new\.txt: "):
        write_whole(tmp_path / "file" / "new.txt", "new")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_read_only_folder_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(WriteError, match=r"^cannot write .*new\.txt: Permission denied"):
            write_whole(tmp_path / "new.txt", "new")
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o700)


def test_what_killed_writers_left_is_removed(tmp_path):
    for name in ("a.csv", ".a.csv.123", ".b.csv.123"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "a.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", ".b.csv.123"}
