"""Answers to requests that were sent with an Idempotency-Key, so that the same request later gets the same answer.

A key is claimed before the work begins, by whoever works on it until its lease ends, and finished with the answer
afterwards. A claim whose lease has ended is of a process that died: the same request takes it over.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from lookalike.catalogue.database import Database
from lookalike.catalogue.models import IdempotencyKeyRow
from lookalike.short_repr import ShortRepr

KEPT_SECONDS = 24 * 3600.0
"""How long an answer is kept."""
MAX_ANSWERS = 50_000
"""How many answers are kept, the newest ones."""
MAX_ANSWER_BYTES = 64 * 1024
"""Compressed bytes of the largest answer that is kept."""


@dataclass(frozen=True, slots=True, repr=False)
class StoredAnswer(ShortRepr):
    """The first answer to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Claim(Enum):
    """What became of a claim: the work is the caller's, somebody is at it, or the key is another request's."""

    OURS = "ours"
    RUNNING = "running"
    OTHER_REQUEST = "other request"


class IdempotencyStore:
    """The keys of all collections, each call one transaction; safe from several threads and processes.

    ``now`` returns seconds from 1970.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def claim(self, digest: str, request_digest: str, owner: str, lease_s: float) -> Claim | StoredAnswer:
        """Begin the work on a request, or say why not; a stored answer where it has been answered already.

        ``digest`` is that of the key and of whoever sent it, ``owner`` a name of this attempt alone.
        """
        now = self._now()
        with self._database.write_session() as session:
            columns = {
                "digest": digest,
                "request_digest": request_digest,
                "owner": owner,
                "created_at": now,
                "lease_until": now + lease_s,
            }
            _insert_if_absent(session, columns)
            while (row := session.get(IdempotencyKeyRow, digest, with_for_update=True)) is None:
                _insert_if_absent(session, columns)  # it was given back between these two
            if row.owner == owner:
                return Claim.OURS
            is_over = row.created_at <= now - KEPT_SECONDS and (row.status is not None or row.lease_until <= now)
            if is_over:
                session.execute(delete(IdempotencyKeyRow).where(IdempotencyKeyRow.digest == digest))
                session.execute(insert(IdempotencyKeyRow).values(columns))
                return Claim.OURS
            if row.request_digest != request_digest:
                return Claim.OTHER_REQUEST
            if row.status is not None:
                return StoredAnswer(row.status, row.headers or {}, zlib.decompress(row.body or b""))
            if row.lease_until > now:
                return Claim.RUNNING
            row.owner, row.lease_until = owner, now + lease_s
            return Claim.OURS

    def renew(self, digest: str, owner: str, lease_s: float) -> None:
        """Say that the owner still works on a request."""
        with self._database.write_session() as session:
            is_ours = _is_running(digest, owner)
            session.execute(update(IdempotencyKeyRow).where(*is_ours).values(lease_until=self._now() + lease_s))

    def finish(self, digest: str, owner: str, answer: StoredAnswer) -> bool:
        """Store the answer to a request; false for one that is too large, whose key is free again."""
        body = zlib.compress(answer.body)
        if len(body) > MAX_ANSWER_BYTES:
            self.release(digest, owner)
            return False
        values = {"status": answer.status, "headers": dict(answer.headers), "body": body}
        with self._database.write_session() as session:
            session.execute(update(IdempotencyKeyRow).where(*_is_running(digest, owner)).values(values))
        return True

    def release(self, digest: str, owner: str) -> None:
        """Give a key back without an answer: the same request is worked on anew."""
        with self._database.write_session() as session:
            session.execute(delete(IdempotencyKeyRow).where(*_is_running(digest, owner)))

    def prune(self) -> None:
        """Remove answers that are older than ``KEPT_SECONDS``, and the oldest beyond ``MAX_ANSWERS``."""
        now = self._now()
        newest_first = select(IdempotencyKeyRow.created_at).order_by(IdempotencyKeyRow.created_at.desc())
        with self._database.write_session() as session:
            first_too_many = session.scalar(newest_first.offset(MAX_ANSWERS).limit(1))
            last_to_go = max(now - KEPT_SECONDS, first_too_many or 0.0)
            is_not_running = or_(IdempotencyKeyRow.status.is_not(None), IdempotencyKeyRow.lease_until <= now)
            session.execute(delete(IdempotencyKeyRow).where(IdempotencyKeyRow.created_at <= last_to_go, is_not_running))

    def count(self) -> int:
        """Number of keys."""
        with self._database.read_session() as session:
            return session.scalar(select(func.count()).select_from(IdempotencyKeyRow)) or 0


def _insert_if_absent(session: Session, columns: Mapping[str, object]) -> None:
    """Of two that insert at once in PostgreSQL the second waits for the first, and finds its row afterwards."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(IdempotencyKeyRow).values(columns).on_conflict_do_nothing())


def _is_running(digest: str, owner: str) -> tuple[ColumnElement[bool], ...]:
    is_owned = IdempotencyKeyRow.owner == owner
    return IdempotencyKeyRow.digest == digest, is_owned, IdempotencyKeyRow.status.is_(None)
