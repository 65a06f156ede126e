"""Shared-encoder autoencoder with one decoder path per domain, as in deepfakes/faceswap."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from faceswap.autoencoder.networks import Decoded


@dataclass(frozen=True)
class DecoderPath:
    """Bottlenecks and decoder of one domain.

    inters: names of the bottlenecks whose outputs are concatenated along the channels, in order.
    decoder: name of the decoder that follows.
    """

    inters: tuple[str, ...]
    decoder: str


class SharedAutoencoder(nn.Module):
    """One shared encoder, several bottlenecks and decoders, one decoder path per domain.

    A domain is a kind of picture: one person's face, night or day. The shared code learns what
    the domains have in common, the decoders what differs. Encoding a picture of one domain and
    decoding it as another translates it (a face swap).

    encoder: pictures (N, C, S, S) → features. inters: features → features. decoders: features →
    (picture, mask or None). routes: each domain's path. Raises ValueError when a path names a
    bottleneck or decoder that is not there.
    """

    def __init__(
        self,
        encoder: nn.Module,
        inters: Mapping[str, nn.Module],
        decoders: Mapping[str, nn.Module],
        routes: Mapping[str, DecoderPath],
    ) -> None:
        super().__init__()
        for domain, route in routes.items():
            missing = ({*route.inters} - {*inters}) | ({route.decoder} - {*decoders})
            if missing:
                raise ValueError(f"the route of {domain!r} names unknown parts: {sorted(missing)}")
        self.encoder = encoder
        self.inters = nn.ModuleDict(inters)
        self.decoders = nn.ModuleDict(decoders)
        self.routes = dict(routes)

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, S, S) → features (N, F, s, s)."""
        out: Tensor = self.encoder(x)
        return out

    def decode(self, features: Tensor, domain: str) -> Decoded:
        """Features → (pictures, masks or None) of ``domain``."""
        route = self.routes[domain]
        made = {name: self.inters[name](features) for name in dict.fromkeys(route.inters)}
        code = torch.cat([made[name] for name in route.inters], dim=1) if made else features
        decoded: Decoded = self.decoders[route.decoder](code)
        return decoded

    def translate(self, x: Tensor, domain: str) -> Decoded:
        """Encode pictures of any domain (N, C, S, S) and decode them as ``domain``."""
        return self.decode(self.encode(x), domain)

    def forward(
        self, pictures: Mapping[str, Tensor], exchanged: Tensor | None = None
    ) -> dict[str, Decoded]:
        """Reconstruct each domain's pictures as that domain, in one pass of the encoder.

        All pictures have the same size; the batches may differ in length. exchanged: bool (N,),
        for two domains with N matched pictures each: True where the two of a pair swap their
        latent features, so that each output is a translation of the other's input.
        """
        features = self.encode(torch.cat(list(pictures.values())))
        if exchanged is not None:
            count = len(exchanged)
            places = torch.cat([exchanged, exchanged]).view(-1, 1, 1, 1)
            # Not torch.roll: its memory format differs on CUDA, and from what torch.compile expects
            others = torch.cat([features[count:], features[:count]])
            features = torch.where(places, others, features)
        decoded: dict[str, Decoded] = {}
        start = 0
        for domain, x in pictures.items():
            decoded[domain] = self.decode(features[start : start + len(x)], domain)
            start += len(x)
        return decoded
