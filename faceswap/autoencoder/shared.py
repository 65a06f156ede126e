"""Whole autoencoders."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from faceswap.autoencoder.networks import Decoded


@dataclass(frozen=True)
class DecoderPath:
    """How one domain goes from features to pictures.

    inters: the bottlenecks whose outputs are joined, in order. decoder: which decoder follows.
    """

    inters: tuple[str, ...]
    decoder: str


class SharedAutoencoder(nn.Module):
    """One encoder for several domains, each with its own way back.

    A domain is a kind of picture: the face of a person, night and day. What the domains have in
    common lands in the shared code; what sets them apart, in their decoders. Encoding a picture
    of one domain and decoding it as another translates it.

    encoder: pictures (N, C, S, S) → features. inters: features → features. decoders: features →
    (picture, mask or None). routes: for each domain, which of them it goes through.
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
        """Pictures of any domain (N, C, S, S) → the same seen as ``domain``."""
        return self.decode(self.encode(x), domain)

    def forward(
        self, pictures: Mapping[str, Tensor], exchanged: Tensor | None = None
    ) -> dict[str, Decoded]:
        """Each domain's pictures decoded as that domain, with one pass of the encoder.

        All domains' pictures have the same size; their numbers may differ. exchanged: bool (N,),
        for two domains with N pictures each that belong together in pairs: where the two of a
        pair exchange their features, so that each is a translation of the other.
        """
        features = self.encode(torch.cat(list(pictures.values())))
        if exchanged is not None:
            count = len(exchanged)
            places = torch.cat([exchanged, exchanged]).view(-1, 1, 1, 1)
            # Not roll: what it gives is laid out otherwise on a card, and than compilers think.
            others = torch.cat([features[count:], features[:count]])
            features = torch.where(places, others, features)
        decoded: dict[str, Decoded] = {}
        start = 0
        for domain, x in pictures.items():
            decoded[domain] = self.decode(features[start : start + len(x)], domain)
            start += len(x)
        return decoded
