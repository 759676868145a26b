"""A head, its hair and its clothes -> a picture, by Blender's Cycles renderer (`pip install bpy==5.0.1`).

Lengths are centimetres. Blender's axes: x to the subject's left, -y out of the face, z up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from drawn_head import Head
from drawn_shaders import image_texture, mix, new_material, noise, principled, rgb

SUBSURFACE_CM = 0.28
CAMERA_DISTANCE_CM = 135.0


def to_blender(points: np.ndarray) -> np.ndarray:
    """(N, 3) kit axes -> Blender axes."""
    return np.ascontiguousarray(np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1), np.float32)


def start() -> None:
    """An empty scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


def mesh(name: str, vertices: np.ndarray, faces: list[list[int]], material: Any, levels: int = 0) -> Any:
    """Kit-space vertices and polygons -> a smooth object."""
    data = bpy.data.meshes.new(name)
    data.from_pydata(to_blender(vertices).tolist(), [], faces)
    data.shade_smooth()
    data.materials.append(material)
    item = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(item)
    if levels:
        modifier = item.modifiers.new("subdivide", "SUBSURF")
        modifier.levels = modifier.render_levels = levels
    return item


def add_skin(head: Head, look: dict[str, Any], scalp: np.ndarray) -> None:
    """The welded head with painted skin: base tone, blotches, blush, lips, lids, stubble, pores."""
    material, nodes, links, shader = principled(
        "skin", Roughness=0.46, Subsurface_Weight=1.0, Subsurface_Scale=SUBSURFACE_CM, Subsurface_Radius=(1.0, 0.36, 0.2),
        Specular_IOR_Level=0.42,
    )  # fmt: skip
    m = head.masks
    first = image_texture(nodes, "masks_a", np.stack([m["lips"], np.clip(m["blush"], 0, 1), m["lid"]], -1))
    second = image_texture(
        nodes, "masks_b", np.stack([m["brow"], m["stubble"], np.clip(m["under_eye"] + m["nostril"], 0, 1)], -1)
    )
    split = []
    for texture in (first, second):
        node = nodes.new("ShaderNodeSeparateColor")
        links.new(texture.outputs[0], node.inputs[0])
        split.append(node.outputs)
    (lips, blush, lid), (brow, stubble, shade) = split
    colour: Any = rgb(look["skin"])
    colour = mix(nodes, links, noise(nodes, links, 0.55, 0.35, 0.7), colour, rgb(look["skin_red"]), strength=0.3)
    colour = mix(nodes, links, noise(nodes, links, 6.0, 0.5, 0.75, 6.0), colour, rgb(look["skin_red"]), strength=0.22)
    colour = mix(nodes, links, blush, colour, rgb(look["skin_red"]), strength=look["blush"])
    spots = mix(nodes, links, blush, (0.0, 0.0, 0.0, 1.0), noise(nodes, links, 7.0, 0.58, 0.68, 1.0))
    colour = mix(nodes, links, spots, colour, rgb(look["freckle"]), strength=look["freckles"])
    colour = mix(nodes, links, lid, colour, rgb(look["lid"]), strength=look["eye_shadow"])
    colour = mix(nodes, links, shade, colour, rgb(look["lid"]), strength=0.32)
    colour = mix(nodes, links, stubble, colour, rgb(look["stubble_tone"]), strength=look["stubble"])
    colour = mix(nodes, links, brow, colour, rgb(look["hair_skin"]), strength=0.4)
    under_hair = nodes.new("ShaderNodeVertexColor")
    under_hair.layer_name = "scalp"
    colour = mix(nodes, links, under_hair.outputs[0], colour, rgb(look["hair_skin"]), strength=0.8)
    colour = mix(nodes, links, lips, colour, rgb(look["lips"]), strength=look["lip_colour"])
    links.new(colour, shader.inputs["Base Color"])
    gloss = mix(nodes, links, lips, (0.46,) * 4, (look["lip_roughness"],) * 4)
    links.new(gloss, shader.inputs["Roughness"])
    _add_pores(nodes, links, shader, lips)
    socket, *_ = principled("inside", Base_Color=rgb("#5a1f1c"), Roughness=0.3)
    item = mesh("head", head.skin_vertices, head.skin_faces, material, levels=2)
    item.data.materials.append(socket)
    item.data.polygons.foreach_set("material_index", head.skin_is_mouth.astype(np.int32))
    cover = item.data.color_attributes.new("scalp", "FLOAT_COLOR", "POINT")
    cover.data.foreach_set("color", np.repeat(scalp.astype(np.float32), 4))
    layer = item.data.uv_layers.new(name="uv")
    uv = head.skin_uv.astype(np.float32).copy()
    uv[~np.repeat(head.skin_is_face, [len(f) for f in head.skin_faces])] = -1  # clipped: off the face every mask is 0
    layer.uv.foreach_set("vector", uv.ravel())


def _add_pores(nodes: Any, links: Any, shader: Any, lips: Any) -> None:
    coordinates = nodes.new("ShaderNodeTexCoord")
    cells = nodes.new("ShaderNodeTexVoronoi")
    cells.inputs["Scale"].default_value = 17.0
    links.new(coordinates.outputs["Object"], cells.inputs["Vector"])
    fine = nodes.new("ShaderNodeTexNoise")
    fine.inputs["Scale"].default_value, fine.inputs["Detail"].default_value = 5.0, 8.0
    links.new(coordinates.outputs["Object"], fine.inputs["Vector"])
    wave = nodes.new("ShaderNodeTexWave")  # the lips' fine vertical folds
    wave.inputs["Scale"].default_value, wave.inputs["Distortion"].default_value = 2.4, 2.0
    wave.inputs["Detail"].default_value = 3.0
    links.new(coordinates.outputs["Object"], wave.inputs["Vector"])
    normal = None
    for height, distance in ((cells.outputs["Distance"], 0.012), (fine.outputs[0], 0.05)):
        bump = nodes.new("ShaderNodeBump")
        bump.inputs["Distance"].default_value, bump.inputs["Strength"].default_value = distance, 0.5
        links.new(height, bump.inputs["Height"])
        if normal is not None:
            links.new(normal, bump.inputs["Normal"])
        normal = bump.outputs[0]
    bump = nodes.new("ShaderNodeBump")
    bump.inputs["Distance"].default_value = 0.02
    links.new(lips, bump.inputs["Strength"])
    links.new(wave.outputs["Color"], bump.inputs["Height"])
    links.new(normal, bump.inputs["Normal"])
    links.new(bump.outputs[0], shader.inputs["Normal"])


def add_eyes(head: Head, iris_hex: str) -> None:
    """Eyeballs with a cornea bulge; white, iris and pupil painted on their vertices; a wet coat."""
    material, nodes, links, shader = principled(
        "eye", Roughness=0.25, Coat_Weight=1.0, Coat_Roughness=0.015, Subsurface_Weight=0.25, Subsurface_Scale=0.1
    )
    colour = nodes.new("ShaderNodeVertexColor")
    colour.layer_name = "paint"
    links.new(colour.outputs[0], shader.inputs["Base Color"])
    rng = np.random.default_rng(5)
    for centre, radius in head.eyes:
        theta = np.r_[np.linspace(0, 0.5, 160), np.linspace(0.51, np.pi, 80)][:, None]
        phi = np.linspace(0, 2 * np.pi, 361)[None, :-1]
        bulge = radius * (0.985 + 0.06 * np.clip(1 - (theta / 0.42) ** 2, 0, 1))
        local = np.stack(
            [np.sin(theta) * np.cos(phi) * bulge, np.sin(theta) * np.sin(phi) * bulge, np.cos(theta) * bulge + 0 * phi], -1
        )
        yaw = -np.arctan2(centre[0], CAMERA_DISTANCE_CM)
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        vertices = (local @ turn.T + centre).reshape(-1, 3)
        rows, columns = local.shape[:2]
        index = np.arange(rows * columns).reshape(rows, columns)
        after = np.roll(index, -1, 1)
        faces = np.stack([index[:-1], index[1:], after[1:], after[:-1]], -1).reshape(-1, 4).tolist()
        item = mesh("eye", vertices, faces, material)
        paint = item.data.color_attributes.new("paint", "FLOAT_COLOR", "POINT")
        paint.data.foreach_set("color", _eye_colours(theta * radius, phi, rgb(iris_hex), rng).astype(np.float32).ravel())


def _eye_colours(distance: np.ndarray, phi: np.ndarray, iris: tuple[float, ...], rng: Any) -> np.ndarray:
    """Distance from the pupil's centre (R, 1) cm and angle (1, C) -> (R * C, 4) linear RGBA."""

    def step(edge: float, soft: float) -> np.ndarray:
        return 1 / (1 + np.exp(-(distance - edge) / soft))

    columns = phi.shape[1]
    fibres = np.zeros((1, columns))
    for frequency in (9, 17, 31, 53, 83):
        fibres += np.cos(frequency * phi + rng.uniform(0, 6.28)) * rng.uniform(0.5, 1)
    fibres = fibres / np.abs(fibres).max()
    base = np.array(iris[:3])
    ring = np.exp(-0.5 * ((distance - 0.27) / 0.06) ** 2)
    tone = 1 + 0.35 * fibres + 0.5 * ring
    colour = base * tone[..., None] + (ring * 0.35)[..., None] * np.array([0.25, 0.14, 0.04])
    limbus = np.clip(step(0.54, 0.035), 0, 1)[..., None]
    colour = colour * (1 - 0.85 * limbus)
    pupil = (1 - step(0.2, 0.008))[..., None]
    colour = colour * (1 - pupil) + 0.002 * pupil
    white = np.array([0.62, 0.56, 0.53]) + (step(1.1, 0.2)[..., None] * np.array([-0.05, -0.2, -0.2]))
    outside = step(0.63, 0.022)[..., None]
    colour = colour * (1 - outside) + white * outside
    colour = np.broadcast_to(colour, (len(distance), columns, 3))
    return np.concatenate([colour, np.ones((*colour.shape[:2], 1))], -1).reshape(-1, 4)


def add_hair(name: str, strands: np.ndarray, look: dict[str, Any], root_cm: float, tip_cm: float) -> None:
    """strands: (N, P, 3) cm -> curves with the principled hair shader."""
    material, nodes, output = new_material(name)
    shader = nodes.new("ShaderNodeBsdfHairPrincipled")
    shader.model = "CHIANG"
    shader.parametrization = "MELANIN"
    for key, value in look.items():
        shader.inputs[key].default_value = value
    material.node_tree.links.new(shader.outputs[0], output.inputs["Surface"])
    count, points = strands.shape[:2]
    data = bpy.data.hair_curves.new(name)
    data.add_curves([points] * count)
    data.attributes["position"].data.foreach_set("vector", to_blender(strands).ravel())
    radius = np.broadcast_to(np.linspace(root_cm, tip_cm, points), (count, points)).astype(np.float32)
    data.attributes.new("radius", "FLOAT", "POINT").data.foreach_set("value", np.ascontiguousarray(radius).ravel())
    data.materials.append(material)
    bpy.context.collection.objects.link(bpy.data.objects.new(name, data))


def add_sweater(vertices: np.ndarray, faces: list[list[int]], knit: np.ndarray, colour: str) -> None:
    """A knitted cloth: stitches in columns, by a bump on its knit coordinates (cm)."""
    material, nodes, links, shader = principled(
        "knit", Base_Color=rgb(colour), Roughness=0.85, Sheen_Weight=0.35, Sheen_Roughness=0.4, Specular_IOR_Level=0.2
    )
    uv = nodes.new("ShaderNodeUVMap")
    heights = []
    for direction, scale in (("X", 0.62), ("Y", 0.85)):
        wave = nodes.new("ShaderNodeTexWave")
        wave.bands_direction = direction
        wave.inputs["Scale"].default_value, wave.inputs["Distortion"].default_value = scale, 0.6
        links.new(uv.outputs[0], wave.inputs["Vector"])
        heights.append(wave.outputs["Color"])
    bump = nodes.new("ShaderNodeBump")
    bump.inputs["Distance"].default_value, bump.inputs["Strength"].default_value = 0.09, 0.8
    fine = nodes.new("ShaderNodeTexNoise")
    fine.inputs["Scale"].default_value = 9.0
    links.new(uv.outputs[0], fine.inputs["Vector"])
    height = mix(nodes, links, heights[1], heights[0], (0.0, 0.0, 0.0, 1.0), strength=0.2)
    height = mix(nodes, links, fine.outputs[0], height, (0.0, 0.0, 0.0, 1.0), strength=0.4)
    links.new(height, bump.inputs["Height"])
    links.new(bump.outputs[0], shader.inputs["Normal"])
    item = mesh("sweater", vertices, faces, material)
    layer = item.data.uv_layers.new(name="uv")
    layer.uv.foreach_set("vector", knit[np.array(faces).ravel()].astype(np.float32).ravel())


def _area_light(
    place: tuple[float, float, float], target: tuple[float, float, float], size: float, watts: float, tint: str
) -> None:
    data = bpy.data.lights.new("light", "AREA")
    data.shape, data.size, data.energy, data.color = "DISK", size, watts, rgb(tint)[:3]
    item = bpy.data.objects.new("light", data)
    bpy.context.collection.objects.link(item)
    _aim(item, place, target)


def _aim(item: Any, place: tuple[float, float, float], target: tuple[float, float, float]) -> None:
    from mathutils import Vector

    start, end = (to_blender(np.array(p)) for p in (place, target))
    item.location = Vector(start.tolist())
    item.rotation_euler = Vector((end - start).tolist()).to_track_quat("-Z", "Y").to_euler()


def add_stage(look: dict[str, Any], face: tuple[float, float, float], width_cm: float) -> None:
    """A soft key, a fill, two rims, a plain backdrop with a glow, and a portrait lens."""
    _, y, z = face
    _area_light((-60, y + 55, z + 85), face, 60, 1.3e5, "#fff1e2")
    _area_light((-26, y + 30, z + 118), face, 20, 1.3e4, "#ffffff")  # the light in the eyes
    _area_light((85, y + 5, z + 70), face, 90, 3.8e4, "#eef2ff")
    _area_light((70, y + 45, z - 75), face, 40, 3.5e4, "#fff6ea")
    _area_light((-75, y + 35, z - 65), face, 40, 2.2e4, "#dfe9ff")
    material, nodes, output = new_material("backdrop")
    links = material.node_tree.links
    coordinates, gradient = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeTexGradient")
    gradient.gradient_type = "SPHERICAL"
    place = nodes.new("ShaderNodeMapping")
    place.inputs["Location"].default_value = (0.15, 0.1, 0)
    place.inputs["Scale"].default_value = (1.0, 1.0, 1.0)
    links.new(coordinates.outputs["Object"], place.inputs["Vector"])
    links.new(place.outputs[0], gradient.inputs[0])
    emission = nodes.new("ShaderNodeEmission")
    links.new(mix(nodes, links, gradient.outputs[1], rgb(look["backdrop_edge"]), rgb(look["backdrop"])), emission.inputs[0])
    links.new(emission.outputs[0], output.inputs["Surface"])
    wall = mesh("wall", np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float), [[0, 1, 2, 3]], material)
    wall.location, wall.scale = (0, 90, y), (75, 1, 75)
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs[0].default_value, background.inputs[1].default_value = (0.8, 0.88, 1.0, 1), 0.22
    camera = bpy.data.cameras.new("camera")
    camera.sensor_width, camera.clip_end = 36.0, 1000
    camera.lens = 36.0 * CAMERA_DISTANCE_CM / width_cm
    item = bpy.data.objects.new("camera", camera)
    bpy.context.collection.objects.link(item)
    _aim(item, (0, y + 1.0, z + CAMERA_DISTANCE_CM), face)
    bpy.context.scene.camera = item


def render(path: Path, size_px: int, samples: int, threads: int) -> None:
    """The scene -> an 8-bit PNG."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.seed = samples, True, 1
    scene.cycles.use_adaptive_sampling = True
    scene.cycles.max_bounces, scene.cycles.transparent_max_bounces = 8, 16
    scene.cycles_curves.shape = "RIBBONS"
    scene.render.resolution_x = scene.render.resolution_y = size_px
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
