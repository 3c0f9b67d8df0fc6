"""Image similarity search that people can rely on.

The names below are loaded when they are first used: FAISS, SQLAlchemy and Pillow take a second, which a program that
only asks a service by ``lookalike.client`` need not wait.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lookalike.api import Collection, Encoder, Judgement, prepare, search_collections
    from lookalike.calibration import Calibration
    from lookalike.catalogue.records import ItemRecord
    from lookalike.catalogue.snapshot_filter import ColumnSummary, Facet, FacetValue
    from lookalike.collection.hit import Hit
    from lookalike.collection.refinement import Boost
    from lookalike.collection.snapshot_manifest import Manifest
    from lookalike.encoder.spec import EncoderSpec
    from lookalike.errors import LookalikeError
    from lookalike.explanation import Explanation, Part
    from lookalike.index.base import Neighbours
    from lookalike.options import ImageLimits
    from lookalike.thresholds import Threshold
    from lookalike.tiers import Tier

__all__ = [
    "Boost",
    "Calibration",
    "Collection",
    "ColumnSummary",
    "Encoder",
    "EncoderSpec",
    "Explanation",
    "Facet",
    "FacetValue",
    "Hit",
    "ImageLimits",
    "ItemRecord",
    "Judgement",
    "LookalikeError",
    "Manifest",
    "Neighbours",
    "Part",
    "Threshold",
    "Tier",
    "prepare",
    "search_collections",
]

_MODULES = {  # a test compares it with the names above
    "Boost": "lookalike.collection.refinement",
    "Calibration": "lookalike.calibration",
    "Collection": "lookalike.api",
    "ColumnSummary": "lookalike.catalogue.snapshot_filter",
    "Encoder": "lookalike.api",
    "EncoderSpec": "lookalike.encoder.spec",
    "Explanation": "lookalike.explanation",
    "Facet": "lookalike.catalogue.snapshot_filter",
    "FacetValue": "lookalike.catalogue.snapshot_filter",
    "Hit": "lookalike.collection.hit",
    "ImageLimits": "lookalike.options",
    "ItemRecord": "lookalike.catalogue.records",
    "Judgement": "lookalike.api",
    "LookalikeError": "lookalike.errors",
    "Manifest": "lookalike.collection.snapshot_manifest",
    "Neighbours": "lookalike.index.base",
    "Part": "lookalike.explanation",
    "Threshold": "lookalike.thresholds",
    "Tier": "lookalike.tiers",
    "prepare": "lookalike.api",
    "search_collections": "lookalike.api",
}


if not TYPE_CHECKING:  # to a type checker, a name that is not there would be one

    def __getattr__(name: str) -> object:
        """Load one of the public names."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
