"""Swap model: a shared encoder, with a decoder path for each of A and B, and its networks.

A network is a function from a ``SwapConfig``; a preset names it in ``presets.py``.
"""

from collections.abc import Callable, Mapping
from pkgutil import resolve_name

import torch
from torch import Tensor, nn

from faceswap.autoencoder.blocks import (
    ActivationName,
    BilinearUpscale,
    LumaChromaImage,
    to_channels_last,
)
from faceswap.autoencoder.networks import (
    ConvDecoder,
    ConvEncoder,
    Decoded,
    DenseBottleneck,
    QuadDecoder,
    Upscaling,
)
from faceswap.autoencoder.shared_encoder import DecoderPath, SharedAutoencoder
from faceswap.device_support import memory_format
from faceswap.devices import model_autocast
from faceswap.swap.model.presets import PRESETS, SwapConfig


class SwapModel(nn.Module):
    """Autoencoder of faces (N, 3, R, R) in [0, 1] with a shared encoder.

    ``forward`` is the training pass: each side through its own decoder, from its own latent code
    or that of its matched face. ``swap`` decodes A's faces as B.
    """

    def __init__(self, config: SwapConfig) -> None:
        super().__init__()
        self.config = config
        network: Callable[[SwapConfig], SharedAutoencoder]
        network = resolve_name(PRESETS[config.preset].network)
        self.network = network(config)
        to_channels_last(self)

    @property
    def resolution(self) -> int:
        """Side of input and output images in pixels."""
        return self.config.resolution

    @property
    def preset(self) -> str:
        """Preset of the architecture."""
        return self.config.preset

    @property
    def learns_masks(self) -> bool:
        """Whether its decoders output a mask besides the image."""
        decoders = self.network.decoders.values()
        return any(isinstance(d, ConvDecoder) and d.mask is not None for d in decoders)

    @property
    def input_size(self) -> int:
        """Side of the encoder's input in pixels; larger images are average-pooled to it."""
        encoder = self.network.encoder
        assert isinstance(encoder, ConvEncoder)
        return encoder.size

    def forward(
        self, faces: Mapping[str, Tensor], exchanged: Tensor | None = None
    ) -> dict[str, Decoded]:
        """Reconstruct faces (N, 3, R, R) of "a", "b" or both, each with its mask or None.

        exchanged: bool (N,), latent swap: decode these from the other side's code in the same row.
        """
        out: dict[str, Decoded] = self.network(faces, exchanged)
        return out

    def reconstruct(self, faces: Tensor, side: str) -> Decoded:
        """Decode any faces (N, 3, R, R) as the person on ``side``: images, masks or None; float32.

        With gradients; ``swap`` is the version for conversion, without them.
        """
        faces = faces.contiguous(memory_format=memory_format(faces.device))
        with model_autocast(self, faces.device):
            picture, mask = self.network.translate(faces, side)
        return picture.float(), None if mask is None else _resize(mask.float(), self.resolution)

    @torch.inference_mode()
    def swap(self, faces: Tensor) -> Decoded:
        """A's faces (N, 3, R, R) in [0, 1] → (B's faces, masks (N, 1, R, R) or None), float32."""
        return self.reconstruct(faces, "b")


def _resize(mask: Tensor, side: int) -> Tensor:
    if mask.shape[-1] == side:
        return mask
    return nn.functional.interpolate(mask, (side, side), mode="bilinear", align_corners=False)


def quick(config: SwapConfig) -> SharedAutoencoder:
    """One bottleneck, two decoders; the encoder sees the faces at half their size."""
    size = config.resolution // 2
    encoder = ConvEncoder(size, (32, 64, 128, 192), (5, 3, 3, 3))
    inter = DenseBottleneck(192 * encoder.lowest**2, 256, encoder.lowest, 192, upscale=False)

    def decoder() -> ConvDecoder:
        upscaling = Upscaling((160, 96, 56, 24), doubling=BilinearUpscale)
        return ConvDecoder(192, upscaling, (32, 16, 8), image=LumaChromaImage(24))

    return _two_decoders(encoder, inter, decoder(), decoder())


def classic(_: SwapConfig) -> SharedAutoencoder:
    """The ``original`` model of deepfakes/faceswap: 64 px, no mask."""
    encoder = ConvEncoder(64, (128, 256, 512, 1024), (5, 5, 5, 5))
    inter = DenseBottleneck(1024 * 16, 1024, 4, 512, middle=1024)
    a, b = (ConvDecoder(512, Upscaling((256, 128, 64)), image_kernel=5) for _ in "ab")
    return _two_decoders(encoder, inter, a, b)


def _two_decoders(
    encoder: nn.Module, inter: nn.Module, a: nn.Module, b: nn.Module
) -> SharedAutoencoder:
    return SharedAutoencoder(
        encoder,
        {"both": inter},
        {"a": a, "b": b},
        {"a": DecoderPath(("both",), "a"), "b": DecoderPath(("both",), "b")},
    )


def _saehd_encoder(config: SwapConfig) -> ConvEncoder:
    e, deep = config.encoder, "t" in config.variant
    widths = (e, 2 * e, 4 * e, 8 * e, 8 * e) if deep else (e, 2 * e, 4 * e, 8 * e)
    return ConvEncoder(
        config.resolution,
        widths,
        (5,) * len(widths),
        active=_saehd_activation(config),
        residual_after=(0, 4) if deep else (),
        normalise="u" in config.variant,
    )


def _saehd_activation(config: SwapConfig) -> ActivationName:
    return "cosine" if "c" in config.variant else "leaky"


def _saehd_inter(config: SwapConfig, encoder: ConvEncoder, outputs: int) -> DenseBottleneck:
    return DenseBottleneck(
        encoder.features * encoder.lowest**2,
        config.code,
        config.resolution // (32 if "d" in config.variant else 16),
        outputs,
        upscale="t" not in config.variant,
        active=_saehd_activation(config),
    )


def _saehd_decoder(config: SwapConfig, inputs: int) -> ConvDecoder:
    d, m = config.decoder, config.mask
    deep, double = "t" in config.variant, "d" in config.variant
    widths = (8 * d, 8 * d, 4 * d, 2 * d) if deep else (8 * d, 4 * d, 2 * d)
    masks = (8 * m, 8 * m, 4 * m, 2 * m) if deep else (8 * m, 4 * m, 2 * m)
    upscaling = Upscaling(widths, residual=1, active=_saehd_activation(config))
    if double:
        return QuadDecoder(inputs, upscaling, (*masks, m))
    return ConvDecoder(inputs, upscaling, masks)


def df(config: SwapConfig) -> SharedAutoencoder:
    """DeepFaceLab's SAEHD df: shared encoder and bottleneck, two decoders."""
    encoder = _saehd_encoder(config)
    inter = _saehd_inter(config, encoder, config.code)
    a, b = (_saehd_decoder(config, inter.features) for _ in "ab")
    return _two_decoders(encoder, inter, a, b)


def liae(config: SwapConfig) -> SharedAutoencoder:
    """DeepFaceLab's SAEHD liae: two bottlenecks, one decoder."""
    encoder = _saehd_encoder(config)
    # Both sides use the bottleneck "ab", and only A has one of its own, so that A's face through
    # "ab" alone is decoded as B.
    inters = {name: _saehd_inter(config, encoder, 2 * config.code) for name in ("ab", "a")}
    decoder = _saehd_decoder(config, 4 * config.code)
    routes = {"a": DecoderPath(("a", "ab"), "both"), "b": DecoderPath(("ab", "ab"), "both")}
    return SharedAutoencoder(encoder, inters, {"both": decoder}, routes)
