"""Whether the one to keep may have been made of the other: what compressing, and what editing, leaves behind."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from lookalike.copies import FinestDetail, find_doubt, read_finest_detail
from tests.helpers.scenes import draw_scene, jpeg, scaled

SEEDS = (1, 2, 3)
SIZE = (600, 450)


def _detail(image: Image.Image) -> FinestDetail:
    tables = getattr(image, "quantization", None)
    steps = None if tables is None else np.array(tables[0], np.float32).reshape(8, 8)
    return read_finest_detail(np.asarray(image.convert("RGB")), steps)


def _draw_leaves(seed: int) -> Image.Image:
    """Discs of all sizes that hide each other, softened by a lens: edges and power spectra as photographs have them.

    "Dead leaves": A. Lee, D. Mumford, J. Huang, "Occlusion models for natural images", 2001.
    """
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (2 * SIZE[0], 2 * SIZE[1]))
    draw = ImageDraw.Draw(image)
    for _ in range(6000):
        radius = 3 / np.sqrt(random.uniform(3e-5, 1))
        x, y = random.uniform(0, image.width), random.uniform(0, image.height)
        draw.ellipse(
            (x - radius, y - radius, x + radius, y + radius),
            tuple(random.integers(20, 200) + random.integers(0, 30, 3)),
        )
    scene = image.filter(ImageFilter.GaussianBlur(1)).resize(SIZE, Image.Resampling.BOX)
    return _grainy(scene, 1)


def _saved(image: Image.Image, quality: int, kind: str = "JPEG") -> Image.Image:
    file = io.BytesIO()
    image.save(file, kind, quality=quality)
    return Image.open(file)


def _grainy(image: Image.Image, deviation: float) -> Image.Image:
    noise = np.random.default_rng(9).normal(0, deviation, (*image.size[::-1], 1))
    return Image.fromarray(np.clip(np.asarray(image, np.float32) + noise, 0, 255).astype(np.uint8))


def _sharpened(image: Image.Image, radius: float = 1, percent: int = 60) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(radius, percent, 2))


@pytest.fixture(params=SEEDS)
def original(request: pytest.FixtureRequest) -> Image.Image:
    """A picture as a camera stores it."""
    return _saved(_draw_leaves(request.param), 93)


@pytest.mark.parametrize(
    ("quality", "kind"), [(30, "JPEG"), (60, "JPEG"), (75, "JPEG"), (85, "JPEG"), (90, "JPEG"), (60, "WEBP")]
)
def test_a_compressed_copy_is_no_reason_for_doubt(original: Image.Image, quality: int, kind: str) -> None:
    assert find_doubt(_detail(original), _detail(_saved(original, quality, kind))) is None


@pytest.mark.parametrize("factor", [0.35, 0.5, 0.7])
def test_a_smaller_copy_is_no_reason_for_doubt(original: Image.Image, factor: float) -> None:
    assert find_doubt(_detail(original), _detail(_saved(scaled(original, factor), 85))) is None


@pytest.mark.parametrize("percent", [40, 100, 150])
def test_a_sharpened_one_does_not_replace_what_it_was_made_of(original: Image.Image, percent: int) -> None:
    doubt = find_doubt(_detail(_saved(_sharpened(original, 1, percent), 92)), _detail(original))
    assert doubt is not None
    assert "may have been sharpened" in doubt


@pytest.mark.parametrize("dither", [Image.Dither.NONE, Image.Dither.FLOYDSTEINBERG])
def test_one_with_a_palette_does_not_replace_what_it_was_made_of(original: Image.Image, dither: Image.Dither) -> None:
    reduced = original.convert("RGB").quantize(256, dither=dither)
    doubt = find_doubt(_detail(reduced), _detail(original))
    assert doubt is not None
    assert "more colours" in doubt
    assert find_doubt(_detail(original), _detail(reduced)) is None


def test_a_jpeg_of_a_drawing_with_few_colours_is_no_reason_for_doubt() -> None:
    drawing = Image.new("RGB", SIZE, "white")
    random = np.random.default_rng(0)
    for x, y, width, height, *colour in random.integers(0, 240, (60, 7)).tolist():
        ImageDraw.Draw(drawing).rectangle((2 * x, y, 2 * x + width // 3, y + height // 2), fill=tuple(colour))
    for kind in ("JPEG", "WEBP"):
        assert find_doubt(_detail(drawing), _detail(_saved(drawing, 85, kind))) is None


@pytest.mark.parametrize("deviation", [4, 8, 15])
def test_one_with_grain_does_not_replace_what_it_was_made_of(original: Image.Image, deviation: float) -> None:
    assert find_doubt(_detail(_saved(_grainy(original, deviation), 92)), _detail(original)) is not None


def test_a_smoothed_one_does_not_replace_what_it_was_made_of(original: Image.Image) -> None:
    smoothed = _saved(original.filter(ImageFilter.MedianFilter(3)), 92)
    doubt = find_doubt(_detail(smoothed), _detail(original))
    assert doubt is not None
    assert doubt.startswith("has the same detail more sharply")


@pytest.mark.parametrize("factor", [1.3, 1.5, 2, 3])
@pytest.mark.parametrize("sharpen", [False, True])
def test_an_enlarged_one_does_not_replace_what_it_was_made_of(
    original: Image.Image, factor: float, sharpen: bool
) -> None:
    large = original.resize((round(SIZE[0] * factor), round(SIZE[1] * factor)), Image.Resampling.LANCZOS)
    doubt = find_doubt(_detail(_saved(_sharpened(large, 2, 120) if sharpen else large, 92)), _detail(original))
    assert doubt == "the larger one has no finer detail and may have been enlarged"


@pytest.mark.parametrize("softness", [0.8, 1.5, 3])
@pytest.mark.parametrize("quality", [95, 75])
def test_an_enlarged_one_of_a_soft_picture_does_not_replace_it(
    original: Image.Image, softness: float, quality: int
) -> None:
    soft = _saved(original.filter(ImageFilter.GaussianBlur(softness)), quality)
    large = _saved(soft.convert("RGB").resize((2 * SIZE[0], 2 * SIZE[1]), Image.Resampling.BICUBIC), quality)
    assert find_doubt(_detail(large), _detail(soft)) == "the larger one has no finer detail and may have been enlarged"


def test_a_sharp_picture_replaces_smaller_copies_of_it(original: Image.Image) -> None:
    for factor in (0.3, 0.5):
        assert find_doubt(_detail(original), _detail(_saved(scaled(original, factor), 85))) is None


def test_a_smaller_one_does_not_replace_one_with_finer_detail(original: Image.Image) -> None:
    assert find_doubt(_detail(scaled(original, 0.5)), _detail(original)) == "has finer detail than the kept one"


@pytest.mark.parametrize("softness", [0, 0.8])
@pytest.mark.parametrize("factor", [0.5, 0.75])
def test_a_smaller_one_does_not_replace_even_a_soft_one_that_it_was_made_of(
    original: Image.Image, softness: float, factor: float
) -> None:
    soft = _saved(original.filter(ImageFilter.GaussianBlur(softness)), 95)
    smaller = _saved(scaled(soft.convert("RGB"), factor), 65)
    assert find_doubt(_detail(smaller), _detail(soft)) == "has finer detail than the kept one"


@pytest.mark.parametrize("softness", [0.8, 1.2, 2])
@pytest.mark.parametrize("factor", [1.5, 2])
def test_a_picture_replaces_an_enlarged_one_that_shows_no_more(
    original: Image.Image, softness: float, factor: float
) -> None:
    soft = _saved(original.filter(ImageFilter.GaussianBlur(softness)), 93)
    size = (round(SIZE[0] * factor), round(SIZE[1] * factor))
    enlarged = _saved(soft.convert("RGB").resize(size, Image.Resampling.BICUBIC), 92)
    assert find_doubt(_detail(soft), _detail(enlarged)) is None


def test_a_larger_file_of_the_same_detail_may_have_been_saved_again(original: Image.Image) -> None:
    again = _saved(original, 97)
    assert len(jpeg(original, 97)) > 1.1 * len(jpeg(original, 93))
    assert "saved again" in str(find_doubt(_detail(again), _detail(original), is_larger_file=True))
    assert find_doubt(_detail(again), _detail(original)) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.rotate(180),
        lambda image: image.rotate(90, expand=True),
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.resize((50, 38)),
        lambda image: draw_scene(77, image.size),
    ],
)
def test_nothing_is_said_of_pictures_that_do_not_lie_on_each_other(original: Image.Image, change: object) -> None:
    assert callable(change)
    assert find_doubt(_detail(original), _detail(change(original))) is None


def test_nothing_is_said_where_there_is_no_detail() -> None:
    plain = Image.new("RGB", SIZE, (120, 130, 140))
    assert find_doubt(_detail(plain), _detail(_grainy(plain, 0.4))) is None
