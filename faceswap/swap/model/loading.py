"""Swap models from checkpoints: to convert with, to go on from, or to start from."""

from pathlib import Path

import torch
from pydantic import (
    ValidationError,
)
from torch import Tensor, nn

from faceswap.autoencoder.blocks import to_channels_last
from faceswap.autoencoder.meta_init import without_initialisation
from faceswap.device_support import to_device
from faceswap.errors import CheckpointError
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import KIND, FreezablePart, SwapConfig
from faceswap.training.checkpoint import Checkpoint, newest_weights, read_checkpoint


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
    with without_initialisation():
        model = SwapModel(config)
    known = model.state_dict()
    weights = checkpoint.tensors_under("ema") or checkpoint.tensors_under("model")
    weights = {n: w.to(known[n].dtype) if n in known else w for n, w in weights.items()}
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise _other_build(checkpoint) from error
    to_channels_last(model)
    return to_device(model, torch.device(device)).eval().requires_grad_(False)


def load_model(path: Path, device: torch.device | str = "cpu") -> SwapModel:
    """The model in the checkpoint ``path``, with its averaged weights, ready to convert.

    Raises CheckpointError when the file is damaged, newer, or holds another kind of model.
    """
    return model_from(read_checkpoint(path, weights=True), device)


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
        "with the version that trained it, or train anew under another --run."
    )


def load_matching_weights(model: SwapModel, checkpoint: Checkpoint) -> list[str]:
    """Start ``model`` from another one's parts, where their shapes agree.

    A model of many people has one decoder, which both of ``model``'s start from. Returns the
    names of the parts taken over. Raises CheckpointError when not even the encoder fits.
    """
    weights = checkpoint.tensors_under("ema")
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


def shareable_weights(model: SwapModel) -> dict[str, Tensor]:
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


def freeze_part(model: SwapModel, part: FreezablePart) -> None:
    """Keep the encoder, or the encoder and the bottlenecks, as they are."""
    parts = {"nothing": (), "encoder": ("encoder",), "shared": ("encoder", "inters")}[part]
    for name in parts:
        getattr(model.network, name).requires_grad_(False)
