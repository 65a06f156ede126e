"""Face embedding network: grey aligned 64 px crop → unit vector of 128 numbers.

Faces of one person have vectors with a large inner product, of two people with a small one.
Convolutions are dense for the same reason as the landmarker's; see ``assets/embedder.md``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceswap.faces.landmark_net import ConvUnit, Residual

CROP_SIZE = 64
"""Side of the network's input in pixels, framed as crops are (``align.FRAMINGS["face"]``)."""
EMBEDDING_DIM = 128
"""Length of an embedding."""
_CELLS = 4  # CROP_SIZE at stride 16
_CENTRE, _RADII = (0.50, 0.54), (0.36, 0.45)  # ellipse of the face in the crop, in crop sides


class EmbeddingNet(nn.Module):
    """Embeddings of grey aligned crops; 1.4 M parameters.

    Only an ellipse around the face is seen: background and most of the hair tell a shot, not a
    person. The asset stores the state dict of the folded network (see `fold`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            ConvUnit(1, 24, 5, 2),
            ConvUnit(24, 48, 3, 2),
            Residual(48),
            ConvUnit(48, 96, 3, 2),
            Residual(96),
            Residual(96),
            ConvUnit(96, 160, 3, 2),
            Residual(160),
        )
        self.embed = nn.Linear(160 * _CELLS**2, EMBEDDING_DIM)
        self.register_buffer("ellipse", _ellipse(), persistent=False)
        self.ellipse: Tensor

    def forward(self, crops: Tensor) -> Tensor:
        """Unit vectors (N, 128), float32, of crops (N, 1, 64, 64) on any linear grey scale."""
        share = self.ellipse / self.ellipse.sum()
        centred = crops - (crops * share).sum((1, 2, 3), keepdim=True)
        contrast = (centred.square() * share).sum((1, 2, 3), keepdim=True).sqrt()
        seen = centred / (contrast + 0.02) * self.ellipse
        features = self.trunk(seen.contiguous(memory_format=torch.channels_last))
        return nn.functional.normalize(self.embed(features.flatten(1)).float(), dim=1)

    def fold(self) -> EmbeddingNet:
        """Fold all batch normalisations in place and switch to inference."""
        for module in self.modules():
            if isinstance(module, ConvUnit):
                module.fold()
        return self.eval().requires_grad_(False)


def _ellipse() -> Tensor:
    """Weights (64, 64) of the pixels: 1 inside the ellipse, 0 outside, with a soft edge."""
    axis = (torch.arange(CROP_SIZE) + 0.5) / CROP_SIZE
    x, y = (axis - _CENTRE[0]) / _RADII[0], (axis - _CENTRE[1]) / _RADII[1]
    distance = (x.square() + y[:, None].square()).sqrt()
    return ((1.08 - distance) / 0.16).clamp(0, 1)
