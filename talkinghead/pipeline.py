"""`TalkingHead`: speech and one portrait in, frames out. The whole path, one line a stage."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from talkinghead.audio.hidden_unit_encoder import AnySpeechEncoder, load_speech_encoder
from talkinghead.audio.waveform import load_audio
from talkinghead.checkpoints import checkpoint_folder
from talkinghead.devices import usable_device
from talkinghead.emotion.emotion_encoder import EmotionEncoder, neutral_unless_sure
from talkinghead.emotion.reference import CLIP_SUFFIXES, reference_activation
from talkinghead.emotion.track import NOTHING_ASKED, EmotionRequest, asked, emotion_track, requested_track
from talkinghead.errors import AudioError, EmotionError, FaceError, InputError, MotionError
from talkinghead.landmarks import FaceTracker
from talkinghead.live_video import LiveFrame, LiveVideo
from talkinghead.motion.dubbing import dubbed
from talkinghead.motion.pipeline import MotionPipeline
from talkinghead.motion.style import SpeakingStyle
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import FittedFace, fit_face
from talkinghead.rig.placement import meshes_of, portrait_mesh
from talkinghead.rig.retargeting import KEPT_SMILE, Reenactment, retarget
from talkinghead.rig.shell import with_rim, with_still_body
from talkinghead.rig.usual import with_meeting_lips
from talkinghead.rig.view import CameraPath
from talkinghead.rigged_portrait import fit_portrait, mesh_topology
from talkinghead.synthesis.pipeline import PortraitCrop, Quality, quality_of
from talkinghead.synthesis.portrait import MIN_FACE_PX, choose_face, load_image, load_portrait, resized
from talkinghead.synthesis.renderer import Renderer, load_renderer
from talkinghead.tracking import performance, tracked_video
from talkinghead.types import (
    MAX_SIZE_PX,
    MIN_SIZE_PX,
    Audio,
    ByteArray,
    EmotionTrack,
    FaceMotion,
    FloatArray,
    Portrait,
    SpeechFeatures,
)


@dataclass(frozen=True, eq=False)
class TalkingHead:
    """Every stage, loaded. Calling it is the whole path."""

    speech_encoder: AnySpeechEncoder
    motion: MotionPipeline
    rig: FaceRig
    renderer: Renderer
    tracker: FaceTracker
    folder: Path

    @staticmethod
    def from_pretrained(folder: Path | str | None = None, device: str | None = None) -> TalkingHead:
        """Load a checkpoint folder; None is the one that is installed with the package.

        Args:
            folder: a folder like `checkpoints/default`; "default" is the installed one too.
            device: "cpu" or "cuda" (torch's other names may do, untried); None takes an NVIDIA GPU when there is one.

        Raises:
            InputError: the device cannot be used here.
            CheckpointError: a file is missing, or of the wrong shape.
        """
        where = usable_device(device)
        root = checkpoint_folder(Path(folder) if folder is not None else None)
        return TalkingHead(
            speech_encoder=load_speech_encoder(root / "speech_encoder", str(where)),
            motion=MotionPipeline.from_pretrained(root),
            rig=FaceRig.from_pretrained(root / "rig"),
            renderer=load_renderer(root / "renderer", where),
            tracker=FaceTracker(root / "tracker/face_landmarker.task"),
            folder=root,
        )

    def __call__(
        self,
        portrait: Portrait | Path | str,
        audio: Audio | Path | str,
        emotion: str | EmotionRequest | EmotionTrack | None = None,
        intensity: float | None = None,
        seed: int = 0,
        quality: str = "standard",
        steps: int | None = None,
        style: SpeakingStyle | Path | str | None = None,
        camera: CameraPath | str | None = None,
        still_body: bool = False,
        keep_smile: float = KEPT_SMILE,
        **knobs: Any,
    ) -> Iterator[ByteArray]:
        """A portrait and a recording (or files of them) -> (H, W, 3) uint8 frames at 25 a second, as long as the recording.

        `emotion` and `intensity` as in `felt`, `style` of `adaptation.adapt` or its folder, `camera` and `still_body` as in
        `render`, `keep_smile` as in `Reenactment`, knobs as `MotionKnobs`.
        """
        portrait = portrait if isinstance(portrait, Portrait) else self.load_portrait(portrait)
        motion = self.animate(audio, emotion, intensity, seed, style, **knobs)
        wanted = Reenactment(keep_smile=keep_smile)
        return self.render(portrait, motion, quality, steps, seed, wanted, camera=camera, still_body=still_body)

    def animate(
        self,
        audio: Audio | Path | str,
        emotion: str | EmotionRequest | EmotionTrack | None = None,
        intensity: float | None = None,
        seed: int = 0,
        style: SpeakingStyle | Path | str | None = None,
        **knobs: Any,
    ) -> FaceMotion:
        """Speech -> motion, no picture. Emotion, intensity, style and knobs as in a call."""
        features = self.heard(audio, emotion)
        return self.motion.with_style(style)(features, self.felt(emotion, intensity, features), seed=seed, **knobs)

    def heard(self, audio: Audio | Path | str, emotion: str | EmotionRequest | EmotionTrack | None = None) -> SpeechFeatures:
        """A recording, or its file -> its features, with the voice when the emotion is to be heard in it."""
        if not isinstance(audio, Audio | Path | str):
            raise AudioError(f"audio is {type(audio).__name__}; give a file, or Audio(samples) of float32 at 16 kHz.")
        sound = audio if isinstance(audio, Audio) else load_audio(Path(audio))
        return self.speech_encoder.encode(sound, with_voice=_is_heard(asked(emotion)))

    def felt(
        self, emotion: str | EmotionRequest | EmotionTrack | None, intensity: float | None, features: SpeechFeatures
    ) -> EmotionTrack:
        """What was asked -> a track as long as the speech.

        Args:
            emotion: a label, mix or regions (docs/emotion.md), a request for anything else, or a track as it is. "auto" is
                what is heard in the voice.
            intensity: of a label, 0.7 when None; a request and a track have their own.
            features: of the speech, with its voice for "auto".
        """
        emotion = asked(emotion)
        if isinstance(emotion, str) and not _is_heard(emotion):
            return emotion_track(emotion, intensity, len(features))
        if isinstance(emotion, str):
            emotion, intensity = EmotionRequest((emotion,), intensity), None
        if intensity is not None:
            own = "no emotion is named" if emotion is NOTHING_ASKED else f"the {type(emotion).__name__} has its own"
            raise EmotionError(f"intensity is {intensity}, and {own}; drop one of them, or name an emotion such as happy.")
        if isinstance(emotion, EmotionTrack):
            return emotion
        return requested_track(emotion, len(features), self.read_emotion, lambda: self.hear(features))

    def hear(self, features: SpeechFeatures) -> EmotionTrack:
        """Features with their voice -> the emotion that is heard, and neutral where none is heard clearly.

        Raises:
            CheckpointError: the checkpoint has no emotion encoder.
        """
        return neutral_unless_sure(EmotionEncoder.load(self.folder / "emotion_encoder").hear(features))

    def read_emotion(self, path: Path | str) -> FloatArray:
        """A picture or a video of a face -> (T, 3, 8), how strongly each of its regions shows each emotion.

        Raises:
            ImageError, VideoError: it cannot be read, or the video shows a face in too little of its length.
            FaceError: the picture shows no face, or several.
        """
        path = Path(path)
        if path.suffix.lower() in CLIP_SUFFIXES:
            return reference_activation(self.track(path).blendshapes, self.motion.prototypes)
        faces = self.tracker.detect(load_image(path)[0])
        large = [face for face in faces if face.box[2] - face.box[0] >= MIN_FACE_PX]
        if len(large) > 1:
            raise FaceError(f"{len(large)} faces in {path}; cut the reference down to the one that is to be imitated.")
        face = fit_face(choose_face(faces, None, path), self.rig)
        return reference_activation(face.resting[None], self.motion.prototypes)

    def render(
        self,
        portrait: Portrait,
        motion: FaceMotion,
        quality: str = "standard",
        steps: int | None = None,
        seed: int = 0,
        reenactment: Reenactment | None = None,
        lips: Audio | Path | str | None = None,
        camera: CameraPath | str | None = None,
        still_body: bool = False,
    ) -> Iterator[ByteArray]:
        """A portrait and a motion -> (H, W, 3) uint8 frames.

        Args:
            portrait: whose face.
            motion: what it does.
            quality: "draft", "standard" or "best", as `QUALITIES`.
            steps: denoising steps, instead of the quality's.
            seed: of the renderer's noise.
            reenactment: from where the motion counts, what of it is taken, how strongly; None is all of it: the expression on
                the person's neutral face or, if nobody did it, usual look; head and eyes from where they are in the portrait.
            lips: speech whose lips the face moves instead of the motion's own; the rest of the face, head and look stay.
            camera: from where the head is seen, as `CameraPath` or the text that it parses, "15,-5" for example.
            still_body: nothing below the chin's shadow moves.
        """
        if len(motion) == 0:
            raise MotionError("motion: holds no frame; give one with at least a frame.")
        wanted = quality_of(quality, steps)
        face, rig, crop = self.placed(portrait, wanted, still_body)
        shown = self.on_face(motion, face, reenactment, CameraPath.of(camera))
        if lips is not None:
            spoken = self.motion.on_portrait(replace(self.with_lips(shown, lips), is_seen=False), face.resting).blendshapes
            shown = replace(shown, blendshapes=with_meeting_lips(spoken, face.shape))
        meshes = meshes_of(rig, shown, face)
        return self.renderer(crop, meshes, wanted.steps, seed, both_ways=wanted.both_ways, mouth_alone=wanted.mouth_alone)

    def on_face(
        self, motion: FaceMotion, face: FittedFace, wanted: Reenactment | None = None, camera: CameraPath | None = None
    ) -> FaceMotion:
        """As `retarget`, of what nobody did with what goes on from the portrait (`MotionPipeline.on_portrait`)."""
        wanted = wanted or Reenactment()
        if wanted.relative is None:
            motion = self.motion.on_portrait(motion, face.resting, wanted.keep_smile)
        return retarget(motion, face, wanted, camera)

    def placed(
        self, portrait: Portrait, quality: Quality, still_body: bool = False
    ) -> tuple[FittedFace, FaceRig, PortraitCrop]:
        """A portrait -> the rig fitted to its face, the rig with what moves around the face, and the part that can move."""
        face = fit_portrait(portrait.face, portrait.image, self.rig)
        rig = with_rim(self.rig)
        if still_body:
            rig = with_still_body(rig, face)
        mesh = portrait_mesh(rig, face)
        topology, glasses = mesh_topology(self.rig), portrait.wears_glasses
        return face, rig, PortraitCrop.of(portrait.image, mesh, topology, quality.warp_px, portrait.matte, glasses)

    def stream(
        self,
        sound: Iterable[FloatArray],
        portrait: Portrait | Path | str | None = None,
        emotion: str | EmotionRequest | None = None,
        intensity: float | None = None,
        on_frame: Callable[[LiveFrame], object] | None = None,
        **options: Any,
    ) -> Iterator[LiveFrame]:
        """Chunks of speech, as they are spoken -> frames with motion and picture, each as soon as it is ready.

        Args:
            sound: (N,) float32 in [-1, 1], mono, 16 kHz, of any sizes. It is read in a thread of its own.
            portrait: whose face; None makes motion alone.
            emotion: the same throughout; for one that changes while it speaks use `LiveVideo` itself.
            intensity: of a label, 0.7 when None.
            on_frame: called with each frame before it is handed out.
            options: seed, quality, style, still_body, max_behind_s and the knobs of `LiveVideo`.

        Leaving the loop ends everything.
        """
        if isinstance(sound, str | Path | np.ndarray) or not isinstance(sound, Iterable):
            raise InputError(
                f"sound is {type(sound).__name__}; give its chunks, such as a generator of arrays; for a whole one call."
            )
        return LiveVideo(self, portrait, emotion, intensity, **options).run(sound, on_frame)

    def astream(
        self,
        sound: AsyncIterable[FloatArray],
        portrait: Portrait | Path | str | None = None,
        emotion: str | EmotionRequest | None = None,
        intensity: float | None = None,
        on_frame: Callable[[LiveFrame], object] | None = None,
        **options: Any,
    ) -> AsyncIterator[LiveFrame]:
        """As `stream`, in an event loop, which stays free; cancelling the task ends everything."""
        if not isinstance(sound, AsyncIterable):
            raise InputError(f"sound is {type(sound).__name__}; give an async generator of chunks; `stream` takes a plain one.")
        return LiveVideo(self, portrait, emotion, intensity, **options).arun(sound, on_frame)

    def with_lips(self, motion: FaceMotion, speech: Audio | Path | str) -> FaceMotion:
        """The same performance with the lips of a recording, as long as it was: brows, lids, look, head and mood stay."""
        talking, contacts = self.motion.articulator.articulate(self.heard(speech))
        return replace(motion, blendshapes=dubbed(motion.blendshapes, talking, contacts, self.motion.travel))

    def track(self, video: Path) -> FaceMotion:
        """A video -> the motion of its largest face, 25 frames a second; what shuts that face's lips and lids shuts the rig's.

        Raises:
            VideoError: it cannot be read, is a single picture, or no face is seen in most of it.
        """
        points, scores, seen = tracked_video(self.tracker, Path(video))
        return performance(points, scores, self.rig, self.motion.travel, seen)

    def load_portrait(self, path: Path | str, face: int | None = None, size: int | None = None) -> Portrait:
        """Read a picture and find the face that is to speak; `size` is the longest side of the result in px."""
        if size is not None and not (isinstance(size, int) and MIN_SIZE_PX <= size <= MAX_SIZE_PX):
            raise InputError(f"size is {size!r}; give {MIN_SIZE_PX} to {MAX_SIZE_PX} px of the longest side, or None.")
        portrait = load_portrait(Path(path), self.tracker, face, self.folder / "matte", self.folder / "eyewear")
        return portrait if size is None else resized(portrait, size)


def _is_heard(emotion: str | EmotionRequest | EmotionTrack) -> bool:
    request = EmotionRequest((emotion,)) if isinstance(emotion, str) else emotion
    return isinstance(request, EmotionRequest) and request.is_heard
