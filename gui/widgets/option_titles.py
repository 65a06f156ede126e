"""Labels of options and of their choices in forms."""

from PySide6.QtCore import QCoreApplication

_TITLES = {
    "adversarial_weight": "Adversarial weight (GAN)",
    "batch": "Batch size",
    "begin": "In point",
    "color_smoothing": "Temporal color smoothing",
    "color_transfer": "Color transfer",
    "detect_every": "Detection interval",
    "end": "Out point",
    "endless": "Train without end",
    "every": "Every nth frame",
    "eye_mouth_priority": "Eye/mouth priority",
    "find_learning_rate": "Learning-rate finder",
    "hardware": "Encode on the graphics card",
    "fps": "Frames per second",
    "init": "Initialize from",
    "face_offset_x": "Face offset, sideways",
    "face_offset_y": "Face offset, down",
    "json_file": "JSON file",
    "keep_mouth": "Keep A's mouth",
    "freeze": "Freeze layers",
    "latent_dim": "Latent dimensions",
    "light_a": "Light on A",
    "light_b": "Light on B",
    "mask_dilate": "Erode/dilate mask",
    "max_faces": "Maximum faces per frame",
    "min_face": "Minimum face size",
    "min_presence": "Minimum confidence",
    "min_sharpness": "Minimum sharpness",
    "notify": "Notification command",
    "preview_seconds": "Preview interval (s)",
    "random_init": "Random initialization",
    "quality": "Quality",
    "redo": "Extract again",
    "save_minutes": "Save interval (min)",
    "save_steps": "Save interval (steps)",
    "snapshot_hours": "Snapshot interval (h)",
    "snapshot_steps": "Snapshot interval (steps)",
    "overlap": "Tile overlap",
    "tile": "Tile size",
    "truth": "Ground truth",
    "warp": "Random warp (grid cells)",
    "warp_end": "End of random warp",
    "warp_grid": "Warp grid (cells)",
}
"""Labels of the options whose own name does not read well."""


def title(name: str) -> str:
    """The label of an option."""
    text = _TITLES.get(name) or name.replace("_", " ").capitalize()
    return QCoreApplication.translate("options", text)


def choice_title(value: str) -> str:
    """The label of a choice; the sides are written A and B everywhere."""
    shown = value.upper() if value in ("a", "b") else value.replace("_", " ")
    return QCoreApplication.translate("options", shown)
