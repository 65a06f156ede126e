"""Shading of rasterised pixels: skin, eyes, wet and plain surfaces, with soft shadows.

Constants without a source were chosen by eye, for faces that pass as footage; what each does is
said beside it. Diffuse light, albedo and specular light are kept apart: light that enters skin
leaves it some millimetres away, so the diffuse light of skin is blurred before it is multiplied.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.rasteriser import F32, I32, Raster, compiled

SKIN, EYE, WET, PLAIN, GLOSSY = 0, 1, 2, 3, 4

I8 = NDArray[np.int8]
U8 = NDArray[np.uint8]
# Scalars in compiled code: float32 or float64.
Number = Any
Three = tuple[Any, Any, Any]


class Surface(NamedTuple):
    """A posed mesh. faces (M, 3), material and label (M,); points, normals, tint (N, 3), uv (N, 2)
    in texels, occlusion (N,): the share of the sky that reaches each vertex."""

    faces: I32
    material: I8
    label: I8
    points: F32
    normals: F32
    uv: F32
    tint: F32
    occlusion: F32


class Paint(NamedTuple):
    """Texture maps: colour (h, w, 4): albedo and shine; relief (h, w) in 1/100 cm; zone (h, w):
    labels of the skin's areas."""

    colour: F32
    relief: F32
    zone: U8


class Lighting(NamedTuple):
    """lamps (2, 6): direction to the light and its colour, only the first casts shadows. sky,
    ground, left, right (3,): ambient light. shadow (K, K): depth seen from the first lamp;
    to_shadow (3, 4): a point's place in it. soft: width of the shadow's edge in texels of it, 1
    is hard. eye (3,): the camera."""

    lamps: F32
    sky: F32
    ground: F32
    left: F32
    right: F32
    shadow: F32
    to_shadow: F32
    soft: Any
    eye: F32


class Shaded(NamedTuple):
    """Buffers (H, W, ...) of a picture: light, albedo and gloss (3), label; alpha 1 where drawn."""

    light: F32
    albedo: F32
    gloss: F32
    label: U8
    alpha: F32


def blank(height: int, width: int) -> Shaded:
    """Empty buffers."""
    light, albedo, gloss = (np.zeros((height, width, 3), np.float32) for _ in range(3))
    label = np.zeros((height, width), np.uint8)
    return Shaded(light, albedo, gloss, label, np.zeros((height, width), np.float32))


@compiled
def shade(raster: Raster, mesh: Surface, paint: Paint, lighting: Lighting, out: Shaded) -> None:
    """Shade every pixel of ``raster`` that a face covers into ``out``."""
    face = raster.face
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            m = face[y, x]
            if m < 0:
                continue
            i, j, k = mesh.faces[m, 0], mesh.faces[m, 1], mesh.faces[m, 2]
            b, c = raster.weights[y, x, 0], raster.weights[y, x, 1]
            a = np.float32(1.0) - b - c
            place = mixed(mesh.points, i, j, k, a, b, c)
            normal = mixed(mesh.normals, i, j, k, a, b, c)
            tone = mixed(mesh.tint, i, j, k, a, b, c)
            open_sky = a * mesh.occlusion[i] + b * mesh.occlusion[j] + c * mesh.occlusion[k]
            u = a * mesh.uv[i, 0] + b * mesh.uv[j, 0] + c * mesh.uv[k, 0]
            v = a * mesh.uv[i, 1] + b * mesh.uv[j, 1] + c * mesh.uv[k, 1]
            kind = mesh.material[m]
            red, green, blue, shine = _albedo(paint.colour, u, v)
            label = mesh.label[m]
            if kind == SKIN:
                normal = _bumped(normal, mesh.points, mesh.uv, i, j, k, paint.relief, u, v)
                row = min(max(int(v + 0.5), 0), paint.zone.shape[0] - 1)
                column = min(max(int(u + 0.5), 0), paint.zone.shape[1] - 1)
                zone = paint.zone[row, column]
                if zone > 0 and label == 1:
                    label = zone
            normal = unit(normal)
            eye = lighting.eye
            view = unit((eye[0] - place[0], eye[1] - place[1], eye[2] - place[2]))
            if kind >= PLAIN and dot(normal, view) < 0:
                normal = (-normal[0], -normal[1], -normal[2])
            lit = lit_share(place, normal, lighting)
            if kind == EYE:
                # Eyes shadowed by brow and lids are lightened: light scatters inside the eyeball.
                lit = lit * np.float32(0.7) + np.float32(0.3)
            light, gloss = _light(kind, normal, view, lit, open_sky, shine, lighting)
            out.light[y, x, 0], out.light[y, x, 1], out.light[y, x, 2] = light
            out.albedo[y, x, 0] = red * tone[0]
            out.albedo[y, x, 1] = green * tone[1]
            out.albedo[y, x, 2] = blue * tone[2]
            for n in range(3):
                out.gloss[y, x, n] = gloss * lighting.lamps[0, 3 + n]
            out.label[y, x] = label
            out.alpha[y, x] = 1.0


@compiled
def mixed(values: F32, i: int, j: int, k: int, a: Number, b: Number, c: Number) -> Three:
    """Barycentric interpolation of rows i, j, k of ``values`` (N, 3) with weights a, b, c."""
    return (
        a * values[i, 0] + b * values[j, 0] + c * values[k, 0],
        a * values[i, 1] + b * values[j, 1] + c * values[k, 1],
        a * values[i, 2] + b * values[j, 2] + c * values[k, 2],
    )


@compiled
def dot(p: Three, q: Three) -> Number:
    """Dot product."""
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]


@compiled
def unit(p: Three) -> Three:
    """The vector scaled to length 1."""
    length = np.sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]) + np.float32(1e-9)
    return (p[0] / length, p[1] / length, p[2] / length)


@compiled
def _corner(shape: Any, u: Number, v: Number) -> tuple[int, int, Number, Number]:
    """Row and column of the texel above and left of (u, v), and the fractions past it."""
    # -3: callers read up to two texels further.
    column = min(max(int(u), 0), shape[1] - 3)
    row = min(max(int(v), 0), shape[0] - 3)
    fu = min(max(np.float32(u - column), np.float32(0)), np.float32(1))
    fv = min(max(np.float32(v - row), np.float32(0)), np.float32(1))
    return row, column, fu, fv


@compiled
def _albedo(colour: F32, u: Number, v: Number) -> tuple[Number, Number, Number, Number]:
    """Red, green, blue and shine of the atlas at (u, v), bilinearly interpolated."""
    row, column, fu, fv = _corner(colour.shape[:2], u, v)
    red, green, blue, shine = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for n in range(4):
        down, right = n >> 1, n & 1
        share = (fv if down else 1 - fv) * (fu if right else 1 - fu)
        red += share * colour[row + down, column + right, 0]
        green += share * colour[row + down, column + right, 1]
        blue += share * colour[row + down, column + right, 2]
        shine += share * colour[row + down, column + right, 3]
    return red, green, blue, shine


@compiled
def _bumped(
    normal: Three, points: F32, uv: F32, i: int, j: int, k: int, relief: F32, u: Number, v: Number
) -> Three:
    """Bump mapping: tilt ``normal`` by the gradient of the relief, in the face's tangent space."""
    du1, dv1 = uv[j, 0] - uv[i, 0], uv[j, 1] - uv[i, 1]
    du2, dv2 = uv[k, 0] - uv[i, 0], uv[k, 1] - uv[i, 1]
    det = du1 * dv2 - du2 * dv1
    if abs(det) <= 1e-5:  # no area in the texture, such as the inner rims: no tangents
        return normal
    row, column, _, _ = _corner(relief.shape, u, v)
    # Relief is in 1/100 cm, the difference over two texels: 0.01 / 2 gives cm per texel.
    slope_u = (relief[row, column + 2] - relief[row, column]) * np.float32(0.005)
    slope_v = (relief[row + 2, column] - relief[row, column]) * np.float32(0.005)
    e1 = (points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2])
    e2 = (points[k, 0] - points[i, 0], points[k, 1] - points[i, 1], points[k, 2] - points[i, 2])
    t = (
        (e1[0] * dv2 - e2[0] * dv1) / det,
        (e1[1] * dv2 - e2[1] * dv1) / det,
        (e1[2] * dv2 - e2[2] * dv1) / det,
    )
    w = (
        (e2[0] * du1 - e1[0] * du2) / det,
        (e2[1] * du1 - e1[1] * du2) / det,
        (e2[2] * du1 - e1[2] * du2) / det,
    )
    # t and w are cm per texel; the limit keeps squeezed faces smooth.
    gu = slope_u / max(dot(t, t), np.float32(2e-4))
    gv = slope_v / max(dot(w, w), np.float32(2e-4))
    return (
        normal[0] - gu * t[0] - gv * w[0],
        normal[1] - gu * t[1] - gv * w[1],
        normal[2] - gu * t[2] - gv * w[2],
    )


@compiled
def ambient(normal: Three, open_sky: Number, lighting: Lighting) -> Three:
    """Light from all around: sky above, ground below, and the two sides."""
    up = np.float32(0.5) + np.float32(0.5) * normal[1]
    beside = np.float32(0.5) + np.float32(0.5) * normal[0]
    g, s, left, right = lighting.ground, lighting.sky, lighting.left, lighting.right
    return (
        (g[0] * (1 - up) + s[0] * up + left[0] * (1 - beside) + right[0] * beside) * open_sky,
        (g[1] * (1 - up) + s[1] * up + left[1] * (1 - beside) + right[1] * beside) * open_sky,
        (g[2] * (1 - up) + s[2] * up + left[2] * (1 - beside) + right[2] * beside) * open_sky,
    )


@compiled
def _light(
    kind: int, normal: Three, view: Three, lit: Number, open_sky: Number, shine: Number,
    lighting: Lighting,
) -> tuple[Three, Number]:  # fmt: skip
    """Diffuse light by colour, and the specular light, of a surface.

    Wrapped diffuse lighting, as light in skin goes around edges: red farthest.
    """
    wrap_r = np.float32(0.28) if kind in (SKIN, EYE) else np.float32(0.08)
    wrap_g = np.float32(0.14) if kind == SKIN else wrap_r
    wrap_b = np.float32(0.1) if kind == SKIN else wrap_r
    red, green, blue = ambient(normal, open_sky, lighting)
    gloss = np.float32(0)
    lamps = lighting.lamps
    for number in range(2):
        way = (lamps[number, 0], lamps[number, 1], lamps[number, 2])
        seen = lit if number == 0 else open_sky
        cosine = dot(normal, way)
        red += lamps[number, 3] * max(0, (cosine + wrap_r) / (1 + wrap_r)) * seen
        green += lamps[number, 4] * max(0, (cosine + wrap_g) / (1 + wrap_g)) * seen
        blue += lamps[number, 5] * max(0, (cosine + wrap_b) / (1 + wrap_b)) * seen
        half = unit((way[0] + view[0], way[1] + view[1], way[2] + view[2]))
        gloss += lamps[number, 4] * seen * _specular(kind, normal, half, cosine, shine)
    if kind != PLAIN:
        # The sky's reflection at grazing angles, after Schlick's Fresnel approximation.
        facing = min(max(dot(normal, view), np.float32(0)), np.float32(1))
        rough = np.float32(0.06) if kind == SKIN else np.float32(0.14)
        gloss += (1 - facing) ** 4 * rough * lighting.sky[1] * open_sky
    return (red, green, blue), gloss * np.float32(0.5)  # strength of all reflections


@compiled
def _specular(kind: int, normal: Three, half: Three, cosine: Number, shine: Number) -> Number:
    """Specular reflection: Blinn-Phong by the half vector."""
    along = max(np.float32(0), dot(normal, half))
    if kind == EYE:  # the cornea's pin-point highlight, and a faint film of tears
        return np.float32(1.3) * along**320 + np.float32(0.04) * along**20
    if kind == WET:
        return np.float32(0.4) * shine * along**50
    if kind == SKIN:  # a broad lobe of dull skin and a narrow one of oil
        return shine * (0.2 * along**10 + 0.28 * along**48) * (cosine > 0)
    if kind == GLOSSY:
        return np.float32(0.12) * along**8 + np.float32(0.6) * along**90
    return np.float32(0.0)


@compiled
def lit_share(place: Three, normal: Three, lighting: Lighting) -> Number:
    """Share of the first lamp that reaches a point: percentage-closer filtering, 5×5 samples."""
    # Normal offset and depth bias in cm, against self-shadowing (shadow acne).
    off = np.float32(0.22)
    qx, qy, qz = place[0] + normal[0] * off, place[1] + normal[1] * off, place[2] + normal[2] * off
    to = lighting.to_shadow
    u = to[0, 0] * qx + to[0, 1] * qy + to[0, 2] * qz + to[0, 3]
    v = to[1, 0] * qx + to[1, 1] * qy + to[1, 2] * qz + to[1, 3]
    d = to[2, 0] * qx + to[2, 1] * qy + to[2, 2] * qz + to[2, 3] - np.float32(0.12)
    shadow = lighting.shadow
    step = np.float32(lighting.soft)
    last = shadow.shape[0] - 1
    # Corners and middle of the filter first: away from edges they agree, and are enough.
    few = 0
    for n in range(5):
        du = 0 if n == 0 else (n & 1) * 4 - 2
        dv = 0 if n == 0 else (n & 2) * 2 - 2
        q = min(max(int(u + du * step + np.float32(0.5)), 0), last)
        r = min(max(int(v + dv * step + np.float32(0.5)), 0), last)
        few += shadow[r, q] >= d
    if few == 0 or few == 5:
        return np.float32(few) * np.float32(0.2)
    total = 0
    for dv in range(-2, 3):
        r = min(max(int(v + dv * step + np.float32(0.5)), 0), last)
        for du in range(-2, 3):
            q = min(max(int(u + du * step + np.float32(0.5)), 0), last)
            total += shadow[r, q] >= d
    return np.float32(total) / np.float32(25)
