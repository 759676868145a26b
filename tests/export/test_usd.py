"""The .usda as Pixar's own library reads it."""

import numpy as np
import pytest
from pxr import Usd, UsdGeom, UsdSkel
from scipy.spatial.transform import Rotation

from talkinghead import arkit
from talkinghead.export import usd
from talkinghead.export.take import Take


@pytest.fixture(scope="module")
def stage(rig, motion, tmp_path_factory):
    path = tmp_path_factory.mktemp("usd") / "face.usda"
    usd.write(path, Take(motion, 30, lambda: rig))
    return Usd.Stage.Open(str(path))


def test_the_stage_says_its_units_and_rate(stage, motion):
    assert stage.GetTimeCodesPerSecond() == 30 and stage.GetEndTimeCode() == len(motion) - 1
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1 and UsdGeom.GetStageUpAxis(stage) == "Y"
    assert stage.GetDefaultPrim().GetName() == "Face"


def test_weights_and_turns_are_the_motion(stage, take, motion):
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/Face/Talk"))
    assert list(animation.GetBlendShapesAttr().Get()) == list(arkit.BLENDSHAPES)
    assert list(animation.GetJointsAttr().Get()) == ["Head", "Head/LeftEye", "Head/RightEye"]
    for frame in (0, 11, 30):
        assert np.allclose(animation.GetBlendShapeWeightsAttr().Get(frame), take.blendshapes[frame], atol=1e-6)
        turn = animation.GetRotationsAttr().Get(frame)[0]
        read = Rotation.from_quat([*turn.GetImaginary(), turn.GetReal()]).as_rotvec()
        assert np.allclose(read, motion.head_rotation[frame], atol=1e-5)
        assert np.allclose(animation.GetTranslationsAttr().Get(frame)[0], motion.head_translation[frame], atol=1e-6)


def test_usdskel_poses_the_face_as_the_rig_does(tmp_path, rig, one_by_one, where):
    usd.write(tmp_path / "face.usda", Take(one_by_one, 25, lambda: rig))
    stage = Usd.Stage.Open(str(tmp_path / "face.usda"))
    cache, root = UsdSkel.Cache(), UsdSkel.Root(stage.GetPrimAtPath("/Face"))
    cache.Populate(root, Usd.PrimDefaultPredicate)
    (binding,) = cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate)
    skeleton = cache.GetSkelQuery(binding.GetSkeleton())
    query = next(target for target in binding.GetSkinningTargets() if target.GetPrim().GetName() == "Face")
    shapes = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(query.GetPrim()))
    for name in ("jawOpen", "eyeBlinkLeft", "mouthSmileRight", "browInnerUp"):
        frame = arkit.INDEX[name]
        weights = query.GetBlendShapeMapper().Remap(skeleton.GetAnimQuery().ComputeBlendShapeWeights(frame))
        points = UsdGeom.Mesh(query.GetPrim()).GetPointsAttr().Get()
        sub_weights, indices, sub = shapes.ComputeSubShapeWeights(weights)
        places, offsets = shapes.ComputeBlendShapePointIndices(), shapes.ComputeSubShapePointOffsets()
        assert shapes.ComputeDeformedPoints(sub_weights, indices, sub, places, offsets, points)
        assert query.ComputeSkinnedPoints(skeleton.ComputeSkinningTransforms(frame), points, frame)
        assert np.allclose(np.array(points), where(one_by_one, frame, ("skin", "mouth_cavity")), atol=1e-5), name


def test_eyes_hang_on_the_head_in_their_sockets(stage, rig):
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Face/Eyes"))
    joint = np.array(UsdSkel.BindingAPI(mesh.GetPrim()).GetJointIndicesPrimvar().Get())
    points = np.array(mesh.GetPointsAttr().Get())
    rest = UsdSkel.Skeleton(stage.GetPrimAtPath("/Face/Skeleton")).GetRestTransformsAttr().Get()
    for index in (1, 2):
        assert np.allclose(points[joint == index].mean(0)[:2], list(rest[index].ExtractTranslation())[:2], atol=2e-4)
