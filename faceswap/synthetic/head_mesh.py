"""A person's whole mesh: skin, parts, hair and what is worn, posed and animated."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import face_similarity
from faceswap.faces.labels import Label
from faceswap.synthetic import head_parts
from faceswap.synthetic.expression import JAW_PIVOT, JAW_RANGE, Expression, Rig, rotate_x
from faceswap.synthetic.face_shape import shape_head, smooth_step
from faceswap.synthetic.facial_hair import beard_hair, brows, lash_points, lash_roots
from faceswap.synthetic.glasses import glasses
from faceswap.synthetic.hair import scalp
from faceswap.synthetic.head_parts import Part, Piece
from faceswap.synthetic.headwear import headwear
from faceswap.synthetic.identity import Identity
from faceswap.synthetic.landmarks import forehead_vertices, landmark_vertices
from faceswap.synthetic.rasteriser import F32, I32, compiled, vertex_normals
from faceswap.synthetic.shading import EYE, SKIN, WET, Surface
from faceswap.synthetic.skin_texture import SCALE, Atlas, paint_skin
from faceswap.synthetic.strands import Strands, head_hair
from faceswap.synthetic.template_mesh import template_mesh
from faceswap.synthetic.uv import Array, Index

NECK = np.array([0.0, -9.5, -8.0])
"""Pivot of the head's rotation."""
_STRANDS = 5000  # hairs of a head in pictures of some hundred pixels


@dataclass(frozen=True)
class Pose:
    """Head pose in degrees: yaw to the picture's right, pitch up, roll clockwise in the picture.
    shift: (x, y, z) in centimetres."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Lock:
    """Hairs in one frame: points (S, K, 3), with the strands that they belong to."""

    points: F32
    strands: Strands


@dataclass(frozen=True)
class Mesh:
    """A head in one frame: its surface, hairs, and clear lenses as points (N, 3) and faces."""

    surface: Surface
    locks: list[Lock]
    lenses: list[tuple[F32, Index]]


class HeadMesh:
    """A person's head.

    texels: per centimetre of its texture; strands: number of hairs. pieces: things around the
    head. Built for small pictures in some hundredths of a second, ``mesh`` some milliseconds.
    """

    def __init__(
        self,
        person: Identity,
        texels: float = SCALE,
        strands: int = _STRANDS,
        pieces: Sequence[Piece] = (),
    ) -> None:
        self.person = person
        self.atlas: Atlas = paint_skin(person, texels)
        self.rig = Rig(shape_head(person.shape, person.seed))
        self._parts: list[tuple[str, Part, bool]] = []
        self._build(pieces)
        self.landmarks = landmark_vertices(person.hairs)
        self.forehead = forehead_vertices()
        self._size, self._height = 1.0, 0.0
        self._hairs = self._grow(strands)
        self._lash_roots, self._lash_length = lash_roots(person, max(12, strands // 90))

    def _build(self, pieces: Sequence[Piece]) -> None:
        t, person = template_mesh(), self.person
        count = len(t.chart)
        mouth = (t.lip[t.faces] < -0.05).all(1)
        self._faces: list[Index] = [t.faces]
        # Without the reversed copies of two-sided sheets, for normals.
        self._single: list[Index] = [t.faces]
        self._materials = [np.full(len(t.faces), SKIN, np.int8)]
        self._labels = [np.where(mouth, int(Label.MOUTH), int(Label.SKIN)).astype(np.int8)]
        self._uv = [self.atlas.texel(t.chart)]
        self._tint = [_skin_tint()]
        self._top = count
        self._slices: dict[str, slice] = {"head": slice(0, count)}
        eye = head_parts.eyeball()
        white = (1.0, 1.0, 1.0)
        for side in ("left", "right"):
            self._add(f"eye_{side}", Piece(eye, EYE, white, int(Label.EYES)), "eye")
        inside = int(Label.MOUTH)
        self._add("teeth_upper", Piece(head_parts.teeth(True), WET, white, inside), "teeth")
        self._add("teeth_lower", Piece(head_parts.teeth(False), WET, white, inside), "teeth")
        self._add("tongue", Piece(head_parts.tongue(), WET, (0.45, 0.16, 0.15), inside))
        self._add("throat", Piece(head_parts.throat(), WET, (0.11, 0.025, 0.022), inside))
        ear = head_parts.ear(person.shape.ear_size)
        width = 1 + 0.05 * person.shape.face_width
        r, g, b = person.skin.tone
        tone = (min(1.0, r * 1.04), g * 0.9, b * 0.89)
        for side, part in (("left", ear), ("right", head_parts.mirrored(ear))):
            wide = Part(part.points * [width, 1, 1], part.faces, part.uv)
            self._add(f"ear_{side}", Piece(wide, SKIN, tone, int(Label.SKIN)))
        self._own = self._top
        frame, self._lenses = glasses(person.wear, person.shape)
        for number, piece in enumerate([*frame, *headwear(person.wear, person.shape), *pieces]):
            self._add(f"piece_{number}", piece)
        self.faces: I32 = np.concatenate(self._faces).astype(np.int32)
        self._once: I32 = np.concatenate(self._single).astype(np.int32)
        self.material = np.concatenate(self._materials)
        self.label = np.concatenate(self._labels)
        self.uv: F32 = np.concatenate(self._uv).astype(np.float32)
        self.tint: F32 = np.concatenate(self._tint).astype(np.float32)
        self._weld = self._welded(count)
        self._turn = self._head_weights()
        self.occlusion: F32 = np.full(self._top, 0.9, np.float32)

    def _add(self, name: str, piece: Piece, patch: str = "white") -> None:
        part = piece.part
        count = len(part.points)
        self._slices[name] = slice(self._top, self._top + count)
        self._parts.append((name, part, piece.fixed))
        faces = np.asarray(part.faces + self._top, np.int32)
        self._single.append(faces)
        if piece.two_sided:
            faces = np.concatenate([faces, faces[:, ::-1]])
        self._faces.append(faces)
        self._materials.append(np.full(len(faces), piece.material, np.int8))
        self._labels.append(np.full(len(faces), piece.label, np.int8))
        self._uv.append(self.atlas.patch_texel(patch, part.uv))
        self._tint.append(np.tile(np.array(piece.colour), (count, 1)))
        self._top += count

    def _grow(self, strands: int) -> list[Strands]:
        t, person, head = template_mesh(), self.person, self.rig.head
        count = len(head.points)
        normals = vertex_normals(head.points.astype(np.float32), t.faces, self._weld[:count])
        mask = scalp(person.hairs.cut, t.chart[:, 0], t.chart[:, 1])
        covered = person.wear.headwear in ("beanie", "cap")
        bare = person.wear.headwear != "scarf"
        hair = head_hair(person, head, normals, mask, strands, covered) if bare else None
        beard = beard_hair(person, head, normals, strands // 2)
        found = [hair, beard, brows(person, head, normals, strands // 7)]
        return [one for one in found if one is not None]

    def _welded(self, count: int) -> I32:
        """Index of the vertex whose normal each shares, across the UV seam."""
        weld = np.arange(len(self.uv), dtype=np.int32)
        weld[: len(_seam())] = _seam()
        return weld

    def _head_weights(self) -> Array:
        """Skinning weight of each vertex: 1 moves with the head, 0 stays with the shoulders."""
        share = np.ones(self._top)
        share[self._slices["head"]] = smooth_step(-19.5, -12.5, template_mesh().chart[:, 1])
        for name, part, fixed in self._parts:
            if name.startswith("piece"):
                low = smooth_step(-19.5, -12.5, part.points[:, 1])
                share[self._slices[name]] = 0.0 if fixed else low
        return share

    def mesh(self, pose: Pose, expression: Expression) -> Mesh:
        """The mesh in ``pose`` with ``expression``."""
        points = np.zeros((self._top, 3))
        head = self.rig.moved(expression)
        points[self._slices["head"]] = head
        jaw = expression.jaw * JAW_RANGE
        for name, part, _ in self._parts:
            if name.startswith("eye"):
                number = 0 if name.endswith("left") else 1
                place = rotated(part.points, -expression.gaze_yaw, expression.gaze_pitch, 0.0)
                points[self._slices[name]] = place + self.rig.head.eyes[number]
            elif name in ("teeth_lower", "tongue"):
                points[self._slices[name]] = rotate_x(part.points, JAW_PIVOT, jaw)
            else:
                points[self._slices[name]] = part.points
        posed = self._posed(points, self._turn, pose)
        normals = vertex_normals(posed, self._once, self._weld)
        surface = Surface(
            self.faces, self.material, self.label, posed, normals, self.uv,
            self._shaded_eyes(points), self.occlusion,
        )  # fmt: skip
        lenses = [
            (self._posed(lens.points, np.ones(len(lens.points)), pose), lens.faces)
            for lens in self._lenses
        ]
        return Mesh(surface, self._locks(head, pose), lenses)

    def _locks(self, head: Array, pose: Pose) -> list[Lock]:
        moved = head - self.rig.head.points
        locks = []
        for one in self._hairs:
            points = one.points.astype(np.float64)
            if not one.waist:
                points = points + moved[one.anchors][:, None]
            flat = points.reshape(-1, 3)
            share = smooth_step(-19.0, -9.0, flat[:, 1]) if one.waist else np.ones(len(flat))
            locks.append(Lock(self._posed(flat, share, pose).reshape(one.points.shape), one))
        lashes = lash_points(
            self.person, head, self.rig.head.eyes, self._lash_roots, self._lash_length
        )
        flat = lashes.reshape(-1, 3)
        count = len(lashes)
        colours = np.full((count, 3), 0.012, np.float32)
        plain = Strands(
            lashes.astype(np.float32), colours, self._lash_roots.ravel().astype(np.int32),
            np.full(count, 0.5, np.float32), -1, 0.03,
        )  # fmt: skip
        share = np.ones(len(flat))
        locks.append(Lock(self._posed(flat, share, pose).reshape(lashes.shape), plain))
        return locks

    def _shaded_eyes(self, points: Array) -> F32:
        """Tints with the shadow of the lids on the eyeballs."""
        t = template_mesh()
        half = t.lid_rings.shape[2] // 2 + 1
        tint = self.tint.copy()
        for eye, side in ((0, "left"), (1, "right")):
            where = self._slices[f"eye_{side}"]
            ring = t.lid_rings[eye, 1]
            upper = points[ring[:half]]
            order = np.argsort(upper[:, 0])
            under = np.append(ring[half - 1 :], ring[0])
            lower = points[under]
            low = np.argsort(lower[:, 0])
            x, y = points[where, 0], points[where, 1]
            gap = np.interp(x, upper[order, 0], upper[order, 1]) - y
            rise = y - np.interp(x, lower[low, 0], lower[low, 1])
            dark = 0.36 + 0.64 * smooth_step(-0.05, 0.5, gap)
            dark = dark * (0.7 + 0.3 * smooth_step(-0.05, 0.25, rise))
            tint[where] *= dark.astype(np.float32)[:, None]
        return tint

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
        points = self.mesh(Pose(), Expression()).surface.points[self.landmarks, :2]
        return np.asarray(points * [1, -1], np.float32)

    def _posed(self, points: Array, share: Array, pose: Pose) -> F32:
        out = np.empty(points.shape, np.float32)
        turn = np.array([pose.yaw, pose.pitch, pose.roll])
        move_posed(points, share, turn, np.array(pose.shift), self._size, self._height, NECK, out)
        return out

    def set_ambient_occlusion(self, share: Array) -> None:
        """Set the share of open sky at each vertex (M,) of the head's own parts."""
        # Not down to 0, as light bounces between skin surfaces.
        occlusion = 0.12 + 0.88 * np.asarray(share) ** 0.8
        self.occlusion[: self._own] = occlusion
        # Baked with a shut mouth, in which these would be black.
        for name, least in (("teeth_upper", 0.55), ("teeth_lower", 0.5), ("tongue", 0.45)):
            where = self._slices[name]
            self.occlusion[where] = np.maximum(self.occlusion[where], least)


@cache
def _skin_tint() -> Array:
    t = template_mesh()
    tint = np.ones((len(t.chart), 3))
    inside = np.clip(-t.lip / 0.9, 0, 1) * (t.lip < 0)
    tint *= 1 - inside[:, None] * [0.86, 0.95, 0.95]
    rim = (t.lid_gap < -0.01)[:, None]
    return np.asarray(np.where(rim, tint * [0.95, 0.72, 0.7], tint))


@cache
def _seam() -> I32:
    """For each vertex of the template the one that is at the same place across the UV seam."""
    chart = template_mesh().chart
    weld = np.arange(len(chart), dtype=np.int32)
    for here in np.flatnonzero(chart[:, 0] >= 21.99):
        same = np.flatnonzero((chart[:, 0] <= -21.99) & (chart[:, 1] == chart[here, 1]))
        weld[here] = same[0]
    return weld


def rotated(points: Array, yaw: Array | float, pitch: Array | float, roll: Array | float) -> Array:
    """Rotate ``points`` (N, 3) by angles as in ``Pose``, one for all or (N,) each."""
    a, b, c = np.deg2rad(yaw), np.deg2rad(-np.asarray(pitch)), np.deg2rad(-np.asarray(roll))
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    x, y = x * np.cos(c) - y * np.sin(c), x * np.sin(c) + y * np.cos(c)
    y, z = y * np.cos(b) - z * np.sin(b), y * np.sin(b) + z * np.cos(b)
    x, z = x * np.cos(a) + z * np.sin(a), -x * np.sin(a) + z * np.cos(a)
    return np.stack([x, y, z], -1)


@compiled
def move_posed(
    points: Array, share: Array, turn: Array, shift: Array, size: float, height: float,
    pivot: Array, out: F32,
) -> None:  # fmt: skip
    """Rotate each of ``points`` (N, 3) about ``pivot`` by its ``share`` (N,) of ``turn`` (3,): yaw,
    pitch and roll in degrees, scale it by ``size``, raise and shift it."""
    for i in range(points.shape[0]):
        w = share[i]
        grown = 1 + (size - 1) * w
        x = (points[i, 0] - pivot[0]) * grown
        y = (points[i, 1] - pivot[1]) * grown + height * w
        z = (points[i, 2] - pivot[2]) * grown
        a, b, c = np.radians(turn[0] * w), np.radians(-turn[1] * w), np.radians(-turn[2] * w)
        ca, sa, cb, sb, cc, sc = np.cos(a), np.sin(a), np.cos(b), np.sin(b), np.cos(c), np.sin(c)
        x, y = x * cc - y * sc, x * sc + y * cc
        y, z = y * cb - z * sb, y * sb + z * cb
        x, z = x * ca + z * sa, -x * sa + z * ca
        out[i, 0] = x + pivot[0] + w * shift[0]
        out[i, 1] = y + pivot[1] + w * shift[1]
        out[i, 2] = z + pivot[2] + w * shift[2]
