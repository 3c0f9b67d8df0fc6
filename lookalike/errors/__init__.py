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
    │   ├── TagsUnavailableError        tags-unavailable        the encoder has no words
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
    │   ├── CollectionExistsError       collection-exists       with another encoder or source
    │   ├── CollectionPinnedError       collection-pinned       to a snapshot: takes no changes
    │   ├── VersionMismatchError        version-mismatch        the item has changed since
    │   ├── ItemNotFoundError           item-not-found
    │   ├── ScoresNotComparableError    scores-not-comparable   of several collections
    │   ├── MetadataInvalidError        metadata-invalid        a value is not of its column's type
    │   ├── ColumnConflictError         column-conflict         items have values, or of another type
    │   ├── FilterInvalidError          filter-invalid
    │   ├── ExportInvalidError          export-invalid          items cannot be written as asked
    │   ├── MapNotMadeError             map-not-made            in two dimensions
    │   ├── MapUnusableError            map-unusable            damaged, or of another encoder
    │   ├── LayoutUnavailableError      layout-unavailable      what lays out maps is not installed
    │   ├── SnapshotNotFoundError       snapshot-not-found
    │   └── SnapshotDamagedError        snapshot-damaged
    └── ResourceError               disk space and permissions
        ├── OutputExistsError           output-exists           something is there already
        ├── DiskFullError               disk-full
        └── DataPathError               data-path-invalid

Each leaf has a stable ``code``, and names in ``subject`` what it is about. The message is one sentence: what happened,
to what, and what to do. The branches are for ``except``: their docstrings say when to catch them.
"""

from __future__ import annotations

from lookalike.errors.base import (
    LookalikeError,
    coded_errors,
)
from lookalike.errors.collections import (
    CatalogueError,
    CatalogueLockedError,
    CatalogueOutdatedError,
    CatalogueUnavailableError,
    CollectionBusyError,
    CollectionError,
    CollectionExistsError,
    CollectionNameError,
    CollectionNotFoundError,
    CollectionNotReadyError,
    CollectionPinnedError,
    ColumnConflictError,
    DataPathError,
    DiskFullError,
    ExportInvalidError,
    FilterInvalidError,
    IndexDamagedError,
    ItemNotFoundError,
    LayoutUnavailableError,
    MapNotMadeError,
    MapUnusableError,
    MetadataInvalidError,
    OutputExistsError,
    RecallTooLowError,
    ResourceError,
    ScoresNotComparableError,
    SnapshotDamagedError,
    SnapshotNotFoundError,
    VectorError,
    VectorsInvalidError,
    VersionMismatchError,
)
from lookalike.errors.encoders import (
    CalibrationInvalidError,
    CalibrationMismatchError,
    DownloadError,
    EncoderError,
    EncoderMismatchError,
    EncoderNotInstalledError,
    EncoderOptionsError,
    EncoderUnknownError,
    OperatorError,
    PairsInsufficientError,
    QuantisedTooFarError,
    TagsUnavailableError,
    WeightsInvalidError,
)
from lookalike.errors.pictures import (
    ImageCorruptError,
    ImageEmptyError,
    ImageError,
    ImageTooLargeError,
    ImageTruncatedError,
    RawWithoutPreviewError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from lookalike.errors.sources import (
    ArchiveDamagedError,
    ArchiveUnsafeError,
    EntryMissingError,
    EntryOutsideError,
    EntryUnreadableError,
    KeyDuplicateError,
    KeyInvalidError,
    LabelsMissingError,
    ManifestError,
    PatternInvalidError,
    SourceEmptyError,
    SourceError,
    SourceNotFoundError,
    SourceShrunkError,
    SourceUnsupportedError,
)

__all__ = [
    "ArchiveDamagedError",
    "ArchiveUnsafeError",
    "CalibrationInvalidError",
    "CalibrationMismatchError",
    "CatalogueError",
    "CatalogueLockedError",
    "CatalogueOutdatedError",
    "CatalogueUnavailableError",
    "CollectionBusyError",
    "CollectionError",
    "CollectionExistsError",
    "CollectionNameError",
    "CollectionNotFoundError",
    "CollectionNotReadyError",
    "CollectionPinnedError",
    "ColumnConflictError",
    "DataPathError",
    "DiskFullError",
    "DownloadError",
    "EncoderError",
    "EncoderMismatchError",
    "EncoderNotInstalledError",
    "EncoderOptionsError",
    "EncoderUnknownError",
    "EntryMissingError",
    "EntryOutsideError",
    "EntryUnreadableError",
    "ExportInvalidError",
    "FilterInvalidError",
    "ImageCorruptError",
    "ImageEmptyError",
    "ImageError",
    "ImageTooLargeError",
    "ImageTruncatedError",
    "IndexDamagedError",
    "ItemNotFoundError",
    "KeyDuplicateError",
    "KeyInvalidError",
    "LabelsMissingError",
    "LayoutUnavailableError",
    "LookalikeError",
    "ManifestError",
    "MapNotMadeError",
    "MapUnusableError",
    "MetadataInvalidError",
    "OperatorError",
    "OutputExistsError",
    "PairsInsufficientError",
    "PatternInvalidError",
    "QuantisedTooFarError",
    "RawWithoutPreviewError",
    "RecallTooLowError",
    "ResourceError",
    "ScoresNotComparableError",
    "SnapshotDamagedError",
    "SnapshotNotFoundError",
    "SourceEmptyError",
    "SourceError",
    "SourceNotFoundError",
    "SourceShrunkError",
    "SourceUnsupportedError",
    "TagsUnavailableError",
    "TooManyPixelsError",
    "UnsupportedFormatError",
    "VectorError",
    "VectorsInvalidError",
    "VersionMismatchError",
    "WeightsInvalidError",
    "coded_errors",
]
