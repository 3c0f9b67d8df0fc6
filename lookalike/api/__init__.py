"""The public face: an encoder and a collection, ready to use in a few lines."""

from lookalike.api.collection import Collection
from lookalike.api.encoder import Encoder, Judgement
from lookalike.api.pictures import Image, prepare
from lookalike.api.search_options import RecommendOptions, SearchOptions
from lookalike.api.several import search_collections
from lookalike.encoder.base import RGB, Vectors

__all__ = [
    "RGB",
    "Collection",
    "Encoder",
    "Image",
    "Judgement",
    "RecommendOptions",
    "SearchOptions",
    "Vectors",
    "prepare",
    "search_collections",
]
