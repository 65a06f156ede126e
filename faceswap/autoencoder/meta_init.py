"""Build modules on the meta device, without initialising weights that will be loaded anyway."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


@contextmanager
def without_initialisation() -> Iterator[None]:
    """Context in which new modules get parameters on the meta device: shapes without memory.

    Replace them with ``load_state_dict(…, assign=True)``. Random initialisation of a large model
    takes seconds, and as much memory again.
    """
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Skip functions that fill a parameter.

    On the meta device they do nothing, but make PyTorch import its compiler, 800 modules.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__module__", None) == "torch.nn.init" or func in _FILLING:
            return args[0] if args else given["tensor"]
        if func is torch.empty_like:
            return torch.empty(args[0].shape, dtype=args[0].dtype)
        return func(*args, **given)


_FILLING = (torch.Tensor.normal_, torch.Tensor.uniform_)
