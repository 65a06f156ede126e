"""A person's whole mesh: skin, parts and hair, posed and animated."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import face_similarity
from faceswap.synthetic import head_parts
from faceswap.synthetic.expression import JAW_PIVOT, JAW_RANGE, Expression, Rig, rotate_x
from faceswap.synthetic.face_shape import shape_head, smooth_step
from faceswap.synthetic.hair import long_hair_sheets, shells
from faceswap.synthetic.identity import Identity
from faceswap.synthetic.landmarks import forehead_vertices, landmark_vertices
from faceswap.synthetic.rasteriser import F32, I32, vertex_normals
from faceswap.synthetic.shading import EYE, HAIR, SKIN, WET
from faceswap.synthetic.skin_texture import Atlas, paint_skin, patch_texel, texel
from faceswap.synthetic.template_mesh import template_mesh
from faceswap.synthetic.uv import Array, Index

NECK = np.array([0.0, -9.5, -8.0])
"""Pivot of the head's rotation."""


@dataclass(frozen=True)
class Pose:
    """Head pose in degrees: yaw to the picture's right, pitch up, roll clockwise in the picture.
    shift: (x, y, z) in centimetres."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Mesh:
    """Vertices of a head in one frame, float32; see ``shade`` for the fields."""

    points: F32
    normals: F32


class HeadMesh:
    """A person's head. Building it takes about a second, ``mesh`` some milliseconds."""

    def __init__(self, person: Identity) -> None:
        self.person = person
        self.atlas: Atlas = paint_skin(person)
        self.rig = Rig(shape_head(person.shape))
        self._parts: list[tuple[str, head_parts.Part]] = []
        self._build()
        self.landmarks = landmark_vertices(person.hairs)
        self.forehead = forehead_vertices()
        self.occlusion: F32 = np.ones(len(self.uv), np.float32)
        self._size, self._height = 1.0, 0.0

    def _build(self) -> None:
        t, person = template_mesh(), self.person
        count = len(t.chart)
        self._faces: list[Index] = [t.faces]
        self._materials = [np.full(len(t.faces), SKIN, np.int8)]
        self._levels = [np.full(len(t.faces), -1.0, np.float32)]
        self._uv = [texel(t.chart)]
        self._tint = [self._skin_tint()]
        self._top = count
        self._slices: dict[str, slice] = {"head": slice(0, count)}
        eye = head_parts.eyeball()
        for side in ("left", "right"):
            self._add(f"eye_{side}", eye, "eye", EYE)
        strip, lash_uv = head_parts.lashes(t.lid_rings.shape[2] // 2 + 1)
        for side in ("left", "right"):
            blank = head_parts.Part(np.zeros((len(lash_uv), 3)), strip, lash_uv)
            self._add(f"lash_{side}", blank, "lash", HAIR, 0.45, (0.012, 0.01, 0.01))
        self._add("teeth_upper", head_parts.teeth(True), "teeth", WET)
        self._add("teeth_lower", head_parts.teeth(False), "teeth", WET)
        self._add("tongue", head_parts.tongue(), "tongue", WET)
        self._add("throat", head_parts.throat(), "throat", WET)
        ear = head_parts.ear(person.shape.ear_size)
        width = 1 + 0.05 * person.shape.face_width
        for side, part in (("left", ear), ("right", head_parts.mirrored(ear))):
            self._add(
                f"ear_{side}",
                head_parts.Part(part.points * [width, 1, 1], part.faces, part.uv),
                "ear",
                SKIN,
            )
        self._grow()
        for number, part in enumerate(long_hair_sheets(person)):
            fine = 0.2 if person.hairs.style == "bun" else 0.42
            self._add(f"fall_{number}", part, "strands", HAIR, fine, person.hairs.colour)
        self.faces: I32 = np.concatenate(self._faces).astype(np.int32)
        self.material = np.concatenate(self._materials)
        self.level: F32 = np.concatenate(self._levels).astype(np.float32)
        self.uv: F32 = np.concatenate(self._uv).astype(np.float32)
        self.tint: F32 = np.concatenate(self._tint).astype(np.float32)
        self._once = self._one_sided()
        self._weld = self._welded(count)
        self._turn = self._head_weights()

    def _add(
        self,
        name: str,
        part: head_parts.Part,
        patch: str,
        material: int,
        level: float = -1.0,
        tint: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> None:
        count = len(part.points)
        self._slices[name] = slice(self._top, self._top + count)
        self._parts.append((name, part))
        self._faces.append(np.asarray(part.faces + self._top, np.int32))
        self._materials.append(np.full(len(part.faces), material, np.int8))
        self._levels.append(np.full(len(part.faces), level, np.float32))
        self._uv.append(patch_texel(patch, part.uv))
        self._tint.append(np.tile(np.array(tint), (count, 1)))
        self._top += count

    def _grow(self) -> None:
        """Add the hair and beard shells."""
        self._shell_sources: list[tuple[slice, Index, Array]] = []
        t, hairs = template_mesh(), self.person.hairs
        for growth in shells(self.person, t.chart, t.rest):
            kept = t.faces[(growth.mask[t.faces] > 0.01).any(1)]
            used, faces = np.unique(kept, return_inverse=True)
            faces = faces.reshape(-1, 3).astype(np.int32)
            colour = np.array(hairs.beard_colour if growth.beard else hairs.colour)
            last = len(growth.levels) - 1
            for layer, level in enumerate(growth.levels):
                where = slice(self._top, self._top + len(used))
                lift = growth.lift[layer][used]
                self._shell_sources.append((where, used.astype(np.int32), lift))
                self._faces.append(np.asarray(faces + self._top, np.int32))
                self._materials.append(np.full(len(faces), HAIR, np.int8))
                self._levels.append(np.full(len(faces), level, np.float32))
                self._uv.append(texel(t.chart[used]))
                shade = 0.55 + 0.5 * layer / max(last, 1)  # roots are darker than tips
                self._tint.append(np.tile(colour * shade, (len(used), 1)))
                self._top += len(used)

    def _skin_tint(self) -> Array:
        t = template_mesh()
        tint = np.ones((len(t.chart), 3))
        inside = np.clip(-t.lip / 0.9, 0, 1) * (t.lip < 0)
        tint *= 1 - inside[:, None] * [0.86, 0.95, 0.95]
        rim = (t.lid_gap < -0.01)[:, None]
        return np.asarray(np.where(rim, tint * [0.95, 0.68, 0.66], tint))

    def _one_sided(self) -> I32:
        """Faces without the reversed copies of two-sided sheets, for normals and shadows."""
        unique, first = np.unique(np.sort(self.faces, 1), axis=0, return_index=True)
        del unique
        return np.ascontiguousarray(self.faces[np.sort(first)])

    def _welded(self, count: int) -> I32:
        """Index of the vertex whose normal each shares, across the UV seam."""
        weld = np.arange(len(self.uv), dtype=np.int32)
        chart = template_mesh().chart
        for here in np.flatnonzero(chart[:count, 0] >= 21.99):
            same = np.flatnonzero(
                (chart[:count, 0] <= -21.99) & (chart[:count, 1] == chart[here, 1])
            )
            weld[here] = same[0]
        return weld

    def _head_weights(self) -> Array:
        """Skinning weight of each vertex: 1 moves with the head, 0 stays with the shoulders."""
        share = np.ones(len(self.uv))
        share[self._slices["head"]] = smooth_step(-19.5, -12.5, template_mesh().chart[:, 1])
        for name, part in self._parts:
            if name.startswith("fall"):
                share[self._slices[name]] = smooth_step(-19.0, -9.0, part.points[:, 1])
        for where, used, _ in self._shell_sources:
            share[where] = share[used]
        return share

    def mesh(self, pose: Pose, expression: Expression) -> Mesh:
        """The mesh in ``pose`` with ``expression``."""
        points = np.zeros((len(self.uv), 3))
        head = self.rig.moved(expression)
        points[self._slices["head"]] = head
        jaw = expression.jaw * JAW_RANGE
        for name, part in self._parts:
            if name.startswith("eye"):
                number = 0 if name.endswith("left") else 1
                place = rotated(part.points, -expression.gaze_yaw, expression.gaze_pitch, 0.0)
                points[self._slices[name]] = place + self.rig.head.eyes[number]
            elif name.startswith("lash"):
                points[self._slices[name]] = self._lash(head, 0 if name.endswith("left") else 1)
            elif name in ("teeth_lower", "tongue"):
                points[self._slices[name]] = rotate_x(part.points, JAW_PIVOT, jaw)
            else:
                points[self._slices[name]] = part.points
        skin = vertex_normals(
            head.astype(np.float32), template_mesh().faces, self._weld[: len(head)]
        )
        for where, used, lift in self._shell_sources:
            points[where] = head[used] + skin[used] * lift[:, None]
        points = self._posed(points, pose)
        single = points.astype(np.float32)
        normals = vertex_normals(single, self._once, self._weld)
        return Mesh(single, normals)

    def align_with(self, other: "HeadMesh") -> None:
        """Scale and raise the head until alignment puts both neutral faces at the same place."""
        self._size, self._height = 1.0, 0.0
        theirs, mine = (face_similarity(f.front()) for f in (other, self))
        self._size = float(np.hypot(*mine[0, :2]) / np.hypot(*theirs[0, :2]))
        # Height of the aligned face's centre in each frontal view, in centimetres, y down.
        goal, start = (
            float(cv2.invertAffineTransform(face_similarity(f.front()))[1, 2])
            for f in (other, self)
        )
        self._height = start - goal

    def front(self) -> NDArray[np.float32]:
        """The 68 landmarks of the neutral face from the front, in centimetres, y down: (68, 2)."""
        points = self.mesh(Pose(), Expression()).points[self.landmarks, :2]
        return np.asarray(points * [1, -1], np.float32)

    def _posed(self, points: Array, pose: Pose) -> Array:
        share = self._turn
        away = (points - NECK) * (1 + (self._size - 1) * share[:, None])
        away[:, 1] += self._height * share
        moved = rotated(away, pose.yaw * share, pose.pitch * share, pose.roll * share)
        return np.asarray(moved + NECK + share[:, None] * np.array(pose.shift))

    def _lash(self, head: Array, number: int) -> Array:
        t = template_mesh()
        ring = t.lid_rings[number, 1][: t.lid_rings.shape[2] // 2 + 1]
        base = head[ring]
        away = base - self.rig.head.eyes[number]
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        # Open lids point the lashes up, shut lids down.
        shut = np.clip(
            (0.45 - float((base[:, 1] - self.rig.head.eyes[number][1]).max())) / 0.7, 0, 1
        )
        away = away * 0.55 + [0.0, 0.8 - 1.3 * shut, 0.2]
        length = 0.14 + 0.22 * self.person.hairs.lashes
        taper = np.sin(np.linspace(0.25, np.pi - 0.1, len(ring)))[:, None] ** 0.5
        strip = np.concatenate([base + away * 0.01, base + away * length * taper])
        return strip

    def set_ambient_occlusion(self, share: Array) -> None:
        """Set the ambient occlusion from the share of open sky at each vertex (N,)."""
        # Not down to 0, as light bounces between skin surfaces.
        occlusion = 0.12 + 0.88 * np.asarray(share) ** 0.8
        # Baked with a shut mouth, in which these would be black.
        for name in ("teeth_upper", "teeth_lower", "tongue"):
            occlusion[self._slices[name]] = np.maximum(occlusion[self._slices[name]], 0.4)
        self.occlusion = occlusion.astype(np.float32)

    @property
    def shadow_casters(self) -> I32:
        """Faces drawn into shadow maps, each once."""
        return self._once


def rotated(points: Array, yaw: Array | float, pitch: Array | float, roll: Array | float) -> Array:
    """Rotate ``points`` (N, 3) by angles as in ``Pose``, one for all or (N,) each."""
    a, b, c = np.deg2rad(yaw), np.deg2rad(-np.asarray(pitch)), np.deg2rad(-np.asarray(roll))
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    x, y = x * np.cos(c) - y * np.sin(c), x * np.sin(c) + y * np.cos(c)
    y, z = y * np.cos(b) - z * np.sin(b), y * np.sin(b) + z * np.cos(b)
    x, z = x * np.cos(a) + z * np.sin(a), -x * np.sin(a) + z * np.cos(a)
    return np.stack([x, y, z], -1)
