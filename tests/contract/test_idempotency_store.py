"""Answers to requests with an Idempotency-Key on both databases: claimed once, stored, and forgotten in the end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lookalike.catalogue import idempotency_store
from lookalike.catalogue.database import Database
from lookalike.catalogue.idempotency_store import KEPT_SECONDS, Claim, IdempotencyStore, StoredAnswer

ANSWER = StoredAnswer(
    201, {"etag": '"1"', "content-type": "application/json"}, '{"status": "created", "ä": 1}'.encode()
)
LEASE = 30.0


class Clock:
    """A time that only the test moves."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[IdempotencyStore]:
    database = Database.open(database_url)
    yield IdempotencyStore(database, clock)
    database.close()


def claim(store: IdempotencyStore, key: str, owner: str, request: str = "r") -> Claim | StoredAnswer:
    return store.claim(key, request, owner, LEASE)


def test_the_first_answer_is_everybodys(store: IdempotencyStore) -> None:
    assert claim(store, "k", "one") is Claim.OURS
    assert claim(store, "k", "two") is Claim.RUNNING
    assert claim(store, "k", "two", "another request") is Claim.OTHER_REQUEST
    assert store.finish("k", "one", ANSWER)
    assert claim(store, "k", "two") == ANSWER
    assert claim(store, "k", "three", "another request") is Claim.OTHER_REQUEST
    assert claim(store, "other", "two") is Claim.OURS


def test_a_key_that_was_given_back_is_free(store: IdempotencyStore) -> None:
    claim(store, "k", "one")
    store.release("k", "two")
    assert claim(store, "k", "two") is Claim.RUNNING, "it is not theirs"
    store.release("k", "one")
    assert claim(store, "k", "two", "another request") is Claim.OURS


def test_the_work_of_a_process_that_died_is_taken_over_by_the_same_request(
    store: IdempotencyStore, clock: Clock
) -> None:
    claim(store, "k", "one")
    clock.now += LEASE - 1
    store.renew("k", "one", LEASE)
    clock.now += LEASE - 1
    assert claim(store, "k", "two") is Claim.RUNNING
    clock.now += 1
    assert claim(store, "k", "two", "another request") is Claim.OTHER_REQUEST
    assert claim(store, "k", "two") is Claim.OURS
    store.finish("k", "one", StoredAnswer(500, {}, b"late"))
    store.release("k", "one")
    assert claim(store, "k", "three") is Claim.RUNNING, "the first one has no say any more"
    store.finish("k", "two", ANSWER)
    assert claim(store, "k", "three") == ANSWER


def test_an_answer_is_forgotten_after_a_day(store: IdempotencyStore, clock: Clock) -> None:
    claim(store, "k", "one")
    store.finish("k", "one", ANSWER)
    clock.now += KEPT_SECONDS - 1
    assert claim(store, "k", "two") == ANSWER
    clock.now += 1
    assert claim(store, "k", "two", "another request") is Claim.OURS
    assert claim(store, "k", "three", "another request") is Claim.RUNNING


def test_pruning_removes_what_is_old_and_what_is_too_many_but_nothing_that_is_worked_on(
    store: IdempotencyStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency_store, "MAX_ANSWERS", 3)
    for number in range(6):
        claim(store, f"k{number}", "one")
        if number:
            store.finish(f"k{number}", "one", ANSWER)
        clock.now += 1
    store.prune()
    assert [claim(store, f"k{number}", "two") for number in (0, 3, 4, 5)] == [Claim.RUNNING, ANSWER, ANSWER, ANSWER]
    assert store.count() == 4
    clock.now += KEPT_SECONDS
    store.prune()
    assert store.count() == 0


def test_an_answer_that_is_too_large_is_not_stored(store: IdempotencyStore) -> None:
    noise = random.Random(1).randbytes(idempotency_store.MAX_ANSWER_BYTES + 1)
    claim(store, "k", "one")
    assert not store.finish("k", "one", StoredAnswer(200, {}, noise))
    assert claim(store, "k", "two") is Claim.OURS
    repetitive = StoredAnswer(200, {}, b'{"status": "created"}' * 100_000)
    assert store.finish("k", "two", repetitive)
    assert claim(store, "k", "three") == repetitive


def test_of_many_who_claim_at_once_one_gets_it(store: IdempotencyStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        for key in map(str, range(5)):
            outcomes = list(threads.map(lambda owner, key=key: claim(store, key, owner), "abcdefgh"))
            assert sorted(outcome.value for outcome in outcomes if isinstance(outcome, Claim)) == [
                "ours",
                *["running"] * 7,
            ]
