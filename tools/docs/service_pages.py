"""The pages of docs/ that describe the service, written by the service itself."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import typer

from lookalike.errors import LookalikeError, coded_errors
from lookalike.options import Places
from service.app import create_app
from service.cli import app as command_line
from service.errors import RequestError, request_errors
from service.http.body import MULTIPART_FORM
from service.http.problems import INDEXER_CODES, STATUS
from service.settings import Settings
from tools.docs.api_examples import PREPARATION, shown

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
WRITTEN = "*Written by the program (`make docs`); a test compares it.*"

API_HEAD = f"""# The HTTP API

{WRITTEN}

`make serve` or `python -m service` serves it; `/docs` shows it in a browser, `/openapi.json` is for machines
([openapi.json](openapi.json)). JSON is snake_case. Forms are `multipart/form-data`, as `curl -F` sends them, or, where
there is no file, `application/x-www-form-urlencoded`. Unknown and repeated fields
and query parameters are refused; the error names those that exist.

- Scores are cosines, -1 to 1. `normalized_score` is (cosine + 1) / 2. `similar` says whether the normalised score
  reaches `threshold.value`, and `threshold.source` where that comes from. Hits that were found by
  [words alone](text.md) have null for both scores.
- `tier` is `same-bytes`, `same-pixels`, `near-duplicate`, `similar` or `different`. The first three are decided on the
  pictures themselves, whatever the score is, and make `similar` true: a blurred copy may score below an unrelated
  picture. `/compare` always has it; searches have it for their first 20 hits with `tiers=true`, whose files are read.
- `explain=true` adds what each part of the encoder has to say (`score`) and adds to the score (`share`), and a heat map
  of either picture.
- `{{key}}` in a path is percent-encoded, a slash as `%2F`. `image_url` and `thumbnail_url` are so already.
- Every answer has `X-Request-ID` (yours, if you sent one). Answers from a collection have `X-Snapshot`, answers that
  took work `Server-Timing`. Collections, items, duplicates, images, thumbnails, `/version` and `/encoders` have an
  `ETag` and answer 304 to `If-None-Match`; searches, `/health`, `/ready` and `/metrics` do not.
- `took_ms` counts from when the body was read; `decode` and `encode` hold the time of waiting for a thread too,
  `pixels` is what tiers cost, and `explain` an explanation.
- With API keys: `Authorization: Bearer KEY`. `/health`, `/ready`, `/version` and the page itself want none.
"""

_PREPARATION = " and ".join(f"`python -m indexer {arguments}`" for arguments in PREPARATION)
EXAMPLES_HEAD = f"""The examples ask a service over the collection `shop`, which is made by
{_PREPARATION}. Answers are laid out, and long ones cut (`...`).
"""

CONFIGURATION_HEAD = f"""# Configuration of the service

{WRITTEN}

`python -m service` takes flags; each has an environment variable, so that a container needs nothing else. The
indexer's are in [cli.md](cli.md). What they mean in operation: [operations.md](operations.md).

| flag | variable | meaning | default |
| --- | --- | --- | --- |
"""


def openapi_document() -> str:
    """docs/openapi.json."""
    with tempfile.TemporaryDirectory() as folder:
        document = create_app(Settings(Places(Path(folder)))).openapi()
    return json.dumps(document, indent=1) + "\n"


def configuration_page() -> str:
    """docs/configuration.md."""
    command: Any = typer.main.get_command(command_line)
    rows = [_setting(option) for option in command.params if option.name != "help"]
    return CONFIGURATION_HEAD + "\n".join(rows) + "\n"


def _setting(option: Any) -> str:
    names = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar)
    variables = ", ".join(f"`{name}`" for name in names)
    default = option.default
    if option.name == "decoders":
        shown = "the number of cores"
    else:
        shown = "" if default is None or callable(default) else f"`{getattr(default, 'value', default)}`"
    meaning = " ".join((option.help or "").split()).replace("|", "\\|")
    return f"| `{option.opts[0]}` | {variables} | {meaning} | {shown} |"


def api_page() -> str:
    """docs/api.md."""
    document = json.loads(openapi_document())
    parts = [API_HEAD, "## Routes\n", EXAMPLES_HEAD]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(f"{method.upper()} {path.replace(':path', '')}", operation, document))
    parts.append(_errors())
    return "\n".join(parts)


def _operation(title: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    lines = [f"### {title}", "", _markdown(operation["description"]), "", *shown(title)]
    rows = [
        (parameter["name"], parameter["in"], parameter["schema"], parameter.get("description", ""))
        for parameter in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        form = body.get(MULTIPART_FORM, {}).get("schema", {}).get("properties", {})
        rows += [(name, "form", field, field.get("description", "")) for name, field in form.items()]
    if rows:
        lines += ["| field | in | what | meaning |", "| --- | --- | --- | --- |"]
        lines += [f"| `{name}` | {where} | {_kind(schema)} | {meaning} |" for name, where, schema, meaning in rows]
        lines.append("")
    good = next(response for status, response in operation["responses"].items() if status < "300")
    answer = good.get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in answer:
        properties = document["components"]["schemas"][answer["$ref"].rpartition("/")[2]]["properties"]
        lines += ["Answers " + ", ".join(f"`{name}`" for name in properties) + ".", ""]
    return "\n".join(lines)


def _kind(schema: dict[str, Any]) -> str:
    """A field's type and range in a few words."""
    choices = [choice for choice in schema.get("anyOf", [schema]) if choice.get("type") != "null"]
    words = " or ".join(_one_kind(choice) for choice in choices)
    default = schema.get("default")
    return words if default is None else f"{words}, default {default}"


def _one_kind(schema: dict[str, Any]) -> str:
    if schema.get("format") == "binary":
        return "file"
    if schema.get("type") == "array":
        return f"{_one_kind(schema['items'])}, {schema.get('minItems', 0)} to {schema.get('maxItems', 'any')} times"
    kind = {"integer": "whole number", "string": "text"}.get(schema.get("type", ""), schema.get("type", ""))
    if "minimum" not in schema:
        return str(kind)
    return f"{kind} {schema['minimum']:g}" + (f" to {schema['maximum']:g}" if "maximum" in schema else " and more")


def _markdown(text: str) -> str:
    """A docstring as one paragraph: in reStructuredText a literal has two backquotes."""
    return " ".join(text.replace("``", "`").split())


def _errors() -> str:
    lines = [
        "## Errors",
        "",
        "`application/problem+json`: `type`, `title`, `status`, `detail`, `instance`, `code`, `request_id`, and",
        "`errors` with `field`, `code` and `message` of each wrong field. 429 and 503 have `Retry-After` in seconds.",
        "",
        "| code | status | meaning |",
        "| --- | --- | --- |",
    ]
    known: list[type[LookalikeError] | type[RequestError]] = [*request_errors(), *coded_errors()]
    raised = [error for error in known if error.code not in INDEXER_CODES]
    for error in sorted(raised, key=lambda error: (STATUS[error.code], error.code)):
        lines.append(f"| `{error.code}` | {STATUS[error.code]} | {_markdown(error.__doc__ or '')} |")
    lines += ["", "The library and the indexer have others: [errors.md](errors.md)."]
    return "\n".join(lines) + "\n"


PAGES = {"openapi.json": openapi_document, "configuration.md": configuration_page, "api.md": api_page}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        sys.stderr.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()
