"""Modules without values, for weights that are about to be put into them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


@contextmanager
def without_initialisation() -> Iterator[None]:
    """What is made inside has parameters that have a shape and no memory, on the meta device.

    They are to be replaced, by ``load_state_dict(…, assign=True)``. Drawing values to start from
    takes seconds for a large model, and as much memory again.
    """
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Leaves out what would fill a parameter.

    On the meta device it would do nothing, but PyTorch imports its compiler, 800 modules, to find
    that out.
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
