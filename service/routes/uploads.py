"""Uploads: archives and tables that jobs index, by the protocol tus 1.0.0 or in one request. All need scope write."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from service.dependencies.auth import require
from service.errors import (
    BodyTooLargeError,
    FieldInvalidError,
    MediaTypeError,
    MethodNotAllowedError,
    UploadLockedError,
    UploadNotFoundError,
    UploadOffsetError,
    UploadVersionError,
)
from service.http.body import MULTIPART_FORM, announced_bytes, refuse_body
from service.http.path_params import decode_path_part
from service.http.responses import json_response
from service.http.strict_route import StrictRoute
from service.jobs.upload_body import write_body
from service.jobs.upload_store import UploadInfo
from service.schemas.job_responses import UploadAnswer
from service.services import Services, ServicesDependency
from service.settings import Scope

router = APIRouter(
    prefix="/uploads", tags=["uploads"], dependencies=[Depends(require(Scope.WRITE))], route_class=StrictRoute
)
VERSION = UploadVersionError.supported
EXTENSIONS = "creation,creation-with-upload,termination,expiration"
_VERSION_HEADER = "tus-resumable"
_PIECE = "application/offset+octet-stream"
_BODY = {"requestBody": {"content": {_PIECE: {"schema": {"type": "string", "format": "binary"}}}}}
_LONGEST_METADATA = 4096
UploadId = Annotated[str, Path(description="The upload's id.")]
SentName = Annotated[str, Path(description="What the file is called; its ending says what it is.")]
Filename = Annotated[
    str | None,
    Query(max_length=255, description="What the file is called; its ending says what it is. Without it: a zip."),
]


@router.options("", operation_id="describe_uploads", status_code=204)
async def describe_uploads(services: ServicesDependency) -> Response:
    """What this service can do of the tus protocol, and how large an upload may be."""
    headers = {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(services.upload_store.max_bytes),
    }
    return Response(None, 204, headers)


@router.post("", operation_id="create_upload", status_code=201, response_model=UploadAnswer, openapi_extra=_BODY)
async def create_upload(request: Request, services: ServicesDependency, filename: Filename = None) -> Response:
    """Begin an upload; the header Location has its path, and `id` is what a job names.

    With the header Tus-Resumable it is a creation of the tus protocol: Upload-Length says how long it will be,
    Upload-Metadata may have a `filename`, and a body of application/offset+octet-stream is its first piece: if
    that is refused or breaks off, nothing stays. Without the header the body is the whole file.
    """
    if _VERSION_HEADER not in request.headers:
        return await _receive_whole(request, services, filename)
    _check_version(request)
    if "upload-defer-length" in request.headers:
        raise FieldInvalidError("Upload-Defer-Length is not supported: say Upload-Length", subject="upload-length")
    length = _number_in(request, "upload-length")
    metadata = _read_metadata(request)
    name = filename or metadata.get("filename") or metadata.get("name")
    upload = await asyncio.to_thread(services.upload_store.create, length, name)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == _PIECE:
        upload = await _append_or_remove(request, services, upload.id)
    return _created(upload)


@router.put("/{filename}", operation_id="put_upload", status_code=201, response_model=UploadAnswer, openapi_extra=_BODY)
async def put_upload(request: Request, services: ServicesDependency, filename: SentName) -> Response:
    """Send a file in one request, as `curl -T pictures.zip http://.../uploads/` does."""
    return await _receive_whole(request, services, decode_path_part(filename))


@router.get("/{upload_id}", operation_id="get_upload", response_model=UploadAnswer, dependencies=[Depends(refuse_body)])
async def get_upload(request: Request, services: ServicesDependency, upload_id: UploadId) -> Response:
    """How much of an upload has arrived; HEAD has that in the header Upload-Offset."""
    _check_version(request)
    upload = await asyncio.to_thread(services.upload_store.get, upload_id)
    response = json_response(upload_answer(upload))
    response.headers.update(_headers(upload))
    return response


@router.patch("/{upload_id}", operation_id="append_to_upload", status_code=204, openapi_extra=_BODY)
async def append_to_upload(request: Request, services: ServicesDependency, upload_id: UploadId) -> Response:
    """Send the next piece of an upload: it begins at Upload-Offset, which is how much has arrived.

    What arrives of a piece stays, also when the connection is lost.
    """
    _check_version(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _PIECE:
        raise MediaTypeError(f"a piece of an upload has the content type {_PIECE}", subject="content-type")
    upload = await _append(request, services, upload_id, offset=_number_in(request, "upload-offset"))
    return Response(None, 204, _headers(upload))


@router.delete("/{upload_id}", operation_id="delete_upload", status_code=204, dependencies=[Depends(refuse_body)])
async def delete_upload(request: Request, services: ServicesDependency, upload_id: UploadId) -> Response:
    """Remove an upload. A job that has not begun yet and names it will fail."""
    _check_version(request)
    await asyncio.to_thread(services.upload_store.remove, upload_id)
    return Response(None, 204, {"Tus-Resumable": VERSION})


@router.post("/{upload_id}", operation_id="override_upload_method", status_code=204, openapi_extra=_BODY)
async def override_upload_method(request: Request, services: ServicesDependency, upload_id: UploadId) -> Response:
    """For clients that can only POST: the header X-HTTP-Method-Override says PATCH or DELETE."""
    match request.headers.get("x-http-method-override", "").upper():
        case "PATCH":
            return await append_to_upload(request, services, upload_id)
        case "DELETE":
            return await delete_upload(request, services, upload_id)
    raise MethodNotAllowedError("POST is not allowed here without X-HTTP-Method-Override: PATCH or DELETE")


def upload_answer(upload: UploadInfo) -> UploadAnswer:
    """An upload as JSON."""
    return UploadAnswer(
        id=upload.id,
        filename=upload.filename,
        length=upload.length,
        offset=upload.offset,
        complete=upload.is_complete,
        created_at=_moment(upload.created_at),
        expires_at=_moment(upload.expires_at),
    )


async def _receive_whole(request: Request, services: Services, filename: str | None) -> Response:
    """Take a file that comes in one request; what is left of one that does not come whole is removed."""
    if MULTIPART_FORM in request.headers.get("content-type", ""):
        raise MediaTypeError(
            "the file itself is the body: with curl, -T pictures.zip or --data-binary @pictures.zip in place of -F",
            subject="content-type",
        )
    length = announced_bytes(request, default=-1)
    if length < 0:
        raise FieldInvalidError("say with Content-Length how long the file is", subject="content-length")
    upload = await asyncio.to_thread(services.upload_store.create, length, filename)
    return _created(await _append_or_remove(request, services, upload.id))


async def _append_or_remove(request: Request, services: Services, upload_id: str) -> UploadInfo:
    """Take the body that comes with a creation; without an answer to it no client knows what to go on with."""
    try:
        return await _append(request, services, upload_id, offset=0)
    except BaseException:
        await asyncio.shield(asyncio.to_thread(_remove_quietly, services, upload_id))
        raise


def _remove_quietly(services: Services, upload_id: str) -> None:
    with suppress(UploadNotFoundError, UploadLockedError):
        services.upload_store.remove(upload_id)


async def _append(request: Request, services: Services, upload_id: str, *, offset: int) -> UploadInfo:
    store = services.upload_store
    with services.upload_writers.permit(), store.lock(upload_id) as upload:
        if offset != upload.offset:
            raise UploadOffsetError(
                f"{upload.offset} bytes of this upload have arrived, and this piece begins at {offset}: go on from "
                "where HEAD says",
                subject="upload-offset",
            )
        await write_body(request, upload, timeout=services.settings.upload_timeout)
        return store.get(upload_id)


def _created(upload: UploadInfo) -> Response:
    response = json_response(upload_answer(upload))
    response.status_code = 201
    response.headers.update(_headers(upload))
    response.headers["Location"] = f"/uploads/{upload.id}"
    return response


def _headers(upload: UploadInfo) -> dict[str, str]:
    return {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.length),
        "Upload-Expires": format_datetime(_moment(upload.expires_at), usegmt=True),
        "Cache-Control": "no-store",
    }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _check_version(request: Request) -> None:
    version = request.headers.get(_VERSION_HEADER, VERSION)
    if version != VERSION:
        raise UploadVersionError(
            f"this service speaks version {VERSION} of the tus protocol, and not {version[:20]}",
            subject=_VERSION_HEADER,
        )


def _number_in(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise FieldInvalidError(f"the header {header.title()} has to be a number of bytes", subject=header)
    return int(text)


def _read_metadata(request: Request) -> Mapping[str, str]:
    """What Upload-Metadata says: pairs of a name and a value in base64, separated by commas."""
    text = request.headers.get("upload-metadata", "")
    if len(text) > _LONGEST_METADATA:
        raise BodyTooLargeError(f"Upload-Metadata has more than {_LONGEST_METADATA} bytes", subject="upload-metadata")
    metadata = {}
    for pair in filter(None, (pair.strip() for pair in text.split(","))):
        name, _, value = pair.partition(" ")
        try:
            metadata[name] = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise FieldInvalidError(
                f"Upload-Metadata: the value of {name[:40]} is no base64 of UTF-8", subject="upload-metadata"
            ) from error
    return metadata
