"""What takes much memory is done in another process, and fails as it would fail in this one."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from lookalike.encoder.runtimes.subprocess_call import run_in_subprocess
from lookalike.errors import WeightsInvalidError
from tests.helpers import subprocess_work


def test_work_is_done_in_another_process_and_its_warnings_are_heard_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="lookalike"):
        run_in_subprocess(subprocess_work.write, str(tmp_path / "said"), 7, None)
    process, *arguments = (tmp_path / "said").read_text().split()
    assert int(process) != os.getpid()
    assert arguments == ["7", "None"]
    assert caplog.messages == ["the cupboard is full"]


def test_an_error_of_lookalike_is_the_same_error_here() -> None:
    with pytest.raises(WeightsInvalidError) as caught:
        run_in_subprocess(subprocess_work.refuse, "/weights/a.safetensors")
    assert caught.value.message == "/weights/a.safetensors is damaged; fetch it again"
    assert caught.value.subject == "/weights/a.safetensors"


def test_an_error_of_a_library_has_its_words_in_one_line() -> None:
    with pytest.raises(RuntimeError, match=r"^no such layer$"):
        run_in_subprocess(subprocess_work.fail)


def test_a_process_that_is_killed_is_told_of() -> None:
    with pytest.raises(RuntimeError, match="the process for it ended with status -9"):
        run_in_subprocess(subprocess_work.die)


def test_a_process_that_stumbles_is_told_of_with_its_last_words() -> None:
    with pytest.raises(RuntimeError, match="ended with status 1 KeyError: 'stage'"):
        run_in_subprocess(subprocess_work.stumble)


def test_where_there_can_be_no_other_process_it_is_an_error_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(OSError, match="/no/such/python"):
        run_in_subprocess(subprocess_work.die)
