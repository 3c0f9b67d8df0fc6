"""A folder as people have it, from index to the list of what may go, with every proposal checked.

    python -m benchmarks.household OUT --pictures FOLDER [FOLDER ...] [--files 10000]

Makes OUT/nas of the given pictures (phone photos, backups, messenger copies, crops, captions, banners, scans of forms
that differ in a number, screenshots, thumbnails that a NAS leaves, an Excel table, links, broken files), indexes it,
searches it for duplicates, and compares each proposal to drop a picture with how the folder was made: the kept one must
show the same picture with the same words, and no less of it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from benchmarks.near_duplicates import HIDDEN_COPIES

WORDS = (
    "steel",
    "bolt",
    "washer",
    "delivery",
    "date",
    "amount",
    "paid",
    "account",
    "street",
    "order",
    "customer",
    "net",
)
SYSTEM_FILES = ("@eaDir/{}/SYNOPHOTO_THUMB_XL.jpg", "#recycle/{}", ".thumbnails/{}", "._{}", ".Trash-1000/files/{}")


@dataclass(frozen=True)
class Made:
    """How a file was made: ``picture`` and ``words`` say what it shows, ``shown`` how much of it, in 0 to 1.

    ``decorated`` is whether a border or banner was added, ``pixels`` how many pixels show the picture.
    """

    picture: str
    words: str
    shown: float
    decorated: bool
    pixels: int


class Household:
    """Writes the folder and remembers how each file was made."""

    def __init__(self, root: Path, seed: int = 0) -> None:
        self.root, self.random = root, random.Random(seed)
        self.made: dict[str, Made] = {}

    def save(self, path: str, image: Image.Image, made: Made, quality: int = 92) -> None:
        """Write a picture by its suffix."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".jpg":
            exif = Image.Exif()
            exif[306] = f"2024:{self.random.randint(1, 12):02d}:{self.random.randint(1, 28):02d} 12:00:00"
            image.convert("RGB").save(target, quality=quality, exif=exif)
        else:
            image.save(target)
        self.made[path] = made

    def copy(self, source: str, path: str) -> None:
        """Write an exact copy of a file that was made."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((self.root / source).read_bytes())
        self.made[path] = self.made[source]

    def link(self, source: str, path: str, make: Callable[[Path, Path], None]) -> None:
        """Link to a file that was made."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        make(self.root / source, target)
        self.made[path] = self.made[source]

    def write(self, path: str, content: bytes) -> None:
        """Write a file that is no picture of the household."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def make_household(root: Path, pictures: list[Path], files: int) -> Household:
    """About ``files`` files of all kinds."""
    home = Household(root)
    photos = []
    for number, path in enumerate(pictures):
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        name = f"phone/2024/{number % 12 + 1:02d}/IMG_{number:05d}.jpg"
        home.save(name, image, Made(f"{path.parent.name}/{path.name}", "", 1.0, False, image.width * image.height), 95)
        photos.append(name)
    chosen = home.random.sample(photos, len(photos))
    for name in chosen[: files // 8]:
        home.copy(name, name.replace("phone/", "backup of phone/"))
    makers = [messenger, cropped, turned, captioned, bannered, enlarged, greyed]
    for number in range(files // 5):
        makers[number % len(makers)](home, chosen[-1 - number % len(chosen)], number)
    for number in range(files // 25):
        scan(home, number)
        screenshot(home, number)
    for number in range(files // 200):
        home.link(chosen[number], f"albums/best/link-{number}.jpg", os.link)
        home.link(
            chosen[-number - 1], f"albums/more/link-{number}.jpg", lambda source, target: target.symlink_to(source)
        )
        blank = Image.new("RGB", (640, 480), (0, 0, 0) if number % 2 else (255, 255, 255))
        home.save(f"video stills/frame-{number:04d}.png", blank, Made(f"blank-{number % 2}", "", 1.0, False, 1))
        animation(home, number)
    for number in range(max(0, files - len(home.made))):
        source = chosen[number % len(chosen)]
        folder, _, file = source.rpartition("/")
        leftover = f"{folder}/{SYSTEM_FILES[number % len(SYSTEM_FILES)].format(f'{number}-{file}')}"
        home.write(leftover, (home.root / source).read_bytes())
    home.write("household.xlsx", b"PK\x03\x04 a table")
    home.write("notes.txt", b"nothing to see")
    for number in range(20):
        home.write(f"broken/half-{number}.jpg", (home.root / chosen[number]).read_bytes()[: 2000 + 100 * number])
    return home


def messenger(home: Household, source: str, number: int) -> None:
    """A copy as a messenger sends it: smaller, a poorer JPEG."""
    image, made = opened(home, source)
    small = image.resize((max(64, image.width * 3 // 4), max(64, image.height * 3 // 4)), Image.Resampling.LANCZOS)
    home.save(f"messenger/IMG-WA{number:04d}.jpg", small, sized(made, small), 70)


def cropped(home: Household, source: str, number: int) -> None:
    """A part of a photo."""
    image, made = opened(home, source)
    part = image.crop((image.width // 12, image.height // 10, image.width * 9 // 10, image.height * 11 // 12))
    home.save(f"edited/crop-{number:04d}.jpg", part, Made(made.picture, "", 0.7, False, part.width * part.height))


def turned(home: Household, source: str, number: int) -> None:
    """Turned without EXIF, or mirrored."""
    image, made = opened(home, source)
    ways = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT)
    home.save(f"scanner/turned-{number:04d}.jpg", image.transpose(ways[number % 3]), made, 90)


def captioned(home: Household, source: str, number: int) -> None:
    """With words across it, which nobody else has."""
    image, made = opened(home, source)
    words = f"{home.random.choice(WORDS)} {number}"
    draw = ImageDraw.Draw(image)
    size = max(16, image.height // 9)
    draw.text((8, image.height // 2), words, fill="white", stroke_fill="black", stroke_width=2, font=font(size))
    home.save(f"funny/caption-{number:04d}.jpg", image, Made(made.picture, words, 1.0, False, made.pixels), 88)


def bannered(home: Household, source: str, number: int) -> None:
    """With a border, or a banner at its foot: no picture is added."""
    image, made = opened(home, source)
    if number % 2:
        framed = ImageOps.expand(image, max(8, image.width // 14), "white")
        home.save(f"printed/border-{number:04d}.jpg", framed, Made(made.picture, "", 1.0, True, made.pixels))
        return
    top = round(image.height * 0.86)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, top, image.width, image.height), fill=(200, 30, 40))
    draw.text((6, top + 3), "holidays", fill="white", font=font(max(10, image.height // 14)))
    home.save(f"printed/banner-{number:04d}.jpg", image, Made(made.picture, "", 0.86, True, made.pixels))


def enlarged(home: Household, source: str, number: int) -> None:
    """Scaled up: more pixels, no more picture."""
    image, made = opened(home, source)
    large = image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)
    home.save(f"upscaled/large-{number:04d}.jpg", large, made, 90)


def greyed(home: Household, source: str, number: int) -> None:
    """Brighter, softer, or grey."""
    image, made = opened(home, source)
    ways: tuple[Callable[[Image.Image], Image.Image], ...] = (
        ImageOps.grayscale,
        lambda picture: ImageEnhance.Brightness(picture).enhance(1.25),
        lambda picture: picture.filter(ImageFilter.GaussianBlur(1.2)),
    )
    home.save(f"edited/filter-{number:04d}.jpg", ways[number % 3](image), made, 90)


def scan(home: Household, number: int) -> None:
    """A form with a number of its own, and for one of four a copy of the scan."""
    image = Image.new("RGB", (827, 1169), (252, 251, 247))
    draw = ImageDraw.Draw(image)
    draw.text((60, 60), f"INVOICE {10_000 + 37 * number}", fill="black", font=font(34))
    lines = random.Random(number % 5)
    for row in range(22):
        draw.text((60, 150 + row * 40), " ".join(lines.choices(WORDS, k=7)), fill="black", font=font(22))
    draw.text((500, 1080), f"TOTAL {home.random.randint(100, 99_999) / 100:.2f}", fill="black", font=font(30))
    made = Made(f"scan-{number}", "", 1.0, False, image.width * image.height)
    home.save(f"scans/scan-{number:04d}.png", image, made)
    if number % 4 == 0:
        home.save(f"scans/sent/scan-{number:04d}.jpg", image, made, 80)


def screenshot(home: Household, number: int) -> None:
    """A screen whose list differs in a row from the next one's."""
    image = Image.new("RGB", (720, 1280), (245, 246, 248))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 720, 90), fill=(30, 90, 200))
    draw.text((24, 28), "Messages", fill="white", font=font(34))
    lines = random.Random(number // 4)
    for row in range(12):
        words = (
            " ".join(lines.choices(WORDS, k=4)) if row != 5 else f"{home.random.choice(WORDS)} {number} {number * 7}"
        )
        draw.ellipse((24, 120 + row * 92, 84, 180 + row * 92), fill=((row * 53) % 255, 120, 160))
        draw.text((110, 132 + row * 92), words, fill=(20, 20, 20), font=font(26))
    made = Made(f"screen-{number}", "", 1.0, False, image.width * image.height)
    home.save(f"screenshots/Screenshot_{number:04d}.png", image, made)


def animation(home: Household, number: int) -> None:
    """An animation that begins as all others do."""
    frames = [Image.new("RGB", (240, 180), (number * 5 % 255, 40 * step, 90)) for step in range(3)]
    for step, frame in enumerate(frames):
        text = "start" if step == 0 else f"{number}-{step}"
        frame.paste((30, 60, 90) if step == 0 else (number * 5 % 255, 40 * step, 90), (0, 0, 240, 180))
        ImageDraw.Draw(frame).text((40, 70), text, fill="white", font=font(40))
    target = home.root / f"funny/animation-{number:03d}.gif"
    frames[0].save(target, save_all=True, append_images=frames[1:], duration=100)
    home.made[f"funny/animation-{number:03d}.gif"] = Made(f"animation-{number}", "", 1.0, False, 1)


def opened(home: Household, source: str) -> tuple[Image.Image, Made]:
    """A file's picture, to be changed, and how it was made."""
    return Image.open(home.root / source).convert("RGB"), home.made[source]


def sized(made: Made, image: Image.Image) -> Made:
    """The same at another size."""
    return Made(made.picture, made.words, made.shown, made.decorated, image.width * image.height)


def font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """The font of all words."""
    return ImageFont.load_default(size)


def is_right(drop: Made, keep: Made) -> bool:
    """Whether a picture may be dropped for the one that is kept."""
    if drop.picture != keep.picture:
        return frozenset((f"images/{drop.picture}", f"images/{keep.picture}")) in HIDDEN_COPIES
    more_shown = drop.shown > keep.shown + 0.06 and not drop.decorated
    finer = drop.pixels * keep.shown > 1.6 * keep.pixels * drop.shown
    return drop.words == keep.words and not more_shown and not finer and (drop.decorated or not keep.decorated)


def check_proposals(
    home: Household, groups: list[dict[str, object]]
) -> tuple[Counter[str], list[tuple[str, str, str]]]:
    """Right and wrong proposals, and the wrong ones as (dropped, kept, reason)."""
    counts: Counter[str] = Counter()
    wrong = []
    for group in groups:
        keep, dropped = group["keep"], group["drop"]
        counts[f"groups of {group['kind']}"] += 1
        if not isinstance(keep, dict) or not isinstance(dropped, list):
            continue
        for entry in dropped:
            right = is_right(home.made[entry["key"]], home.made[keep["key"]])
            counts["right" if right else "wrong"] += 1
            if not right:
                wrong.append((entry["key"], keep["key"], entry["reason"]))
    return counts, wrong


def main() -> None:
    """Make, index, search, check, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=Path, nargs="+", required=True)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/household.json"))
    options = parser.parse_args()
    pictures = sorted(path for folder in options.pictures for path in folder.rglob("*.jpg"))
    pictures = random.Random(1).sample(pictures, min(len(pictures), options.files // 4))
    start = time.monotonic()
    home = make_household(options.out / "nas", pictures, options.files)
    seconds = {"made": time.monotonic() - start}
    command = [sys.executable, "-m", "indexer"]
    flags = ["--collection", "nas", "--data", str(options.out / "data"), "--json"]
    for step, arguments in (
        ("index", ["index", str(options.out / "nas")]),
        ("duplicates", ["duplicates", "--out", str(options.out / "duplicates.csv")]),
    ):
        start = time.monotonic()
        ended = subprocess.run([*command, *arguments, *flags], capture_output=True, text=True, check=False)
        seconds[step] = time.monotonic() - start
        if ended.returncode not in (0, 3):
            raise SystemExit(f"{step} failed: {ended.stderr[-2000:]}")
        answer = [json.loads(line) for line in ended.stdout.splitlines()][-1]
    counts, wrong = check_proposals(home, answer["groups"])
    copies = Counter((made.picture, made.words) for made in home.made.values())
    figures = {
        "files": sum(1 for path in (options.out / "nas").rglob("*") if not path.is_dir()),
        "pictures": len(home.made),
        "copies_made": sum(count - 1 for count in copies.values()),
        "proposals": dict(counts),
        "wrong": wrong,
        "seconds": {step: round(value, 1) for step, value in seconds.items()},
    }
    options.results.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    with (options.out / "wrong.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(wrong)
    print(json.dumps({**figures, "wrong": wrong[:10]}, indent=1))


if __name__ == "__main__":
    main()
