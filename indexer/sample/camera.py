"""Synthetic photographs: a product on a backdrop, with light, perspective and noise, as JPEG bytes."""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageEnhance, ImageFilter

from indexer.sample.look import Pose
from indexer.sample.scene import LEVEL, Backdrop, backdrop, cast_shadow, prop
from indexer.sample.surface import Size, noise

_LIGHT_GRAIN = 8


@dataclass(frozen=True)
class Shot:
    """Parameters of one photograph.

    ``zoom``: the product's longer side over the picture's shorter one. ``turn``: degrees counter-clockwise.
    ``roll``: the same for the camera.
    ``lean``: perspective, as the share by which the far side shrinks. ``exposure`` 1 is neutral; ``warmth`` in
    [-1, 1]; ``falloff`` darkens one side. ``blur`` in pixels, ``grain`` in grey levels, ``quality`` as in JPEG.
    """

    size: Size
    style: Backdrop
    zoom: float
    turn: float = 0.0
    roll: float = 0.0
    lean: float = 0.0
    mirror: bool = False
    props: int = 0
    exposure: float = 1.0
    warmth: float = 0.0
    falloff: float = 0.0
    blinds: bool = False
    blur: float = 0.0
    grain: float = 0.0
    quality: int = 90


def studio_shot(rng: random.Random, _: Pose) -> Shot:
    """Recipe: on white, from the front."""
    return Shot((440, 440), "white", rng.uniform(0.78, 0.86), quality=92)


def paper_shot(rng: random.Random, pose: Pose) -> Shot:
    """Recipe: on coloured paper, in other light."""
    turn = 0.0 if pose == "standing" else rng.uniform(-14, 14)
    return Shot(
        (440, 440),
        "paper",
        rng.uniform(0.66, 0.78),
        turn=turn,
        mirror=rng.random() < 0.25,
        exposure=rng.uniform(0.9, 1.1),
        warmth=rng.uniform(-0.4, 0.5),
        falloff=rng.uniform(0.05, 0.25),
        blinds=rng.random() < 0.3,
        quality=88,
    )


def styled_shot(rng: random.Random, pose: Pose) -> Shot:
    """Recipe: on a textured surface, with a prop or two."""
    turn = 0.0 if pose == "standing" else rng.uniform(-25, 25)
    return Shot(
        rng.choice(((480, 400), (480, 380), (400, 480))),
        "surface",
        rng.uniform(0.7, 0.8),
        turn=turn,
        lean=rng.uniform(-0.06, 0.06),
        mirror=rng.random() < 0.3,
        props=rng.choice((1, 1, 2)),
        warmth=rng.uniform(-0.2, 0.6),
        falloff=rng.uniform(0.1, 0.3),
        blinds=rng.random() < 0.25,
        quality=86,
    )


def everyday_shot(rng: random.Random, pose: Pose) -> Shot:
    """Recipe: like a snapshot with a phone: tilted, dim, noisy, strongly compressed."""
    turn = 0.0 if pose == "standing" else rng.uniform(-60, 60)
    return Shot(
        rng.choice(((360, 480), (480, 360), (420, 420))),
        rng.choice(("surface", "surface", "paper")),
        rng.uniform(0.62, 0.92),
        turn=turn,
        roll=rng.uniform(-9, 9),
        lean=rng.uniform(-0.14, 0.14),
        mirror=rng.random() < 0.4,
        props=rng.choice((0, 0, 1)),
        exposure=rng.uniform(0.72, 1.18),
        warmth=rng.uniform(-0.7, 1.0),
        falloff=rng.uniform(0.1, 0.4),
        blur=rng.choice((0.0, 0.6, 1.1)),
        grain=rng.uniform(2, 9),
        quality=rng.randint(52, 76),
    )


def detail_shot(rng: random.Random, _: Pose) -> Shot:
    """Recipe: a close-up that cuts off parts of the product."""
    return Shot(
        (420, 420),
        rng.choice(("white", "paper")),
        rng.uniform(1.25, 1.5),
        turn=rng.uniform(-10, 10),
        exposure=rng.uniform(0.95, 1.08),
        warmth=rng.uniform(-0.2, 0.3),
        falloff=rng.uniform(0.0, 0.2),
        quality=90,
    )


def photograph(product: Image.Image, pose: Pose, shot: Shot, rng: random.Random) -> bytes:
    """Take ``shot`` of ``product`` (RGBA on a transparent square); JPEG bytes of an RGB picture of ``shot.size``."""
    width, height = shot.size
    scene = backdrop(shot.style, shot.size, pose, rng)
    side = rng.choice((-1, 1))
    shadow = (0.2 if shot.style == "white" else 0.38, side * rng.uniform(0.15, 0.6))
    for i in range(shot.props):
        _place_prop(scene, pose, side if i == 0 else -side, shadow, rng)
    figure = _transform_product(product, shot.zoom * min(width, height), shot)
    x, y = width * (0.5 - 0.07 * side * bool(shot.props)), height * 0.5
    if shot.zoom > 1:
        x, y, pose = width * rng.uniform(0.35, 0.65), height * rng.uniform(0.4, 0.6), "lying"
    elif pose == "standing":
        y = min(max(height * 0.52 + figure.height / 2, height * (LEVEL + 0.08)), height * 0.94)
    _place(scene, figure, (x, y), pose, shadow)
    return _develop(scene, shot, rng)


def _place_prop(scene: Image.Image, pose: Pose, side: int, shadow: tuple[float, float], rng: random.Random) -> None:
    width, height = scene.size
    small = prop(pose, rng)
    reach = rng.uniform(0.24, 0.34) * min(width, height)
    turn = 0.0 if pose == "standing" else rng.uniform(-70, 70)
    figure = _transform_product(small, reach, Shot(scene.size, "white", 1, turn=turn))
    x = width * (0.5 + side * rng.uniform(0.36, 0.43))
    y = height * (rng.uniform(LEVEL + 0.07, 0.82) if pose == "standing" else rng.uniform(0.2, 0.8))
    _place(scene, figure, (x, y), pose, shadow)


def _transform_product(product: Image.Image, reach: float, shot: Shot) -> Image.Image:
    """Crop the product to its outline, resize its longer side to ``reach`` pixels, mirror, tilt and rotate it."""
    box = product.getbbox() or (0, 0, 1, 1)
    figure = product.crop(box)
    scale = reach / max(figure.size)
    figure = figure.resize(
        (max(1, round(figure.width * scale)), max(1, round(figure.height * scale))), Image.Resampling.BICUBIC
    )
    if shot.mirror:
        figure = figure.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if shot.lean:
        figure = _tilt(figure, shot.lean)
    if shot.turn:
        figure = figure.rotate(shot.turn, Image.Resampling.BILINEAR, expand=True)
        figure = figure.crop(figure.getbbox())
    return figure


def _tilt(figure: Image.Image, lean: float) -> Image.Image:
    """Shrink the right side (or, with a negative ``lean``, the left) as if it were farther away."""
    width, height = figure.size
    left, right = (height * max(-lean, 0) / 2, height * max(lean, 0) / 2)
    corners = [(0.0, left), (width, right), (width, height - right), (0.0, height - left)]
    sources = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    return figure.transform(
        figure.size, Image.Transform.PERSPECTIVE, _perspective_coefficients(corners, sources), Image.Resampling.BILINEAR
    )


def _perspective_coefficients(corners: list[tuple[float, float]], sources: list[tuple[float, float]]) -> list[float]:
    """The eight coefficients of the projective transform from ``corners`` to ``sources``, in Pillow's order."""
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(corners, sources, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    targets = [value for source in sources for value in source]
    coefficients: list[float] = np.linalg.solve(np.asarray(rows), np.asarray(targets)).tolist()
    return coefficients


def _place(
    scene: Image.Image, figure: Image.Image, where: tuple[float, float], pose: Pose, shadow: tuple[float, float]
) -> None:
    """Paste ``figure`` with its shadow: its middle at ``where`` when lying, the middle of its foot when standing."""
    x = round(where[0] - figure.width / 2)
    y = round(where[1] - (figure.height / 2 if pose == "lying" else figure.height))
    cover = Image.new("L", scene.size, 0)
    cover.paste(figure.getchannel("A"), (x, y))
    strength, lean = shadow
    cast_shadow(scene, cover, pose, strength, lean)
    scene.paste(figure, (x, y), figure)


def _develop(scene: Image.Image, shot: Shot, rng: random.Random) -> bytes:
    """Apply light, blur, grain and JPEG compression."""
    image = ImageChops.multiply(_roll_camera(scene, shot.roll), _light(shot, rng))
    if shot.exposure != 1.0:
        image = ImageEnhance.Brightness(image).enhance(shot.exposure)
    if shot.blur:
        image = image.filter(ImageFilter.GaussianBlur(shot.blur))
    if shot.grain:
        speckle = noise(rng, shot.size, shot.size)[:, :, None] * shot.grain
        image = Image.fromarray(np.clip(np.asarray(image, np.float32) + speckle, 0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=shot.quality)
    return buffer.getvalue()


def _roll_camera(scene: Image.Image, degrees: float) -> Image.Image:
    """Rotate the scene, cropped so that no corner is empty."""
    if not degrees:
        return scene
    width, height = scene.size
    slant = math.tan(math.radians(abs(degrees)))
    share = 1 / (math.cos(math.radians(degrees)) * (1 + slant * max(width / height, height / width)))
    across, down = width * share / 2, height * share / 2
    box = (width / 2 - across, height / 2 - down, width / 2 + across, height / 2 + down)
    return scene.rotate(degrees, Image.Resampling.BILINEAR).resize(scene.size, Image.Resampling.BILINEAR, box=box)


def _light(shot: Shot, rng: random.Random) -> Image.Image:
    """The light as an RGB multiplier of the picture's size: fall-off, slats of a blind, warmth."""
    width, height = (edge // _LIGHT_GRAIN for edge in shot.size)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    side = rng.choice((-1, 1))
    level: npt.NDArray[np.floating] = (
        1 - shot.falloff * (0.5 + 0.3 * side * x + 0.2 * y) - 0.3 * shot.falloff * (x * x + y * y)
    )
    if shot.blinds:
        slant, pitch = rng.uniform(-0.6, 0.6), rng.uniform(0.3, 0.5)
        level = level * (0.86 + 0.14 * np.tanh(2.5 * np.sin(2 * np.pi * (y + slant * x) / pitch)))
    warm = np.asarray(
        (1 + 0.04 * min(shot.warmth, 0), 1 - 0.03 * abs(shot.warmth), 1 - 0.13 * max(shot.warmth, 0)), np.float32
    )
    small = np.clip(level[:, :, None] * warm * 255, 0, 255).astype(np.uint8)
    return Image.fromarray(small).resize(shot.size, Image.Resampling.BILINEAR)
