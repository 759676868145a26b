"""Run by Blender's Python: a .glb -> what Blender holds of it at every frame, as JSON on the last line of standard output."""

import json
import sys

import bpy

path, fps, num_frames = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = fps
bpy.ops.import_scene.gltf(filepath=path)
scene = bpy.context.scene
armature = next(thing for thing in scene.objects if thing.type == "ARMATURE")
face = scene.objects["FaceMesh"]
found = {
    "objects": {thing.name: thing.type for thing in scene.objects},
    "shape_keys": [key.name for key in face.data.shape_keys.key_blocks],
    "bones": {bone.name: bone.parent.name if bone.parent else None for bone in armature.data.bones},
    "values": [],
    "turns": [],
    "vertices": [],
}
for frame in range(num_frames):
    scene.frame_set(frame)
    found["values"].append([key.value for key in face.data.shape_keys.key_blocks])
    turns = {}
    for bone in armature.pose.bones:
        turn = (armature.matrix_world @ bone.matrix @ bone.bone.matrix_local.inverted()).to_quaternion()
        turns[bone.name] = [turn.x, turn.y, turn.z, turn.w]
    found["turns"].append(turns)
    posed = face.evaluated_get(bpy.context.evaluated_depsgraph_get())
    found["vertices"].append([list(posed.matrix_world @ vertex.co) for vertex in list(posed.data.vertices)[:468]])
sys.stdout.write(json.dumps(found) + "\n")
