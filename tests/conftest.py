"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from lookalike.encoder.export.cache import EXPORTS
from lookalike.wiring import prefer_runtime, preferred_runtime
from tests.helpers.databases import migrated, new_postgres_database, postgres_server
from tests.helpers.examples import THOROUGH

settings.register_profile(THOROUGH)

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
    """A folder of encoders for all processes that run tests: what one exports, which takes seconds, all have."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "encoders"
    (folder / EXPORTS).mkdir(parents=True, exist_ok=True)
    return folder


ShareExports = Callable[[Path], Path]


@pytest.fixture(scope="session")
def share_exports(encoders_folder: Path) -> ShareExports:
    """A function that makes a folder of encoders with all exports and nothing else in it, and returns the folder."""

    def make(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / EXPORTS).symlink_to(encoders_folder / EXPORTS)
        return folder

    return make


@pytest.fixture(scope="module")
def encoders_dir(tmp_path_factory: pytest.TempPathFactory, share_exports: ShareExports) -> Path:
    """A folder of encoders for a module: what runs the default encoder is found out once."""
    return share_exports(tmp_path_factory.mktemp("encoders"))


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


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables and nothing in them."""
    path = tmp_path_factory.mktemp("migrated") / "catalogue.db"
    migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres: str) -> str:
    """URL of a PostgreSQL database with the tables and nothing in them."""
    return migrated(new_postgres_database(postgres))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database of each kind that the catalogue supports, with the tables and nothing in them.

    A copy takes a third of the time of the migrations.
    """
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_sqlite'), tmp_path)}"
    return new_postgres_database(request.getfixturevalue("postgres"), request.getfixturevalue("migrated_postgres"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database of each kind without any tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalogue.db'}"
    return new_postgres_database(request.getfixturevalue("postgres"))
