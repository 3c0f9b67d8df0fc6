"""The registry of kinds of jobs: the options of each, the command that it runs, and what is read of its answer.

A new kind is an entry in ``KINDS`` and a class of options in ``service.schemas.job_requests``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError, create_model

from lookalike.collection.snapshot import read_manifest
from lookalike.encoder.tags import require_head
from lookalike.filters import parse_filter
from service.errors import FieldInvalidError
from service.http.field_errors import fields_error, validation_problems
from service.http.forms import FIELD, Form
from service.jobs.index_jobs import check_index, check_reindex, index_command_of, reindex_command_of
from service.jobs.job_files import export_file_name
from service.jobs.reports import TABLE_FILE, ReportForm
from service.jobs.work import JobCommand, JobWork
from service.schemas.job_requests import (
    CalibrateOptions,
    ClusterOptions,
    DuplicatesOptions,
    EvaluateOptions,
    ExportOptions,
    IndexOptions,
    MapOptions,
    MislabelledOptions,
    OutliersOptions,
    ReindexOptions,
    TagOptions,
)


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of jobs.

    ``check`` raises what can be said before the job is queued; ``command`` gives the arguments of ``python -m indexer``
    when it begins; ``summary`` is what the job shows of its answer, and ``report`` what it leaves to be read.
    """

    options: type[Form]
    check: Callable[[JobWork], None]
    command: Callable[[JobWork], JobCommand]
    summary: Callable[[Mapping[str, Any]], dict[str, Any]]
    report: ReportForm


def options_by_flag(kind: JobKind) -> dict[str, str]:
    """How a job says what each flag of its command says, by the flag without its hyphens in front."""
    fields = kind.options.model_fields
    return {
        name.replace("_", "-"): f"{name}=true" if field.annotation is bool else name for name, field in fields.items()
    }


def _needs_collection(work: JobWork) -> None:
    work.require_collection()


def _duplicates_command(work: JobWork) -> JobCommand:
    options = work.options_as(DuplicatesOptions)
    flags = ["--tier", options.tier.value, "--neighbours", str(options.neighbours)]
    return JobCommand(["duplicates", "--collection", work.collection, *flags, "--out", str(work.folder / TABLE_FILE)])


def _calibrate_command(work: JobWork) -> JobCommand:
    options = work.options_as(CalibrateOptions)
    words = ["calibrate", "--collection", work.collection]
    words += [] if options.label is None else [f"--label={options.label}"]
    words += ["--labels-from-folders"] if options.labels_from_folders else []
    words += [] if options.precision is None else ["--precision", str(options.precision)]
    return JobCommand(words)


def _check_calibrate(work: JobWork) -> None:
    options = work.options_as(CalibrateOptions)
    if options.label is not None and options.labels_from_folders:
        raise FieldInvalidError("label and labels_from_folders exclude each other: send one of them", subject="label")
    work.require_collection()


def _evaluate_command(work: JobWork) -> JobCommand:
    options = work.options_as(EvaluateOptions)
    words = ["evaluate", "--collection", work.collection]
    words += [] if options.label is None else [f"--label={options.label}"]
    words += [] if options.limit is None else ["--limit", str(options.limit)]
    return JobCommand(words)


def _check_cluster(work: JobWork) -> None:
    options = work.options_as(ClusterOptions)
    if options.name_by is not None and options.names_from_folders:
        raise FieldInvalidError(
            "name_by and names_from_folders exclude each other: send one of them", subject="name_by"
        )
    if options.write is None and options.replace:
        raise FieldInvalidError("replace needs write: name the column", subject="replace")
    work.require_collection()
    if options.write is not None:
        work.layout.require_unpinned()


def _cluster_command(work: JobWork) -> JobCommand:
    options = work.options_as(ClusterOptions)
    words = [*_examining(work, "cluster", options.filter)]
    words += [] if options.count is None else ["--count", str(options.count)]
    words += [] if options.name_by is None else [f"--name-by={options.name_by}"]
    words += ["--names-from-folders"] if options.names_from_folders else []
    words += [] if options.write is None else [f"--write={options.write}", "--write-as", options.write_as.value]
    words += ["--replace"] if options.replace else []
    return JobCommand(words)


def _outliers_command(work: JobWork) -> JobCommand:
    options = work.options_as(OutliersOptions)
    words = [*_examining(work, "outliers", options.filter), "--by", options.by.value, "--top", str(options.top)]
    words += [] if options.nearest is None else ["--nearest", str(options.nearest)]
    return JobCommand(words)


def _check_mislabelled(work: JobWork) -> None:
    options = work.options_as(MislabelledOptions)
    if options.label is not None and options.labels_from_folders:
        raise FieldInvalidError("label and labels_from_folders exclude each other: send one of them", subject="label")
    work.require_collection()


def _mislabelled_command(work: JobWork) -> JobCommand:
    options = work.options_as(MislabelledOptions)
    words = [*_examining(work, "mislabelled", options.filter), "--margin", str(options.margin), "--top"]
    words += [str(options.top)] + ([] if options.label is None else [f"--label={options.label}"])
    words += ["--labels-from-folders"] if options.labels_from_folders else []
    return JobCommand(words)


def _examining(work: JobWork, verb: str, condition: str | None) -> list[str]:
    """The words that verbs share which examine a collection, or those of its items that pass a filter."""
    words = [verb, "--collection", work.collection, "--csv", str(work.folder / TABLE_FILE)]
    return words if condition is None else [*words, f"--where={condition}"]


def _check_export(work: JobWork) -> None:
    options = work.options_as(ExportOptions)
    if options.filter is not None:
        parse_filter(options.filter)
    work.require_collection()


def _export_command(work: JobWork) -> JobCommand:
    options = work.options_as(ExportOptions)
    out = work.folder / export_file_name(options.format.value)
    words = ["export-items", "--collection", work.collection, "--format", options.format.value]
    words += [] if options.filter is None else [f"--where={options.filter}"]
    words += [] if options.fields is None else [f"--fields={json.dumps(options.fields)}"]
    words += [] if options.vectors is None else ["--vectors" if options.vectors else "--no-vectors"]
    return JobCommand([*words, str(out)])


def _map_command(work: JobWork) -> JobCommand:
    return JobCommand(["map", "--collection", work.collection])


def _check_tag(work: JobWork) -> None:
    work.require_collection()
    work.layout.require_unpinned()
    if work.options_as(TagOptions).auto_tags:
        require_head(read_manifest(work.layout, work.layout.current()).encoder)


def _tag_command(work: JobWork) -> JobCommand:
    flags = [] if work.options_as(TagOptions).auto_tags else ["--off"]
    return JobCommand(["tag", work.collection, *flags])


def _fields(*names: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """What takes these fields of an answer."""
    return lambda answer: {name: answer[name] for name in names if name in answer}


def _evaluation(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The figures over all pictures; those of single classes are in the report."""
    encoders = [{"name": encoder["encoder"], **encoder["overall"]} for encoder in answer["encoders"]]
    return _fields("pictures", "classes", "labels_from", "unlabelled")(answer) | {"encoders": encoders}


_run_summary = _fields("snapshot", "items", "verdicts", "rejected_codes", "remarks", "excluded", "encoded", "seconds")

KINDS: Mapping[str, JobKind] = {
    "index": JobKind(IndexOptions, check_index, index_command_of, _run_summary, ReportForm.VERDICTS),
    "reindex": JobKind(ReindexOptions, check_reindex, reindex_command_of, _run_summary, ReportForm.VERDICTS),
    "tag": JobKind(TagOptions, _check_tag, _tag_command, _fields("snapshot", "items", "changed"), ReportForm.FIGURES),
    "duplicates": JobKind(
        DuplicatesOptions,
        _needs_collection,
        _duplicates_command,
        _fields("pictures", "copies", "bytes", "groups", "unreadable"),
        ReportForm.TABLE,
    ),
    "map": JobKind(
        MapOptions,
        _needs_collection,
        _map_command,
        _fields("snapshot", "items", "fitted", "seconds"),
        ReportForm.FIGURES,
    ),
    "calibrate": JobKind(
        CalibrateOptions, _check_calibrate, _calibrate_command, _fields("calibration", "labels"), ReportForm.FIGURES
    ),
    "evaluate": JobKind(
        EvaluateOptions,
        _needs_collection,
        _evaluate_command,
        _evaluation,
        ReportForm.FIGURES,
    ),
    "cluster": JobKind(
        ClusterOptions,
        _check_cluster,
        _cluster_command,
        _fields("items", "clusters", "named_by", "changed"),
        ReportForm.TABLE,
    ),
    "outliers": JobKind(
        OutliersOptions,
        _needs_collection,
        _outliers_command,
        _fields("by", "items", "neighbours", "median", "pictures", "faulty", "faults", "unreadable"),
        ReportForm.TABLE,
    ),
    "mislabelled": JobKind(
        MislabelledOptions,
        _check_mislabelled,
        _mislabelled_command,
        _fields("items", "labels", "labels_from", "suspects", "rare", "unlabelled"),
        ReportForm.TABLE,
    ),
    "export": JobKind(
        ExportOptions, _check_export, _export_command, _fields("format", "items", "bytes"), ReportForm.NONE
    ),
}
KindName = StrEnum("KindName", {name.upper(): name for name in KINDS})  # type: ignore[misc]  # made of the registry

JobForm: type[Form] = create_model(
    "JobForm",
    __base__=tuple(dict.fromkeys(kind.options for kind in KINDS.values())),
    __doc__="A job: its kind, and options of this kind.",
    kind=(KindName, Field(description="What is to be done; each kind takes options of its own.")),
)


def validate_options(kind: str, sent: Mapping[str, Any]) -> Form:
    """The options of a job; raises FieldInvalidError for those that its kind does not have."""
    options = KINDS[kind].options
    try:
        return options.model_validate(sent)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        raise fields_error(validation_problems(errors, options.model_fields, kind=FIELD)) from error
