"""Every error that lookalike raises on purpose, as one tree.

    LookalikeError
    ├── ImageError                  a picture cannot be used
    │   ├── ImageEmptyError             image-empty
    │   ├── ImageTooLargeError          image-too-large         more bytes than allowed
    │   ├── TooManyPixelsError          too-many-pixels
    │   ├── UnsupportedFormatError      unsupported-format
    │   ├── RawWithoutPreviewError      raw-without-preview     a camera raw file
    │   ├── ImageTruncatedError         image-truncated
    │   └── ImageCorruptError           image-corrupt
    ├── SourceError                 a source, or one entry of it, cannot be read
    │   ├── SourceNotFoundError         source-not-found
    │   ├── SourceEmptyError            source-empty            has no files any more
    │   ├── SourceShrunkError           source-shrunk           has lost a folder, or more than a tenth
    │   ├── SourceUnsupportedError      source-unsupported
    │   ├── PatternInvalidError         pattern-invalid         to exclude or include files by
    │   ├── ArchiveUnsafeError          archive-unsafe          an entry leads outside, is a link, unpacks too large
    │   ├── ArchiveDamagedError         archive-damaged         corrupt: fails its own checks
    │   ├── ManifestError               manifest-invalid
    │   ├── EntryMissingError           entry-missing           a row names a file that is not there
    │   ├── EntryUnreadableError        entry-unreadable
    │   ├── EntryOutsideError           entry-outside           a path that leaves its source
    │   ├── LabelsMissingError          labels-missing          none, or no two pictures share one
    │   ├── KeyInvalidError             key-invalid
    │   └── KeyDuplicateError           key-duplicate
    ├── EncoderError                a network, its weights or its runtime; any failed download
    │   ├── EncoderUnknownError         encoder-unknown
    │   ├── EncoderNotInstalledError    encoder-not-installed
    │   ├── EncoderOptionsError         encoder-options-invalid
    │   ├── WeightsInvalidError         weights-invalid
    │   ├── DownloadError               download-failed         of weights, or of the data set of `fetch`
    │   ├── EncoderMismatchError        encoder-mismatch
    │   ├── CalibrationInvalidError     calibration-invalid     damaged or lost
    │   ├── CalibrationMismatchError    calibration-mismatch    of another encoder
    │   ├── PairsInsufficientError      pairs-insufficient      too few, or nothing can be fitted to them
    │   ├── QuantisedTooFarError        quantised-too-far       int8 rounding costs too much quality
    │   └── OperatorError               operator-unavailable
    ├── VectorError                 vectors and their index
    │   ├── VectorsInvalidError         vectors-invalid
    │   ├── IndexDamagedError           index-damaged
    │   └── RecallTooLowError           recall-too-low          no index reaches the target
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
    │   ├── FilterInvalidError          filter-invalid
    │   ├── SnapshotNotFoundError       snapshot-not-found
    │   └── SnapshotDamagedError        snapshot-damaged
    └── ResourceError               disk space and permissions
        ├── DiskFullError               disk-full
        └── DataPathError               data-path-invalid

Each leaf has a stable ``code``, and names in ``subject`` what it is about. The message is one sentence: what happened,
to what, and what to do. The branches are for ``except``: their docstrings say when to catch them.
"""

from __future__ import annotations

from typing import ClassVar


class LookalikeError(Exception):
    """Base of every error below. Only leaves are raised, and only they define ``code``; ``subject`` is the topic."""

    code: ClassVar[str]

    def __init__(self, message: str, *, subject: str | None = None) -> None:
        super().__init__(message)
        self.message, self.subject = message, subject

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message[:200] + '...' * (len(self.message) > 200)!r})"  # ``str`` has all


class ImageError(LookalikeError):
    """A picture cannot be used: catch it to skip one picture and go on with the others."""


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


class RawWithoutPreviewError(ImageError):
    """The camera raw file holds no preview that could stand for the photo."""

    code = "raw-without-preview"


class ImageTruncatedError(ImageError):
    """The picture stops before its end."""

    code = "image-truncated"


class ImageCorruptError(ImageError):
    """The picture's format is known but its content cannot be decoded."""

    code = "image-corrupt"


class SourceError(LookalikeError):
    """A source, or one entry of it, cannot be read: catch it to skip the entry, or to ask for another source."""


class SourceNotFoundError(SourceError):
    """The folder, archive or manifest does not exist."""

    code = "source-not-found"


class SourceEmptyError(SourceError):
    """The source has no files, though the collection filled from it has pictures."""

    code = "source-empty"


class SourceShrunkError(SourceError):
    """The source has lost a whole folder, or more than a tenth of the collection filled from it."""

    code = "source-shrunk"


class SourceUnsupportedError(SourceError):
    """The source is neither a folder, a zip file, nor a manifest."""

    code = "source-unsupported"


class PatternInvalidError(SourceError):
    """A pattern that files are excluded or included by is none."""

    code = "pattern-invalid"


class ArchiveUnsafeError(SourceError):
    """An archive has an unsafe entry: one that leads outside, is a link, or unpacks too large."""

    code = "archive-unsafe"


class ArchiveDamagedError(SourceError):
    """An archive, or an entry of it, is corrupt: it fails its own checks."""

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
    """The pictures have no labels, or no two of them share one, so that no result could be correct."""

    code = "labels-missing"


class KeyInvalidError(SourceError):
    """A key is empty, too long, or not text that can be stored (a file name that is not UTF-8)."""

    code = "key-invalid"


class KeyDuplicateError(SourceError):
    """Two entries of one source have the same key."""

    code = "key-duplicate"


class EncoderError(LookalikeError):
    """An encoder cannot be used here, or a download failed: catch it to choose, install or calibrate another one."""


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
    """Weights, or the data set of ``fetch``, could not be downloaded: the message says how to get them by hand."""

    code = "download-failed"


class EncoderMismatchError(EncoderError):
    """Vectors were made by another encoder than the one in use."""

    code = "encoder-mismatch"


class CalibrationInvalidError(EncoderError):
    """A calibration's file is damaged or lost."""

    code = "calibration-invalid"


class CalibrationMismatchError(EncoderError):
    """A calibration was made for another encoder than the one in use."""

    code = "calibration-mismatch"


class PairsInsufficientError(EncoderError):
    """There are too few pairs to calibrate with, or nothing can be fitted to them."""

    code = "pairs-insufficient"


class QuantisedTooFarError(EncoderError):
    """An int8 network's vectors or results differ too much from those of the original network."""

    code = "quantised-too-far"


class OperatorError(EncoderError):
    """The compiled operator is missing, and the request needs it."""

    code = "operator-unavailable"


class VectorError(LookalikeError):
    """Vectors or their index are invalid: catch it to correct the vectors, or to build the index again."""


class VectorsInvalidError(VectorError):
    """Vectors have the wrong shape, dtype or values."""

    code = "vectors-invalid"


class IndexDamagedError(VectorError):
    """An index file cannot be read."""

    code = "index-damaged"


class RecallTooLowError(VectorError):
    """No index reaches the target recall."""

    code = "recall-too-low"


class CatalogueError(LookalikeError):
    """The catalogue's database cannot be used: catch it to wait and try again, or to check the database."""


class CatalogueUnavailableError(CatalogueError):
    """The database cannot be reached or opened."""

    code = "catalogue-unavailable"


class CatalogueLockedError(CatalogueError):
    """Another process has locked the database."""

    code = "catalogue-locked"


class CatalogueOutdatedError(CatalogueError):
    """The database's schema is not the one this version of lookalike writes."""

    code = "catalogue-outdated"


class CollectionError(LookalikeError):
    """A collection, item or snapshot cannot be served as asked: catch it to choose another one, or to index first."""


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
    """Another process is indexing the collection."""

    code = "collection-busy"


class ItemNotFoundError(CollectionError):
    """The collection has no item with that key."""

    code = "item-not-found"


class FilterInvalidError(CollectionError):
    """A filter cannot be read, or names a column, operator or value that its collection does not have."""

    code = "filter-invalid"


class SnapshotNotFoundError(CollectionError):
    """The collection has no such snapshot."""

    code = "snapshot-not-found"


class SnapshotDamagedError(CollectionError):
    """A snapshot's file is missing, or is not what its manifest says."""

    code = "snapshot-damaged"


class ResourceError(LookalikeError):
    """The disk is full, or the data folder cannot be written: catch it to free room or to choose another folder."""


class DiskFullError(ResourceError):
    """The disk is full; published snapshots are intact."""

    code = "disk-full"


class DataPathError(ResourceError):
    """The data folder cannot be created or written."""

    code = "data-path-invalid"


def coded_errors(root: type[LookalikeError] = LookalikeError) -> list[type[LookalikeError]]:
    """All error classes below ``root`` with a code of their own, in the order of the tree."""
    return [kind for child in root.__subclasses__() for kind in [child] * ("code" in vars(child)) + coded_errors(child)]
