"""Image similarity search that people can rely on."""

from lookalike.api import Collection, Encoder, Judgement
from lookalike.collection.searcher import Hit
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import LookalikeError
from lookalike.explanation import Explanation
from lookalike.options import ImageLimits
from lookalike.thresholds import Threshold
from lookalike.tiers import Tier

__all__ = [
    "Collection",
    "Encoder",
    "EncoderSpec",
    "Explanation",
    "Hit",
    "ImageLimits",
    "Judgement",
    "LookalikeError",
    "Manifest",
    "Threshold",
    "Tier",
]
