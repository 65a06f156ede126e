"""File name suffixes of the supported pictures and videos."""

from pathlib import Path

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm")


def picture_files(folder: Path) -> list[Path]:
    """Picture files in ``folder`` (by suffix), sorted; empty if there is no such folder."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
