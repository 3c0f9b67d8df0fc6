"""Which pictures of a folder are found as copies, which one is kept, and what is never proposed for dropping."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from lookalike.catalogue.duplicate_store import digest_pair
from lookalike.duplicates.keep_rules import KeepRule, KeepRules
from lookalike.duplicates.report import Action, DuplicateReport, GroupKind
from lookalike.duplicates.search import SearchOptions
from lookalike.tiers import Tier
from tests.helpers.duplicate_search import DrawnVectors, indexed_items, keys, search_folder
from tests.helpers.scenes import blurred, bordered, cropped, draw_scene, jpeg, png, scaled, write_files

SCENE = draw_scene(1)


def _copies(report: DuplicateReport) -> list[tuple[str, set[str]]]:
    """For each group of copies the key to keep and those to drop."""
    return [
        (group.keep.key, keys(group, Action.DROP))
        for group in report.groups
        if group.kind is GroupKind.COPIES and group.keep is not None
    ]


def _read(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _dropped(report: DuplicateReport) -> set[str]:
    return {member.subject.key for group in report.groups for member in group.dropped}


def test_the_picture_that_the_others_were_made_of_is_kept(tmp_path: Path) -> None:
    versions = {
        "original.jpg": jpeg(SCENE, 92),
        "bordered.jpg": jpeg(bordered(SCENE), 95),
        "upscaled.jpg": jpeg(scaled(_read(jpeg(SCENE, 92)), 2), 95),
        "half.jpg": jpeg(scaled(SCENE, 0.5)),
        "blurred.png": png(blurred(SCENE)),
        "crop.jpg": jpeg(cropped(SCENE)),
        "grey.jpg": jpeg(SCENE.convert("L"), 95),
        "small.jpg": jpeg(SCENE, 40),
    }
    folder = write_files(tmp_path / "f", versions | {f"other-{n}.jpg": jpeg(draw_scene(50 + n)) for n in range(4)})
    report = search_folder(folder, vectors=DrawnVectors(12))
    assert _copies(report) == [("original.jpg", set(versions) - {"original.jpg", "grey.jpg", "blurred.png"})]
    reasons = {member.subject.key: member.reason for member in report.groups[0].members}
    assert "border" in reasons["bordered.jpg"]
    assert "enlarged" in reasons["upscaled.jpg"]
    assert "of the kept one" in reasons["crop.jpg"]
    assert "in other colours" in reasons["grey.jpg"]
    assert reasons["original.jpg"]


@pytest.mark.parametrize("change", [lambda image: ImageOps.expand(image, 24, "white"), cropped])
def test_of_two_with_more_or_less_of_the_same_ground_neither_may_go(
    tmp_path: Path, change: Callable[[Image.Image], Image.Image]
) -> None:
    product = ImageOps.expand(SCENE, 60, "white")
    files = {"product.jpg": jpeg(product, 95), "framed.jpg": jpeg(change(product), 92)}
    report = search_folder(write_files(tmp_path / "f", files))
    assert _dropped(report) == set()
    reasons = {member.reason for group in report.groups for member in group.members if member.action is Action.NONE}
    assert any("ground around it" in reason for reason in reasons)


def test_turned_and_mirrored_copies_are_found_without_an_encoder(tmp_path: Path) -> None:
    turns = [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270]
    files = {f"turned-{turn.name}.jpg": jpeg(SCENE.transpose(turn), 85) for turn in turns}
    files |= {"mirrored.jpg": jpeg(ImageOps.mirror(SCENE), 85), "a.jpg": jpeg(SCENE, 95)}
    report = search_folder(write_files(tmp_path / "f", files))
    assert _copies(report) == [("a.jpg", set(files) - {"a.jpg", "mirrored.jpg"})]
    assert keys(report.groups[0], Action.NONE) == {"mirrored.jpg"}


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "lighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "with less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.6),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "in warmer colours": lambda image: Image.fromarray(
        np.clip(np.asarray(image) * np.array([1.15, 1.0, 0.8]), 0, 255).astype(np.uint8)
    ),
    "stretched": lambda image: image.resize((round(image.width * 1.2), image.height)),
    "mirrored": ImageOps.mirror,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_that_looks_different_is_shown_and_not_proposed(tmp_path: Path, change: str) -> None:
    """Which of the two is the right one is for a person to say; a smaller one that looks the same may go."""
    picture = draw_scene(1, (480, 360))
    files = {
        "a.jpg": jpeg(picture, 90),
        "b.jpg": jpeg(CHANGES[change](picture), 90),
        "c.jpg": jpeg(scaled(picture, 0.5)),
    }
    report = search_folder(write_files(tmp_path / "f", files), vectors=DrawnVectors(3))
    assert {member.subject.key for group in report.groups for member in group.members} >= {"a.jpg", "b.jpg"}
    assert _dropped(report) <= {"c.jpg"}


def test_a_page_whose_foot_was_cut_off_does_not_replace_the_whole_one(tmp_path: Path) -> None:
    page = Image.new("RGB", (420, 900), "white")
    draw = ImageDraw.Draw(page)
    for row in range(40):
        draw.text((30, 20 + 20 * row), f"article {row * 37 % 101}   {row * 7.3:.2f}", fill="black", font_size=14)
    draw.text((30, 850), "TOTAL 418.20", fill="black", font_size=26)
    files = {"cut.jpg": jpeg(page.crop((0, 0, 420, 835)), 95), "whole.jpg": jpeg(page, 85)}
    report = search_folder(write_files(tmp_path / "f", files), vectors=DrawnVectors(2))
    assert "whole.jpg" not in _dropped(report)


@pytest.mark.parametrize("deviation", [20, 30])
def test_noise_is_no_quality(tmp_path: Path, deviation: int) -> None:
    noise = np.random.default_rng(1).normal(0, deviation, (*SCENE.size[::-1], 3))
    noisy = Image.fromarray(np.clip(np.asarray(SCENE) + noise, 0, 255).astype(np.uint8))
    files = {"noisy.jpg": jpeg(noisy, 95), "clean.jpg": jpeg(SCENE, 80), "half.jpg": jpeg(scaled(SCENE, 0.5), 80)}
    report = search_folder(write_files(tmp_path / "f", files), vectors=DrawnVectors(3))
    assert _copies(report) == [("clean.jpg", {"half.jpg"})]
    assert keys(report.groups[0], Action.NONE) == {"noisy.jpg"}


def test_of_lossless_files_of_equal_pixels_the_smallest_is_kept(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "f", {"b.png": png(SCENE)})
    SCENE.save(folder / "a.bmp")
    assert _copies(search_folder(folder)) == [("b.png", {"a.bmp"})]


@pytest.mark.parametrize("ground", ["black", "white"])
def test_a_screenshot_of_a_photo_is_found_without_an_encoder(tmp_path: Path, ground: str) -> None:
    screen, ink = Image.new("RGB", (540, 1170), ground), "white" if ground == "black" else "black"
    photo = draw_scene(1, (960, 720))
    shown = scaled(photo, 540 / photo.width)
    screen.paste(shown, (0, (1170 - shown.height) // 2))
    draw = ImageDraw.Draw(screen)
    draw.text((20, 15), "12:41", fill=ink)
    draw.text((460, 15), "87 %", fill=ink)
    for left in (80, 200, 320, 440):
        draw.ellipse((left, 1100, left + 24, 1124), outline=ink, width=3)
    files = {"photo.jpg": jpeg(photo, 90), "screenshot.png": png(screen)}
    (group,) = search_folder(write_files(tmp_path / "f", files)).groups
    assert group.kind is GroupKind.COPIES
    assert {member.subject.key for member in group.members} == set(files)
    assert keys(group, Action.KEEP) == {"photo.jpg"}


def test_forty_sizes_of_one_picture_are_one_group(tmp_path: Path) -> None:
    files = {f"size-{n:02d}.jpg": jpeg(scaled(SCENE, 1.0 - n / 65)) for n in range(40)}
    files |= {f"other-{n}.jpg": jpeg(draw_scene(100 + n, (120, 90))) for n in range(20)}
    report = search_folder(write_files(tmp_path / "f", files))
    assert [len(dropped) for _, dropped in _copies(report)] == [39]


def test_other_pictures_are_in_no_group(tmp_path: Path) -> None:
    report = search_folder(write_files(tmp_path / "f", {f"{n}.jpg": jpeg(draw_scene(n)) for n in range(8)}))
    assert report.groups == ()


def test_a_part_with_finer_detail_than_the_whole_is_not_dropped(tmp_path: Path) -> None:
    large = draw_scene(2, (600, 450))
    files = {"whole.jpg": jpeg(scaled(large, 0.4)), "part.jpg": jpeg(cropped(large), 95)}
    report = search_folder(write_files(tmp_path / "f", files))
    assert _dropped(report) == set()


def test_a_picture_that_was_set_straight_is_not_dropped(tmp_path: Path) -> None:
    crooked = draw_scene(3, (480, 360))
    straight = cropped(cropped(crooked.rotate(6, Image.Resampling.BICUBIC)))
    folder = write_files(tmp_path / "f", {"crooked.png": png(crooked), "straight.jpg": jpeg(straight)})
    report = search_folder(folder, vectors=DrawnVectors(2))
    (group,) = report.groups
    assert group.kind is GroupKind.COPIES
    assert _dropped(report) == set()
    assert "set straight" in next(member.reason for member in group.members if member.action is Action.NONE)


def _recoloured(image: Image.Image) -> Image.Image:
    red, green, blue = image.convert("RGB").split()
    return Image.merge("RGB", (blue, red, green))


def test_a_poor_copy_of_two_good_pictures_replaces_neither(tmp_path: Path) -> None:
    scene = draw_scene(4, (480, 360))
    files = {
        "one.jpg": jpeg(scene, 92),
        "other.jpg": jpeg(_recoloured(scene), 92),
        "grey.jpg": jpeg(scene.convert("L"), 95),
        "poor.jpg": jpeg(scene, 12),
    }
    report = search_folder(write_files(tmp_path / "f", files), vectors=DrawnVectors(4))
    copies = [group for group in report.groups if group.kind is GroupKind.COPIES]
    members = {member.subject.key for group in copies for member in group.members}
    assert members == set(files)
    assert _dropped(report) <= {"grey.jpg", "poor.jpg"}


def test_an_archive_of_poor_copies_is_no_reason_to_drop_what_is_better(tmp_path: Path) -> None:
    scenes = [draw_scene(seed, (480, 360)) for seed in (5, 6)]
    folder = write_files(tmp_path / "f", {f"{n}.jpg": jpeg(scene, 92) for n, scene in enumerate(scenes)})
    poor = {"x.jpg": jpeg(scenes[0].convert("L"), 95), "y.jpg": jpeg(scenes[1], 15)}
    report = search_folder(folder, references=write_files(tmp_path / "archive", poor))
    reasons = {member.subject.key: member.reason for group in report.groups for member in group.members}
    assert _dropped(report) == set()
    assert "more colour" in reasons["0.jpg"]
    assert "less compressed" in reasons["1.jpg"]


@pytest.mark.parametrize("ground", ["white", "#fff096"])
def test_a_lossless_picture_is_kept_before_a_jpeg_of_it(tmp_path: Path, ground: str) -> None:
    drawing = Image.new("RGB", (480, 360), ground)
    random = np.random.default_rng(0)
    for x, y, width, height, *colour in random.integers(0, 240, (60, 7)).tolist():
        ImageDraw.Draw(drawing).rectangle((2 * x, y, 2 * x + width // 3, y + height // 2), fill=tuple(colour))
    files = {"chart.png": png(drawing), "chart.jpg": jpeg(drawing, 90)}
    assert len(files["chart.jpg"]) > len(files["chart.png"])
    folder = write_files(tmp_path / "f", files)
    assert _copies(search_folder(folder, vectors=DrawnVectors(2))) == [("chart.png", {"chart.jpg"})]


def test_pictures_of_which_a_collage_was_made_are_not_dropped(tmp_path: Path) -> None:
    scenes = [draw_scene(seed, (320, 240)) for seed in (7, 8, 9, 10)]
    collage = Image.new("RGB", (640, 480))
    for n, scene in enumerate(scenes):
        collage.paste(scene, (320 * (n % 2), 240 * (n // 2)))
    files = {f"{n}.jpg": jpeg(scene, 92) for n, scene in enumerate(scenes)} | {"collage.jpg": jpeg(collage, 92)}
    report = search_folder(write_files(tmp_path / "f", files), vectors=DrawnVectors(5))
    (group,) = report.groups
    parts = {member.subject.key for member in group.members if "collage" in member.reason}
    assert parts == set(files) - {"collage.jpg"}
    assert _dropped(report) == set()


def _product(ground: np.ndarray) -> Image.Image:
    """A thing in the middle of a (240, 200, 3) ground."""
    thing = np.asarray(draw_scene(7, (110, 140)))
    pixels = ground.astype(np.uint8)
    pixels[50:190, 45:155] = thing
    return Image.fromarray(pixels)


def test_a_border_around_a_product_on_a_dark_ground_is_no_part_of_it(tmp_path: Path) -> None:
    product = _product(np.zeros((240, 200, 3)))
    files = {"a.jpg": jpeg(bordered(product), 92), "b.jpg": jpeg(product, 92)}
    assert _copies(search_folder(write_files(tmp_path / "f", files))) == [("b.jpg", {"a.jpg"})]


def test_the_shaded_ground_of_a_product_is_no_border_around_its_crop(tmp_path: Path) -> None:
    product = _product(np.tile(np.linspace(180, 235, 200)[None, :, None], (240, 1, 3)))
    part = product.crop((16, 24, 180, 220))
    folder = write_files(tmp_path / "f", {"a.jpg": jpeg(part, 92), "b.jpg": jpeg(product, 95)})
    assert _copies(search_folder(folder, vectors=DrawnVectors(2))) == [("b.jpg", {"a.jpg"})]


def test_plain_and_tiny_pictures_are_copies_only_of_equal_files(tmp_path: Path) -> None:
    black, dot = Image.new("RGB", (200, 150)), Image.new("RGB", (1, 1), "red")
    files = {"black.jpg": jpeg(black), "black.png": png(black), "dot.png": png(dot), "dot-again.png": png(dot)}
    files["dot.jpg"] = jpeg(dot)
    report = search_folder(write_files(tmp_path / "f", files))
    assert [{keep, *dropped} for keep, dropped in _copies(report)] == [{"dot.png", "dot-again.png"}]


def _animation(seeds: list[int]) -> bytes:
    file = io.BytesIO()
    frames = [draw_scene(seed, (120, 90)).quantize(64) for seed in seeds]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def test_animations_of_one_first_frame_are_shown_and_never_dropped(tmp_path: Path) -> None:
    files = {"a.gif": _animation([1, 2]), "b.gif": _animation([1, 3]), "still.gif": _animation([1])}
    report = search_folder(write_files(tmp_path / "f", files))
    assert [group.kind for group in report.groups] == [GroupKind.LOOK]
    assert keys(report.groups[0], Action.NONE) == set(files)


def test_copies_that_differ_in_a_place_are_grouped_apart(tmp_path: Path) -> None:
    page = draw_scene(4, (600, 450))
    changed = page.copy()
    changed.paste(draw_scene(5, (60, 40)), (300, 200))
    files = {"page.png": png(page), "page-again.jpg": jpeg(page, 95), "changed.png": png(changed)}
    report = search_folder(write_files(tmp_path / "f", files))
    assert _copies(report) == [("page.png", {"page-again.jpg"})]
    edited = next(group for group in report.groups if group.kind is GroupKind.EDITED)
    assert keys(edited, Action.NONE) == {"page.png", "changed.png"}


def _shot(scene: Image.Image, time: str, fraction: str) -> bytes:
    exif = Image.Exif()
    exif[0x0110] = "Camera 1"
    exif.get_ifd(0x8769).update({0x9003: time, 0x9291: fraction})
    return jpeg(scene, 90, exif)


def test_shots_within_a_second_are_a_burst_and_not_copies(tmp_path: Path) -> None:
    shot = "2024:05:01 12:00:00"
    later = Image.fromarray(np.roll(np.asarray(SCENE), 2, axis=1))
    files = {
        "1.jpg": _shot(SCENE, shot, "10"),
        "2.jpg": _shot(later, shot, "35"),
        "export.jpg": _shot(SCENE, shot, "10"),
    }
    files["export.jpg"] = _shot(scaled(SCENE, 0.5), shot, "10")
    report = search_folder(write_files(tmp_path / "f", files))
    assert _copies(report) == [("1.jpg", {"export.jpg"})]
    burst = next(group for group in report.groups if group.kind is GroupKind.BURST)
    assert keys(burst, Action.NONE) == {"1.jpg", "2.jpg"}


def test_a_shot_of_the_same_scene_at_another_time_is_not_dropped(tmp_path: Path) -> None:
    files = {}
    for name, when in (("today.jpg", "2024:05:01 10:00:00"), ("next-week.jpg", "2024:05:08 10:00:00")):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = when
        files[name] = jpeg(SCENE, 90 if name == "today.jpg" else 80, exif)
    report = search_folder(write_files(tmp_path / "f", files))
    assert {member.subject.key for group in report.groups for member in group.members} == set(files)
    assert _dropped(report) == set()


@pytest.mark.parametrize("degrees", [1.0, 1.4, 3.0])
def test_a_picture_that_was_set_straight_by_little_is_not_dropped(tmp_path: Path, degrees: float) -> None:
    picture = draw_scene(3, (640, 480))
    turned = picture.rotate(degrees, Image.Resampling.BICUBIC).crop((20, 15, 620, 465))
    files = {"a.jpg": jpeg(picture, 90), "straight.jpg": jpeg(turned, 90)}
    assert _dropped(search_folder(write_files(tmp_path / "f", files), vectors=DrawnVectors(2))) == set()


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_link_to_the_kept_file_is_the_same_file(tmp_path: Path, link: object) -> None:
    folder = write_files(tmp_path / "f", {"b.jpg": jpeg(SCENE), "c.jpg": jpeg(scaled(SCENE, 0.5))})
    link(folder / "b.jpg", folder / "a.jpg")  # type: ignore[operator]
    report = search_folder(folder)
    (group,) = report.groups
    assert keys(group, Action.DROP) == {"c.jpg"}
    assert len(keys(group, Action.SAME_FILE)) == 1
    if link is os.symlink:
        assert keys(group, Action.KEEP) == {"b.jpg"}
    assert report.freed_bytes == (folder / "c.jpg").stat().st_size


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_link_to_a_dropped_file_goes_with_it_and_frees_nothing_more(tmp_path: Path, link: object) -> None:
    folder = write_files(tmp_path / "f", {"b.jpg": jpeg(SCENE), "c.jpg": jpeg(scaled(SCENE, 0.5))})
    link(folder / "c.jpg", folder / "d.jpg")  # type: ignore[operator]
    report = search_folder(folder)
    assert _copies(report) == [("b.jpg", {"c.jpg", "d.jpg"})]
    assert [member.shares_file for member in report.groups[0].dropped] == [False, True]
    assert report.freed_bytes == (folder / "c.jpg").stat().st_size


def test_the_widest_tier_limits_what_counts_as_a_copy(tmp_path: Path) -> None:
    files = {"a.png": png(SCENE), "b.png": png(SCENE), "c.bmp": png(SCENE), "d.jpg": jpeg(SCENE)}
    folder = write_files(tmp_path / "f", files)
    SCENE.save(folder / "c.bmp")
    for tier, count in ((Tier.SAME_BYTES, 1), (Tier.SAME_PIXELS, 2), (Tier.NEAR_DUPLICATE, 3)):
        assert search_folder(folder, options=SearchOptions(widest=tier)).dropped_count == count


def test_a_rule_and_a_folder_choose_among_equally_complete_copies(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "f", {"x/a.jpg": jpeg(SCENE, 95), "y/b.jpg": jpeg(SCENE, 80)})
    os.utime(folder / "y/b.jpg", (1, 1))
    assert _copies(search_folder(folder))[0][0] == "x/a.jpg"
    oldest = SearchOptions(rules=KeepRules((KeepRule.OLDEST,)))
    assert _copies(search_folder(folder, options=oldest))[0][0] == "y/b.jpg"
    preferred = SearchOptions(rules=KeepRules(folders=(str(folder / "y"),)))
    assert _copies(search_folder(folder, options=preferred))[0][0] == "y/b.jpg"


def test_pictures_decided_to_be_no_duplicates_never_come_back(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "f", {"a.jpg": jpeg(SCENE, 95), "b.jpg": jpeg(SCENE, 80), "c.jpg": jpeg(SCENE, 60)})
    digests = [item.content_digest for item in indexed_items(folder)]
    options = SearchOptions(not_duplicates=frozenset([digest_pair(digests[0], digests[1])]))
    groups = [{keep, *dropped} for keep, dropped in _copies(search_folder(folder, options=options))]
    assert groups
    assert all(not {"a.jpg", "b.jpg"} <= group for group in groups)


def test_only_what_the_reference_has_too_is_reported_and_nothing_of_it_dropped(tmp_path: Path) -> None:
    own = {"a.jpg": jpeg(scaled(_read(jpeg(SCENE)), 2), 95), "b.jpg": jpeg(draw_scene(2)), "c.jpg": jpeg(draw_scene(3))}
    folder = write_files(tmp_path / "f", own | {"c-again.jpg": jpeg(draw_scene(3), 50)})
    archive = write_files(tmp_path / "archive", {"x.jpg": jpeg(SCENE), "y.jpg": jpeg(draw_scene(2), 95)})
    report = search_folder(folder, references=archive)
    assert _copies(report) == [("x.jpg", {"a.jpg"}), ("y.jpg", {"b.jpg"})]


def test_a_changed_file_takes_no_part_though_its_marks_are_remembered(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "f", {"a.jpg": jpeg(SCENE, 95), "b.jpg": jpeg(SCENE, 80)})
    items = indexed_items(folder)
    assert search_folder(folder, items=items).dropped_count == 1
    (folder / "b.jpg").write_bytes(jpeg(draw_scene(9)))
    warnings: list[str] = []
    report = search_folder(folder, items=items, warnings=warnings)
    assert report.groups == ()
    assert report.unreadable == ("b.jpg",)
    assert "has changed since it was indexed" in warnings[0]


def test_an_unreadable_picture_is_named_once_and_passed_over(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "f", {"a.jpg": jpeg(SCENE, 95), "b.jpg": jpeg(SCENE, 80)})
    items = indexed_items(folder)
    items.append(replace(items[0], key="gone.jpg", location="gone.jpg", content_digest="0" * 64))
    warnings: list[str] = []
    report = search_folder(folder, items=items, warnings=warnings)
    assert report.dropped_count == 1
    assert report.unreadable == ("gone.jpg",)
    assert len(warnings) == 1


@pytest.mark.parametrize(("similar", "kinds"), [({frozenset((0, 1))}, [GroupKind.BURST]), (set(), [])])
def test_similar_shots_of_one_camera_within_seconds_are_a_burst(
    tmp_path: Path, similar: set[frozenset[int]], kinds: list[GroupKind]
) -> None:
    files = {
        "1.jpg": _shot(SCENE, "2024:05:01 12:00:00", ""),
        "2.jpg": _shot(draw_scene(77, SCENE.size), "2024:05:01 12:00:03", ""),
    }
    report = search_folder(write_files(tmp_path / "f", files), vectors=DrawnVectors(2, similar))
    assert [group.kind for group in report.groups] == kinds
    assert report.dropped_count == 0


@pytest.mark.parametrize("width", [6, 14, 19])
@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_border_is_no_reason_to_keep_a_picture(tmp_path: Path, width: int, colour: str) -> None:
    for number, size in enumerate([(208, 208), (144, 256), (256, 256), (199, 208)]):
        scene = draw_scene(20 + number, size)
        framed = ImageOps.expand(scene, width, colour)
        files = {"scene.jpg": jpeg(scene, 92), "framed.jpg": jpeg(framed, 92)}
        report = search_folder(write_files(tmp_path / f"{number}", files))
        assert [kept for kept, _ in _copies(report)] == ["scene.jpg"]


def test_a_banner_beside_the_picture_does_not_make_it_the_one_to_keep(tmp_path: Path) -> None:
    banner = Image.new("RGB", (SCENE.width, SCENE.height + 36), (20, 20, 120))
    banner.paste(SCENE, (0, 0))
    ImageDraw.Draw(banner).text((8, SCENE.height + 8), "SALE 20 PERCENT OFF", "white", font_size=18)
    files = {"a.jpg": jpeg(SCENE), "banner.jpg": jpeg(banner, 95)}
    report = search_folder(write_files(tmp_path / "f", files), vectors=DrawnVectors(2))
    assert _copies(report) == [("a.jpg", {"banner.jpg"})]
