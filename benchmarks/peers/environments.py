"""An environment for each peer, outside the repository, and running a script in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.registry import OURS, Peer

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
LONGEST = 3600
"""Seconds after which a peer counts as hanging."""
REASON_LENGTH = 240


class PeerFailedError(Exception):
    """A peer could not be installed or run; the message is the last thing it said, shortened."""


class Environments:
    """The environments under one folder, made when they are first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._failed: dict[str, str] = {}
        self._weights: set[tuple[str, ...]] = set()

    def run(self, peer: Peer, *arguments: str | Path, **variables: str) -> dict[str, Any]:
        """Run a peer's script to its end and give the JSON object it wrote; raises PeerFailedError."""
        python = self._python(peer.environment)
        if peer.weights and peer.weights not in self._weights:
            self._spawn(python, "random_weights", peer.weights, {}, peer.name)
            self._weights.add(peer.weights)
        extra = (*peer.arguments, *map(str, arguments))
        written = self._spawn(python, peer.script, extra, {**peer.variables, **variables}, peer.name)
        figures: dict[str, Any] = json.loads(written.splitlines()[-1])
        return figures

    def _python(self, name: str) -> Path:
        """The interpreter of an environment, which is made if it is not there or its requirements have changed."""
        if name == OURS:
            return Path(sys.executable)
        if name in self._failed:
            raise PeerFailedError(self._failed[name])
        folder, requirements = self._root / name, HERE / "requirements" / f"{name}.txt"
        python, made = folder / "bin" / "python", folder / "made-of.txt"
        wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
        if not made.exists() or made.read_text(encoding="ascii") != wanted:
            print(f"making the environment {name}", file=sys.stderr, flush=True)
            try:
                self._finish([sys.executable, "-m", "venv", str(folder)], {}, f"{name}-venv")
                self._finish([str(python), "-m", "pip", "install", "-q", "-r", str(requirements)], {}, f"{name}-pip")
            except PeerFailedError as error:
                self._failed[name] = f"cannot be installed: {error}"
                raise PeerFailedError(self._failed[name]) from error
            made.write_text(wanted, encoding="ascii")
        return python

    def _spawn(self, python: Path, script: str, arguments: tuple[str, ...], variables: dict[str, str], log: str) -> str:
        offline = {
            "TORCH_HOME": str(self._root / "cache" / "torch"),
            "HF_HOME": str(self._root / "cache" / "hf"),
            "HF_HUB_OFFLINE": "1",
            "WANDB_MODE": "disabled",
        }
        command = [str(python), "-m", f"benchmarks.peers.scripts.{script}", *arguments]
        return self._finish(command, {**offline, **variables}, log)

    def _finish(self, command: list[str], variables: dict[str, str], log: str) -> str:
        """What a command wrote to stdout; its stderr stays in a file under ``logs``."""
        path = self._root / "logs" / f"{log}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as errors:
            try:
                done = subprocess.run(
                    command,
                    cwd=REPOSITORY,
                    env={**os.environ, **variables},
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    timeout=LONGEST,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise PeerFailedError(f"had not ended after {LONGEST} s") from error
        if done.returncode:
            raise PeerFailedError(_reason(path.read_text(encoding="utf-8", errors="replace"), done.returncode))
        return done.stdout.decode()


def _reason(said: str, code: int) -> str:
    """The line that says what went wrong: pip's first error, or else the last line, without addresses."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    line = (errors or lines[-1:] or [f"exit code {code}"])[0 if errors else -1]
    return re.sub(r"(https?|file)://\S+", "(address)", line)[:REASON_LENGTH]
