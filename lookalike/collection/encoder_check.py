"""The check that an encoder is the one that a collection was made with, and its error: how they differ, what to do."""

from __future__ import annotations

from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderMismatchError

_RELOAD = "load the encoder it was made with, or index it again with --reencode"
_SHOWN_DIGITS = 8
"""Digits of a digest that messages show."""


def describe_encoder(spec: EncoderSpec) -> str:
    """An encoder in words that distinguish it from another one of the same name."""
    return f"{spec.name} of {spec.dimension} numbers (weights {spec.weights_digest[:_SHOWN_DIGITS]})"


def check_same_encoder(
    name: str, collection_encoder: EncoderSpec, encoder: EncoderSpec, *, command: str, advice: str = _RELOAD
) -> None:
    """Raise EncoderMismatchError unless ``encoder`` makes vectors like those of the collection ``name``.

    If both have the same name, as after an update that brought another network under it, the error gives the
    ``command`` that encodes the collection again; else ``advice``.
    """
    if encoder.digest == collection_encoder.digest:
        return
    statement = f"the collection {name!r} was made by {describe_encoder(collection_encoder)}"
    differences = _differences(collection_encoder, encoder)
    if encoder.name != collection_encoder.name:
        differs = differences or "the weights"
        message = f"{statement}, and this encoder is {describe_encoder(encoder)}: {advice}. They differ in {differs}"
    else:
        message = (
            f"{statement}, and the {collection_encoder.name} that is here is another encoder, "
            f"{describe_encoder(encoder)}. Encode its pictures again with "
            f"`{command}`; until then it can be searched by key, but not with a picture"
            f"{differences and f'. They differ in {differences}'}"
        )
    raise EncoderMismatchError(message, subject=name)


def _differences(collection_encoder: EncoderSpec, encoder: EncoderSpec) -> str:
    """A phrase for each field that differs, except the weights, which are given beside the names."""
    phrases = encoder.differences(collection_encoder)
    return "; ".join(phrase for phrase in phrases if not phrase.startswith("weights_digest "))
