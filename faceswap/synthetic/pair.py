"""The rendered sample pair: footage of A, footage of B, and the ground truth of the swap.

The ground truth of "B's face on A" is B's face (shape, features, brows, marks) with A's expression
and pose, in A's light, on A's body. Definitions that make it measurable:

Mask: inside the face mask, the convex hull of the ground-truth face's 68 and 13 points, it is B's
face; outside, A's frame with hair and neck. Metrics are computed inside the mask.

Skin tone: B's skin tone and redness are replaced by A's, as a step in tone at the jaw is what
users call a bad swap, and conversion matches the tone by default. Lips, freckles, make-up,
stubble, brows and eyes are B's.

Scale: a picture does not show the size of a head and its distance separately. B's head is scaled
and raised until alignment puts both neutral, frontal faces at the same place.

So the ground truth is a person with B's shape, features and marks and A's tone, hair, ears and
neck, rendered with A's motion, camera and light.

In the default pairs A and B differ in shape and features more than in tone, so neither A
unchanged nor a colour shift comes close, and both move too much for a still picture of B.
"""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from faceswap import __version__
from faceswap.faces.face_regions import face_mask
from faceswap.synthetic.camera import Camera
from faceswap.synthetic.head_mesh import HeadMesh
from faceswap.synthetic.identity import Identity
from faceswap.synthetic.motion import MotionFrame, talk
from faceswap.synthetic.scene import LIGHTS, Frame, Scene, average_occlusion
from faceswap.types import UInt8Image

FORMAT = 1
"""Version of ``truth.json``."""


def perfect_swap(a: Identity, b: Identity) -> Identity:
    """The person of the ground truth of B's face on A; see the module docstring."""
    hairs = replace(b.hairs, style=a.hairs.style, colour=a.hairs.colour)
    shape = replace(b.shape, ear_size=a.shape.ear_size, neck_width=a.shape.neck_width)
    toned = b.with_complexion_of(a)
    return replace(toned, name=f"{b.name} on {a.name}", shape=shape, hairs=hairs, clothes=a.clothes)


def build_head(person: Identity) -> HeadMesh:
    """Build the head of ``person`` with its ambient occlusion, ready to render."""
    figure = HeadMesh(person)
    figure.set_ambient_occlusion(average_occlusion())
    return figure


@dataclass(frozen=True)
class Shot:
    """One frame of a rendered clip, with the ground-truth swap if the clip is A's."""

    moment: MotionFrame
    frame: Frame
    truth: UInt8Image | None = None
    truth_frame: Frame | None = None


class Clip:
    """Rendered footage of a person talking; with ``swapped``, also of the ground-truth swap."""

    def __init__(
        self,
        person: Identity,
        size: int,
        frames: int,
        rate: int,
        seed: int,
        light: str,
        swapped: Identity | None = None,
    ) -> None:
        self.person = person
        self.moments = talk(seed, frames, rate)
        self._figure = build_head(person)
        self._swapped = build_head(swapped) if swapped else None
        if self._swapped is not None:
            self._swapped.align_with(self._figure)
        self._scene = Scene((size, size), LIGHTS[light], Camera(), background=seed, seed=seed)

    def shot(self, number: int) -> Shot:
        """Render frame ``number``."""
        moment = self.moments[number]
        frame = self._scene.frame(self._figure, moment.pose, moment.expression, number)
        if self._swapped is None:
            return Shot(moment, frame)
        other = self._scene.frame(self._swapped, moment.pose, moment.expression, number)
        return Shot(moment, frame, composite_face(frame.picture, other), other)

    def shots(self, workers: int = 2) -> Iterator[Shot]:
        """Render all frames in order, prefetched by ``workers`` threads."""
        with ThreadPoolExecutor(workers) as pool:
            ahead: list[Future[Shot]] = []
            try:
                for number in range(len(self.moments)):
                    ahead.append(pool.submit(self.shot, number))
                    if len(ahead) > 2 * workers:
                        yield ahead.pop(0).result()
                while ahead:
                    yield ahead.pop(0).result()
            finally:
                for future in ahead:
                    future.cancel()


def composite_face(frame: UInt8Image, face: Frame) -> UInt8Image:
    """Composite ``face`` inside its face mask onto ``frame`` (H, W, 3) with a soft edge."""
    mask = face_mask(face.points, face.forehead, (frame.shape[0], frame.shape[1]))
    soft = max(1.0, frame.shape[0] / 300)
    share = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft), np.float32)[..., None] / 255
    mixed = face.picture * share + frame * (1 - share)
    return np.asarray(np.round(mixed), np.uint8)


def shot_record(shot: Shot) -> dict[str, Any]:
    """Ground truth of a shot for ``truth.json``: points in pixels, pose in degrees."""

    def of(frame: Frame) -> dict[str, Any]:
        return {
            "points": np.round(frame.points.astype(float), 2).tolist(),
            "forehead": np.round(frame.forehead.astype(float), 2).tolist(),
            "visible": frame.visible.astype(int).tolist(),
        }

    pose = shot.moment.pose
    record: dict[str, Any] = {
        "pose": [round(pose.yaw, 3), round(pose.pitch, 3), round(pose.roll, 3)],
        "expression": shot.moment.expression.as_dict(),
        **of(shot.frame),
    }
    if shot.truth_frame is not None:
        record["truth"] = of(shot.truth_frame)
    return record


def ground_truth_json(settings: dict[str, Any], clips: dict[str, list[dict[str, Any]]]) -> str:
    """Serialise ``truth.json``."""
    head = {"format": FORMAT, "faceswap": __version__, **settings}
    return json.dumps({**head, "clips": clips}, separators=(",", ":")) + "\n"
