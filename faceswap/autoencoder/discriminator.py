"""Patch discriminator and least-squares GAN losses."""

import torch
from torch import Tensor, nn

from faceswap.autoencoder.blocks import he_init_, to_channels_last


class PatchDiscriminator(nn.Sequential):
    """PatchGAN discriminator: pictures (N, 3, H, W) → scores (N, 1, H/8, W/8), 1 real, 0 generated.

    A receptive field of 38 pixels: it judges texture, not content. Source: Isola et al.,
    "Image-to-image translation with conditional adversarial networks", CVPR 2017.
    """

    def __init__(self, width: int = 32) -> None:
        layers: list[nn.Module] = []
        inputs = 3
        for outputs in (width, 2 * width, 4 * width):
            # A kernel of twice the stride covers all pixels equally: no checkerboard gradients.
            convolution = nn.Conv2d(inputs, outputs, 4, 2, 1)
            he_init_(convolution)
            layers += [convolution, nn.LeakyReLU(0.2, inplace=True)]
            inputs = outputs
        score = nn.Conv2d(inputs, 1, 3, padding=1)
        he_init_(score, gain=1.0)
        super().__init__(*layers, score)
        to_channels_last(self)


def generator_loss(answers: Tensor) -> Tensor:
    """LSGAN generator loss: mean squared distance of the scores of generated pictures from 1.

    Source, of ``discriminator_loss`` too: Mao et al., "Least squares generative adversarial
    networks", ICCV 2017.
    """
    return (answers.float() - 1).square().mean()


def discriminator_loss(real: Tensor, made: Tensor, weights: Tensor | None = None) -> Tensor:
    """LSGAN discriminator loss: half the squared distances of real scores from 1, made from 0.

    weights (N,): weight of each of the N real pictures; None for equal weights.
    """
    from_one = (real.float() - 1).square().flatten(1).mean(1)
    if weights is None:
        weights = torch.ones_like(from_one)
    about_real = (from_one * weights).sum() / weights.sum().clamp(min=1e-6)
    return 0.5 * (about_real + made.float().square().mean())


def seeded_discriminator(seed: int, width: int = 32) -> PatchDiscriminator:
    """Discriminator initialised from ``seed`` alone; the global random state is unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PatchDiscriminator(width)
