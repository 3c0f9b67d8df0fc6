"""Training pictures are changed within bounds, and the same way when the seed is the same."""

from __future__ import annotations

import pytest
import torch

from indexer.train.augment import augment, blur, compress, cover, recolour, resample


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 6, side: int = 40) -> torch.Tensor:
    return torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=seeded(9))


@pytest.mark.parametrize("size", [16, 32, 48])
def test_batch_keeps_count_and_range_at_the_asked_size(size: int) -> None:
    changed = augment(pictures(), size, seeded())
    assert changed.shape == (6, 3, size, size)
    assert changed.dtype == torch.float32
    assert float(changed.min()) >= 0.0
    assert float(changed.max()) <= 1.0


def test_same_seed_repeats_and_another_differs() -> None:
    first = augment(pictures(), 32, seeded(1))
    assert torch.equal(first, augment(pictures(), 32, seeded(1)))
    assert not torch.equal(first, augment(pictures(), 32, seeded(2)))


def test_pictures_of_the_pool_are_left_as_they_are() -> None:
    given = pictures()
    kept = given.clone()
    augment(given, 32, seeded())
    assert torch.equal(given, kept)


def test_crop_of_a_flat_picture_shows_its_colour_and_one_border_colour() -> None:
    flat = torch.full((8, 3, 24, 24), 0.25)
    moved = resample(flat, 24, seeded(3))
    middle = moved[:, :, 12, 12]
    assert torch.allclose(middle, torch.full_like(middle, 0.25), atol=1e-6)


def test_flat_picture_survives_blur() -> None:
    flat = torch.full((2, 3, 64, 64), 0.5)
    assert torch.allclose(blur(flat, seeded()), flat, atol=1e-6)


def test_blur_spreads_a_point_and_keeps_its_sum() -> None:
    point = torch.zeros(1, 3, 64, 64)
    point[:, :, 32, 32] = 1.0
    spread = blur(point, seeded())
    assert float(spread[0, 0, 32, 32]) < 0.9
    assert float(spread[0, 0].sum()) == pytest.approx(1.0, abs=1e-4)


def test_compression_rounds_the_mean_of_a_flat_block_to_a_step() -> None:
    generator = seeded(4)
    step = 0.01 + 0.04 * float(torch.rand(1, generator=seeded(4)))
    flat = torch.full((1, 3, 16, 16), 0.3)
    # A flat block of 8 × 8 has one coefficient, eight times its level (orthonormal cosine transform).
    expected = round(8 * 0.3 / step) * step / 8
    assert torch.allclose(compress(flat, generator), torch.full_like(flat, expected), atol=1e-5)


def test_recoloured_grey_stays_between_black_and_white() -> None:
    changed = recolour(torch.full((16, 3, 8, 8), 0.9), seeded())
    assert float(changed.max()) <= 1.0
    assert float(changed.min()) > 0.0


def test_cover_hides_at_most_a_quarter_along_one_side() -> None:
    given = torch.full((32, 3, 40, 40), 0.123)
    hidden = (cover(given, 1.0, seeded()) != given).any(dim=1)
    assert hidden.any(dim=(1, 2)).all()
    for mask in hidden:
        assert float(mask.float().mean()) <= 0.25 + 1e-6
        assert bool(mask.all(dim=1).any()) != bool(mask.all(dim=0).any())


def test_nothing_is_covered_without_a_chance() -> None:
    given = torch.rand(4, 3, 16, 16, generator=seeded())
    assert torch.equal(cover(given, 0.0, seeded()), given)
