"""Light on the rasterised pixels: skin, eyes, wet and hairy surfaces, with a soft shadow."""

import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.raster import F32, I32, compiled

SKIN, EYE, WET, HAIR = 0, 1, 2, 3

I8 = NDArray[np.int8]


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
    """Light every pixel whose ``face`` (H, W) is not -1 into ``out`` (H, W, 4), linear + alpha.

    The mesh: faces (M, 3), material (M,), points, normals, tint (N, 3), uv (N, 2) in texels,
    occlusion (N,). The atlas: colour (h, w, 4), relief (h, w), cut (h, w). lights (4, 6): key,
    rim (direction to the light, colour), then sky and ground colours in the last three places
    of rows 2 and 3. shadow (K, K) is the depth seen from the key light, to_shadow (3, 4) maps
    a point into it. eye (3,) is the camera.
    """
    rows, columns = relief.shape
    extent = shadow.shape[0]
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            m = face[y, x]
            if m < 0:
                continue
            i, j, k = faces[m, 0], faces[m, 1], faces[m, 2]
            b, c = weights[y, x, 0], weights[y, x, 1]
            a = np.float32(1.0) - b - c
            px = a * points[i, 0] + b * points[j, 0] + c * points[k, 0]
            py = a * points[i, 1] + b * points[j, 1] + c * points[k, 1]
            pz = a * points[i, 2] + b * points[j, 2] + c * points[k, 2]
            nx = a * normals[i, 0] + b * normals[j, 0] + c * normals[k, 0]
            ny = a * normals[i, 1] + b * normals[j, 1] + c * normals[k, 1]
            nz = a * normals[i, 2] + b * normals[j, 2] + c * normals[k, 2]
            open_sky = a * occlusion[i] + b * occlusion[j] + c * occlusion[k]
            u = a * uv[i, 0] + b * uv[j, 0] + c * uv[k, 0]
            v = a * uv[i, 1] + b * uv[j, 1] + c * uv[k, 1]
            column = min(max(int(u), 0), columns - 3)
            row = min(max(int(v), 0), rows - 3)
            fu = min(max(u - column, np.float32(0)), np.float32(1))
            fv = min(max(v - row, np.float32(0)), np.float32(1))
            w00, w01 = (1 - fu) * (1 - fv), fu * (1 - fv)
            w10, w11 = (1 - fu) * fv, fu * fv
            kind = material[m]
            thick = np.float32(0)
            if kind == HAIR:
                thick = (
                    cut[row, column] * w00
                    + cut[row, column + 1] * w01
                    + cut[row + 1, column] * w10
                    + cut[row + 1, column + 1] * w11
                )
                red = np.float32(0.35) + np.float32(1.0) * thick
                green, blue, shine = red, red, np.float32(0.3)
            else:
                red = np.float32(0)
                green = np.float32(0)
                blue = np.float32(0)
                shine = np.float32(0)
                for n in range(4):
                    share = w00 if n == 0 else (w01 if n == 1 else (w10 if n == 2 else w11))
                    r, q = row + (n >> 1), column + (n & 1)
                    red += share * colour[r, q, 0]
                    green += share * colour[r, q, 1]
                    blue += share * colour[r, q, 2]
                    shine += share * colour[r, q, 3]
            red *= a * tint[i, 0] + b * tint[j, 0] + c * tint[k, 0]
            green *= a * tint[i, 1] + b * tint[j, 1] + c * tint[k, 1]
            blue *= a * tint[i, 2] + b * tint[j, 2] + c * tint[k, 2]
            # The surface's directions along u and v, for relief and the run of hairs.
            e1x, e1y, e1z = (
                points[j, 0] - points[i, 0],
                points[j, 1] - points[i, 1],
                points[j, 2] - points[i, 2],
            )
            e2x, e2y, e2z = (
                points[k, 0] - points[i, 0],
                points[k, 1] - points[i, 1],
                points[k, 2] - points[i, 2],
            )
            du1, dv1 = uv[j, 0] - uv[i, 0], uv[j, 1] - uv[i, 1]
            du2, dv2 = uv[k, 0] - uv[i, 0], uv[k, 1] - uv[i, 1]
            det = du1 * dv2 - du2 * dv1
            vx, vy, vz = np.float32(0), np.float32(-1), np.float32(0)
            if abs(det) > 1e-4:
                tx = (e1x * dv2 - e2x * dv1) / det
                ty = (e1y * dv2 - e2y * dv1) / det
                tz = (e1z * dv2 - e2z * dv1) / det
                vx = (e2x * du1 - e1x * du2) / det
                vy = (e2y * du1 - e1y * du2) / det
                vz = (e2z * du1 - e1z * du2) / det
                if kind == SKIN:
                    hu = relief[row, column + 2] - relief[row, column]
                    hv = relief[row + 2, column] - relief[row, column]
                    tt = tx * tx + ty * ty + tz * tz + np.float32(1e-6)
                    vv = vx * vx + vy * vy + vz * vz + np.float32(1e-6)
                    gu = hu * np.float32(0.005) / max(tt, np.float32(2e-4))
                    gv = hv * np.float32(0.005) / max(vv, np.float32(2e-4))
                    nx -= gu * tx + gv * vx
                    ny -= gu * ty + gv * vy
                    nz -= gu * tz + gv * vz
            length = np.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-9)
            nx, ny, nz = nx / length, ny / length, nz / length
            sx, sy, sz = eye[0] - px, eye[1] - py, eye[2] - pz
            length = np.sqrt(sx * sx + sy * sy + sz * sz)
            sx, sy, sz = sx / length, sy / length, sz / length
            facing = nx * sx + ny * sy + nz * sz
            if kind == HAIR and facing < 0:
                nx, ny, nz, facing = -nx, -ny, -nz, -facing
            lit = _lit(px, py, pz, nx, ny, nz, shadow, to_shadow, extent)
            if kind == EYE:
                lit = lit * np.float32(0.6) + np.float32(0.4)
            wrap_r = np.float32(0.38) if kind != WET else np.float32(0.15)
            wrap_b = np.float32(0.14) if kind == SKIN else wrap_r
            wrap_g = np.float32(0.2) if kind == SKIN else wrap_r
            up = np.float32(0.5) + np.float32(0.5) * ny
            lr, lg, lb = np.float32(0), np.float32(0), np.float32(0)
            gloss = np.float32(0)
            for light in range(2):
                dx, dy, dz = lights[light, 0], lights[light, 1], lights[light, 2]
                seen = lit if light == 0 else open_sky
                cosine = nx * dx + ny * dy + nz * dz
                lr += lights[light, 3] * max(0, (cosine + wrap_r) / (1 + wrap_r)) * seen**0.85
                lg += lights[light, 4] * max(0, (cosine + wrap_g) / (1 + wrap_g)) * seen
                lb += lights[light, 5] * max(0, (cosine + wrap_b) / (1 + wrap_b)) * seen
                hx, hy, hz = dx + sx, dy + sy, dz + sz
                length = np.sqrt(hx * hx + hy * hy + hz * hz) + np.float32(1e-9)
                hx, hy, hz = hx / length, hy / length, hz / length
                half = max(np.float32(0), nx * hx + ny * hy + nz * hz)
                strength = lights[light, 4] * seen
                if kind == HAIR:
                    # Hairs run down the surface; their unevenness breaks the highlight.
                    lean = (thick - np.float32(0.5)) * np.float32(0.5)
                    ax = ny * nx + lean * nx
                    ay = ny * ny - 1 + lean * ny
                    az = ny * nz + lean * nz
                    length = np.sqrt(ax * ax + ay * ay + az * az) + np.float32(1e-4)
                    along = (ax * hx + ay * hy + az * hz) / length
                    around = np.sqrt(max(np.float32(0), 1 - along * along))
                    bright = np.float32(0.02) + np.float32(0.25) * tint[i, 1]
                    gloss += strength * bright * around**24 * max(cosine + 0.2, 0) * thick
                elif kind == EYE:
                    gloss += strength * np.float32(1.6) * half**420
                    gloss += strength * np.float32(0.03) * half**20
                elif kind == WET:
                    gloss += strength * np.float32(0.35) * shine * half**60
                else:
                    gloss += strength * shine * (0.16 * half**14 + 0.3 * half**60) * (cosine > 0)
            for n in range(3):
                ambient = (lights[3, 3 + n] * (1 - up) + lights[2, 3 + n] * up) * open_sky
                if n == 0:
                    lr += ambient
                elif n == 1:
                    lg += ambient
                else:
                    lb += ambient
            grazing = (1 - min(max(facing, np.float32(0)), np.float32(1))) ** 4
            sheen = grazing * np.float32(0.1) * lights[2, 4] * open_sky
            gloss += sheen if kind != HAIR else np.float32(0)
            out[y, x, 0] = red * lr + gloss * lights[0, 3] * np.float32(0.5)
            out[y, x, 1] = green * lg + gloss * lights[0, 4] * np.float32(0.5)
            out[y, x, 2] = blue * lb + gloss * lights[0, 5] * np.float32(0.5)
            out[y, x, 3] = 1.0


@compiled
def reduce(fine: F32, q: int, out: F32) -> None:
    """Tone ``fine`` (H·q, W·q, 4), linear + alpha, and average it into ``out`` (H, W, 4).

    The curve is a gentle shoulder for the highlights; the colours come out times alpha.
    """
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for n in range(4):
                total = np.float32(0)
                for dy in range(q):
                    for dx in range(q):
                        value = fine[y * q + dy, x * q + dx, n]
                        if n < 3:
                            value *= np.float32(0.62)
                            value *= (1 + value / 4) / (1 + np.float32(0.55) * value)
                        total += value
                out[y, x, n] = total / np.float32(q * q)


@compiled
def _lit(
    px: np.float32,
    py: np.float32,
    pz: np.float32,
    nx: np.float32,
    ny: np.float32,
    nz: np.float32,
    shadow: F32,
    to_shadow: F32,
    extent: int,
) -> np.float32:
    """Share of the key light that reaches a point: a wide look-up around its place."""
    # Lifted off its own surface, so that it does not shade itself.
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
            w = max(np.float32(0), 3 - abs(row + dv - v)) * max(
                np.float32(0), 3 - abs(column + du - u)
            )
            r, q = row + dv, column + du
            weight += w
            if r < 0 or q < 0 or r >= extent or q >= extent or shadow[r, q] >= d:
                total += w
    return np.float32(total / weight)
