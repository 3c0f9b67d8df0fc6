"""A service with room for four requests of four megabytes, and clients that send too much, too many, or go away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.e2e.conftest import Stock
from tests.e2e.processes import Program, Served
from tests.e2e.wire import END, Answer, Wire, file_head, form

MEBIBYTE = 1 << 20
ROOM = 4
HUGE = 200 * MEBIBYTE


@pytest.fixture(scope="module")
def served(program: Program, stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    options = ("--max-in-flight", str(ROOM), "--max-megabytes", "4", "--port", "0")
    served = program.serve(tmp_path_factory.mktemp("log") / "log", "--data", stock.data, *options)
    try:
        served.wait_until_ready()
        assert served.post("/search", image=stock.picture).status_code == 200
        yield served
    finally:
        served.stop()


def must_work(served: Served, stock: Stock) -> None:
    """A search is answered as it should be, and nothing else is going on."""
    found = served.post("/search", image=stock.picture)
    assert found.status_code == 200
    assert found.json()["results"][0]["key"] == "000.jpg"
    served.until(lambda: served.in_flight() == 0, "all permits are back")


def send_huge(served: Served, *, told: bool, stubborn: bool) -> tuple[Answer, int, int]:
    """Send 200 MB; a stubborn client does not look whether it was refused meanwhile.

    Gives the answer, the bytes that were sent, and by how many bytes the service grew.
    """
    piece = bytes(MEBIBYTE)
    sent, before = 0, served.memory()
    most = before
    with Wire(served.port) as wire:
        wire.begin("/search", f"Content-Length: {HUGE}" if told else "Transfer-Encoding: chunked")
        send = wire.send if told else wire.send_chunk
        send(file_head("image"))
        while sent < HUGE and (stubborn or not wire.has_answer()):
            send(piece)
            sent += len(piece)
            most = max(most, served.memory())
        answer = wire.answer()
    return answer, sent, max(most, served.memory()) - before


@pytest.mark.parametrize("told", [True, False], ids=["length-told", "in-chunks"])
def test_an_upload_of_200_mb_is_refused_while_it_arrives(served: Served, stock: Stock, told: bool) -> None:
    answer, sent, grown = send_huge(served, told=told, stubborn=False)
    assert (answer.status, answer.json()["code"]) == (413, "body-too-large")
    assert sent < 40 * MEBIBYTE, "what the form may have, and what the system keeps for the connection"
    assert grown < 30 * MEBIBYTE
    must_work(served, stock)


def test_a_form_of_countless_parts_is_refused_with_the_first_too_many(served: Served, stock: Stock) -> None:
    """They would all be counted only once all have been read, if they were not counted as they come."""
    part = b'\r\n--a-boundary\r\nContent-Disposition: form-data; name="k"\r\n\r\n'
    for path in ("/search", "/compare"):
        with Wire(served.port) as wire:
            wire.begin(path, f"Content-Length: {60_000 * len(part)}")
            wire.send(part * 100)
            assert wire.answer().json()["errors"][0]["code"] == "repeated", "though the rest was never sent"
            wire.send(part * 50_000)
            assert served.get("/health").status_code == 200
    must_work(served, stock)


def test_a_client_that_goes_on_sending_after_it_was_refused_costs_no_memory(served: Served, stock: Stock) -> None:
    answer, sent, grown = send_huge(served, told=False, stubborn=True)
    assert (answer.status, sent) == (413, HUGE)
    assert grown < 30 * MEBIBYTE
    must_work(served, stock)


def test_a_client_that_asks_first_is_refused_without_its_body(served: Served, stock: Stock) -> None:
    with Wire(served.port) as wire:
        wire.begin("/search", f"Content-Length: {HUGE}", "Expect: 100-continue")
        assert wire.answer().status == 413
    body = form(stock.picture)
    with Wire(served.port) as wire:
        wire.begin("/search", f"Content-Length: {len(body)}", "Expect: 100-continue")
        assert wire.answer().status == 100
        wire.send(body)
        assert wire.answer().json()["results"][0]["key"] == "000.jpg"


def test_a_client_that_leaves_while_it_sends_is_let_go(served: Served, stock: Stock) -> None:
    before = served.abandoned()
    with Wire(served.port) as wire:
        wire.begin("/search", "Content-Length: 100000")
        wire.send(file_head("image") + stock.picture)
        served.until(lambda: served.uploading() == 100_000, "the request is being read")
    served.until(lambda: served.abandoned() == before + 1, "it is noticed that the client left")
    must_work(served, stock)
    assert [line["code"] for line in served.events("request") if line.get("code") == "internal"] == []


def test_a_client_that_leaves_while_it_waits_is_let_go(served: Served, stock: Stock) -> None:
    before = served.abandoned()
    body = form(*[stock.picture] * 64)
    with Wire(served.port) as wire:
        wire.begin("/search/batch", f"Content-Length: {len(body)}")
        wire.send(body)
    served.until(lambda: served.abandoned() == before + 1, "it is noticed that the client left")
    must_work(served, stock)
    (line,) = [line for line in served.events("request") if line["route"] == "/search/batch"]
    assert line["status"] == 499


def crowd(served: Served, stock: Stock, size: int) -> list[httpx.Response]:
    """The answers to so many searches at once."""
    together = threading.Barrier(size)

    def search(_: int) -> httpx.Response:
        # A client each: a shared pool closes idle connections that another thread has just been given.
        with httpx.Client(base_url=served.url, timeout=60, trust_env=False) as client:
            together.wait()
            return client.post("/search", files={"image": ("query.jpg", stock.picture)})

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(search, range(size)))


def refusals(answers: list[httpx.Response]) -> int:
    """How many were refused for want of room; all others must have been answered."""
    refused = [answer for answer in answers if answer.status_code == 429]
    for answer in refused:
        assert answer.json()["code"] == "overloaded"
        assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert {answer.status_code for answer in answers if answer not in refused} <= {200}
    return len(refused)


def test_while_all_room_is_taken_every_other_request_is_told_when_to_come_again(served: Served, stock: Stock) -> None:
    body = form(stock.picture)
    half = len(body) // 2
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(served.port)) for _ in range(ROOM)]
        for wire in wires:
            # Of a length that is not told, the largest that may be is kept free.
            wire.begin("/search", "Transfer-Encoding: chunked")
            wire.send_chunk(body[:half])
        served.until(lambda: served.uploading() >= ROOM * 4 * 1024 * 1024, "all room is taken")
        assert refusals(crowd(served, stock, 100)) == 100
        assert served.get("/ready").status_code == 200
        for wire in wires:
            wire.send_chunk(body[half:])
            wire.send(b"0\r\n\r\n")
        assert [wire.answer().status for wire in wires] == [200] * ROOM
    must_work(served, stock)


def test_of_a_hundred_requests_at_once_each_is_answered_or_told_when_to_come_again(
    served: Served, stock: Stock
) -> None:
    assert refusals(crowd(served, stock, 100)) < 100
    must_work(served, stock)


def test_no_log_line_has_the_name_or_the_key_of_a_picture(served: Served) -> None:
    lines = served.log
    assert len([line for line in lines if line["event"] == "request"]) >= 1
    assert not [line for line in lines if "000.jpg" in str(line) or "query.jpg" in str(line)]


def test_what_ends_a_form_is_needed(served: Served, stock: Stock) -> None:
    body = form(stock.picture).removesuffix(END)
    with Wire(served.port) as wire:
        wire.begin("/search", f"Content-Length: {len(body)}")
        wire.send(body)
        answer = wire.answer()
        assert (answer.status, answer.json()["code"]) == (400, "form-invalid")


def test_a_head_without_end_is_refused(served: Served, stock: Stock) -> None:
    with Wire(served.port) as wire:
        wire.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 64 * 1024)
        # Byte by byte from the limit on: what is unread when a connection is closed can take the answer with it.
        for _ in range(10):
            wire.send(b"x")
            if wire.has_answer(within=2.0):
                break
        assert wire.answer().status == 431
    must_work(served, stock)
