"""Every encoder, real or fake, keeps the promises of the port ``ImageEncoder``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.encoder.base import ImageEncoder, Vectors
from lookalike.encoder.embed import encode_pictures
from lookalike.encoder.int8.artifact import is_quantised
from lookalike.encoder.runtimes.runners import EXPORT_RUNTIMES
from lookalike.encoder.runtimes.selection import load_on_runtime, make_export
from lookalike.encoder.runtimes.torch_runtime import load_torch_encoder
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import VectorsInvalidError
from lookalike.options import EncoderRequest, RuntimeName
from lookalike.testing import TinyEncoder, make_picture
from tests.helpers.encoder_files import classifier, write_published, write_tiny

Maker = Callable[[Path], ImageEncoder]


def bundled(folder: Path) -> ImageEncoder:
    return load_torch_encoder(EncoderRequest("bundled", input_size=64), folder)


def tiny_projected(folder: Path) -> ImageEncoder:
    return load_torch_encoder(EncoderRequest(f"test_resnet:{folder / 'projected.safetensors'}"), folder)


def tiny_concat(folder: Path) -> ImageEncoder:
    return load_torch_encoder(EncoderRequest(f"test_resnet:{folder / 'concat.safetensors'}"), folder)


def tiny_moments(folder: Path) -> ImageEncoder:
    return load_torch_encoder(EncoderRequest(f"test_resnet:{folder / 'moments.safetensors'}"), folder)


def tiny_weighted(folder: Path) -> ImageEncoder:
    return load_torch_encoder(EncoderRequest(f"test_resnet:{folder / 'weighted.safetensors'}"), folder)


def published_last(folder: Path) -> ImageEncoder:
    return load_torch_encoder(
        EncoderRequest(f"test_efficientnet:{folder / 'published.safetensors'}", fusion="last", input_size=64), folder
    )


def exported(runtime: RuntimeName, name: str) -> Maker:
    """A network that another program runs; its export stays in the folder, so that it is made once.

    It is made here and not in a process of its own, which would load PyTorch again.
    """

    def make(folder: Path) -> ImageEncoder:
        request = EncoderRequest(name.format(folder=folder))
        if not is_quantised(request.name):
            make_export(request.name, str(folder), request.fusion, request.input_size, runtime.value)
        return load_on_runtime(request, folder, runtime)

    return make


TINY_CONCAT = "test_resnet:{folder}/concat.safetensors"
TINY_WEIGHTED = "test_resnet:{folder}/weighted.safetensors"
REFERENCES: dict[str, Maker] = {
    "openvino tiny concat": tiny_concat,
    "onnxruntime tiny concat": tiny_concat,
    "openvino tiny weighted": tiny_weighted,
    "onnxruntime tiny weighted": tiny_weighted,
}
"""The same encoders in PyTorch."""

MAKERS: dict[str, Maker] = {
    "bundled": bundled,
    "tiny projected": tiny_projected,
    "tiny concat": tiny_concat,
    "tiny moments": tiny_moments,
    "tiny weighted": tiny_weighted,
    "published last": published_last,
    "fake": lambda _: TinyEncoder(),
    **{
        f"{runner} {label}": exported(runner, name)
        for runner in EXPORT_RUNTIMES
        for label, name in (
            ("tiny concat", TINY_CONCAT),
            ("tiny weighted", TINY_WEIGHTED),
            ("int8", "bundled-int8"),
            ("fast", "bundled-fast"),
        )
    },
}


@pytest.fixture(scope="module", params=MAKERS)
def maker(request: pytest.FixtureRequest) -> Maker:
    return MAKERS[request.param]


@pytest.fixture(scope="module")
def files(encoders_folder: Path) -> Path:
    folder = encoders_folder
    write_tiny(folder / "projected.safetensors")
    write_tiny(folder / "concat.safetensors", fusion="concat", projection=None)
    write_tiny(folder / "moments.safetensors", fusion="moments", colour_bins=4)
    write_tiny(folder / "weighted.safetensors", fusion="moments", colour_bins=4, weighted=True)
    write_published(folder / "published.safetensors", classifier("test_efficientnet"))
    return folder


@pytest.fixture(scope="module")
def encoder(maker: Maker, files: Path) -> ImageEncoder:
    return maker(files)


PICTURES = [make_picture(seed, size) for seed, size in enumerate([(64, 64), (90, 40), (31, 77), (5, 5), (200, 150)])]
PICTURES += [make_picture(seed) for seed in range(10, 38)]


def test_prepare_gives_the_square_that_the_spec_names(encoder: ImageEncoder) -> None:
    size = encoder.spec.input_size
    for picture in PICTURES[:5]:
        prepared = encoder.prepare(picture)
        assert prepared.shape == (size, size, 3)
        assert prepared.dtype == np.uint8


def test_vectors_are_as_long_as_the_spec_says_and_of_unit_length(encoder: ImageEncoder) -> None:
    vectors = encode_pictures(encoder, PICTURES)
    assert vectors.shape == (len(PICTURES), encoder.spec.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_vector_does_not_depend_on_its_batch(encoder: ImageEncoder) -> None:
    alone = encode_pictures(encoder, PICTURES, batch_size=1)
    for batch_size in (7, 32):
        np.testing.assert_allclose(encode_pictures(encoder, PICTURES, batch_size), alone, atol=1e-5)


def test_distinct_pictures_have_distinct_vectors(encoder: ImageEncoder) -> None:
    vectors = encode_pictures(encoder, PICTURES)
    cosines = vectors @ vectors.T - 2 * np.eye(len(vectors))
    assert cosines.max() < 1 - 1e-5


def test_an_empty_batch_gives_no_vectors(encoder: ImageEncoder) -> None:
    size = encoder.spec.input_size
    for vectors in (encode_pictures(encoder, []), encoder.forward(np.empty((0, size, size, 3), np.uint8))):
        assert vectors.shape == (0, encoder.spec.dimension)
        assert vectors.dtype == np.float32


def test_the_batch_is_not_changed(encoder: ImageEncoder) -> None:
    batch = np.stack([encoder.prepare(picture) for picture in PICTURES[:2]])
    before = batch.copy()
    batch.setflags(write=False)
    encoder.forward(batch)
    np.testing.assert_array_equal(batch, before)


def test_a_strided_batch_gives_the_vectors_of_a_contiguous_one(encoder: ImageEncoder) -> None:
    batch = np.stack([encoder.prepare(picture) for picture in PICTURES[:6]])
    np.testing.assert_allclose(encoder.forward(batch[::2]), encoder.forward(batch)[::2], atol=1e-5)


def test_pictures_of_other_shapes_and_dtypes_are_refused(encoder: ImageEncoder) -> None:
    wrong: list[Any] = [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((9, 0, 3), np.uint8)]
    for picture in wrong:
        with pytest.raises(VectorsInvalidError):
            encoder.prepare(picture)


def test_batches_of_other_shapes_and_dtypes_are_refused(encoder: ImageEncoder) -> None:
    size = encoder.spec.input_size
    wrong: list[Any] = [
        np.zeros((size, size, 3), np.uint8),
        np.zeros((1, size, size + 16, 3), np.uint8),
        np.zeros((1, 3, size, size), np.uint8),
        np.zeros((1, size, size, 3), np.float32),
        [],
    ]
    for batch in wrong:
        with pytest.raises(VectorsInvalidError, match="batch must be"):
            encoder.forward(batch)


def test_threads_get_the_same_vectors_as_one_after_the_other(encoder: ImageEncoder) -> None:
    batches = [np.stack([encoder.prepare(picture)] * 2) for picture in PICTURES[:8]]
    expected = [encoder.forward(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for vectors, expected_vectors in zip(pool.map(encoder.forward, batches * 3), expected * 3, strict=True):
            np.testing.assert_allclose(vectors, expected_vectors, atol=1e-5)


def test_an_encoder_made_again_has_the_same_digest_and_vectors(
    encoder: ImageEncoder, maker: Maker, files: Path
) -> None:
    again = maker(files)
    assert again.spec.digest == encoder.spec.digest
    assert again.spec.differences(encoder.spec) == []
    np.testing.assert_allclose(encode_pictures(again, PICTURES[:2]), encode_pictures(encoder, PICTURES[:2]), atol=1e-5)


def test_the_spec_survives_being_written_down(encoder: ImageEncoder) -> None:
    read = EncoderSpec.from_dict(encoder.spec.to_dict())
    assert read == encoder.spec
    assert read.digest == encoder.spec.digest


def test_the_runtime_is_named_with_its_version(encoder: ImageEncoder) -> None:
    assert encoder.runtime.split()[0] in {"torch", "numpy", "openvino", "onnxruntime"}
    assert any(character.isdigit() for character in encoder.runtime.split()[1])


@pytest.mark.parametrize("name", REFERENCES)
def test_every_runtime_gives_the_vectors_of_the_reference(name: str, files: Path) -> None:
    encoder, reference = MAKERS[name](files), REFERENCES[name](files)
    assert encoder.spec == reference.spec
    vectors, expected = encode_pictures(encoder, PICTURES), encode_pictures(reference, PICTURES)
    assert (vectors * expected).sum(axis=1).min() >= 0.9999


def test_an_explanation_adds_up_to_the_score_that_the_vectors_have(encoder: ImageEncoder) -> None:
    prepared = [encoder.prepare(picture) for picture in PICTURES[:3]]
    vectors = encoder.forward(np.stack(prepared))
    for first, second in ((0, 1), (1, 2)):
        evidence = encoder.explain(prepared[first], prepared[second])
        assert evidence.score == pytest.approx(float(vectors[first] @ vectors[second]), abs=1e-5)
        for picture in (0, 1):
            total = sum(part.shares[picture] for part in evidence.parts) + evidence.rests[picture]
            assert total == pytest.approx(evidence.score, abs=1e-4)
            for part in evidence.parts:
                assert float(part.heats[picture].sum()) == pytest.approx(part.shares[picture], abs=1e-4)
                assert -1 <= part.score <= 1


def test_a_picture_beside_itself_is_alike_in_every_part(encoder: ImageEncoder) -> None:
    prepared = encoder.prepare(PICTURES[4])
    evidence = encoder.explain(prepared, prepared)
    assert evidence.score == pytest.approx(1, abs=1e-5)
    assert [part.score for part in evidence.parts] == pytest.approx([1] * len(evidence.parts), abs=1e-5)
    for part in evidence.parts:
        np.testing.assert_allclose(part.heats[0], part.heats[1], atol=1e-6)


def test_only_prepared_pictures_can_be_explained(encoder: ImageEncoder) -> None:
    good = encoder.prepare(PICTURES[0])
    with pytest.raises(VectorsInvalidError, match="batch must be"):
        encoder.explain(good, good[:, 1:])


def test_concurrent_callers_with_batches_of_all_sizes_get_the_vectors_of_each_batch_alone(
    encoder: ImageEncoder,
) -> None:
    squares = np.stack([encoder.prepare(picture) for picture in PICTURES[:8]])
    alone = encoder.forward(squares)

    def forward_part(size: int) -> Vectors:
        return encoder.forward(np.ascontiguousarray(squares[:size]))

    sizes = [1, 2, 8, 5, 3] * 6
    with ThreadPoolExecutor(4) as pool:
        for size, vectors in zip(sizes, pool.map(forward_part, sizes), strict=True):
            np.testing.assert_allclose(vectors, alone[:size], atol=1e-5)
