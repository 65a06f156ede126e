"""A small net that tells made pictures from real ones, patch by patch."""

import torch
from torch import Tensor, nn

from faceswap.autoencoder.blocks import start_convolution_, to_channels_last


class PatchDiscriminator(nn.Sequential):
    """Pictures (N, 3, H, W) → how real each patch looks (N, 1, H/8, W/8), 1 real and 0 made.

    Each answer sees 38 pixels, so that texture is judged and not what is shown. Source: Isola
    et al., "Image-to-image translation with conditional adversarial networks", CVPR 2017.
    """

    def __init__(self, width: int = 32) -> None:
        layers: list[nn.Module] = []
        inputs = 3
        for outputs in (width, 2 * width, 4 * width):
            # A kernel of twice its stride sees every pixel equally often.
            convolution = nn.Conv2d(inputs, outputs, 4, 2, 1)
            start_convolution_(convolution)
            layers += [convolution, nn.LeakyReLU(0.2, inplace=True)]
            inputs = outputs
        answer = nn.Conv2d(inputs, 1, 3, padding=1)
        start_convolution_(answer, gain=1.0)
        super().__init__(*layers, answer)
        to_channels_last(self)


def generator_loss(answers: Tensor) -> Tensor:
    """How far ``answers`` about made pictures are from 1: what the maker minimises.

    Source of both: Mao et al., "Least squares generative adversarial networks", ICCV 2017.
    """
    return (answers.float() - 1).square().mean()


def discriminator_loss(real: Tensor, made: Tensor, weights: Tensor | None = None) -> Tensor:
    """Half of how far answers about real pictures are from 1 and those about made ones from 0.

    weights (N,): how much each of the N real pictures counts; all the same without.
    """
    from_one = (real.float() - 1).square().flatten(1).mean(1)
    if weights is None:
        weights = torch.ones_like(from_one)
    about_real = (from_one * weights).sum() / weights.sum().clamp(min=1e-6)
    return 0.5 * (about_real + made.float().square().mean())


def seeded_discriminator(seed: int, width: int = 32) -> PatchDiscriminator:
    """One whose start depends on ``seed`` alone; the random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PatchDiscriminator(width)
