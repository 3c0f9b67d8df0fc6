"""Runs verbs of the indexer, each in a process of its own that begins with what takes long to import already there.

A script: it imports the packages, says how many modules they have, and reads calls from its standard input, a JSON list
of arguments a line. Each is answered with its exit code, a line too; what the verb prints goes to standard error.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import sys

import indexer
import lookalike
import service

COMPILED = {f"lookalike.{name}" for name in ("_hnsw_search", "_openvino", "_operators", "_resize")}
"""Libraries that are no modules of Python."""


def import_all() -> int:
    """Import all modules of the packages, and the largest of what they import later; how many modules they have."""
    count = 0
    for package in (indexer, lookalike, service):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            is_program = module.name.startswith("lookalike.migrations.") or module.name.endswith("__main__")
            if not is_program and module.name not in COMPILED:
                importlib.import_module(module.name)
                count += 1
    importlib.import_module("lookalike.encoder.torchvision_shim").ensure_torchvision()
    for name in ("timm", "onnxscript"):
        importlib.import_module(name)
    return count


def serve() -> None:
    """Until standard input ends."""
    from indexer.__main__ import main

    sys.stdout.write(f"{import_all()}\n")
    sys.stdout.flush()
    gc.collect()
    gc.freeze()  # children that do not look at these objects share their memory
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            sys.argv = ["indexer", *json.loads(line)]
            main()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
