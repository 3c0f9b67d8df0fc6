"""Asks the service on this machine for /health, as a container's health check does; exits with 0 if it answers, else 1.

Where the service listens is read from its own environment variables.
"""

from __future__ import annotations

import http.client
import os
import sys

PATIENCE_S = 4.0
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # what to call where it listens everywhere


def address() -> tuple[str, int]:
    """Host and port at which the service can be called from its own machine."""
    host = os.environ.get("LOOKALIKE_HOST", "")
    port = os.environ.get("LOOKALIKE_PORT") or os.environ.get("PORT") or "8000"
    return EVERYWHERE.get(host, host), int(port)


def host_header() -> dict[str, str]:
    """The Host header to send: a name that the service answers to, where only some are allowed."""
    allowed = [name.strip() for name in os.environ.get("LOOKALIKE_ALLOWED_HOSTS", "").split(",")]
    return {"Host": allowed[0]} if allowed[0] else {}


def main() -> int:
    """The exit code; says why on stderr if it is not 0."""
    host, port = address()
    # Not urllib: it would go through the proxy that the environment may name.
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/health", headers=host_header())
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"no answer from {host}:{port} ({error})\n")
        return 1
    finally:
        connection.close()
    if status != http.HTTPStatus.OK:
        sys.stderr.write(f"{host}:{port} answered /health with {status}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
