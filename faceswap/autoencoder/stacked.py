"""Stacked autoencoders: greedy layer-wise pre-training, fine-tuning, then classification.

Source: Bengio et al., "Greedy layer-wise training of deep networks", NIPS 2006.
"""

import torch
from torch import Tensor, nn

from faceswap.autoencoder.dense import DenseAutoencoder
from faceswap.autoencoder.interface import Autoencoder


class LayerAutoencoder(nn.Module):
    """One layer of a deep autoencoder, trained as an autoencoder of the layer below's output.

    Shares its weights with ``whole``; only those of layer ``number`` are trainable. Its state dict
    is that of ``whole``, with the same keys. Raises ValueError when there is no such layer.
    """

    whole: DenseAutoencoder

    def __init__(self, whole: DenseAutoencoder, number: int) -> None:
        super().__init__()
        if not 0 <= number < whole.depth:
            raise ValueError(f"there is no layer {number}; the encoder has {whole.depth}")
        self.number = number
        # A registered submodule would add "whole." to the state-dict keys; no model has those.
        object.__setattr__(self, "whole", whole)
        for name, part in whole.named_children():
            self.add_module(name, part)
        whole.requires_grad_(False)
        whole.encoders[number].requires_grad_(True)
        whole.biases[number].requires_grad_(True)
        if len(whole.decoders):
            whole.decoders[number].requires_grad_(True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (N, C, H, W) → (this layer's reconstructed input, its input), (N, I) each."""
        whole, h = self.whole, x.flatten(1)
        for number in range(self.number):
            h = whole.encode_layer(number, h)
        again = whole.decode_layer(self.number, whole.encode_layer(self.number, h)).float()
        if self.number:
            again = whole.hidden(again)
        elif whole.output_activation == "sigmoid":
            again = torch.sigmoid(again)
        return again, h


def unfreeze_layers(whole: DenseAutoencoder) -> None:
    """Make all layers trainable again, for fine-tuning."""
    whole.requires_grad_(True)


class Classifier(nn.Module):
    """A softmax layer on an encoder: pictures (N, C, H, W) → logits (N, classes)."""

    def __init__(self, body: Autoencoder, classes: int) -> None:
        super().__init__()
        self.body, self.classes = body, classes
        self.head = nn.Sequential(nn.BatchNorm1d(body.code), nn.Linear(body.code, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) → logits (N, classes)."""
        logits: Tensor = self.head(self.body.encode(x))
        return logits.float()
