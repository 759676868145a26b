"""Blender's shader nodes in short: materials, colours, masks from arrays, mixes, noise.

Knows nodes and links; knows nothing of what they are painted on.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np


def new_material(name: str) -> tuple[Any, Any, Any]:
    """An empty material: itself, its nodes, its output node."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    output = nodes.new("ShaderNodeOutputMaterial")
    return material, nodes, output


def principled(name: str, **values: Any) -> tuple[Any, Any, Any, Any]:
    """A material of Blender's all-round surface: itself, its nodes, its links, the surface; `values` are inputs of that."""
    material, nodes, output = new_material(name)
    shader = nodes.new("ShaderNodeBsdfPrincipled")
    for key, value in values.items():
        shader.inputs[key.replace("_", " ")].default_value = value
    material.node_tree.links.new(shader.outputs[0], output.inputs["Surface"])
    return material, nodes, material.node_tree.links, shader


def rgb(hex_code: str) -> tuple[float, float, float, float]:
    """'#c58c6d' -> linear RGBA."""
    values = np.array([int(hex_code[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return (*(float(v) for v in linear), 1.0)


def image_texture(nodes: Any, name: str, values: np.ndarray) -> Any:
    """values: (H, W, 3) in [0, 1], top row first -> a node that reads them at the mesh's UV, 0 outside."""
    picture = bpy.data.images.new(name, values.shape[1], values.shape[0], float_buffer=False)
    picture.colorspace_settings.name = "Non-Color"
    rgba = np.ones((*values.shape[:2], 4), np.float32)
    rgba[..., :3] = values[::-1]
    picture.pixels.foreach_set(rgba.ravel())
    node = nodes.new("ShaderNodeTexImage")
    node.image = picture
    node.extension = "CLIP"
    return node


def mix(nodes: Any, links: Any, factor: Any, a: Any, b: Any, blend: str = "MIX", strength: float = 1.0) -> Any:
    """Mix colours a and b (sockets or linear RGBA) by a factor socket times a strength."""
    if strength != 1.0:
        scale = nodes.new("ShaderNodeMath")
        scale.operation = "MULTIPLY"
        links.new(factor, scale.inputs[0])
        scale.inputs[1].default_value = strength
        factor = scale.outputs[0]
    node = nodes.new("ShaderNodeMix")
    node.data_type, node.blend_type = "RGBA", blend
    links.new(factor, node.inputs[0])
    for value, socket in ((a, node.inputs[6]), (b, node.inputs[7])):
        if isinstance(value, tuple):
            socket.default_value = value
        else:
            links.new(value, socket)
    return node.outputs[2]


def noise(nodes: Any, links: Any, scale: float, low: float, high: float, detail: float = 3.0) -> Any:
    """Noise in object space, stretched so that low..high of it is 0..1."""
    coordinates = nodes.new("ShaderNodeTexCoord")
    node = nodes.new("ShaderNodeTexNoise")
    node.inputs["Scale"].default_value = scale
    node.inputs["Detail"].default_value = detail
    links.new(coordinates.outputs["Object"], node.inputs["Vector"])
    span = nodes.new("ShaderNodeMapRange")
    span.inputs[1].default_value, span.inputs[2].default_value = low, high
    links.new(node.outputs[0], span.inputs[0])
    return span.outputs[0]
