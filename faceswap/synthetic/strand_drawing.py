"""Draw hairs: shading along each hair, and lines into the buffers of a picture."""

from typing import Any

import numpy as np

from faceswap.synthetic.rasteriser import F32, compiled
from faceswap.synthetic.shading import Lighting, Shaded, ambient, dot, lit_share, unit


@compiled
def shade_strands(
    points: F32, colours: F32, openness: F32, lighting: Lighting, dark: Any, out: F32
) -> None:
    """Colours of hairs (S, K, 3) at ``points`` (S, K, 3) into ``out``, linear.

    Kajiya and Kay's model with two highlights, as hair has: one white, from its surface, and one
    of its own colour further down, from inside (Marschner et al., *Light Scattering from Human
    Hair Fibers*, 2003). openness (S,): share of the sky. dark: shade of the root, 1 is none.
    """
    count, steps = points.shape[0], points.shape[1]
    lamps, eye = lighting.lamps, lighting.eye
    for i in range(count):
        shift = np.float32((i * 2654435761 % 1000) / 1000.0 - 0.5) * np.float32(0.14)
        for k in range(steps):
            a, b = max(k - 1, 0), min(k + 1, steps - 1)
            run = unit(
                (
                    points[i, b, 0] - points[i, a, 0],
                    points[i, b, 1] - points[i, a, 1],
                    points[i, b, 2] - points[i, a, 2],
                )
            )
            place = (points[i, k, 0], points[i, k, 1], points[i, k, 2])
            view = unit((eye[0] - place[0], eye[1] - place[1], eye[2] - place[2]))
            # Hair has no normal of its own: the direction to the viewer across the hair.
            side = dot(view, run)
            normal = unit(
                (view[0] - run[0] * side, view[1] - run[1] * side, view[2] - run[2] * side)
            )
            tip = np.float32(k) / np.float32(steps - 1)
            root = dark + (1 - dark) * min(np.float32(1), tip * 3)
            share = openness[i] * root
            red, green, blue = ambient(normal, share, lighting)
            white = np.float32(0)
            inner = np.float32(0)
            for number in range(2):
                way = (lamps[number, 0], lamps[number, 1], lamps[number, 2])
                seen = np.float32(share)
                if number == 0:
                    # Hair in the shadow of hair is still reached by what the others scatter.
                    lit = np.float32(0.25) + np.float32(0.75) * lit_share(place, normal, lighting)
                    seen = lit * (np.float32(0.4) + np.float32(0.6) * share)
                along = dot(run, way)
                around = np.sqrt(max(np.float32(0), 1 - along * along))
                # Light from behind comes through thin hair only.
                facing = min(max(dot(normal, way) + np.float32(0.45), 0), np.float32(1))
                diffuse = np.float32(0.55) * around * facing * seen
                red += lamps[number, 3] * diffuse
                green += lamps[number, 4] * diffuse
                blue += lamps[number, 5] * diffuse
                half = unit((way[0] + view[0], way[1] + view[1], way[2] + view[2]))
                turn = dot(run, half)
                up, low = turn - np.float32(0.1) + shift, turn + np.float32(0.16) + shift
                white += lamps[number, 4] * seen * facing * max(0, 1 - up * up) ** 40
                inner += lamps[number, 4] * seen * facing * max(0, 1 - low * low) ** 14
            c = (colours[i, 0], colours[i, 1], colours[i, 2])
            out[i, k, 0] = c[0] * (red + np.float32(0.55) * inner) + np.float32(0.035) * white
            out[i, k, 1] = c[1] * (green + np.float32(0.55) * inner) + np.float32(0.035) * white
            out[i, k, 2] = c[2] * (blue + np.float32(0.55) * inner) + np.float32(0.035) * white


@compiled
def draw_strands(
    screen: F32, colours: F32, width: Any, taper: Any, label: int, depth: F32, out: Shaded
) -> None:
    """Draw hairs ``screen`` (S, K, 3): x, y in pixels and distance, with ``colours`` (S, K, 3).

    width: pixels at the root; taper: share of it left at the tip. label: of the covered pixels,
    or -1 to leave theirs.
    """
    rows, columns = depth.shape
    for i in range(screen.shape[0]):
        steps = screen.shape[1]
        for k in range(steps - 1):
            ax, ay, az = screen[i, k, 0], screen[i, k, 1], screen[i, k, 2]
            bx, by, bz = screen[i, k + 1, 0], screen[i, k + 1, 1], screen[i, k + 1, 2]
            dx, dy = bx - ax, by - ay
            steep = abs(dy) > abs(dx)
            length = max(abs(dx), abs(dy))
            count = int(np.ceil(length))
            if count == 0 or count > 4000:
                continue
            thick = width * (1 - (1 - taper) * (k + 0.5) / (steps - 1))
            half = np.float32(thick * 0.5)
            for n in range(count):
                t = np.float32(n) / np.float32(count)
                x, y, z = ax + dx * t, ay + dy * t, az + (bz - az) * t
                low = int(np.floor((x if steep else y) - half + 0.5))
                high = int(np.floor((x if steep else y) + half + 0.5))
                if high == low:
                    high = low + 1
                for p in range(low, high):
                    row = int(np.floor(y + 0.5)) if steep else p
                    column = p if steep else int(np.floor(x + 0.5))
                    if row < 0 or column < 0 or row >= rows or column >= columns:
                        continue
                    if z >= depth[row, column]:
                        continue
                    depth[row, column] = z
                    for c in range(3):
                        out.light[row, column, c] = 1.0
                        out.albedo[row, column, c] = (
                            colours[i, k, c] + (colours[i, k + 1, c] - colours[i, k, c]) * t
                        )
                        out.gloss[row, column, c] = 0.0
                    if label >= 0:
                        out.label[row, column] = label
                    out.alpha[row, column] = 1.0


@compiled
def strand_depth(screen: F32, every: int, depth: F32) -> None:
    """Draw every ``every``-th hair of ``screen`` (S, K, 3) into a shadow map, two texels wide."""
    rows, columns = depth.shape
    for i in range(0, screen.shape[0], every):
        for k in range(screen.shape[1] - 1):
            ax, ay, az = screen[i, k, 0], screen[i, k, 1], screen[i, k, 2]
            dx, dy = screen[i, k + 1, 0] - ax, screen[i, k + 1, 1] - ay
            dz = screen[i, k + 1, 2] - az
            count = int(max(abs(dx), abs(dy))) + 1
            for n in range(count):
                t = np.float32(n) / np.float32(count)
                column, row = int(ax + dx * t), int(ay + dy * t)
                if row < 0 or column < 0 or row >= rows - 1 or column >= columns - 1:
                    continue
                near = az + dz * t
                depth[row, column] = min(depth[row, column], near)
                depth[row, column + 1] = min(depth[row, column + 1], near)
