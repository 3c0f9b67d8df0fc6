"""Every error that lookalike raises on purpose, as one tree.

    LookalikeError
    ├── ImageError                  a picture cannot be used
    │   ├── ImageEmptyError             image-empty
    │   ├── ImageTooLargeError          image-too-large         more bytes than allowed
    │   ├── TooManyPixelsError          too-many-pixels
    │   ├── UnsupportedFormatError      unsupported-format
    │   ├── ImageTruncatedError         image-truncated
    │   └── ImageCorruptError           image-corrupt
    ├── SourceError                 a corpus, or one entry of it, cannot be read
    │   ├── SourceNotFoundError         source-not-found
    │   ├── SourceEmptyError            source-empty            has lost everything it once had
    │   ├── SourceUnsupportedError      source-unsupported
    │   ├── ArchiveError                archive-unsafe          climbs out, links, unpacks too large
    │   ├── ArchiveDamagedError         archive-damaged
    │   ├── ManifestError               manifest-invalid
    │   ├── EntryMissingError           entry-missing           a row names a file that is not there
    │   ├── EntryUnreadableError        entry-unreadable
    │   ├── EntryOutsideError           entry-outside           a path that leaves its source
    │   ├── LabelsMissingError          labels-missing          none, or no two pictures share one
    │   ├── KeyInvalidError             key-invalid
    │   └── KeyDuplicateError           key-duplicate
    ├── EncoderError                a network, its weights or its runtime
    │   ├── EncoderUnknownError         encoder-unknown
    │   ├── EncoderNotInstalledError    encoder-not-installed
    │   ├── EncoderOptionsError         encoder-options-invalid
    │   ├── WeightsInvalidError         weights-invalid
    │   ├── DownloadError               download-failed
    │   ├── EncoderMismatchError        encoder-mismatch
    │   ├── CalibrationInvalidError     calibration-invalid     damaged or lost
    │   ├── CalibrationMismatchError    calibration-mismatch    of another encoder
    │   ├── PairsInsufficientError      pairs-insufficient      too few, or they teach nothing
    │   ├── QuantisedTooFarError        quantised-too-far       rounding to int8 would cost too much
    │   └── OperatorError               operator-unavailable
    ├── VectorError                 vectors and their index
    │   ├── VectorsInvalidError         vectors-invalid
    │   ├── IndexDamagedError           index-damaged
    │   └── RecallTooLowError           recall-too-low          no index reaches what was asked for
    ├── CatalogueError              the SQL side
    │   ├── CatalogueUnavailableError   catalogue-unavailable
    │   ├── CatalogueLockedError        catalogue-locked
    │   └── CatalogueOutdatedError      catalogue-outdated
    ├── CollectionError             a named set of pictures
    │   ├── CollectionNameError         collection-name-invalid
    │   ├── CollectionNotFoundError     collection-not-found
    │   ├── CollectionNotReadyError     collection-not-ready    nothing published yet
    │   ├── CollectionBusyError         collection-busy
    │   ├── ItemNotFoundError           item-not-found
    │   ├── SnapshotNotFoundError       snapshot-not-found
    │   └── SnapshotDamagedError        snapshot-damaged
    └── ResourceError               the machine said no
        ├── DiskFullError               disk-full
        └── DataPathError               data-path-invalid

Each leaf has a stable ``code``, which the reports, the command line and the service repeat, and names the
offending thing in ``subject``. The message is one sentence that says what happened, to which thing, and what to
do about it.
"""

from __future__ import annotations

from typing import ClassVar

_SHOWN = 200
"""Characters of a message in an error's ``repr``; ``str`` has all of them."""


class LookalikeError(Exception):
    """Base of every error below; ``subject`` is the file, key, field or name that the error is about."""

    code: ClassVar[str]

    def __init__(self, message: str, *, subject: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject

    def __repr__(self) -> str:
        text = self.message if len(self.message) <= _SHOWN else f"{self.message[:_SHOWN]}..."
        return f"{type(self).__name__}({text!r})"


class ImageError(LookalikeError):
    """A picture cannot be used."""


class ImageEmptyError(ImageError):
    """The file has no bytes."""

    code = "image-empty"


class ImageTooLargeError(ImageError):
    """The file has more bytes than the limit allows."""

    code = "image-too-large"


class TooManyPixelsError(ImageError):
    """The header announces more pixels than the limit allows; none were allocated."""

    code = "too-many-pixels"


class UnsupportedFormatError(ImageError):
    """The bytes are of no picture format that lookalike reads."""

    code = "unsupported-format"


class ImageTruncatedError(ImageError):
    """The picture stops before its end."""

    code = "image-truncated"


class ImageCorruptError(ImageError):
    """The picture's format is known but its content cannot be decoded."""

    code = "image-corrupt"


class SourceError(LookalikeError):
    """A corpus, or one entry of it, cannot be read."""


class SourceNotFoundError(SourceError):
    """The folder, archive or manifest does not exist."""

    code = "source-not-found"


class SourceEmptyError(SourceError):
    """The source has no files, though the collection filled from it has pictures."""

    code = "source-empty"


class SourceUnsupportedError(SourceError):
    """The source is neither a folder, a zip file, nor a manifest."""

    code = "source-unsupported"


class ArchiveError(SourceError):
    """An archive, or an entry of it, could harm: it climbs out, is a link, or unpacks too large."""

    code = "archive-unsafe"


class ArchiveDamagedError(SourceError):
    """An archive, or an entry of it, fails its own checks."""

    code = "archive-damaged"


class ManifestError(SourceError):
    """A manifest lacks a column or has a malformed line."""

    code = "manifest-invalid"


class EntryMissingError(SourceError):
    """A manifest row names a file that is not there."""

    code = "entry-missing"


class EntryUnreadableError(SourceError):
    """A file is there but cannot be read (permission, input/output error)."""

    code = "entry-unreadable"


class EntryOutsideError(SourceError):
    """A path or link leaves the folder that it belongs to."""

    code = "entry-outside"


class LabelsMissingError(SourceError):
    """The pictures have no labels, or no two of them share one, so that no answer could be right."""

    code = "labels-missing"


class KeyInvalidError(SourceError):
    """A key is empty, too long, or not text that can be stored (a file name that is not UTF-8)."""

    code = "key-invalid"


class KeyDuplicateError(SourceError):
    """Two entries of one source claim the same key."""

    code = "key-duplicate"


class EncoderError(LookalikeError):
    """A network, its weights or its runtime."""


class EncoderUnknownError(EncoderError):
    """No encoder has that name."""

    code = "encoder-unknown"


class EncoderNotInstalledError(EncoderError):
    """The encoder is known but its weights are not on this machine."""

    code = "encoder-not-installed"


class EncoderOptionsError(EncoderError):
    """A fusion, input size or other option that the encoder cannot have."""

    code = "encoder-options-invalid"


class WeightsInvalidError(EncoderError):
    """A weights file is damaged, or is of another network."""

    code = "weights-invalid"


class DownloadError(EncoderError):
    """Weights or a data set could not be fetched."""

    code = "download-failed"


class EncoderMismatchError(EncoderError):
    """Vectors were made by another encoder than the one at hand."""

    code = "encoder-mismatch"


class CalibrationInvalidError(EncoderError):
    """A calibration's file is damaged or lost."""

    code = "calibration-invalid"


class CalibrationMismatchError(EncoderError):
    """A calibration was made for another encoder than the one at hand."""

    code = "calibration-mismatch"


class PairsInsufficientError(EncoderError):
    """There are too few pairs to calibrate with, or what they say cannot be fitted."""

    code = "pairs-insufficient"


class QuantisedTooFarError(EncoderError):
    """An int8 network's vectors or answers are too far from those of the network that it was made of."""

    code = "quantised-too-far"


class OperatorError(EncoderError):
    """The compiled operator is missing and was asked for."""

    code = "operator-unavailable"


class VectorError(LookalikeError):
    """Vectors and their index."""


class VectorsInvalidError(VectorError):
    """Vectors have the wrong shape, dtype or values."""

    code = "vectors-invalid"


class IndexDamagedError(VectorError):
    """An index file cannot be read."""

    code = "index-damaged"


class RecallTooLowError(VectorError):
    """An index misses more neighbours than may be missed."""

    code = "recall-too-low"


class CatalogueError(LookalikeError):
    """The SQL catalogue."""


class CatalogueUnavailableError(CatalogueError):
    """The database cannot be reached or opened."""

    code = "catalogue-unavailable"


class CatalogueLockedError(CatalogueError):
    """Another process holds the database."""

    code = "catalogue-locked"


class CatalogueOutdatedError(CatalogueError):
    """The database's schema is not the one this version of lookalike writes."""

    code = "catalogue-outdated"


class CollectionError(LookalikeError):
    """A named set of pictures."""


class CollectionNameError(CollectionError):
    """A collection's name has characters that it may not have."""

    code = "collection-name-invalid"


class CollectionNotFoundError(CollectionError):
    """No collection has that name."""

    code = "collection-not-found"


class CollectionNotReadyError(CollectionError):
    """The collection exists but has published no snapshot yet."""

    code = "collection-not-ready"


class CollectionBusyError(CollectionError):
    """Another indexer works on the collection."""

    code = "collection-busy"


class ItemNotFoundError(CollectionError):
    """The collection has no item with that key."""

    code = "item-not-found"


class SnapshotNotFoundError(CollectionError):
    """The collection has no such snapshot."""

    code = "snapshot-not-found"


class SnapshotDamagedError(CollectionError):
    """A snapshot's file is missing, or is not what its manifest says."""

    code = "snapshot-damaged"


class ResourceError(LookalikeError):
    """The machine said no."""


class DiskFullError(ResourceError):
    """There is no room left on the disk; what was published is intact."""

    code = "disk-full"


class DataPathError(ResourceError):
    """The data folder cannot be made or written."""

    code = "data-path-invalid"


def leaves(root: type[LookalikeError] = LookalikeError) -> list[type[LookalikeError]]:
    """All error classes with a code, in the order of the tree."""
    found: list[type[LookalikeError]] = []
    for child in root.__subclasses__():
        found.extend(leaves(child) if child.__subclasses__() else [child])
    return found
