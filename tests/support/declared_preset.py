"""Declare a fifth preset and say, as JSON, where it is seen. Run as a program: a registry is read
when the options are first imported."""

import json
import sys

from faceswap.autoencoder.shared_encoder import SharedAutoencoder
from faceswap.swap.model import architectures
from faceswap.swap.model.presets import PRESETS, Architecture, Preset, SwapConfig


def network(config: SwapConfig) -> SharedAutoencoder:
    """The network of the fifth preset."""
    return architectures.quick(config)


PRESETS["fifth"] = Preset(
    purpose="is declared by a test",
    network="declared_preset:network",
    learning_rate=2e-4,
    batch=3,
    origin="ourselves",
    architecture=Architecture(resolution=96),
    resolution_step=lambda variant: 48,
    initial_weights="quick.safetensors",
)


def seen() -> dict[str, object]:
    """What options, models, training and window make of it."""
    from pathlib import Path
    from typing import get_args

    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication

    from faceswap.swap.model.presets import config_of, initial_weights
    from faceswap.swap.training.model_stats import preset_stats
    from faceswap.swap.training.options import TrainOptions
    from faceswap.swap.training.run_config import loop_config
    from gui.models.app_context import AppContext
    from gui.models.settings import Settings
    from gui.pages.train import TrainPage

    field = TrainOptions.model_fields["preset"]
    options = TrainOptions(project=Path("p"), preset="fifth", resolution=96)
    loop = loop_config(options)
    (stats,) = (row for row in preset_stats(2) if row["name"] == "fifth")
    app = QApplication.instance() or QApplication([])
    page = TrainPage(
        AppContext(Settings(QSettings("none.ini", QSettings.Format.IniFormat), Path()))
    )
    cards = {b.accessibleName(): b.accessibleDescription() for b in page.presets.buttons()}
    del app
    return {
        "choices": get_args(field.annotation),
        "help": field.description,
        "pretrained": TrainOptions.model_fields["random_init"].description,
        "weights": initial_weights(config_of("fifth")),
        "other weights": initial_weights(config_of("fifth", 192)),
        "resolution": architectures.SwapModel(config_of("fifth")).resolution,
        "rate": loop.learning_rate,
        "batch": loop.batch_size,
        "stats": [stats["resolution"], stats["text"]],
        "card": cards.get("fifth (ourselves)"),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(seen()))
