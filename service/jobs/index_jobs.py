"""The jobs that fill a collection: ``index`` from an upload or a path of the server, ``reindex`` from its source."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from lookalike.catalogue.records import NO_SOURCE, CollectionRecord, CollectionSettings, SourceRecord
from lookalike.collection.index_command import DEFAULT_KEEP, index_arguments
from lookalike.collection.layout import check_name
from lookalike.encoder.request_check import check_request
from lookalike.options import EncoderRequest, SourceOptions
from lookalike.sources.manifest import MANIFEST_SUFFIXES
from lookalike.sources.text_encoding import check_text_encoding
from lookalike.wiring import default_encoder
from service.errors import FieldInvalidError, UploadIncompleteError, UploadLockedError, UploadNotFoundError
from service.inference.encoder_pool import requested_encoder
from service.jobs.allowed_sources import resolve_allowed
from service.jobs.stored_sources import StoredSources
from service.jobs.work import JobCommand, JobWork
from service.schemas.job_requests import IndexMode, IndexOptions, ReindexOptions


def check_index(work: JobWork) -> None:
    """Raise what is wrong with the options, the upload, the path or the encoder."""
    options = work.options_as(IndexOptions)
    check_name(work.collection)
    if (options.upload is None) == (options.path is None):
        raise FieldInvalidError("send either upload, an upload's id, or path, a path of the server", subject="upload")
    source = _locate(work, options)
    if options.images_root is not None and source.suffix.lower() not in MANIFEST_SUFFIXES:
        raise FieldInvalidError("images_root: only a manifest has one; leave it out", subject="images_root")
    if options.mode is IndexMode.ADD:
        for name in ("reencode", "allow_removals", "allow_empty"):
            if getattr(options, name):
                raise FieldInvalidError(f"{name}: nothing is removed with mode add; leave it out", subject=name)
    _check_encoding(options.source_encoding)
    _requested_encoder(work, options)


def check_reindex(work: JobWork) -> None:
    """Raise CollectionNotFoundError, CollectionPinnedError, and what is wrong with the encoder."""
    record = work.require_collection()
    work.layout.require_unpinned()
    if _requested_encoder(work, work.options_as(ReindexOptions)) is not None and record.source.kind == NO_SOURCE:
        raise FieldInvalidError(
            "encoder: this collection has no source, and is only encoded again together with one", subject="encoder"
        )


def index_command_of(work: JobWork) -> JobCommand:
    """``index`` over the upload or the path, with the settings that the collection has."""
    options = work.options_as(IndexOptions)
    record = work.find_record()
    source = _locate(work, options)
    if options.upload is not None and options.mode is IndexMode.REPLACE:
        source = StoredSources(work.layout).put(source)
    root = None if options.images_root is None else str(_images_root(work, options.images_root))
    settings = _settings(work, record)
    settings = replace(settings, source_options=_source_options(options, settings.source_options))
    request = _encoder(work, options, record)
    words = _with_encoder(
        index_arguments(work.collection, SourceRecord("", str(source), root), request, settings), request
    )
    words += [*(["--add"] if options.mode is IndexMode.ADD else []), *_agreements(options)]
    upload = None if options.upload is None else work.uploads.get(options.upload)
    # The end of a path is enough for whoever sent it, and all that others may read.
    names = {str(source): source.name if upload is None else upload.filename, root or "": Path(root or "").name}
    hidden = {path: name for path, name in names.items() if name}
    command = JobCommand(words, hidden)
    if upload is None:
        return command
    if options.mode is IndexMode.REPLACE:
        command = replace(command, settle=partial(_settle, work, source))
    return replace(command, discard=partial(_discard, work, upload.id))


def reindex_command_of(work: JobWork) -> JobCommand:
    """``index`` over the collection's own source; one without a source takes its live changes in."""
    options = work.options_as(ReindexOptions)
    record = work.require_collection()
    work.layout.require_unpinned()
    if record.source.kind == NO_SOURCE:
        return JobCommand(["fold", "--collection", work.collection])
    request = _encoder(work, options, record)
    words = index_arguments(work.collection, record.source, request, record.settings)
    words = [*_with_encoder(words, request), *_agreements(options)]
    return JobCommand(words, {record.source.location: "the collection's source"})


def _settle(work: JobWork, source: Path) -> None:
    """Remove archives that are nobody's source any more."""
    record = work.find_record()
    StoredSources(work.layout).settle(source, current=None if record is None else record.source.location)


def _discard(work: JobWork, upload_id: str) -> None:
    """Remove an upload that was indexed."""
    with suppress(UploadNotFoundError, UploadLockedError):
        work.uploads.remove(upload_id)


def _locate(work: JobWork, options: IndexOptions) -> Path:
    """The file or folder that is to be indexed."""
    if options.path is not None:
        return resolve_allowed(options.path, work.settings.allow_sources, field="path")
    upload = work.uploads.get(options.upload or "")
    if not upload.is_complete:
        raise UploadIncompleteError(
            f"{upload.offset} of the {upload.length} bytes of this upload have arrived: send the rest first",
            subject="upload",
        )
    if upload.path.suffix in MANIFEST_SUFFIXES:
        if options.images_root is None:
            raise FieldInvalidError(
                "images_root: name the folder of the server that the paths of this manifest are relative to",
                subject="images_root",
            )
        _images_root(work, options.images_root)
    return upload.path.absolute()


def _images_root(work: JobWork, path: str) -> Path:
    return resolve_allowed(path, work.settings.allow_sources, field="images_root")


def _check_encoding(name: str | None) -> None:
    if name is None:
        return
    try:
        check_text_encoding(name)
    except LookupError as error:
        raise FieldInvalidError(
            f"source_encoding: no encoding of text is called {name[:40]!r}; name one such as utf-8, cp932 or gbk",
            subject="source_encoding",
        ) from error


def _requested_encoder(work: JobWork, options: IndexOptions | ReindexOptions) -> EncoderRequest | None:
    """The encoder that was asked for, if it is here; None if none was."""
    if options.encoder is None and options.input_size is None:
        return None
    name = options.encoder or default_encoder(None, options.input_size)
    request = requested_encoder(name, options.input_size)
    check_request(request, work.settings.places.encoders_dir)
    return EncoderRequest(name, None, options.input_size)


def _encoder(work: JobWork, options: IndexOptions | ReindexOptions, record: CollectionRecord | None) -> EncoderRequest:
    own = EncoderRequest(default_encoder()) if record is None else record.encoder
    return _requested_encoder(work, options) or own


def _settings(work: JobWork, record: CollectionRecord | None) -> CollectionSettings:
    if record is not None:
        return record.settings
    limits = work.settings.limits
    return CollectionSettings("auto", DEFAULT_KEEP, limits.max_bytes, limits.max_pixels)


def _source_options(options: IndexOptions, own: SourceOptions) -> SourceOptions:
    """How the source is read: as the collection's own one, unless something is said of it."""
    if not options.exclude and not options.include and options.source_encoding is None:
        return own
    return SourceOptions(tuple(options.exclude), tuple(options.include), options.source_encoding)


def _with_encoder(words: list[str], request: EncoderRequest) -> list[str]:
    """The default encoder is named too: which one that is depends on what runs encoders."""
    return words if "--encoder" in words else [*words, "--encoder", request.name]


def _agreements(options: IndexOptions | ReindexOptions) -> list[str]:
    names = ("reencode", "allow_removals", "allow_empty")
    return [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
