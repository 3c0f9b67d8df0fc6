"""The public face: an encoder and a collection, ready to use in a few lines."""

from lookalike.api.collection import Collection
from lookalike.api.encoder import Encoder, Judgement, Vectors
from lookalike.api.pictures import RGB, Image, prepare

__all__ = ["RGB", "Collection", "Encoder", "Image", "Judgement", "Vectors", "prepare"]
