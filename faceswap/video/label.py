"""The mark that says that a video was made synthetically.

It is two entries of the container's metadata: a sentence under ``comment``, which players
show, and the IPTC digital source type, which programs look for.
"""

from collections.abc import Mapping
from pathlib import Path

from faceswap.video.info import opened
from faceswap.video.pyav import plain_entries

COMMENT_KEY = "comment"
COMMENT = "Synthetic media: a face in this video was replaced with faceswap."
SOURCE_TYPE_KEY = "digital_source_type"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"


def labelled(metadata: Mapping[str, str]) -> dict[str, str]:
    """The ``metadata`` with the label added; a comment that was there follows the label's."""
    entries = {key: value for key, value in metadata.items() if key.lower() != COMMENT_KEY}
    old = next((value for key, value in metadata.items() if key.lower() == COMMENT_KEY), "")
    comment = old if COMMENT in old else f"{COMMENT} {old}".strip()
    return entries | {COMMENT_KEY: comment, SOURCE_TYPE_KEY: SOURCE_TYPE}


def has_label(metadata: Mapping[str, str]) -> bool:
    """Whether container ``metadata`` carries the label, whatever the case of its keys."""
    return any(
        key.lower() == SOURCE_TYPE_KEY and value == SOURCE_TYPE for key, value in metadata.items()
    )


def is_labelled(path: Path | str) -> bool:
    """Whether the video at ``path`` says that it is synthetic.

    Raises InputError when it is not a video.
    """
    with opened(Path(path)) as (container, _):
        return has_label(plain_entries(container.metadata))
