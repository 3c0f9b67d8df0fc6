"""The client of the service: every request of its API as a method, in the same way with and without an event loop.

    with Client("http://127.0.0.1:8000") as client:
        for hit in client.search("cat.jpg", collection="pictures", k=5).results:
            print(hit.key, hit.score)

It needs httpx2 and msgspec, and loads nothing else of the library. docs/client.md has examples.
"""

from lookalike.client.answers import (
    BatchAnswer,
    BatchEntry,
    ChangeEntry,
    CheckAnswer,
    CompareAnswer,
    DecisionAnswer,
    DuplicateDifferenceAnswer,
    DuplicateGroupAnswer,
    DuplicatesAnswer,
    EmbedAnswer,
    FacetAnswer,
    FacetsAnswer,
    FieldProblem,
    HitAnswer,
    ItemAnswer,
    ItemChangeAnswer,
    ItemsAnswer,
    Problem,
    SearchAnswer,
    ThresholdAnswer,
)
from lookalike.client.async_client import AsyncClient
from lookalike.client.changes import Change, Delete, Patch, Put
from lookalike.client.client import Client
from lookalike.client.collection_answers import (
    CollectionAnswer,
    CollectionDeletedAnswer,
    CollectionRow,
    EncoderRow,
    HealthAnswer,
    ReadyAnswer,
    VersionAnswer,
)
from lookalike.client.errors import (
    AnswerInvalidError,
    ChangesInterruptedError,
    ClientError,
    ConflictError,
    ConnectionFailedError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    PictureError,
    PreconditionFailedError,
    ServiceError,
    ServiceFailedError,
    TooBusyError,
    UnauthorizedError,
    UnavailableError,
)
from lookalike.client.pictures import Key, Picture

__all__ = [
    "AnswerInvalidError",
    "AsyncClient",
    "BatchAnswer",
    "BatchEntry",
    "Change",
    "ChangeEntry",
    "ChangesInterruptedError",
    "CheckAnswer",
    "Client",
    "ClientError",
    "CollectionAnswer",
    "CollectionDeletedAnswer",
    "CollectionRow",
    "CompareAnswer",
    "ConflictError",
    "ConnectionFailedError",
    "DecisionAnswer",
    "Delete",
    "DuplicateDifferenceAnswer",
    "DuplicateGroupAnswer",
    "DuplicatesAnswer",
    "EmbedAnswer",
    "EncoderRow",
    "FacetAnswer",
    "FacetsAnswer",
    "FieldProblem",
    "ForbiddenError",
    "HealthAnswer",
    "HitAnswer",
    "InvalidRequestError",
    "ItemAnswer",
    "ItemChangeAnswer",
    "ItemsAnswer",
    "Key",
    "NotFoundError",
    "Patch",
    "Picture",
    "PictureError",
    "PreconditionFailedError",
    "Problem",
    "Put",
    "ReadyAnswer",
    "SearchAnswer",
    "ServiceError",
    "ServiceFailedError",
    "ThresholdAnswer",
    "TooBusyError",
    "UnauthorizedError",
    "UnavailableError",
    "VersionAnswer",
]
