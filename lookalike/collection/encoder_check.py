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
    name: str, made_by: EncoderSpec, at_hand: EncoderSpec, *, command: str, otherwise: str = _RELOAD
) -> None:
    """Raise EncoderMismatchError unless ``at_hand`` makes vectors like those of the collection ``name``.

    Where both have the same name, as after an update that brought another network under it, the error gives the
    ``command`` that encodes the collection again; else its advice is ``otherwise``.
    """
    if at_hand.digest == made_by.digest:
        return
    statement = f"the collection {name!r} was made by {describe_encoder(made_by)}"
    differences = _differences(made_by, at_hand)
    if at_hand.name != made_by.name:
        differs = differences or "the weights"
        message = f"{statement}, and this encoder is {describe_encoder(at_hand)}: {otherwise}. They differ in {differs}"
    else:
        message = (
            f"{statement}, and the {made_by.name} that is here is another encoder, {describe_encoder(at_hand)}. "
            f"Encode its pictures again with `{command}`; until then it can be searched by key, but not with a picture"
            f"{differences and f'. They differ in {differences}'}"
        )
    raise EncoderMismatchError(message, subject=name)


def _differences(made_by: EncoderSpec, at_hand: EncoderSpec) -> str:
    """A phrase for each field that differs, without the weights, which stand beside the names."""
    phrases = at_hand.differences(made_by)
    return "; ".join(phrase for phrase in phrases if not phrase.startswith("weights_digest "))
