"""The review of duplicates, by keyboard and by finger: what is decided, what is remembered, and what is taken along."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.conftest import running_on
from tests.helpers.scenes import draw_scene, jpeg, png, scaled, write_files
from tests.page.conftest import visiting
from tests.page.shop import ask, run_indexer, starting
from tests.page.test_looks import CONTRAST, LOOKS, SMALL, SMALL_TARGETS, SPILLED
from tests.page.visitor import DESKTOP, PHONE, Visitor, Windows, answer_problem

SCENE, POSTER, ODD = draw_scene(1, (480, 360)), draw_scene(4, (600, 450)), draw_scene(6)
ODD_NAMES = ['it\'s "odd" $(touch gone) `x` \\.jpg', "-n.jpg"]


def pictures() -> dict[str, bytes]:
    """Three pictures of one scene, two of another, three equal files under odd names, and an edited poster."""
    edited = POSTER.copy()
    edited.paste(draw_scene(5, (60, 40)), (300, 200))
    return {
        "a/scene.png": png(SCENE),
        "a/scene copy.jpg": jpeg(SCENE, 80),
        "b/scene half.jpg": jpeg(scaled(SCENE, 0.5)),
        "c/pair.png": png(draw_scene(3, (300, 200))),
        "c/pair.jpg": jpeg(draw_scene(3, (300, 200)), 80),
        "all equal.jpg": jpeg(ODD),
        **dict.fromkeys(ODD_NAMES, jpeg(ODD)),
        "poster.png": png(POSTER),
        "poster edited.png": png(edited),
    }


SCENES = ["a/scene.png", "a/scene copy.jpg", "b/scene half.jpg"]


@dataclass(frozen=True)
class Album:
    """The service over the collections ``album``, searched for duplicates, and ``unsearched``."""

    address: str
    source: Path


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Album]:
    root = tmp_path_factory.mktemp("duplicates")
    with running_on():
        source = write_files(root / "Pictures", pictures())
        others = write_files(root / "others", {"one.jpg": jpeg(ODD)})
        data = str(root / "data")
        run_indexer("index", str(source), "-c", "album", "--data", data)
        run_indexer("index", str(others), "-c", "unsearched", "--data", data)
        run_indexer("duplicates", "-c", "album", "--data", data)
    with starting(root / "data", root / "encoders") as service:
        yield Album(service.ready(), source)


@pytest.fixture
def visitor(windows: Windows, album: Album) -> Iterator[Visitor]:
    """Somebody who visits that service."""
    yield from visiting(windows, album.address)


def review(visitor: Visitor, place: str = "#/duplicates/album", **options: Any) -> Page:
    """The review by somebody who has decided nothing yet."""
    page = newcomer(visitor, place, **options)
    expect(page.locator(".members .loaded").first).to_be_visible()
    return page


def newcomer(visitor: Visitor, place: str, **options: Any) -> Page:
    """A page of which this browser, and of these pictures the service, remembers nothing."""
    forget = {"key": SCENES, "decision": "duplicates-after-all"}
    httpx.post(f"{visitor.address}collections/album/duplicates/decisions", data=forget).raise_for_status()
    page = visitor.open("#/compare", **options)
    page.evaluate("localStorage.clear()")
    page.goto(visitor.address + place)
    return page


def members(page: Page) -> Locator:
    return page.locator(".member")


def shown(page: Page) -> list[tuple[str, str]]:
    """The key of each picture of the group, and what becomes of it."""
    pairs: list[list[str]] = members(page).evaluate_all(
        "(all) => all.map((each) => [each.dataset.key, each.querySelector('.verdict').textContent])"
    )
    return [(key, action) for key, action in pairs]


def groups_of(album: Album) -> list[list[str]]:
    """The keys of each group as the service has them."""
    groups = ask(album.address, "/collections/album/duplicates")["groups"]
    return [[member["key"] for member in group["members"]] for group in groups]


def selected(page: Page) -> Locator:
    return page.locator(".member[aria-selected=true]")


def progress(page: Page) -> Locator:
    return page.locator(".progress-words")


@pytest.mark.parametrize("look", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_groups_are_reviewed_by_keyboard(visitor: Visitor, look: dict[str, Any]) -> None:
    page = review(visitor, **look)
    heading = page.locator(".group h2")
    expect(heading).to_have_text("Group 1 of 4")
    assert shown(page) == [(SCENES[0], "Keep"), (SCENES[1], "Drop"), (SCENES[2], "Drop")]
    expect(members(page).first.locator(".reason")).not_to_be_empty()
    expect(selected(page)).to_have_attribute("data-key", SCENES[1])
    expect(page.locator(".panes .pane-key")).to_have_text(SCENES[:2])
    page.keyboard.press("ArrowRight")
    expect(page.locator(".panes .pane-key")).to_have_text([SCENES[0], SCENES[2]])
    page.keyboard.press("Space")
    assert shown(page) == [(SCENES[0], "Keep"), (SCENES[1], "Drop"), (SCENES[2], "Stays")]
    page.keyboard.press("Enter")
    expect(heading).to_have_text("Group 2 of 4")
    expect(progress(page)).to_contain_text(f"1 of 4 reviewed: 1 to drop, {len(pictures()[SCENES[1]]) / 1000:.3g} kB")
    page.keyboard.press("j")
    expect(heading).to_have_text("Group 3 of 4")
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(heading).to_have_text("Group 1 of 4")
    expect(page.locator(".group.done")).to_be_visible()
    page.keyboard.press("u")
    expect(progress(page)).to_contain_text("0 of 4 reviewed")
    page.keyboard.press("u")
    assert shown(page)[2] == (SCENES[2], "Drop")


def test_what_was_decided_is_there_after_a_reload(visitor: Visitor) -> None:
    page = review(visitor)
    page.keyboard.press("Enter")
    expect(page.locator(".group h2")).to_have_text("Group 2 of 4")
    page.reload()
    expect(progress(page)).to_contain_text("1 of 4 reviewed: 2 to drop")
    expect(page.locator(".group h2")).to_have_text("Group 2 of 4")
    expect(page.locator(".groups li").first).to_have_class(re.compile(r"\bdone\b"))


def test_one_picture_of_each_group_stays(visitor: Visitor) -> None:
    page = review(visitor)
    page.keyboard.press("ArrowLeft")
    expect(selected(page)).to_have_attribute("data-key", SCENES[0])
    page.keyboard.press("Space")
    expect(page.locator(".toast")).to_have_text("One picture of each group stays: keep another one first.")
    assert [action for _, action in shown(page)] == ["Keep", "Drop", "Drop"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    assert [action for _, action in shown(page)] == ["Drop", "Stays", "Drop"]
    expect(members(page).first.locator(".reason")).to_have_text("your choice")


def drawn(*groups: tuple[str, dict[str, str]]) -> Callable[[Route], None]:
    """What answers with these groups: each a kind, and the action for each key."""

    def answer(route: Route) -> None:
        page = route.fetch().json()
        known = {member["key"]: member for group in page["groups"] for member in group["members"]}
        page["groups"] = [
            {
                "id": str(number),
                "kind": kind,
                "freed_bytes": 0,
                "members": [known[key] | {"action": action} for key, action in actions.items()],
            }
            for number, (kind, actions) in enumerate(groups)
        ]
        route.fulfill(json=page)

    return answer


def test_a_picture_of_two_groups_is_never_the_last_one_of_either(visitor: Visitor) -> None:
    page = newcomer(visitor, "#/compare")
    first, second, third = SCENES
    groups = (("copies", {first: "keep", second: "drop"}), ("burst", {first: "none", third: "none"}))
    page.route("**/duplicates?*", drawn(*groups))
    page.goto(f"{visitor.address}#/duplicates/album")
    expect(page.locator(".group h2")).to_have_text("Group 1 of 2")
    page.keyboard.press("j")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    expect(page.locator(".toast")).to_contain_text("One picture of each group stays")
    page.keyboard.press("k")
    page.keyboard.press("Space")
    page.keyboard.press("j")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    assert shown(page) == [(first, "Drop"), (third, "Stays")]
    page.keyboard.press("k")
    assert shown(page) == [(first, "Drop"), (second, "Stays")]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert shown(page) == [(first, "Drop"), (second, "Stays")]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    assert shown(page) == [(first, "Keep"), (second, "Stays")]


def test_a_link_is_not_what_is_left_of_a_group(visitor: Visitor) -> None:
    page = newcomer(visitor, "#/compare")
    page.route("**/duplicates?*", drawn(("copies", {SCENES[0]: "keep", SCENES[1]: "same-file"})))
    page.goto(f"{visitor.address}#/duplicates/album")
    expect(members(page)).to_have_count(2)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    expect(page.locator(".toast")).to_contain_text("One picture of each group stays")
    assert shown(page) == [(SCENES[0], "Keep"), (SCENES[1], "Stays")]


def test_a_long_list_is_shown_in_parts(visitor: Visitor) -> None:
    page = newcomer(visitor, "#/compare")
    page.route("**/duplicates?*", drawn(*[("copies", {SCENES[0]: "keep", SCENES[2]: "none"})] * 150))
    page.goto(f"{visitor.address}#/duplicates/album")
    expect(page.locator(".group-row")).to_have_count(100)
    page.get_by_role("button", name="Groups 101 to 150").click()
    expect(page.locator(".group h2")).to_have_text("Group 101 of 150")
    expect(page.locator(".group-row")).to_have_count(50)
    page.keyboard.press("k")
    expect(page.locator(".group h2")).to_have_text("Group 100 of 150")
    expect(page.locator(".group-row").last).to_have_attribute("aria-current", "true")
    expect(page.locator(".group-row").last).to_be_in_viewport()


def test_a_search_that_ends_meanwhile_is_shown_instead(visitor: Visitor) -> None:
    visitor.forgive_failures()
    page = newcomer(visitor, "#/compare")

    def halve(route: Route) -> None:
        answer = route.fetch().json()
        route.fulfill(json=answer | {"groups": answer["groups"][:1], "next_cursor": "b2xk"})

    page.route("**/duplicates?*", halve, times=1)
    page.goto(f"{visitor.address}#/duplicates/album")
    expect(page.locator(".toast")).to_contain_text("The collection has been searched again since.")
    expect(page.locator(".group h2")).to_have_text("Group 1 of 4")


def test_no_duplicates_are_remembered_by_the_service_until_that_is_undone(visitor: Visitor, album: Album) -> None:
    page = review(visitor)
    page.keyboard.press("n")
    expect(page.locator(".toast")).to_have_text("3 pictures remembered as no duplicates.")
    expect(page.locator(".group h2")).to_have_text("Group 1 of 3")
    assert len(groups_of(album)) == 3
    page.keyboard.press("u")
    expect(page.locator(".toast")).to_have_text("Undone.")
    expect(page.locator(".group h2")).to_have_text("Group 1 of 4")
    assert shown(page)[0] == (SCENES[0], "Keep")
    page.keyboard.press("Shift+N")
    expect(members(page)).to_have_count(2)
    assert [SCENES[0], SCENES[2]] in groups_of(album)
    page.keyboard.press("u")
    expect(members(page)).to_have_count(3)
    assert SCENES in groups_of(album)


def test_who_may_only_read_is_told_that_a_decision_was_not_taken(visitor: Visitor) -> None:
    visitor.forgive_failures()
    page = review(visitor)
    page.route("**/decisions", lambda route: answer_problem(route, 403, "forbidden", "this key has scope read"))
    page.keyboard.press("n")
    expect(page.locator(".notice.problem")).to_contain_text("This key may not do that")
    expect(page.locator(".group h2")).to_have_text("Group 1 of 4")


def test_places_that_differ_are_boxed_in_both_pictures_and_nothing_is_proposed(visitor: Visitor) -> None:
    page = review(visitor, reduced_motion="reduce")
    page.get_by_label("Show").select_option("edited")
    expect(page.locator(".group h2")).to_have_text("Group 1 of 1")
    assert {action for _, action in shown(page)} == {"Stays"}
    expect(page.locator(".stage-note")).to_have_text("They differ in 1 place.")
    expect(page.locator(".pane .place")).to_have_count(2)
    for side in range(2):
        pane, place = (page.locator(".pane").nth(side).locator(part).bounding_box() for part in ("img", ".place"))
        assert pane is not None
        assert place is not None
        middle = (place["x"] + place["width"] / 2 - pane["x"]) / pane["width"]
        assert middle == pytest.approx(330 / 600, abs=0.05)
    page.keyboard.press("v")
    expect(page.locator(".panes.blink .pane")).to_have_count(1)
    expect(page.locator(".panes.turned")).to_have_count(0)
    page.get_by_role("button", name="Swap").click()
    expect(page.locator(".panes.turned")).to_have_count(1)
    page.keyboard.press("v")
    expect(page.locator(".panes.difference .second img")).to_be_visible()


def test_the_keys_are_listed_and_a_finger_goes_on(visitor: Visitor) -> None:
    page = review(visitor, **PHONE)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("accept the group and go on")
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(page.locator(".group h2")).to_have_text("Group 1 of 4")
    for begin, end, number in ((300, 100, 2), (100, 300, 1)):
        page.locator(".panes").evaluate(
            """(target, [begin, end]) => {
              const touch = (clientX) => new Touch({ identifier: 1, target, clientX, clientY: 400 });
              const fire = (type, x, touches) => target.dispatchEvent(
                new TouchEvent(type, { bubbles: true, touches, changedTouches: [touch(x)] }));
              fire("touchstart", begin, [touch(begin)]);
              fire("touchend", end, []);
            }""",
            [begin, end],
        )
        expect(page.locator(".group h2")).to_have_text(f"Group {number} of 4")
    page.get_by_text("Groups", exact=True).click()
    page.locator(".group-row").nth(2).click()
    expect(page.locator(".group h2")).to_have_text("Group 3 of 4")
    expect(page.locator(".members")).to_be_focused()


def saved(page: Page, name: str, folder: Path) -> Path:
    """What a button saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_equal_files_are_accepted_at_once_and_listed(visitor: Visitor, tmp_path: Path) -> None:
    page = review(visitor)
    page.get_by_role("button", name="Accept all same files (1)").click()
    expect(page.locator(".toast")).to_have_text("1 group accepted.")
    expect(progress(page)).to_contain_text("1 of 4 reviewed: 2 to drop")
    path = saved(page, "Save the list", tmp_path)
    assert path.name == "lookalike-duplicates-album.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), strict=True))
    assert list(rows[0]) == ["group", "key", "location", "action", "reason"]
    assert sorted(row["action"] for row in rows) == ["drop", "drop", "keep"]
    assert {row["key"].removeprefix("'") for row in rows} == {"all equal.jpg", *ODD_NAMES}
    page.keyboard.press("u")
    expect(progress(page)).to_contain_text("0 of 4 reviewed")


def test_the_script_moves_what_was_accepted_and_nothing_else(visitor: Visitor, album: Album, tmp_path: Path) -> None:
    page = review(visitor)
    page.get_by_role("button", name="Accept all copies (3)").click()
    script = saved(page, "Save the script", tmp_path)
    text = script.read_text(encoding="utf-8")
    assert f"SOURCE='{album.source}'" in text
    copy = Path(shutil.copytree(album.source, tmp_path / "own copy" / "Pictures"))
    target = tmp_path / "own copy" / "gone's"
    quoted = str(target).replace("'", "'\\''")
    text = re.sub("^SOURCE=.*$", f"SOURCE='{copy}'", text, flags=re.MULTILINE)
    script.write_text(re.sub("^TARGET=.*$", lambda _: f"TARGET='{quoted}'", text, flags=re.MULTILINE), encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", str(script), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)

    dry = run()
    assert (dry.returncode, dry.stderr) == (0, "")
    assert "5 to move with --move, 0 left" in dry.stdout
    assert not target.exists()
    (target / SCENES[1]).parent.mkdir(parents=True)
    (target / SCENES[1]).write_bytes(b"here before")
    moved = run("--move")
    assert (moved.returncode, moved.stdout.splitlines()[-1]) == (1, "4 moved, 1 left")
    assert "is there already" in moved.stderr
    assert (target / SCENES[1]).read_bytes() == b"here before"
    left = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    gone = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert gone - {SCENES[1]} | left == set(pictures())
    assert {SCENES[0], SCENES[1], "poster.png", "poster edited.png"} < left
    assert len(left & {"all equal.jpg", *ODD_NAMES}) == 1
    assert not (tmp_path / "gone").exists()
    assert run("--delete").returncode == 2


def test_a_collection_that_was_not_searched_says_what_to_run(visitor: Visitor) -> None:
    visitor.forgive_failures()
    page = newcomer(visitor, "#/duplicates/unsearched")
    expect(page.get_by_role("heading", name="unsearched has not been searched for duplicates yet")).to_be_visible()
    command = page.locator(".command:visible")
    expect(command).to_have_text("python -m indexer duplicates --collection unsearched")
    page.get_by_label("Collection").select_option("album")
    expect(members(page)).to_have_count(3)
    page.get_by_role("link", name="Duplicates").click()
    expect(page).to_have_url(re.compile("#/duplicates/album"))
    expect(members(page)).to_have_count(3)


@pytest.mark.parametrize("look", LOOKS)
def test_the_review_fits_the_screen_and_its_text_stands_out(visitor: Visitor, look: str) -> None:
    page = review(visitor, reduced_motion="reduce", **LOOKS[look])
    expect(page.locator(".stage-note")).to_contain_text("One is a copy of the other")
    for _ in range(3):
        (width, *spilled) = page.evaluate(SPILLED)
        assert width == 0
        assert [name for name in spilled if not name.startswith(("DIV.member", "SPAN.", "IMG."))] == []
        assert page.evaluate(CONTRAST) == []
        page.keyboard.press("v")


def test_everything_in_it_can_be_touched_and_has_a_name(visitor: Visitor) -> None:
    page = review(visitor, **SMALL)
    page.get_by_text("Groups", exact=True).click()
    assert page.evaluate(SMALL_TARGETS) == []
    tree = page.locator("main").aria_snapshot()
    assert re.findall(r"- (?:link|button|combobox|listbox|option|progressbar)(?:$|:| \[)", tree, re.MULTILINE) == []
    assert page.locator("img:not([alt])").count() == 0
