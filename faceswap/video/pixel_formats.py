"""Pixel formats: which of libav's a patch can be blended into, and the nearest for the others."""

from dataclasses import dataclass

from av.video.format import VideoFormat


@dataclass(frozen=True)
class PixelFormat:
    """A planar pixel format, one plane for each component, little endian.

    rgb: planes are G, B, R rather than Y, Cb, Cr. alpha: a fourth plane. bits: per component.
    chroma: by how much (horizontally, vertically) planes 1 and 2 are smaller.
    """

    name: str
    rgb: bool
    alpha: bool
    bits: int
    chroma: tuple[int, int]

    @classmethod
    def named(cls, name: str) -> "PixelFormat":
        """The format with one of libav's names, which must be planar. Raises ValueError."""
        described = VideoFormat(name)
        if not _is_planar(name):
            raise ValueError(f"{name} is not a planar pixel format")
        rgb = name.startswith("gbr")
        across = 1 if rgb else 16 // (described.chroma_width(16) or 16)
        down = 1 if rgb else 16 // (described.chroma_height(16) or 16)
        bits = max(component.bits for component in described.components)
        return cls(name, rgb, len(described.components) == 4, bits, (across, down))


def planar_format(name: str) -> str:
    """The planar format that holds pictures of format ``name`` without loss.

    Grey pictures get colours, as a face is put on them.
    """
    if name.startswith("yuvj"):
        return name.replace("yuvj", "yuv")  # the same planes; the range is in the frame's tags
    if _is_planar(name):
        return name
    described = VideoFormat(name)
    components = described.components
    bits = max(component.bits for component in components)
    alpha = (len(components) in (2, 4) and not described.is_rgb) or name in _WITH_ALPHA
    alpha = alpha and not name.startswith(("nv", "p0", "p2", "p4"))
    if described.is_rgb or len(components) <= 2 or name == "pal8":
        return f"gbr{'a' if alpha or name == 'pal8' else ''}p{_depth(bits)}"
    across, down = 16 // described.chroma_width(16), 16 // described.chroma_height(16)
    sampling = {(2, 2): "420", (2, 1): "422", (1, 1): "444"}.get((across, down), "444")
    return f"yuv{'a' if alpha else ''}{sampling}p{_depth(bits)}"


_WITH_ALPHA = (
    "rgba", "bgra", "argb", "abgr", "rgba64le", "rgba64be", "bgra64le", "bgra64be"
)  # fmt: skip


def _depth(bits: int) -> str:
    """The suffix of a planar format's name for at least ``bits`` per component."""
    return "" if bits <= 8 else next(f"{b}le" for b in (10, 12, 16) if bits <= b)


def _is_planar(name: str) -> bool:
    if name.endswith("be") or "f16" in name or "f32" in name:
        return False
    return name.startswith(("yuv4", "yuva4", "gbrp", "gbrap"))
