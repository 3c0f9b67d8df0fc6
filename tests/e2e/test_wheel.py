"""What is in the wheel, what is not, and that the installed program runs on nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.processes import Program
from tests.helpers.wheel import packaged

pytestmark = pytest.mark.slow

OPERATOR = "lookalike/_operators.abi3.so"
PIXELS = "lookalike/_resize.abi3.so"
COMPILED = {OPERATOR, PIXELS, "lookalike/_hnsw_search.abi3.so", "lookalike/_openvino.abi3.so"}
WEIGHTS = "lookalike/encoder/bundled/bundled.safetensors"
WHERE = """
import torch
import indexer, lookalike, lookalike.migrations, service
from lookalike.encoder.network.operators import operator_status, require_operator
from lookalike.images import describe_resize_library
require_operator()

for module in (indexer, lookalike, lookalike.migrations, service):
    print(module.__file__)
print(*torch.ops.loaded_libraries, sep="\\n")
print(operator_status().available, operator_status().path)
print(describe_resize_library())
"""


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_it_holds_every_file_of_the_packages_and_nothing_else(names: set[str]) -> None:
    metadata = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - metadata == {*packaged(), *COMPILED}
    kinds = {Path(name).suffix for name in names - metadata}
    assert kinds <= {
        ".py",
        ".so",
        ".safetensors",
        ".onnx",
        ".mako",
        ".j2",
        ".json",
        ".typed",
        ".html",
        ".css",
        ".js",
        ".svg",
    }
    assert {name.split("/")[1] for name in metadata} >= {"METADATA", "RECORD", "WHEEL", "entry_points.txt"}


@pytest.mark.parametrize("folder", ["service/static/", "service/static/js/", "lookalike/migrations/versions/"])
def test_it_holds_the_page_and_the_migrations(names: set[str], folder: str) -> None:
    there = {path.name for path in (REPOSITORY / folder.replace("lookalike/migrations", "migrations")).iterdir()}
    inside = {name.removeprefix(folder).split("/")[0] for name in names if name.startswith(folder)}
    assert inside == there - {"__pycache__"} != set()


def test_its_weights_are_those_of_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(WEIGHTS) == (REPOSITORY / WEIGHTS).read_bytes()


def test_it_is_for_every_python_from_the_oldest_that_is_supported(wheel: Path) -> None:
    _, _, python, abi, platform = wheel.stem.split("-")
    assert (python, abi) == ("cp311", "abi3")
    assert platform.startswith("linux_")


def test_the_installed_program_imports_itself_and_its_operator_from_the_wheel(program: Program) -> None:
    ended = program.run("-c", WHERE)
    assert ended.returncode == 0, ended.stderr
    (site,) = program.python.parents[1].glob("lib/python*/site-packages")
    assert ended.stdout.splitlines() == [
        str(site / "indexer/__init__.py"),
        str(site / "lookalike/__init__.py"),
        str(site / "lookalike/migrations/__init__.py"),
        str(site / "service/__init__.py"),
        str(site / OPERATOR),
        f"True {site / OPERATOR}",
        f"compiled ({Path(PIXELS).name})",
    ]
    assert not site.is_relative_to(REPOSITORY)


def test_its_commands_stand_beside_it_and_answer(program: Program) -> None:
    for command, words in {"lookalike": "index", "lookalike-service": "--port"}.items():
        ended = program.run(program.python.with_name(command), "--help")
        assert ended.returncode == 0, ended.stderr
        assert words in ended.stdout
