"""The swap model: one encoder, the faces of A and B each with their own way back.

Presets
    quick    160 px pictures from an 80 px encoder; trains on two CPU cores
    classic  the 64 px original of 2017 (faceswap's ``original``)
    df       shared encoder and bottleneck, two decoders (DeepFaceLab's SAEHD)
    liae     two bottlenecks, one decoder (SAEHD): lets A's light and face shape through
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from torch import Tensor, nn

from faceswap.autoencoder.blocks import ActivationName, Enlarge, LumaChromaImage, to_channels_last
from faceswap.autoencoder.meta_init import unfilled
from faceswap.autoencoder.networks import (
    ConvDecoder,
    ConvEncoder,
    Decoded,
    DenseBottleneck,
    QuadDecoder,
)
from faceswap.autoencoder.shared import Route, SharedAutoencoder
from faceswap.device_support import layout, moved
from faceswap.errors import CheckpointError, OptionsError
from faceswap.training.checkpoint import Checkpoint, newest_weights, read_checkpoint
from faceswap.training.precision import half_precision

Preset = Literal["quick", "classic", "df", "liae"]
FreezablePart = Literal["nothing", "encoder", "shared"]
KIND = "swap"

Width = Annotated[int, Field(ge=8, le=256, multiple_of=2)]


def in_order(variant: str) -> str:
    """The letters of a variant in the order that is written everywhere: "du" is "ud"."""
    return "".join(sorted(variant, key="udtc".find))


class SwapConfig(BaseModel):
    """Everything that decides the model's shape.

    resolution: side of its pictures. code, encoder, decoder, mask: DeepFaceLab's ``ae_dims``,
    ``e_dims``, ``d_dims`` and ``d_mask_dims``; they count for df and liae only. variant: any
    of u (normalised code), d (double output), t (one more level), c (x·cos x activation).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset = "quick"
    resolution: Annotated[int, Field(ge=64, le=512)] = 160
    code: Annotated[int, Field(ge=32, le=1024)] = 256
    encoder: Width = 64
    decoder: Width = 64
    mask: Width = 22
    variant: Annotated[str, AfterValidator(in_order)] = ""

    @model_validator(mode="after")
    def _check(self) -> "SwapConfig":
        if self.preset == "classic" and self.resolution != 64:
            raise ValueError("the preset classic has 64 px; choose another one for more")
        if self.preset == "quick" and self.resolution % 32:
            raise ValueError("the preset quick needs a resolution that is a multiple of 32")
        if {*self.variant} - {*"udtc"} or len({*self.variant}) != len(self.variant):
            raise ValueError(f"the variant {self.variant!r} is not made of u, d, t and c")
        if self.variant and self.preset not in ("df", "liae"):
            raise ValueError(f"the preset {self.preset} has no variants")
        step = 32 if {*self.variant} & {*"dt"} else 16
        if self.preset in ("df", "liae") and self.resolution % step:
            raise ValueError(
                f"{self.preset}{'-' + self.variant if self.variant else ''} needs a resolution "
                f"that is a multiple of {step}; {self.resolution} is not"
            )
        return self

    def text(self) -> str:
        """The model in a few words."""
        variant = f"-{self.variant}" if self.variant else ""
        return f"{self.preset}{variant} {self.resolution} px"


PRESETS: dict[Preset, SwapConfig] = {
    "quick": SwapConfig(preset="quick", resolution=160),
    "classic": SwapConfig(preset="classic", resolution=64),
    "df": SwapConfig(preset="df", resolution=128, variant="ud"),
    "liae": SwapConfig(preset="liae", resolution=128, variant="ud"),
}


def config_of(
    preset: Preset, resolution: int | None = None, variant: str | None = None
) -> SwapConfig:
    """The preset's configuration with what differs; raises OptionsError when it cannot be."""
    changes: dict[str, object] = {}
    if resolution is not None:
        changes["resolution"] = resolution
    if variant is not None:
        changes["variant"] = variant
    try:
        return SwapConfig.model_validate(PRESETS[preset].model_dump() | changes)
    except ValidationError as error:
        reasons = "; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
        raise OptionsError(f"This model cannot be made: {reasons}.") from error


class SwapModel(nn.Module):
    """Faces (N, 3, R, R) in [0, 1] of A and B, encoded by one encoder.

    ``forward`` is the training pass: each side through its own decoder, from its own code or its
    partner's. ``swap`` puts B's face on A.
    """

    def __init__(self, config: SwapConfig) -> None:
        super().__init__()
        self.config = config
        self.network = _NETWORKS[config.preset](config)
        to_channels_last(self)

    @property
    def resolution(self) -> int:
        """Side of the pictures in pixels."""
        return self.config.resolution

    @property
    def preset(self) -> Preset:
        """The preset it was made from."""
        return self.config.preset

    @property
    def learns_masks(self) -> bool:
        """Whether its decoders make a mask besides the picture."""
        decoders = self.network.decoders.values()
        return any(isinstance(d, ConvDecoder) and d.mask is not None for d in decoders)

    @property
    def input_size(self) -> int:
        """Side of the pictures the encoder works at; larger ones are averaged down to it."""
        encoder = self.network.encoder
        assert isinstance(encoder, ConvEncoder)
        return encoder.size

    def forward(
        self, faces: Mapping[str, Tensor], exchanged: Tensor | None = None
    ) -> dict[str, Decoded]:
        """Faces (N, 3, R, R) of "a", "b" or both → made again, each with its mask or None.

        exchanged: bool (N,), where a face is made of the code of the other side's at its place.
        """
        out: dict[str, Decoded] = self.network(faces, exchanged)
        return out

    def reconstruct(self, faces: Tensor, side: str) -> Decoded:
        """Any faces (N, 3, R, R) as the person on ``side``, and their masks or None; float32.

        Gradients flow; ``swap`` is the same for conversion, without them.
        """
        faces = faces.contiguous(memory_format=layout(faces.device))
        with half_precision(self, faces.device):
            picture, mask = self.network.translate(faces, side)
        return picture.float(), None if mask is None else _sized(mask.float(), self.resolution)

    @torch.inference_mode()
    def swap(self, faces: Tensor) -> Decoded:
        """A's faces (N, 3, R, R) in [0, 1] → (B's faces, masks (N, 1, R, R) or None), float32."""
        return self.reconstruct(faces, "b")

    @classmethod
    def load(cls, path: Path, device: torch.device | str = "cpu") -> "SwapModel":
        """The model in the checkpoint ``path``, with its averaged weights, ready to convert.

        Raises CheckpointError when the file is damaged, newer, or holds another kind of model.
        """
        return model_from(read_checkpoint(path, weights=True), device)


def config_from(checkpoint: Checkpoint) -> SwapConfig:
    """The configuration of the model in a checkpoint.

    Raises CheckpointError when it holds another kind of model.
    """
    if checkpoint.kind != KIND:
        raise CheckpointError(
            f"{checkpoint.path} holds a model of the kind {checkpoint.kind!r}, not a swap model."
        )
    try:
        return SwapConfig.model_validate(checkpoint.config)
    except ValidationError as error:
        raise _other_build(checkpoint) from error


def model_from(checkpoint: Checkpoint, device: torch.device | str = "cpu") -> SwapModel:
    """The model a checkpoint describes, with its averaged weights, ready to convert.

    On a processor it may share the checkpoint's tensors. Raises CheckpointError when it holds
    another kind of model.
    """
    config = config_from(checkpoint)
    with unfilled():
        model = SwapModel(config)
    known = model.state_dict()
    weights = checkpoint.part("ema") or checkpoint.part("model")
    weights = {n: w.to(known[n].dtype) if n in known else w for n, w in weights.items()}
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise _other_build(checkpoint) from error
    to_channels_last(model)
    return moved(model, torch.device(device)).eval().requires_grad_(False)


def newest_model(
    run: Path, device: torch.device | str = "cpu"
) -> tuple[SwapModel, Path, list[str]]:
    """The newest model of a training run that is whole, ready to convert.

    And the file it was read from, and what is to be told of newer ones that are damaged. Raises
    CheckpointError when there is none, or of another kind.
    """
    checkpoint, problems = newest_weights(run)
    return model_from(checkpoint, device), checkpoint.path, problems


def _other_build(checkpoint: Checkpoint) -> CheckpointError:
    return CheckpointError(
        f"{checkpoint.path} holds a swap model of another build than this version's; use it "
        "with the version that trained it, or train anew under another --name."
    )


def reuse(model: SwapModel, checkpoint: Checkpoint) -> list[str]:
    """Start ``model`` from another one's parts, where their shapes agree.

    A model of many people has one decoder, which both of ``model``'s start from. Returns the
    names of the parts taken over. Raises CheckpointError when not even the encoder fits.
    """
    weights = checkpoint.part("ema")
    taken = []
    for name, part in _parts(model).items():
        for known in (name, _STAND_INS.get(name, name)):
            prefix = f"network.{known}."
            found = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            shapes = {k: v.shape for k, v in found.items()}
            if shapes == {k: v.shape for k, v in part.state_dict().items()}:
                part.load_state_dict(found)
                taken.append(name)
                break
    if "encoder" not in taken:
        raise CheckpointError(
            f"The encoder in {checkpoint.path} has another shape than that of a "
            f"{model.config.text()} model; start from one of the same preset."
        )
    return taken


def common_weights(model: SwapModel) -> dict[str, Tensor]:
    """What a model of many people, all on side B, has to offer to others, in float16.

    Its encoder and its decoder. The bottleneck, which tells people apart, is not among them: a
    swap gains nothing from starting with it, and without pairs it keeps A's features for long.
    """
    return {
        f"ema/{name}": tensor.half()
        for name, tensor in model.state_dict().items()
        if name.startswith(("network.encoder.", "network.decoders.b", "network.decoders.both"))
    }


_STAND_INS = {"decoders.a": "decoders.b"}


def _parts(model: SwapModel) -> dict[str, nn.Module]:
    network = model.network
    parts: dict[str, nn.Module] = {"encoder": network.encoder}
    parts |= {f"inters.{name}": inter for name, inter in network.inters.items()}
    return parts | {f"decoders.{name}": decoder for name, decoder in network.decoders.items()}


def freeze(model: SwapModel, part: FreezablePart) -> None:
    """Keep the encoder, or the encoder and the bottlenecks, as they are."""
    parts = {"nothing": (), "encoder": ("encoder",), "shared": ("encoder", "inters")}[part]
    for name in parts:
        getattr(model.network, name).requires_grad_(False)


def _sized(mask: Tensor, side: int) -> Tensor:
    if mask.shape[-1] == side:
        return mask
    return nn.functional.interpolate(mask, (side, side), mode="bilinear", align_corners=False)


def _quick(config: SwapConfig) -> SharedAutoencoder:
    size = config.resolution // 2
    encoder = ConvEncoder(size, (32, 64, 128, 192), (5, 3, 3, 3))
    inter = DenseBottleneck(192 * encoder.lowest**2, 256, encoder.lowest, 192, upscale=False)

    def decoder() -> ConvDecoder:
        return ConvDecoder(
            192, (160, 96, 56, 24), (32, 16, 8), image=LumaChromaImage(24), doubling=Enlarge
        )

    return _two_decoders(encoder, inter, decoder(), decoder())


def _classic(_: SwapConfig) -> SharedAutoencoder:
    encoder = ConvEncoder(64, (128, 256, 512, 1024), (5, 5, 5, 5))
    inter = DenseBottleneck(1024 * 16, 1024, 4, 512, middle=1024)
    a, b = (ConvDecoder(512, (256, 128, 64), image_kernel=5) for _ in "ab")
    return _two_decoders(encoder, inter, a, b)


def _two_decoders(
    encoder: nn.Module, inter: nn.Module, a: nn.Module, b: nn.Module
) -> SharedAutoencoder:
    return SharedAutoencoder(
        encoder,
        {"both": inter},
        {"a": a, "b": b},
        {"a": Route(("both",), "a"), "b": Route(("both",), "b")},
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
    active = _saehd_activation(config)
    if double:
        return QuadDecoder(inputs, widths, (*masks, m), residual=1, active=active)
    return ConvDecoder(inputs, widths, masks, residual=1, active=active)


def _df(config: SwapConfig) -> SharedAutoencoder:
    encoder = _saehd_encoder(config)
    inter = _saehd_inter(config, encoder, config.code)
    a, b = (_saehd_decoder(config, inter.features) for _ in "ab")
    return _two_decoders(encoder, inter, a, b)


def _liae(config: SwapConfig) -> SharedAutoencoder:
    encoder = _saehd_encoder(config)
    # The bottleneck both share carries B; only A has one of its own, so that A's face through
    # the shared one alone comes out as B.
    inters = {name: _saehd_inter(config, encoder, 2 * config.code) for name in ("ab", "a")}
    decoder = _saehd_decoder(config, 4 * config.code)
    routes = {"a": Route(("a", "ab"), "both"), "b": Route(("ab", "ab"), "both")}
    return SharedAutoencoder(encoder, inters, {"both": decoder}, routes)


_NETWORKS = {"quick": _quick, "classic": _classic, "df": _df, "liae": _liae}
