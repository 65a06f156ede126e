"""Shading of rasterised pixels: skin, eyes, wet surfaces and hair, with soft shadows.

Constants without a source were chosen by eye, for faces that pass as footage; what each does is
said beside it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.rasteriser import F32, I32, compiled

SKIN, EYE, WET, HAIR = 0, 1, 2, 3

I8 = NDArray[np.int8]
# Scalars in compiled code: float32 or float64.
Number = Any
Three = tuple[Any, Any, Any]


@compiled
def shade(
    face: I32,
    weights: F32,
    faces: I32,
    material: I8,
    points: F32,
    normals: F32,
    uv: F32,
    tint: F32,
    occlusion: F32,
    colour: F32,
    relief: F32,
    cut: F32,
    lights: F32,
    shadow: F32,
    to_shadow: F32,
    eye: F32,
    out: F32,
) -> None:
    """Shade every pixel whose ``face`` (H, W) is not -1 into ``out`` (H, W, 4), linear RGBA.

    weights (H, W, 2): barycentric, of the face's second and third corner. The mesh: faces (M, 3),
    material (M,), points, normals, tint (N, 3), uv (N, 2) in texels, occlusion (N,). The atlas:
    colour (h, w, 4), relief (h, w), cut (h, w). lights (4, 6): key and rim light (direction to
    the light, colour), then the colours of sky and ground in the last three columns of rows 2 and
    3. shadow (K, K): shadow map of the key light; to_shadow (3, 4): a point's place in it. eye
    (3,): the camera.
    """
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            m = face[y, x]
            if m < 0:
                continue
            i, j, k = faces[m, 0], faces[m, 1], faces[m, 2]
            b, c = weights[y, x, 0], weights[y, x, 1]
            a = np.float32(1.0) - b - c
            place = _mixed(points, i, j, k, a, b, c)
            normal = _mixed(normals, i, j, k, a, b, c)
            tone = _mixed(tint, i, j, k, a, b, c)
            open_sky = a * occlusion[i] + b * occlusion[j] + c * occlusion[k]
            u = a * uv[i, 0] + b * uv[j, 0] + c * uv[k, 0]
            v = a * uv[i, 1] + b * uv[j, 1] + c * uv[k, 1]
            kind = material[m]
            if kind == HAIR:
                thick = _density(cut, u, v)
                # Dense hair is brighter than gaps: strands stay visible without geometry.
                red = green = blue = np.float32(0.35) + thick
                shine = np.float32(0.3)  # unused: hair has its own highlight
            else:
                thick = np.float32(0)
                red, green, blue, shine = _albedo(colour, u, v)
            if kind == SKIN:
                normal = _bumped(normal, points, uv, i, j, k, relief, u, v)
            normal = _unit(normal)
            view = _unit((eye[0] - place[0], eye[1] - place[1], eye[2] - place[2]))
            if kind == HAIR and _dot(normal, view) < 0:
                normal = (-normal[0], -normal[1], -normal[2])
            lit = _lit(
                place[0], place[1], place[2], normal[0], normal[1], normal[2],
                shadow, to_shadow, shadow.shape[0],
            )  # fmt: skip
            if kind == EYE:
                # Eyes shadowed by brow and lids are lightened: light scatters inside the eyeball.
                lit = lit * np.float32(0.6) + np.float32(0.4)
            light, gloss = _light(kind, normal, view, lit, open_sky, shine, thick, tone[1], lights)
            out[y, x, 0] = red * tone[0] * light[0] + gloss * lights[0, 3]
            out[y, x, 1] = green * tone[1] * light[1] + gloss * lights[0, 4]
            out[y, x, 2] = blue * tone[2] * light[2] + gloss * lights[0, 5]
            out[y, x, 3] = 1.0


@compiled
def _mixed(values: F32, i: int, j: int, k: int, a: Number, b: Number, c: Number) -> Three:
    """Barycentric interpolation of rows i, j, k of ``values`` (N, 3) with weights a, b, c."""
    return (
        a * values[i, 0] + b * values[j, 0] + c * values[k, 0],
        a * values[i, 1] + b * values[j, 1] + c * values[k, 1],
        a * values[i, 2] + b * values[j, 2] + c * values[k, 2],
    )


@compiled
def _dot(p: Three, q: Three) -> Number:
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]


@compiled
def _unit(p: Three) -> Three:
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
def _density(cut: F32, u: Number, v: Number) -> Number:
    row, column, fu, fv = _corner(cut.shape, u, v)
    top = cut[row, column] * (1 - fu) + cut[row, column + 1] * fu
    low = cut[row + 1, column] * (1 - fu) + cut[row + 1, column + 1] * fu
    return np.float32(top * (1 - fv) + low * fv)


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
    normal: Three,
    points: F32,
    uv: F32,
    i: int,
    j: int,
    k: int,
    relief: F32,
    u: Number,
    v: Number,
) -> Three:
    """Bump mapping: tilt ``normal`` by the gradient of the relief, in the face's tangent space."""
    du1, dv1 = uv[j, 0] - uv[i, 0], uv[j, 1] - uv[i, 1]
    du2, dv2 = uv[k, 0] - uv[i, 0], uv[k, 1] - uv[i, 1]
    det = du1 * dv2 - du2 * dv1
    if abs(det) <= 1e-4:  # no area in the texture, such as the inner rims: no tangents
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
    # t and w are cm per texel, normally 1/32; the limit of 1/70 keeps squeezed faces smooth.
    gu = slope_u / max(_dot(t, t), np.float32(2e-4))
    gv = slope_v / max(_dot(w, w), np.float32(2e-4))
    return (
        normal[0] - gu * t[0] - gv * w[0],
        normal[1] - gu * t[1] - gv * w[1],
        normal[2] - gu * t[2] - gv * w[2],
    )


@compiled
def _light(
    kind: int,
    normal: Three,
    view: Three,
    lit: Number,
    open_sky: Number,
    shine: Number,
    thick: Number,
    tone: Number,
    lights: F32,
) -> tuple[Three, Number]:
    """Diffuse light by colour, and the specular light, of a surface.

    Wrapped diffuse lighting approximates subsurface scattering in skin: red wraps farthest, as it
    scatters farthest. tone: green of the surface's tint.
    """
    # Degree of wrap: 0 is Lambert. Teeth and tongue scatter little, hair and eyes like red skin.
    wrap_r = np.float32(0.15) if kind == WET else np.float32(0.38)
    wrap_g = np.float32(0.2) if kind == SKIN else wrap_r
    wrap_b = np.float32(0.14) if kind == SKIN else wrap_r
    # Hemisphere light: sky from above, ground from below.
    up = np.float32(0.5) + np.float32(0.5) * normal[1]
    red = (lights[3, 3] * (1 - up) + lights[2, 3] * up) * open_sky
    green = (lights[3, 4] * (1 - up) + lights[2, 4] * up) * open_sky
    blue = (lights[3, 5] * (1 - up) + lights[2, 5] * up) * open_sky
    gloss = np.float32(0)
    for number in range(2):
        way = (lights[number, 0], lights[number, 1], lights[number, 2])
        seen = lit if number == 0 else open_sky
        cosine = _dot(normal, way)
        # seen**0.85: a red fringe at shadow edges, which subsurface scattering makes.
        red += lights[number, 3] * max(0, (cosine + wrap_r) / (1 + wrap_r)) * seen**0.85
        green += lights[number, 4] * max(0, (cosine + wrap_g) / (1 + wrap_g)) * seen
        blue += lights[number, 5] * max(0, (cosine + wrap_b) / (1 + wrap_b)) * seen
        half = _unit((way[0] + view[0], way[1] + view[1], way[2] + view[2]))
        specular = _specular(kind, normal, half, cosine, shine, thick, tone)
        gloss += lights[number, 4] * seen * specular
    if kind != HAIR:
        # The sky's reflection at grazing angles, after Schlick's Fresnel approximation.
        facing = min(max(_dot(normal, view), np.float32(0)), np.float32(1))
        gloss += (1 - facing) ** 4 * np.float32(0.1) * lights[2, 4] * open_sky
    return (red, green, blue), gloss * np.float32(0.5)  # strength of all reflections


@compiled
def _specular(
    kind: int,
    normal: Three,
    half: Three,
    cosine: Number,
    shine: Number,
    thick: Number,
    tone: Number,
) -> Number:
    """Specular reflection: Blinn-Phong by the half vector, for hair Kajiya-Kay."""
    along = max(np.float32(0), _dot(normal, half))
    if kind == EYE:  # the cornea's pin-point highlight, and a faint film of tears
        return np.float32(1.6) * along**420 + np.float32(0.03) * along**20
    if kind == WET:
        return np.float32(0.35) * shine * along**60
    if kind == SKIN:  # a broad lobe of dull skin and a narrow one of oil
        return shine * (0.16 * along**14 + 0.3 * along**60) * (cosine > 0)
    # The hair's tangent runs down the surface; density shifts it, which breaks the highlight up.
    lean = (thick - np.float32(0.5)) * np.float32(0.5)
    run = (
        normal[1] * normal[0] + lean * normal[0],
        normal[1] * normal[1] - 1 + lean * normal[1],
        normal[1] * normal[2] + lean * normal[2],
    )
    length = np.sqrt(_dot(run, run)) + np.float32(1e-4)
    turn = _dot(run, half) / length
    around = np.sqrt(max(np.float32(0), 1 - turn * turn))
    bright = np.float32(0.02) + np.float32(0.25) * tone  # light hair shines more than dark hair
    return bright * around**24 * max(cosine + 0.2, 0) * thick


@compiled
def _lit(
    px: Number,
    py: Number,
    pz: Number,
    nx: Number,
    ny: Number,
    nz: Number,
    shadow: F32,
    to_shadow: F32,
    extent: int,
) -> Number:
    """Share of the key light that reaches a point: percentage-closer filtering, 6×6 texels."""
    # Normal offset and depth bias in cm, against self-shadowing (shadow acne).
    qx, qy, qz = px + nx * 0.22, py + ny * 0.22, pz + nz * 0.22
    u = to_shadow[0, 0] * qx + to_shadow[0, 1] * qy + to_shadow[0, 2] * qz + to_shadow[0, 3]
    v = to_shadow[1, 0] * qx + to_shadow[1, 1] * qy + to_shadow[1, 2] * qz + to_shadow[1, 3]
    d = to_shadow[2, 0] * qx + to_shadow[2, 1] * qy + to_shadow[2, 2] * qz + to_shadow[2, 3]
    d -= np.float32(0.12)
    total = np.float32(0)
    weight = np.float32(0)
    column, row = int(np.floor(u)), int(np.floor(v))
    for dv in range(-2, 4):
        for du in range(-2, 4):
            # A tent of three texels to either side, for soft shadow edges.
            w = max(np.float32(0), 3 - abs(row + dv - v)) * max(
                np.float32(0), 3 - abs(column + du - u)
            )
            r, q = row + dv, column + du
            weight += w
            if r < 0 or q < 0 or r >= extent or q >= extent or shadow[r, q] >= d:
                total += w
    return np.float32(total / weight)
