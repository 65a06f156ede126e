"""A small configuration of each kind of lab model."""

from pydantic import BaseModel

from faceswap.autoencoder.convolutional import ConvConfig
from faceswap.autoencoder.dense import DenseConfig
from faceswap.autoencoder.lstm import LstmConfig
from faceswap.autoencoder.transformer import PatchConfig
from faceswap.lab.framework.models import (
    ClassifierConfig,
    RepairConfig,
    TranslatingConfig,
    VariationalConfig,
)

BODY = ConvConfig(channels=3, size=16, widths=(8, 8), kind="strided", latent_dim=12)
CONFIGS: dict[str, BaseModel] = {
    "lab-dense": DenseConfig(channels=3, size=16, widths=(12,)),
    "lab-conv": BODY,
    "lab-lstm": LstmConfig(channels=3, size=16, hidden=16, latent_dim=12),
    "lab-patches": PatchConfig(channels=3, size=16, patch=4, width=16, latent_dim=12),
    "lab-repair": RepairConfig(inputs=3, channels=3, widths=(8, 8), standardised=True),
    "lab-variational": VariationalConfig(body=BODY, latents=6),
    "lab-classifier": ClassifierConfig(body=BODY, classes=4),
    "lab-translator": TranslatingConfig(size=16, latent_dim=12, widths=(8, 8)),
}
