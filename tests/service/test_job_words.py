"""The page has words for every kind of job that the service knows."""

from __future__ import annotations

import re
from pathlib import Path

import service
from service.jobs.kinds import KINDS

SCRIPTS = Path(service.__file__).parent / "static" / "js"


def test_every_kind_of_job_has_a_sentence_for_what_came_of_it() -> None:
    sentences = (SCRIPTS / "jobs" / "outcome.js").read_text("utf-8").split("const SENTENCES = {")[1].split("\n};")[0]
    assert set(re.findall(r"^  (\w+):", sentences, re.MULTILINE)) == set(KINDS)


def test_every_kind_of_job_has_a_name() -> None:
    names = (SCRIPTS / "job-texts.js").read_text("utf-8").split("kinds: {")[1].split("\n  },")[0]
    assert set(re.findall(r"^    (\w+):", names, re.MULTILINE)) == set(KINDS)
