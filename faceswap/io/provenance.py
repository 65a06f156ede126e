"""What a file that faceswap writes says about how it was made: a sentence and an IPTC code.

A video carries them in its container's metadata (``faceswap.video.provenance``), a picture in its
comment and its XMP, the place that the IPTC names for the code.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceswap.errors import OutputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CODES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
ALTERED = f"{CODES}algorithmicallyEnhanced"  # the IPTC's own example for it is "denoise"
COMPOSITE = f"{CODES}compositeSynthetic"  # several elements, at least one of them synthetic
GENERATED = f"{CODES}compositeWithTrainedAlgorithmicMedia"  # footage and what a net made of it
RENDERED = f"{CODES}digitalCreation"

SYNTHETIC = (COMPOSITE, GENERATED, f"{CODES}trainedAlgorithmicMedia")
"""Codes that tell a viewer not to believe what is shown; no later step takes one away."""

LABELLED = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
"""Endings of pictures that can say how they were made."""

_DESCRIPTION, _XMP = 0x010E, 700  # tags of EXIF and TIFF
_PNG_XMP = "XML:com.adobe.xmp"
_PACKET = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"{code}>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


@dataclass(frozen=True)
class Provenance:
    """How something was made: a sentence, and the IPTC's digital source type, "" where none of
    its codes says more than the source's own."""

    text: str
    code: str = ""

    def after(self, before: Provenance | None) -> Provenance:
        """This step done to something that was made as ``before`` says; both are told."""
        if before is None:
            return self
        text = before.text if self.text in before.text else f"{self.text} {before.text}".strip()
        keeps = before.code in SYNTHETIC or not self.code
        return Provenance(text, before.code if keeps else self.code)


SWAPPED = Provenance("Synthetic media: a face in this video was replaced with faceswap.", COMPOSITE)
SWAPPED_PICTURE = Provenance(
    "Synthetic media: a face in this picture was replaced with faceswap.", COMPOSITE
)
SHEET = Provenance(
    "Frames of a video before and after faceswap replaced a face in it: those after are synthetic.",
    COMPOSITE,
)
REPORT = Provenance(
    "A report by faceswap on a video in which it replaced a face: that video's frames are "
    "synthetic.",
    COMPOSITE,
)
PREVIEWS = Provenance(
    "Previews of a training run of faceswap: faces cut out of footage, and what a neural network "
    "made of them.",
    GENERATED,
)
FIGURE = Provenance(
    "A figure of faceswap's lab: pictures that it was given or spoilt, and what a neural network "
    "made of them.",
    GENERATED,
)
DRAWN = Provenance("Landmarks were drawn on this footage with faceswap; else it is unchanged.")

_REPAIRS = {
    "denoise": ("noise was taken off by a neural network", ALTERED),
    "occlusion": ("a neural network filled in what was covered", GENERATED),
    "inpaint": ("a neural network filled in what was missing", GENERATED),
    "superres": ("it was enlarged, and a neural network made up the fine detail", GENERATED),
    "colourise": ("it was grey to a neural network, which made up the colours", GENERATED),
    "sound": ("noise was taken off this sound by a neural network", ALTERED),
}


def repaired(use: str) -> Provenance:
    """What ``restore`` and the lab's ``sound`` did, by what the model repairs."""
    what, code = _REPAIRS[use]
    return Provenance(f"Repaired with faceswap: {what}.", code)


def rendered(name: str) -> Provenance:
    """A film of a head that was drawn by a program, of nobody real."""
    text = f"A rendered head ({name}), made with faceswap sample; it shows nobody."
    return Provenance(text, RENDERED)


def save_picture(
    image: NDArray[np.uint8], path: Path, made: Provenance, format: str = "", **options: Any
) -> None:
    """Write ``image`` (H, W) or (H, W, 3) with its provenance; it appears whole or not at all.

    format: Pillow's name, by default that of the path's ending. options: Pillow's, such as
    quality. Raises OSError when it cannot be written, ValueError for an ending that is no
    picture's, or one whose files can't say how they were made.
    """
    from PIL import Image

    if not format:
        try:
            format = Image.registered_extensions()[path.suffix.lower()]
        except KeyError:
            raise ValueError(f"{path.name} does not end as a picture does") from None
    page = Image.fromarray(image)
    part = path.with_name(f".{path.name}.part")
    try:
        page.save(part, format=format, **_words(format, made), **options)
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def check_picture_name(path: Path) -> None:
    """Raise OutputError when a picture of this name can't say in itself how it was made."""
    if path.suffix.lower() not in LABELLED:
        raise OutputError(
            f"{path.name}: a picture of this kind cannot say in itself how it was made; end its "
            "name with .png, .jpg, .webp or .tif."
        )


def _words(format: str, made: Provenance) -> dict[str, Any]:
    """Pillow's options that put ``made`` into a file of ``format``."""
    from PIL import Image, PngImagePlugin

    code = f'\n Iptc4xmpExt:DigitalSourceType="{html.escape(made.code)}"' if made.code else ""
    packet = _PACKET.format(text=html.escape(made.text), code=code)
    if format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("Comment", made.text)
        info.add_itxt(_PNG_XMP, packet)
        return {"pnginfo": info}
    if format == "TIFF":
        return {"tiffinfo": {_DESCRIPTION: made.text, _XMP: packet.encode()}}
    if format in ("JPEG", "WEBP"):
        exif = Image.Exif()
        exif[_DESCRIPTION] = made.text
        return {"exif": exif, "xmp": packet.encode()}
    raise ValueError(f"a {format} file cannot say how it was made; choose .png, .jpg or .webp")


def picture_provenance(path: Path) -> Provenance | None:
    """What the picture at ``path`` says about how it was made; None: nothing, or no picture."""
    from PIL import Image

    try:
        with Image.open(path) as page:
            packet = page.info.get("xmp") or page.info.get(_PNG_XMP) or b""
            tags = getattr(page, "tag_v2", None) or {}
            packet = packet or tags.get(_XMP) or b""
            text = page.info.get("Comment") or page.getexif().get(_DESCRIPTION) or ""
    except (OSError, ValueError, SyntaxError):
        return None
    text = text.strip() if isinstance(text, str) else ""
    packet = packet if isinstance(packet, str) else bytes(packet).decode("utf-8", "replace")
    found = re.search(r'DigitalSourceType(?:="|>)\s*([^"<\s]+)', packet)
    code = html.unescape(found[1]) if found else ""
    return Provenance(text, code) if text or code else None
