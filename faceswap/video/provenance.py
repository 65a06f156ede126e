"""What a video says about how it was made.

It is two entries of the container's metadata: a sentence under ``comment``, which players
show, and the IPTC digital source type, which programs look for.
"""

from collections.abc import Mapping
from pathlib import Path

from faceswap.io.provenance import SYNTHETIC, Provenance
from faceswap.video.info import opened
from faceswap.video.pyav import printable_metadata

COMMENT_KEY = "comment"
SOURCE_TYPE_KEY = "digital_source_type"


def with_provenance(metadata: Mapping[str, str], made: Provenance) -> dict[str, str]:
    """The ``metadata`` with what ``made`` says; a comment that was there follows it."""
    told = made.after(provenance(metadata))
    keys = (COMMENT_KEY, SOURCE_TYPE_KEY)
    entries = {key: value for key, value in metadata.items() if key.lower() not in keys}
    code = {SOURCE_TYPE_KEY: told.code} if told.code else {}
    return entries | {COMMENT_KEY: told.text} | code


def provenance(metadata: Mapping[str, str]) -> Provenance:
    """What container ``metadata`` says, whatever the case of its keys; empty where nothing."""
    by_key = {key.lower(): value for key, value in metadata.items()}
    return Provenance(by_key.get(COMMENT_KEY, ""), by_key.get(SOURCE_TYPE_KEY, ""))


def provenance_of(path: Path | str) -> Provenance:
    """What the video at ``path`` says about how it was made.

    Raises InputError when it is not a video.
    """
    with opened(Path(path)) as (container, _):
        return provenance(printable_metadata(container.metadata))


def is_marked_synthetic(path: Path | str) -> bool:
    """Whether the video at ``path`` says that it is synthetic.

    Raises InputError when it is not a video.
    """
    return provenance_of(path).code in SYNTHETIC
