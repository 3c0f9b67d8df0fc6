"""A refusal is an exception that says what, where and under which number the log has it."""

from __future__ import annotations

import httpx2
import pytest

from lookalike.client import (
    AnswerInvalidError,
    ClientError,
    ConflictError,
    ConnectionFailedError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    PreconditionFailedError,
    ServiceError,
    ServiceFailedError,
    TooBusyError,
    UnauthorizedError,
    UnavailableError,
)
from service.http.problems import STATUS
from tests.unit.lookalike.client.pretended import VERSION, Pretended, answer, problem

KINDS = {
    400: InvalidRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: InvalidRequestError,
    408: InvalidRequestError,
    409: ConflictError,
    412: PreconditionFailedError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    423: ConflictError,
    429: TooBusyError,
    500: ServiceFailedError,
    502: ServiceFailedError,
    503: UnavailableError,
    504: ServiceFailedError,
    507: ServiceFailedError,
}


@pytest.mark.parametrize("status", sorted(set(STATUS.values()) | set(KINDS)))
def test_every_status_of_the_service_has_its_exception(status: int) -> None:
    with (
        Pretended([answer(status, problem(status, "a-code"))]).client(retries=0) as client,
        pytest.raises(ServiceError) as refused,
    ):
        client.version()
    assert type(refused.value) is KINDS[status]
    assert isinstance(refused.value, ClientError)


def test_an_exception_has_what_the_service_said() -> None:
    field = {"field": "k", "code": "out-of-range", "message": "must be at most 1000"}
    body = problem(422, "field-invalid", detail="k: must be at most 1000", errors=[field], title="Unprocessable")
    with Pretended([answer(422, body)]).client() as client, pytest.raises(InvalidRequestError) as refused:
        client.search(b"picture", k=9999)
    error = refused.value
    assert (error.status, error.code, error.title) == (422, "field-invalid", "Unprocessable")
    assert (error.detail, error.request_id) == ("k: must be at most 1000", "a-1")
    assert [(wrong.field, wrong.code) for wrong in error.errors] == [("k", "out-of-range")]
    assert "field-invalid (422)" in str(error)
    assert "must be at most 1000" in str(error)


def test_what_a_proxy_answers_is_told_as_it_is() -> None:
    page = httpx2.Response(502, content=b"<h1>Bad gateway</h1>", headers={"content-type": "text/html"})
    with Pretended([page]).client() as client, pytest.raises(ServiceFailedError, match="Bad gateway") as refused:
        client.version()
    assert (refused.value.status, refused.value.code) == (502, "status-502")


def test_a_redirection_says_where_to() -> None:
    moved = httpx2.Response(308, headers={"location": "https://shop.example/images/version"})
    with Pretended([moved]).client() as client, pytest.raises(ServiceError, match=r"https://shop\.example/images/ver"):
        client.version()


def test_an_answer_of_another_program_is_no_answer() -> None:
    bodies: list[object] = [[], {"version": 1}, {}]
    for body in bodies:
        with Pretended([answer(200, body)]).client() as client, pytest.raises(AnswerInvalidError, match="VersionAnsw"):
            client.version()


def test_fields_that_a_newer_service_adds_are_passed_over() -> None:
    with Pretended([answer(200, {**VERSION, "new": {"of": "tomorrow"}})]).client() as client:
        assert client.version().torch == "2"


def test_a_service_that_is_not_there_is_named() -> None:
    with (
        Pretended([httpx2.ConnectError]).client(retries=0) as client,
        pytest.raises(ConnectionFailedError, match=r"http://shop.example/images/? cannot be reached"),
    ):
        client.version()
