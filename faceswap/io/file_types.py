"""File name suffixes of the supported pictures and videos, in lower case; any case is accepted."""

from pathlib import Path

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
VIDEO_SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".avi",
    ".webm",
    ".mts",
    ".m2ts",
    ".ts",
    ".mpg",
    ".mpeg",
    ".vob",
    ".mxf",
    ".wmv",
    ".flv",
    ".3gp",
    ".ogv",
    ".gif",
)
FOOTAGE_SUFFIXES = (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES)


def picture_files(folder: Path) -> list[Path]:
    """Picture files in ``folder`` (by suffix), sorted; empty if there is no such folder."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)


def footage_at(path: Path) -> list[Path]:
    """The sources at ``path``: itself, or the videos of a folder that holds no pictures, sorted."""
    if not path.is_dir() or picture_files(path):
        return [path]
    videos = sorted(p for p in path.glob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
    return videos or [path]
