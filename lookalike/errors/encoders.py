"""Why an encoder cannot be loaded or used."""

from __future__ import annotations

from lookalike.errors.base import LookalikeError


class EncoderError(LookalikeError):
    """An encoder cannot be used here, or a download failed: catch it to choose, install or calibrate another one."""


class EncoderUnknownError(EncoderError):
    """No encoder has that name."""

    code = "encoder-unknown"


class EncoderNotInstalledError(EncoderError):
    """The encoder is known but its weights are not on this machine."""

    code = "encoder-not-installed"


class EncoderOptionsError(EncoderError):
    """A fusion, input size or other option that the encoder cannot have."""

    code = "encoder-options-invalid"


class WeightsInvalidError(EncoderError):
    """A weights file is damaged, or is of another network."""

    code = "weights-invalid"


class DownloadError(EncoderError):
    """Weights, or the data set of ``fetch``, could not be downloaded: the message says how to get them by hand."""

    code = "download-failed"


class EncoderMismatchError(EncoderError):
    """Vectors were made by another encoder than the one in use."""

    code = "encoder-mismatch"


class CalibrationInvalidError(EncoderError):
    """A calibration's file is damaged or lost."""

    code = "calibration-invalid"


class CalibrationMismatchError(EncoderError):
    """A calibration was made for another encoder than the one in use."""

    code = "calibration-mismatch"


class TagsUnavailableError(EncoderError):
    """The encoder has no head that gives its pictures tags."""

    code = "tags-unavailable"


class PairsInsufficientError(EncoderError):
    """There are too few pairs to calibrate with, or nothing can be fitted to them."""

    code = "pairs-insufficient"


class QuantisedTooFarError(EncoderError):
    """An int8 network's vectors or results differ too much from those of the original network."""

    code = "quantised-too-far"


class OperatorError(EncoderError):
    """The compiled operator is missing, and the request needs it."""

    code = "operator-unavailable"
