"""What runs lookalike elsewhere, image, Compose, units, examples and their page, agrees with the program."""

from __future__ import annotations

import http.server
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from indexer.cli import all_commands
from indexer.cli import app as indexer_app
from lookalike.errors import coded_errors
from service.cli import app as service_app
from service.errors import request_errors
from service.telemetry.metrics import Metrics
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Run, run, write_pictures

__all__ = ["run"]

DEPLOY = REPOSITORY / "deploy"
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
FILES = [
    REPOSITORY / "Dockerfile",
    REPOSITORY / "docker-compose.yml",
    REPOSITORY / "docs" / "operations.md",
    *sorted(path for path in DEPLOY.iterdir() if path.is_file()),
]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
KEY = "0123456789abcdef"

yaml: Any = importlib.import_module("yaml")  # comes with timm, without types


def variables(command: Any) -> set[str]:
    """The environment variables that a command can be told by."""
    found: set[str] = set()
    for parameter in command.params:
        named = parameter.envvar or []
        found |= {named} if isinstance(named, str) else set(named)
    return found


def service_variables() -> set[str]:
    return variables(typer.main.get_command(service_app))


def final_stage() -> list[str]:
    """The instructions of the image's last stage, each on one line."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE))
    lines = [line for line in joined.splitlines() if line.strip()]
    start = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    return lines[start:]


def instruction(name: str) -> str:
    """What the only instruction of that name in the last stage says."""
    (line,) = [line for line in final_stage() if line.startswith(f"{name} ")]
    return line.removeprefix(f"{name} ")


def image_environment() -> dict[str, str]:
    return dict(re.findall(r"([A-Z_]+)=(\"[^\"]*\"|\S+)", instruction("ENV")))


def compose_file() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


# Settings


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_variable_that_is_named_exists(path: Path) -> None:
    named = set(re.findall(r"\bLOOKALIKE_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    commands = [typer.main.get_command(indexer_app), *all_commands().values()]
    assert named <= service_variables().union(*map(variables, commands))


def test_every_setting_of_the_service_can_be_given_through_compose() -> None:
    given = set(compose_file()["services"]["service"]["environment"])
    assert service_variables() - {"PORT"} <= given | set(image_environment())


def test_addresses_are_of_this_machine_or_of_nobody() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        hosts = set(re.findall(r"\b(?:[a-z0-9-]+\.)+(?:org|com|net|io|dev)\b", text))
        assert hosts <= {"images.example.org", "registry.example.org"}, path
        called = set(re.findall(r"https?://([^/\s\"':;`]*)", text)) - {"{host}"}
        assert called <= {"127.0.0.1", "lookalike"}, path


# The image


def test_the_image_runs_as_a_plain_user_given_by_number() -> None:
    user, group = instruction("USER").split(":")
    assert int(user) >= 1000
    assert int(group) >= 1000


def test_the_image_starts_its_programs_without_a_shell() -> None:
    assert json.loads(instruction("CMD")) == ["python", "-m", "service"]
    assert json.loads(instruction("ENTRYPOINT")) == ["/usr/bin/tini", "--"]
    check = json.loads(instruction("HEALTHCHECK").partition(" CMD ")[2])
    assert check == ["python", "/opt/lookalike/share/healthcheck.py"]
    assert instruction("STOPSIGNAL") == "SIGTERM"


def test_the_image_is_built_only_if_the_operator_is_there() -> None:
    proofs = [line for line in final_stage() if line.startswith("RUN ") and "require_operator()" in line]
    assert len(proofs) == 1
    assert final_stage().index(proofs[0]) > final_stage().index(f"USER {instruction('USER')}")


def test_the_image_keeps_no_key_and_no_address_of_an_index() -> None:
    words = set(image_environment()) | set(re.findall(r"(?m)^ARG (\w+)", "\n".join(final_stage())))
    assert not [word for word in words if re.search("KEY|PASSWORD|TOKEN|INDEX|DATABASE", word)]


def test_base_images_are_pinned_by_tag() -> None:
    (base,) = re.findall(r"(?m)^ARG PYTHON_IMAGE=(\S+)", DOCKERFILE)
    database = compose_file()["services"]["postgres"]["image"]
    assert re.fullmatch(r"python:3\.11-slim-bookworm", base)
    assert re.search(r":-postgres:\d+-bookworm}$", database)
    assert set(re.findall(r"(?m)^FROM (\S+)", DOCKERFILE)) == {"${PYTHON_IMAGE}", "dependencies"}


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["project"]["version"]
    assert f"ARG VERSION={version}\n" in DOCKERFILE
    tags = re.findall(r"image: registry\.example\.org/lookalike:(\S+)", (DEPLOY / "kubernetes.yaml").read_text())
    assert set(tags) == {version}


def test_the_builder_gets_what_the_image_is_made_of_and_nothing_else() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert [name for name in let_in if not (REPOSITORY / name).exists()] == []
    copied = [words.split()[:-1] for words in re.findall(r"(?m)^COPY (?!--)(.*)$", DOCKERFILE)]
    assert {name for names in copied for name in names} - {"."} <= let_in
    assert {"pyproject.toml", "setup.py", "README.md", "ext/csrc", "migrations"} <= let_in
    assert not let_in & {"data", "demo", ".env", ".git", "tests"}


# Compose


@pytest.fixture
def compose(tmp_path: Path) -> Any:
    """``docker compose`` in a copy of the file's folder: words for .env, arguments -> how it ended."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("there is no docker command")
    there = subprocess.run([docker, "compose", "version"], capture_output=True, text=True, check=False)
    if there.returncode != 0:
        pytest.skip("this docker has no compose")
    shutil.copy(REPOSITORY / "docker-compose.yml", tmp_path)
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "DOCKER_CONFIG"}}

    def run_compose(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        command = [docker, "compose", *arguments, "config", "--format", "json"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run_compose


MINIMAL = {"LOOKALIKE_API_KEYS": f"read:{KEY}", "PICTURES": "/srv/pictures"}


@pytest.mark.parametrize("profiles", [[], ["indexer"], ["postgres"], ["indexer", "postgres"]], ids=str)
def test_compose_takes_the_file_in_every_profile(compose: Any, profiles: list[str]) -> None:
    ended = compose(MINIMAL, *(word for profile in profiles for word in ("--profile", profile)))
    assert ended.returncode == 0, ended.stderr
    services = json.loads(ended.stdout)["services"]
    assert set(services) == {"service", *profiles}
    assert services["service"]["environment"]["LOOKALIKE_DATABASE_URL"] == ""
    assert services["service"]["environment"]["LOOKALIKE_API_KEYS"] == f"read:{KEY}"


@pytest.mark.parametrize("missing", MINIMAL)
def test_compose_says_what_is_missing(compose: Any, missing: str) -> None:
    ended = compose({name: value for name, value in MINIMAL.items() if name != missing})
    assert ended.returncode != 0
    assert f"required variable {missing} is missing a value: say in .env" in ended.stderr


def test_a_password_for_postgresql_moves_the_catalogue_there(compose: Any) -> None:
    ended = compose({**MINIMAL, "COMPOSE_PROFILES": "postgres,indexer", "POSTGRES_PASSWORD": "a/b@c"})
    assert ended.returncode == 0, ended.stderr
    services = json.loads(ended.stdout)["services"]
    for name in ("service", "indexer"):
        environment = services[name]["environment"]
        assert environment["LOOKALIKE_DATABASE_URL"] == "postgresql+psycopg://lookalike@postgres/lookalike"
        assert environment["PGPASSWORD"] == "a/b@c"
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == "a/b@c"


def test_keys_may_come_from_a_file(compose: Any) -> None:
    ended = compose({**MINIMAL, "LOOKALIKE_API_KEYS": "", "API_KEYS_FILE": "/etc/keys"})
    assert ended.returncode == 0, ended.stderr
    made = json.loads(ended.stdout)
    assert made["secrets"]["api-keys"]["file"] == "/etc/keys"
    (secret,) = made["services"]["service"]["secrets"]
    assert made["services"]["service"]["environment"]["LOOKALIKE_API_KEYS_FILE"] == f"/run/secrets/{secret['source']}"


def test_containers_are_locked_down() -> None:
    services = compose_file()["services"]
    assert set(services) == {"service", "indexer", "postgres"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert any(place.startswith("/tmp:") for place in service["tmpfs"])
        assert "privileged" not in service
    assert [port.partition(":-")[2][:9] for port in services["service"]["ports"]] == ["127.0.0.1"]
    assert "ports" not in services["postgres"]


def test_compose_has_no_key_of_its_own() -> None:
    services = compose_file()["services"]
    assert services["service"]["environment"]["LOOKALIKE_API_KEYS"].startswith("${LOOKALIKE_API_KEYS?say")
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == "${POSTGRES_PASSWORD:-}"


def test_service_and_indexer_see_the_pictures_under_one_path() -> None:
    services = compose_file()["services"]
    assert services["service"]["volumes"] == services["indexer"]["volumes"]
    (pictures,) = [place for place in services["service"]["volumes"] if isinstance(place, dict)]
    assert (pictures["target"], pictures["read_only"]) == ("/pictures", True)


# Units and examples


def test_both_units_are_locked_down_alike() -> None:
    def sandbox(name: str) -> list[str]:
        lines = (DEPLOY / name).read_text(encoding="utf-8").splitlines()
        keys = r"(Protect|Private|Restrict|SystemCall|Capability|Ambient|Lock|NoNew|Remove|User|Group|State|UMask)"
        return sorted(line for line in lines if re.match(keys, line) and not line.startswith("RestrictStart"))

    service, index = sandbox("lookalike.service"), sandbox("lookalike-index.service")
    assert service == index
    assert {"ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "User=lookalike"} <= set(service)


def test_pods_do_not_take_a_service_for_their_port() -> None:
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
    by_kind = {document["kind"]: document["spec"] for document in documents}
    pods = [by_kind["Deployment"]["template"]["spec"], by_kind["CronJob"]["jobTemplate"]["spec"]["template"]["spec"]]
    for pod in pods:
        (container,) = pod["containers"]
        assert pod["enableServiceLinks"] is False
        assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == instruction("USER")
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


# Health check


@pytest.fixture
def fake_service() -> Iterator[Any]:
    """A server that answers every GET with its ``status`` and keeps path and Host of the last."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked = (self.path, self.headers["Host"])
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the test is not about it."""

    server: Any = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.asked = 200, None
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def check_health(**environment: str) -> int:
    command = [sys.executable, str(DEPLOY / "healthcheck.py")]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode


def test_a_service_that_answers_is_healthy(fake_service: Any) -> None:
    port = str(fake_service.server_port)
    assert check_health(LOOKALIKE_HOST="0.0.0.0", LOOKALIKE_PORT=port, PORT="1") == 0
    assert fake_service.asked == ("/health", f"127.0.0.1:{port}")
    assert check_health(PORT=port, LOOKALIKE_ALLOWED_HOSTS="images.example.org, b") == 0
    assert fake_service.asked == ("/health", "images.example.org")


def test_a_service_that_does_not_answer_well_is_not_healthy(fake_service: Any) -> None:
    port = str(fake_service.server_port)
    fake_service.status = 500
    assert check_health(LOOKALIKE_PORT=port) == 1
    assert check_health(LOOKALIKE_PORT=port, LOOKALIKE_HOST="127.0.0.2") == 1


# Backup


@pytest.fixture
def backup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("backup", DEPLOY / "backup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_restored_backup_answers_as_before_and_goes_on(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "shop", 4)
    run("index", "shop", "-c", "shop")
    made = subprocess.run(
        [sys.executable, DEPLOY / "backup.py", "data", "copies/today"], capture_output=True, check=True
    )
    assert made.stdout.decode().splitlines() == ["shop: snapshot 1", "catalogue: SQLite", "in copies/today"]
    (tmp_path / "shop" / "000.jpg").unlink()
    assert run("index", "shop", "-c", "shop", "--json").answer["items"] == 3

    shutil.rmtree("data")
    shutil.copytree("copies/today", "data")
    proved = run("verify", "-c", "shop", "--json")
    assert (proved.code, proved.answer["checked"]) == (3, 3)  # one picture is no longer as it was
    assert run("index", "shop", "-c", "shop", "--json").answer["items"] == 3
    assert run("verify", "-c", "shop").code == 0


def test_a_publish_in_the_middle_of_a_backup_does_no_harm(run: Run, backup: ModuleType, tmp_path: Path) -> None:
    write_pictures(tmp_path / "shop", 4)
    run("index", "shop", "-c", "shop")
    backup.copy_snapshot(Path("data/collections/shop"), Path("copy/collections/shop"))
    (tmp_path / "shop" / "000.jpg").unlink()
    run("index", "shop", "-c", "shop")
    backup.copy_catalogue(Path("data/catalogue.db"), Path("copy/catalogue.db"))
    proved = run("verify", "-c", "shop", "--data", "copy", "--json")
    assert (proved.code, proved.answer["items"], proved.answer["checked"]) == (3, 4, 3)


def test_a_damaged_snapshot_is_not_backed_up(
    run: Run, backup: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(tmp_path / "shop", 2)
    run("index", "shop", "-c", "shop")
    vectors = Path("data/collections/shop/snapshots/00000001/vectors.npy")
    vectors.write_bytes(vectors.read_bytes()[:-4] + b"\0\0\0\0")
    assert backup.main(["data", "copy"]) == 1
    assert "vectors.npy does not match its checksum" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "shop"]


# The page


def test_every_error_code_is_explained_to_the_operator() -> None:
    codes = {error.code for error in coded_errors()} | {error.code for error in request_errors()}
    assert codes - set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", OPERATIONS)) == set()


def test_every_measurement_that_is_named_is_made() -> None:
    made = set(re.findall(r"(?m)^# HELP (lookalike_\w+)", Metrics().text().decode()))
    assert set(re.findall(r"\blookalike_\w+", OPERATIONS)) == {name for name in made if not name.endswith("_created")}
    assert set(re.findall(r"\blookalike_\w+", (DEPLOY / "alerts.yml").read_text(encoding="utf-8"))) <= made
