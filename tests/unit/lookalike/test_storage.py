"""Durable files: replaced whole or not at all, locked for as long as a process lives, a full disk told by its name."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lookalike.errors import DataPathError, DiskFullError
from lookalike.storage import (
    NO_ROOM,
    LockedError,
    disk_errors,
    disk_full_error,
    exclusive_lock,
    sha256_file,
    staged_folder,
    write_atomically,
    write_npy,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_by_the_new_content_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "current.json"
    for content in (b"old", b"new"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["current.json"]


def test_a_write_that_fails_leaves_the_old_file_and_no_partial_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "current.json"
    write_atomically(path, b"old")

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["current.json"]


def test_the_data_of_a_file_is_on_the_disk_before_its_name_and_its_name_before_the_call_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[tuple[bool, bool]] = []
    fsync, path = os.fsync, tmp_path / "current.json"

    def watch(descriptor: int) -> None:
        states.append((os.path.isdir(f"/proc/self/fd/{descriptor}"), path.exists()))  # noqa: PTH112
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    write_atomically(path, b"new")
    assert states == [(False, False), (True, True)]


@pytest.mark.parametrize("code", NO_ROOM)
def test_a_full_disk_is_an_error_of_its_own(code: int, tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match="free some and run the command again") as caught, disk_errors(tmp_path):
        raise OSError(code, os.strerror(code))
    assert caught.value.subject == str(tmp_path)


def test_what_else_the_system_refuses_names_the_path_and_a_closed_pipe_is_left_alone(tmp_path: Path) -> None:
    words = r"cannot be written \(Permission denied\): choose another folder"
    with pytest.raises(DataPathError, match=words), disk_errors(tmp_path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with pytest.raises(BrokenPipeError), disk_errors(tmp_path):
        raise BrokenPipeError


def test_a_full_disk_is_recognised_in_the_message_of_another_library() -> None:
    full = disk_full_error(RuntimeError(f"write failed: {os.strerror(errno.ENOSPC)}"))
    assert full is not None
    assert full.errno == errno.ENOSPC
    assert disk_full_error(RuntimeError("write failed")) is None
    assert disk_full_error(OSError(errno.EIO, f"not {os.strerror(errno.ENOSPC)}")) is None


def test_the_digest_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 8000
    (tmp_path / "file").write_bytes(content)
    assert sha256_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_an_array_that_came_in_blocks_is_read_as_one(tmp_path: Path) -> None:
    rows = np.arange(12, dtype=np.float64).reshape(4, 3)
    write_npy(tmp_path / "rows.npy", (4, 3), np.float32, [rows[:1], rows[1:]])
    read = np.load(tmp_path / "rows.npy", allow_pickle=False)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, rows)


def test_a_staged_folder_stays_only_where_it_was_renamed(tmp_path: Path) -> None:
    final = tmp_path / "below" / "folder"
    with staged_folder(final) as stage:
        (stage / "file").write_bytes(b"content")
        assert stage.parent == final.parent
        stage.rename(final)
    assert names(final.parent) == ["folder"]
    with pytest.raises(KeyboardInterrupt), staged_folder(final):
        raise KeyboardInterrupt
    assert names(final.parent) == ["folder"]
    assert (final / "file").read_bytes() == b"content"


def test_a_lock_is_refused_at_once_while_another_holds_it_and_given_after(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with exclusive_lock(path):
        start = time.monotonic()
        with pytest.raises(LockedError, match=str(path)), exclusive_lock(path):
            pass
        assert time.monotonic() - start < 5
    with exclusive_lock(path):
        pass


def test_who_waits_for_a_lock_has_it_when_it_is_released(tmp_path: Path) -> None:
    path, released = tmp_path / "lock", threading.Event()
    acquired_after: list[bool] = []

    def wait() -> None:
        with exclusive_lock(path, timeout_s=60.0):
            acquired_after.append(released.is_set())

    with exclusive_lock(path):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.2)
        released.set()
    thread.join(60)
    assert acquired_after == [True]


def test_the_lock_of_a_killed_process_is_free_and_its_file_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = f"""
import sys
from pathlib import Path
from lookalike.storage import exclusive_lock
with exclusive_lock(Path({str(path)!r})):
    print("locked", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(LockedError), exclusive_lock(path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait(60)
        with exclusive_lock(path):
            pass


def test_a_forked_child_neither_releases_its_parents_lock_nor_keeps_it_held(tmp_path: Path) -> None:
    program = f"""
import os, subprocess, sys, time
from pathlib import Path
from lookalike.storage import LockedError, exclusive_lock
path = Path({str(tmp_path / "lock")!r})
with exclusive_lock(path):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    try:
        with exclusive_lock(path):
            sys.exit("the child released it")
    except LockedError:
        pass
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
try:
    with exclusive_lock(path):
        print("free")
finally:
    os.kill(child, 9)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == ("free\n", "", 0)


def test_where_a_file_system_has_no_locks_nothing_stands_in_that_would_outlive_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSYS)), exclusive_lock(tmp_path / "lock"):
        pass
