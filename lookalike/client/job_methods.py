"""The methods of the client about jobs and uploads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Unpack

import msgspec

from lookalike.client import job_calls
from lookalike.client.errors import ClientError
from lookalike.client.job_answers import JobAnswer, JobsAnswer, UploadAnswer
from lookalike.client.options import JobOptions
from lookalike.client.sender import Sender
from lookalike.client.uploads import may_resume, open_upload


class JobMethods(Sender):
    """What takes longer than a request."""

    def create_job(self, collection: str, kind: str, **options: Unpack[JobOptions]) -> JobAnswer:
        """Begin ``index``, ``reindex``, ``duplicates``, ``calibrate``, ``evaluate`` or ``export``, with its options."""
        return self._send(job_calls.create_job(collection, kind, options))

    def list_jobs(self, *, state: str | None = None, limit: int | None = None, cursor: str | None = None) -> JobsAnswer:
        """A page of the jobs of all collections, newest first."""
        return self._send(job_calls.list_jobs(None, state, limit, cursor))

    def list_collection_jobs(
        self, collection: str, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> JobsAnswer:
        """A page of the jobs of a collection, newest first."""
        return self._send(job_calls.list_jobs(collection, state, limit, cursor))

    def iter_jobs(
        self, collection: str | None = None, *, state: str | None = None, limit: int | None = None
    ) -> Iterator[JobAnswer]:
        """All jobs, of one collection or of all; ``limit`` is how many are asked for at a time."""
        for page in self._pages(lambda cursor: job_calls.list_jobs(collection, state, limit, cursor)):
            yield from page.jobs

    def get_job(self, job_id: str) -> JobAnswer:
        """A job: how far it is, and what came of it."""
        return self._send(job_calls.get_job(job_id))

    def follow_job(self, job_id: str) -> Iterator[JobAnswer]:
        """The job now, whenever it has gone on, and at last in its final state."""
        yield from self._events(job_calls.follow_job(job_id), lambda job: job.is_final)

    def cancel_job(self, job_id: str) -> JobAnswer:
        """Cancel a job; what was published stays."""
        return self._send(job_calls.cancel_job(job_id))

    def get_job_report(self, job_id: str, *, format: str | None = None) -> bytes:
        """What a finished job leaves, as ``json`` or ``csv``."""
        return self._send(job_calls.get_job_report(job_id, format))

    def get_job_file(self, job_id: str, out: str | os.PathLike[str]) -> Path:
        """Write the file that an export left to ``out``, which it gives; it is there when all of it has arrived."""
        return self._download(job_calls.get_job_file(job_id), Path(out))

    def create_upload(self, file: str | os.PathLike[str] | BinaryIO, *, filename: str | None = None) -> UploadAnswer:
        """Send a zip or a table for a job, in pieces; what a lost connection has left is not sent again."""
        with open_upload(file, filename) as source:
            upload = self._send(job_calls.create_upload(source))
            failures = 0
            while upload.offset < upload.length:
                try:
                    piece = source.piece(upload.offset)
                    sent = self._send(job_calls.append_to_upload(upload.id, upload.offset, piece))
                    upload = msgspec.structs.replace(upload, offset=sent)
                except ClientError as error:
                    failures += 1
                    if failures > self._policy.retries or not may_resume(error):
                        raise
                    upload = self.get_upload(upload.id)
        return self.get_upload(upload.id)

    def get_upload(self, upload_id: str) -> UploadAnswer:
        """How much of an upload has arrived."""
        return self._send(job_calls.get_upload(upload_id))

    def delete_upload(self, upload_id: str) -> None:
        """Remove an upload."""
        self._send(job_calls.delete_upload(upload_id))
