"""Provenance of a video, in two entries of the container's metadata.

A sentence under ``comment``, which players show, and the IPTC digital source type, which programs
look for.
"""

from collections.abc import Mapping
from pathlib import Path

from faceswap.io.provenance import SYNTHETIC, Provenance
from faceswap.video.probe import opened
from faceswap.video.pyav import printable_metadata

COMMENT_KEY = "comment"
SOURCE_TYPE_KEY = "digital_source_type"


def with_provenance(metadata: Mapping[str, str], made: Provenance) -> dict[str, str]:
    """Add provenance ``made`` to ``metadata``; an existing comment is appended to it."""
    combined = made.after(provenance(metadata))
    keys = (COMMENT_KEY, SOURCE_TYPE_KEY)
    entries = {key: value for key, value in metadata.items() if key.lower() not in keys}
    code = {SOURCE_TYPE_KEY: combined.code} if combined.code else {}
    return entries | {COMMENT_KEY: combined.text} | code


def provenance(metadata: Mapping[str, str]) -> Provenance:
    """Provenance in container ``metadata`` (keys in any case); empty where there is none."""
    by_key = {key.lower(): value for key, value in metadata.items()}
    return Provenance(by_key.get(COMMENT_KEY, ""), by_key.get(SOURCE_TYPE_KEY, ""))


def provenance_of(path: Path | str) -> Provenance:
    """Provenance of the video at ``path``.

    Raises InputError when it is not a video.
    """
    with opened(Path(path)) as (container, _):
        return provenance(printable_metadata(container.metadata))


def is_marked_synthetic(path: Path | str) -> bool:
    """Whether the video at ``path`` is marked as synthetic.

    Raises InputError when it is not a video.
    """
    return provenance_of(path).code in SYNTHETIC
