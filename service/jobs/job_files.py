"""The file that a job leaves for download, such as an export; it is kept for a day."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lookalike.catalogue.job_store import JobRecord, JobState

KEPT_HOURS = 24
"""After that the file of a job is removed: exports may be as large as the collection, and can be made again."""
_NAME = "export"
_MEDIA_TYPES = {
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
MEDIA_TYPES = tuple(_MEDIA_TYPES.values())


@dataclass(frozen=True, slots=True)
class JobFile:
    """A job's file in its folder, and how it is given out."""

    name: str
    media_type: str
    download_name: str


def export_file_name(format_name: str) -> str:
    """The name of an export's file in the job's folder."""
    return f"{_NAME}.{format_name}"


def find_job_file(record: JobRecord, default_format: str) -> JobFile | None:
    """The file that a job has left; None for one that leaves none, or whose file is no longer kept."""
    if record.kind != "export" or record.state is not JobState.SUCCEEDED or record.finished_at is None:
        return None
    if datetime.now(UTC) - record.finished_at > timedelta(hours=KEPT_HOURS):
        return None
    options: Mapping[str, Any] = record.options
    format_name = str(options.get("format", default_format))
    download_name = f"{record.collection}-{record.kind}-{record.id}.{format_name}"
    return JobFile(export_file_name(format_name), _MEDIA_TYPES[format_name], download_name)


def remove_old_files(folder: Path) -> None:
    """Remove the files of jobs that ended more than a day ago; ``folder`` has the folders of all jobs."""
    before = time.time() - KEPT_HOURS * 3600
    for path in folder.glob(f"*/*{_NAME}.*"):  # also what a process that was ended has left: .export.csv.123.tmp
        with suppress(OSError):  # another service does the same
            if path.stat().st_mtime < before:
                path.unlink()
