"""Provenance metadata of output files: a sentence and an IPTC digital source type.

Videos have them in the container's metadata (``faceswap.video.provenance``), pictures in the
comment and in XMP, as the IPTC specifies.
"""

from __future__ import annotations

import html
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceswap.errors import OutputError
from faceswap.io.atomic import partial_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CODES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
ALTERED = f"{CODES}algorithmicallyEnhanced"  # the IPTC's example: "denoise"
COMPOSITE = f"{CODES}compositeSynthetic"  # several elements, at least one of them synthetic
GENERATED = f"{CODES}compositeWithTrainedAlgorithmicMedia"  # footage and a network's output
RENDERED = f"{CODES}digitalCreation"

SYNTHETIC = (COMPOSITE, GENERATED, f"{CODES}trainedAlgorithmicMedia")
"""Codes that mark synthetic content; later steps never replace them by others."""

LABELLED = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
"""Suffixes of picture formats that can hold provenance metadata."""

_DESCRIPTION, _XMP = 0x010E, 700  # tags of EXIF and TIFF
_PNG_XMP = "XML:com.adobe.xmp"
_XMP_TEMPLATE = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"{code}>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


@dataclass(frozen=True)
class Provenance:
    """How a file was made: a sentence, and the IPTC digital source type, "" where no code says
    more than that of the input."""

    text: str
    code: str = ""

    def after(self, before: Provenance | None) -> Provenance:
        """Provenance of this step applied to an input with provenance ``before``."""
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
    "A figure of faceswap's lab: original or corrupted pictures, and what a neural network made of "
    "them.",
    GENERATED,
)
DRAWN = Provenance("Landmarks were drawn on this footage with faceswap; it is otherwise unchanged.")


def restored(what: str, *, generated: bool) -> Provenance:
    """Provenance of a restored file. what: what was done to it; generated: content was made up."""
    return Provenance(f"Repaired with faceswap: {what}.", GENERATED if generated else ALTERED)


def rendered(name: str) -> Provenance:
    """Provenance of a video of a rendered head, which shows no real person."""
    text = f"A rendered head ({name}), made with faceswap sample; it shows no real person."
    return Provenance(text, RENDERED)


def save_picture(
    image: NDArray[np.uint8], path: Path, made: Provenance, format: str = "", **options: Any
) -> None:
    """Write ``image`` (H, W) or (H, W, 3) with its provenance, atomically.

    format: Pillow's name, by default from the suffix. options: Pillow's, such as quality. Raises
    OSError when it cannot be written, ValueError for a suffix that is not a picture's or whose
    format cannot hold provenance metadata.
    """
    from PIL import Image

    if not format:
        try:
            format = Image.registered_extensions()[path.suffix.lower()]
        except KeyError:
            raise ValueError(f"{path.name} does not have the suffix of a picture") from None
    page = Image.fromarray(image)
    with partial_file(path) as part:
        page.save(part, format=format, **_save_options(format, made), **options)


def animation_options(made: Provenance) -> dict[str, Any]:
    """Pillow's save options that store ``made`` in an animated WebP."""
    return _save_options("WEBP", made)


def encoded_picture(
    image: NDArray[np.uint8], format: str, made: Provenance, **options: Any
) -> bytes:
    """Encode ``image`` (H, W) or (H, W, 3) with its provenance; arguments as of save_picture."""
    from PIL import Image

    data = io.BytesIO()
    page = Image.fromarray(image)
    page.save(data, format=format, **_save_options(format, made), **options)
    return data.getvalue()


def check_picture_name(path: Path) -> None:
    """Raise OutputError when the picture format cannot hold provenance metadata."""
    if path.suffix.lower() not in LABELLED:
        raise OutputError(
            f"{path.name}: this picture format cannot store how it was made; use .png, .jpg, .webp "
            "or .tif."
        )


def xmp_packet(made: Provenance) -> str:
    """The XMP packet that stores ``made``."""
    code = f'\n Iptc4xmpExt:DigitalSourceType="{html.escape(made.code)}"' if made.code else ""
    return _XMP_TEMPLATE.format(text=html.escape(made.text), code=code)


def _save_options(format: str, made: Provenance) -> dict[str, Any]:
    """Pillow's save options that store ``made`` in a file of ``format``."""
    from PIL import Image, PngImagePlugin

    packet = xmp_packet(made)
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
    raise ValueError(f"a {format} file cannot store how it was made; use .png, .jpg or .webp")


def picture_provenance(path: Path) -> Provenance | None:
    """Read the provenance of the picture at ``path``; None if it has none or is no picture."""
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
