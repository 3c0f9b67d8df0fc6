"""Image similarity search that people can rely on."""

from lookalike.api import Collection, Encoder, Judgement, prepare, search_collections
from lookalike.calibration import Calibration
from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import ColumnSummary, Facet, FacetValue
from lookalike.collection.refinement import Boost
from lookalike.collection.searcher import Hit
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
