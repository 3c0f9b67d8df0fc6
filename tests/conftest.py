"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lookalike.wiring import prefer_runtime, preferred_runtime
from tests.helpers.databases import new_postgres_database, postgres_server

REPOSITORY = Path(__file__).resolve().parent.parent
USERS_RUNTIME = "onnxruntime"
"""What runs encoders where the programs are tried as users run them.

It runs the default encoder, ``bundled-int8``, and starts fastest: nothing is measured, nothing compiled in every new
folder, as ``auto`` does; and PyTorch, which cannot run that encoder, is not loaded.
"""


@pytest.fixture(scope="session", autouse=True)
def reference_runtime() -> Iterator[None]:
    """Tests run encoders on PyTorch, here and in the processes that they start, unless they say otherwise.

    Networks other than int8 ones would first have to be exported, into each test's own folder of encoders.
    """
    with running_on("torch"):
        yield


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home of the tests' own: no encoder that a user keeps has a say in them, and none is left there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@contextmanager
def running_on(runtime: str = USERS_RUNTIME) -> Iterator[None]:
    """What runs encoders meanwhile, here and in the processes that are started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOKALIKE_RUNTIME", runtime)
        before = preferred_runtime()
        prefer_runtime(runtime)
        try:
            yield
        finally:
            prefer_runtime(before)


@pytest.fixture(scope="session")
def encoders_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of encoders for all tests of runtimes: what one of them exports, which takes seconds, all have."""
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture(scope="module")
def encoders_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of encoders for a module: what runs the default encoder is found out once."""
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real pictures beside the checkout; tests that need it skip without it."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"the folder of real pictures is not there ({folder})")
    return folder


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server."""
    yield from postgres_server(tmp_path_factory.mktemp("postgres"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database, of each kind that the catalogue supports."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalogue.db'}"
    return new_postgres_database(request.getfixturevalue("postgres"))
