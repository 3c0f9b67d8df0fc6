"""Image similarity search that people can rely on."""

from lookalike.api import Collection, Encoder
from lookalike.collection.manifest import Manifest
from lookalike.collection.searcher import Hit
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import LookalikeError
from lookalike.options import ImageLimits

__all__ = ["Collection", "Encoder", "EncoderSpec", "Hit", "ImageLimits", "LookalikeError", "Manifest"]
