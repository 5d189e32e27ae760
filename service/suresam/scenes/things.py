"""What stands in a procedural scene: single things, whole large ones, clusters, look-alikes."""

from dataclasses import dataclass

import numpy as np

from suresam.scenes.painting import Canvas, Light, Patch, clipped, united
from suresam.scenes.shapes import (
    COMPOSITES,
    Outline,
    ellipse,
    placed,
    random_outline,
    ribbon,
)
from suresam.scenes.textures import Material, random_material

Palette = list[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Setting:
    """What the things of one scene share: the canvas, the colours, the light, the chance."""

    canvas: Canvas
    palette: Palette
    light: Light
    rng: np.random.Generator

    def material(self) -> Material:
        """A new surface in the scene's colours."""
        return random_material(self.rng, self.palette)


@dataclass(frozen=True, slots=True)
class Design:
    """How one kind of thing looks, so that several alike can be drawn.

    Attributes:
        parts: outlines around the origin, back to front; each becomes a part.
        materials: one surface a part.
        is_inset: parts after the first are cut off at the first one's border.
        num_patterns: patches of strong contrast painted on without being parts.
        relief: see `Canvas.paint`.
    """

    parts: list[Outline]
    materials: list[Material]
    is_inset: bool
    num_patterns: int
    relief: float


def random_design(setting: Setting, patterned: float = 0.3) -> Design:
    """A thing: a composite, or one outline with up to three surfaces cut out of it.

    Args:
        patterned: chance of contrasting patches that belong to no part.
    """
    rng = setting.rng
    first = setting.material()
    if rng.random() < 0.45:
        parts = COMPOSITES[rng.integers(len(COMPOSITES))](rng)
        shared = rng.choice([0.85, 0.5, 0.15])
        second = setting.material()
        materials = []
        for _ in parts:
            if rng.random() < shared:
                materials.append(first.tinted(rng, 0.03))
            else:
                materials.append(second if rng.random() < 0.5 else setting.material())
        is_inset = False
    else:
        whole = random_outline(rng)
        parts, materials = [whole], [first]
        for _ in range(rng.choice([0, 1, 2, 3], p=[0.42, 0.25, 0.2, 0.13])):
            parts.append(_cut(rng))
            materials.append(_neighbour(setting, first))
        is_inset = True
    num_patterns = int(rng.integers(2, 12)) if rng.random() < patterned else 0
    relief = float(rng.choice([0.0, 0.25, 0.6]))
    return Design(parts, materials, is_inset, num_patterns, relief)


def draw_thing(
    setting: Setting,
    design: Design,
    x: float,
    y: float,
    scale: float,
    turn: float,
    group: int = -1,
) -> None:
    """Paint one thing as a new object, each part its own leaf; nothing if it misses the scene.

    Args:
        x, y: middle, in scene sides.
        scale: half-size in scene sides.
        turn: radians.
        group: group the object joins, -1 for none.
    """
    canvas, rng, light = setting.canvas, setting.rng, setting.light
    patches: list[tuple[Patch, Material]] = []
    for outline, material in zip(design.parts, design.materials, strict=True):
        patch = canvas.outline_patch(placed(outline, x, y, scale, turn))
        if patch is not None and design.is_inset and patches:
            patch = clipped(patch, patches[0][0])
        if patch is not None:
            patches.append((patch, material))
        elif design.is_inset and not patches:
            return
    if not patches:
        return
    whole = united(canvas, [patch for patch, _ in patches])
    canvas.cast_shadow(whole, light)
    owner = canvas.new_object(group)
    for patch, material in patches:
        if canvas.is_full:
            return
        canvas.paint(patch, material, canvas.new_leaf(owner), rng, design.relief)
    if design.num_patterns:
        _paint_patterns(setting, design, whole, x, y, scale)
    if rng.random() < 0.6:
        canvas.fold(whole, float(rng.uniform(0.1, 0.8)), rng)
    if rng.random() < 0.5:
        canvas.shade(whole, light, float(rng.uniform(0.1, 0.75)))


def draw_cluster(setting: Setting) -> None:
    """Touching instances of one design: each its own object, all together a group."""
    rng = setting.rng
    design = random_design(setting)
    scale = float(np.exp(rng.uniform(np.log(0.06), np.log(0.22))))
    centre = rng.uniform(0.1, 0.9, 2)
    group = setting.canvas.new_group()
    turn, freedom = _upright(rng), float(rng.choice([0.1, 0.6, 3.1]))
    places = [centre]
    tint = float(rng.choice([0.0, 0.02, 0.06]))
    gap = rng.uniform(1.3, 2.1)
    for _ in range(rng.integers(2, 10)):
        near = places[rng.integers(len(places))]
        angle = rng.uniform(0, 2 * np.pi)
        places.append(near + gap * scale * np.array([np.cos(angle), 0.7 * np.sin(angle)]))
    for place in sorted(places, key=lambda p: float(p[1])):
        if setting.canvas.is_full:
            return
        one = Design(
            design.parts,
            [m.tinted(rng, tint) for m in design.materials],
            design.is_inset,
            design.num_patterns,
            max(design.relief, 0.25),
        )
        size = scale * rng.uniform(0.8, 1.2)
        draw_thing(setting, one, place[0], place[1], size, turn + rng.normal(0, freedom), group)


def draw_lookalikes(setting: Setting) -> None:
    """Instances of one design that stand apart: only the clicked one is meant."""
    rng = setting.rng
    design = random_design(setting)
    scale = float(np.exp(rng.uniform(np.log(0.07), np.log(0.25))))
    turn = _upright(rng)
    for place in rng.uniform(0.03, 0.97, (int(rng.integers(2, 7)), 2)):
        if setting.canvas.is_full:
            return
        size = scale * rng.uniform(0.7, 1.3)
        draw_thing(setting, design, place[0], place[1], size, turn + rng.normal(0, 0.3))


def draw_clutter(setting: Setting) -> None:
    """Many small things over a part of the scene."""
    rng = setting.rng
    designs = [random_design(setting, 0.0) for _ in range(rng.integers(1, 4))]
    centre, spread = rng.uniform(0, 1, 2), rng.uniform(0.1, 0.4)
    for _ in range(rng.integers(4, 14)):
        if setting.canvas.is_full:
            return
        place = centre + rng.normal(0, spread, 2)
        scale = float(np.exp(rng.uniform(np.log(0.03), np.log(0.09))))
        design = designs[rng.integers(len(designs))]
        draw_thing(setting, design, place[0], place[1], scale, rng.uniform(0, 6.3))


def draw_single(setting: Setting) -> None:
    """One thing of middling size."""
    rng = setting.rng
    scale = float(np.exp(rng.uniform(np.log(0.12), np.log(0.4))))
    x, y = rng.uniform(0.0, 1.0, 2)
    draw_thing(setting, random_design(setting), x, y, scale, _upright(rng))


def draw_giant(setting: Setting) -> None:
    """One large whole, most often crossed by contrasts that are no parts of it."""
    rng = setting.rng
    scale = float(rng.uniform(0.3, 0.65))
    x, y = rng.uniform(0.2, 0.8, 2)
    draw_thing(setting, random_design(setting, 0.6), x, y, scale, _upright(rng))


def _upright(rng: np.random.Generator) -> float:
    """A direction in radians, upright more often than not."""
    return float(rng.normal(0, 0.15) if rng.random() < 0.6 else rng.uniform(0, 2 * np.pi))


def _cut(rng: np.random.Generator) -> Outline:
    """A surface inside a unit outline: a half, a band, or an island."""
    kind = rng.random()
    turn = rng.uniform(0, 2 * np.pi)
    if kind < 0.35:
        edge = rng.uniform(-0.4, 0.4)
        x = np.linspace(-2, 2, 30)
        wave = edge + rng.normal(0, 0.12) * np.sin(rng.uniform(1, 6) * x + turn)
        half = np.stack([x, wave], axis=1)
        return placed(np.concatenate([half, [[2, 3], [-2, 3]]]), 0, 0, 1.0, turn)
    if kind < 0.55:
        x, y = rng.uniform(-0.3, 0.3, 2)
        return placed(ribbon(rng) * [2.0, 1.5], x, y, 1.0, turn)
    x, y = rng.uniform(-0.45, 0.45, 2)
    return placed(random_outline(rng), x, y, rng.uniform(0.18, 0.55), turn)


def _neighbour(setting: Setting, material: Material) -> Material:
    """The surface beside `material`: another one, or the same but for pattern or faint colour."""
    rng = setting.rng
    kind = rng.random()
    if kind < 0.6:
        return setting.material()
    return material.turned(rng) if kind < 0.75 else material.tinted(rng, 0.12)


def _paint_patterns(
    setting: Setting, design: Design, whole: Patch, x: float, y: float, scale: float
) -> None:
    rng, canvas = setting.rng, setting.canvas
    material = setting.material()
    are_bands = rng.random() < 0.35
    turn = rng.uniform(0, 6.3)
    for _ in range(design.num_patterns):
        place = np.array([x, y]) + rng.normal(0, 0.45 * scale, 2)
        if are_bands:
            outline = placed(ribbon(rng), place[0], place[1], scale, turn + rng.normal(0, 0.1))
        else:
            shape = random_outline(rng) if rng.random() < 0.3 else ellipse(rng)
            size = scale * rng.uniform(0.05, 0.3)
            outline = placed(shape, place[0], place[1], size, rng.uniform(0, 6.3))
        patch = canvas.outline_patch(outline)
        patch = clipped(patch, whole) if patch is not None else None
        if patch is not None:
            canvas.paint(patch, material, -1, rng)
