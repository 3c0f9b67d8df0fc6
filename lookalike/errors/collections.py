"""What is wrong with vectors, the catalogue, a collection or the disk."""

from __future__ import annotations

from lookalike.errors.base import LookalikeError


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


class CollectionExistsError(CollectionError):
    """A collection of this name is there already, with another encoder or source."""

    code = "collection-exists"


class CollectionPinnedError(CollectionError):
    """The collection is pinned to a snapshot, and takes no changes until the pin is taken away."""

    code = "collection-pinned"


class VersionMismatchError(CollectionError):
    """The item is another version than the one that a change was meant for."""

    code = "version-mismatch"


class ItemNotFoundError(CollectionError):
    """The collection has no item with that key."""

    code = "item-not-found"


class ScoresNotComparableError(CollectionError):
    """Collections cannot be ranked beside each other: one is not calibrated, or their encoders differ."""

    code = "scores-not-comparable"


class MetadataInvalidError(CollectionError):
    """A value of an item's metadata is not of the type of its declared column."""

    code = "metadata-invalid"


class ColumnConflictError(CollectionError):
    """A column cannot be declared or written so: items have values of another type, or values that would be lost."""

    code = "column-conflict"


class FilterInvalidError(CollectionError):
    """A filter cannot be read, or names a column, operator or value that its collection does not have."""

    code = "filter-invalid"


class ExportInvalidError(CollectionError):
    """Items cannot be exported as asked: to this kind of file, or with these options."""

    code = "export-invalid"


class MapNotMadeError(CollectionError):
    """The collection has no map in two dimensions yet."""

    code = "map-not-made"


class MapUnusableError(CollectionError):
    """The collection's map cannot be read, or was made of another encoder's vectors: it has to be made again."""

    code = "map-unusable"


class LayoutUnavailableError(CollectionError):
    """The library that lays out maps is not installed."""

    code = "layout-unavailable"


class SnapshotNotFoundError(CollectionError):
    """The collection has no such snapshot."""

    code = "snapshot-not-found"


class SnapshotDamagedError(CollectionError):
    """A snapshot's file is missing, or is not what its manifest says."""

    code = "snapshot-damaged"


class ResourceError(LookalikeError):
    """The disk is full, or the data folder cannot be written: catch it to free room or to choose another folder."""


class OutputExistsError(ResourceError):
    """There is something already where a file or folder was to be written."""

    code = "output-exists"


class DiskFullError(ResourceError):
    """The disk is full; published snapshots are intact."""

    code = "disk-full"


class DataPathError(ResourceError):
    """The data folder cannot be created or written."""

    code = "data-path-invalid"
