"""Load swap models from checkpoints, for conversion or as pretrained weights."""

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
    """Read the configuration of the model in a checkpoint.

    Raises CheckpointError when it is another kind of model.
    """
    if checkpoint.kind != KIND:
        raise CheckpointError(
            f"{checkpoint.path} holds a model of the kind {checkpoint.kind!r}, not a swap model; "
            "choose a checkpoint of swap training."
        )
    try:
        return SwapConfig.model_validate(checkpoint.config)
    except ValidationError as error:
        raise _other_build(checkpoint) from error


def model_from(checkpoint: Checkpoint, device: torch.device | str = "cpu") -> SwapModel:
    """Build the model of a checkpoint with its EMA weights, in eval mode, for conversion.

    On the CPU it may share the checkpoint's tensors. Raises CheckpointError when it is another
    kind of model.
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
    """Load the model in the checkpoint ``path`` with its EMA weights, for conversion.

    Raises CheckpointError when the file is damaged, from a newer version or another kind of model.
    """
    return model_from(read_checkpoint(path, weights=True), device)


def newest_model(
    run: Path, device: torch.device | str = "cpu"
) -> tuple[SwapModel, Path, list[str]]:
    """Load the model of a run's newest intact checkpoint, for conversion.

    Returns it with its file and a sentence for each newer, damaged one. Raises CheckpointError
    when there is none, or another kind of model.
    """
    checkpoint, problems = newest_weights(run)
    return model_from(checkpoint, device), checkpoint.path, problems


def _other_build(checkpoint: Checkpoint) -> CheckpointError:
    return CheckpointError(
        f"{checkpoint.path} holds a swap model of another build than this version's; use it "
        "with the version that trained it, or train a new one with another --run."
    )


def load_matching_weights(model: SwapModel, checkpoint: Checkpoint) -> list[str]:
    """Initialise ``model`` with the EMA weights of a checkpoint, part by part where shapes match.

    A pretrained model of many people has one decoder, which initialises both of ``model``'s.
    Returns the names of the parts loaded. Raises CheckpointError when the encoder does not fit.
    """
    weights = checkpoint.tensors_under("ema")
    loaded = []
    for name, part in _parts(model).items():
        for known in (name, _FALLBACKS.get(name, name)):
            prefix = f"network.{known}."
            found = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            shapes = {k: v.shape for k, v in found.items()}
            if shapes == {k: v.shape for k, v in part.state_dict().items()}:
                part.load_state_dict(found)
                loaded.append(name)
                break
    if "encoder" not in loaded:
        raise CheckpointError(
            f"The encoder in {checkpoint.path} has another shape than that of a "
            f"{model.config.text()} model; start from a model of the same preset."
        )
    return loaded


def shareable_weights(model: SwapModel) -> dict[str, Tensor]:
    """Select the pretrained weights of a model of many people, all on side B, in float16.

    Its encoder and decoder. The bottleneck, which encodes identity, is left out: starting from it
    gains nothing, and without pair matching the swap then keeps A's features for long.
    """
    return {
        f"ema/{name}": tensor.half()
        for name, tensor in model.state_dict().items()
        if name.startswith(("network.encoder.", "network.decoders.b", "network.decoders.both"))
    }


_FALLBACKS = {"decoders.a": "decoders.b"}


def _parts(model: SwapModel) -> dict[str, nn.Module]:
    network = model.network
    parts: dict[str, nn.Module] = {"encoder": network.encoder}
    parts |= {f"inters.{name}": inter for name, inter in network.inters.items()}
    return parts | {f"decoders.{name}": decoder for name, decoder in network.decoders.items()}


def freeze_part(model: SwapModel, part: FreezablePart) -> None:
    """Freeze the weights of the encoder, or of the encoder and the bottlenecks."""
    parts = {"nothing": (), "encoder": ("encoder",), "shared": ("encoder", "inters")}[part]
    for name in parts:
        getattr(model.network, name).requires_grad_(False)
