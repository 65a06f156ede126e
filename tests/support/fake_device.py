"""A stand-in for Apple's MPS, which no machine of this project has.

Its tensors say that they lie there, are computed with on the processor, and are refused what MPS
refuses: float64; tensors, and chance, that lie elsewhere; and what PyTorch 2.6, the oldest that
may be installed, can't do on it or does wrongly. As a tensor's device is a matter of C++, where
nothing can be made up, there it is PyTorch's "meta" device, whose tensors hold no values.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from faceswap import bf16_support, device_support

MPS, _META, _CPU = torch.device("mps"), torch.device("meta"), torch.device("cpu")
LACKING = ("nanmedian", "poisson", "col2im")
"""Operators that PyTorch 2.6 has no code for on MPS, of those that run in training and the lab:
all that reached this stand-in were looked up in that version's native_functions.yaml."""


class FarTensor(torch.Tensor):
    """``near`` holds the values."""

    near: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, near: torch.Tensor) -> "FarTensor":
        if near.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        made = torch.Tensor._make_wrapper_subclass(
            cls, near.shape, strides=near.stride(), dtype=near.dtype, device=_META
        )
        made.near = near
        return made

    device = property(lambda self: MPS)
    is_meta = False

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # typed as __torch_function__ by mistake
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        return _work(func, args, kwargs or {})

    def __repr__(self) -> str:  # type: ignore[override]
        return f"far {self.near!r}"

    def __format__(self, spec: str) -> str:
        return format(self.near.item() if self.near.dim() == 0 else repr(self), spec)

    def tolist(self) -> Any:
        return self.near.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("can't convert mps:0 device type tensor to numpy")

    def new_tensor(self, data: Any, dtype: torch.dtype | None = None) -> torch.Tensor:  # type: ignore[override]
        return torch.tensor(data, dtype=dtype or self.dtype).to(_META)


class FarGenerator(torch.Generator):
    """Chance that says on which device it is."""

    place: torch.device

    def __new__(cls, device: torch.device | str = "cpu") -> "FarGenerator":
        made = super().__new__(cls, "cpu")  # type: ignore[call-arg]  # its stub has no __new__
        made.place = torch.device(device)
        return made

    device = property(lambda self: self.place)


@contextmanager
def apple() -> Iterator[None]:
    """A machine that has the device mps."""
    with (
        mock.patch.object(torch, "Generator", FarGenerator),
        mock.patch.object(torch.backends.mps, "is_available", return_value=True),
        mock.patch.object(torch.mps, "empty_cache"),
        mock.patch.object(threading.Thread, "run", _run_there),
        _Asked(),
        _Made(),
    ):
        _forget()
        yield
    _forget()


_run = threading.Thread.run


def _run_there(thread: threading.Thread) -> None:
    """Run a thread as on such a machine: modes hold only in the thread that entered them."""
    with _Asked(), _Made():
        _run(thread)


def _forget() -> None:
    device_support.supports.cache_clear()
    bf16_support.supports_bf16.cache_clear()


class _Asked(TorchFunctionMode):
    """What is asked to go to mps goes to the meta device, which ``_work`` takes for it."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        if func is torch.device:
            return func(*args, **kwargs)

        _check_chance([*args, *kwargs.values()])

        def there(x: object) -> object:
            return _META if isinstance(x, torch.device) and x.type == "mps" else x

        args = tuple(map(there, args))
        kwargs = {name: there(x) for name, x in kwargs.items()}
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") == _META:
            # Made of numbers in C++, where no mode sees it.
            return func(*args, **{**kwargs, "device": None}).to(_META)
        return func(*args, **kwargs)


class _Made(TorchDispatchMode):
    """What is made there without any tensor of the device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        return _work(func, args, kwargs or {})


def _work(func: Any, args: Any, kwargs: dict[str, Any]) -> object:
    """Do what ``func`` does, on the processor, if the device may be asked for it."""
    flat = list(_leaves((args, kwargs)))
    far = [x for x in flat if isinstance(x, FarTensor)]
    named = [x for x in flat if isinstance(x, torch.device)]
    stays = named[0].type != "cpu" if named else bool(far)
    if not far and not stays:
        return func(*args, **kwargs)
    name = func.overloadpacket.__name__
    if far:
        _check_places(name, flat)
        _check_ability(name, args)
    if name == "_fused_adamw_":
        kwargs = {**kwargs, "found_inf": None}  # which it does not look at

    def near(x: object) -> object:
        if isinstance(x, torch.device):
            return _CPU
        return x.near if isinstance(x, FarTensor) else x

    known = {id(x.near): x for x in far}

    def back(x: object) -> object:
        if not stays or not isinstance(x, torch.Tensor):
            return x
        if id(x) not in known:
            return FarTensor(x)
        # PyTorch reads a shape without asking, so that it cannot be changed in place here.
        assert known[id(x)].shape == x.shape, name
        return known[id(x)]

    args, kwargs = _each(near, (args, kwargs))
    return _each(back, func(*args, **kwargs))


def _leaves(x: object) -> Iterator[object]:
    if isinstance(x, (list, tuple)):
        for part in x:
            yield from _leaves(part)
    elif isinstance(x, dict):
        yield from _leaves(list(x.values()))
    else:
        yield x


def _each(change: Callable[[object], object], x: Any) -> Any:
    """``x`` with all that is in its lists and dictionaries changed."""
    if isinstance(x, (list, tuple)):
        return type(x)([_each(change, part) for part in x])
    if isinstance(x, dict):
        return {name: _each(change, part) for name, part in x.items()}
    return change(x)


def _check_chance(given: list[object]) -> None:
    """Chance must come from the device that is named, else from that of the tensors."""
    places = [x for x in given if isinstance(x, torch.device)]
    places += [x.device for x in given if isinstance(x, torch.Tensor)]
    place = places[0] if places else _CPU
    for x in given:
        if isinstance(x, FarGenerator) and x.device.type != place.type:
            raise RuntimeError(f"a generator on {x.device} was given to {place}")


def _check_places(name: str, flat: list[object]) -> None:
    here = [x for x in flat if isinstance(x, torch.Tensor) and not isinstance(x, FarTensor)]
    for x in here:
        if x.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        if x.dim() and name not in ("copy_", "index", "index_put_", "_index_put_impl_"):
            raise RuntimeError(f"{name}: expected all tensors to be on the same device")


def _check_ability(name: str, args: Any) -> None:
    if name in LACKING:
        raise NotImplementedError(f"aten::{name} is not implemented for the MPS device")
    match name.removeprefix("_"):  # in inference mode, some come by the name that users call
        case "grid_sampler_2d" | "grid_sampler" if args[2] == 2:
            raise RuntimeError("MPS: Unsupported Bicubic interpolation")
        case "grid_sampler_2d" | "grid_sampler" if args[3] == 1:
            raise RuntimeError("MPS: Unsupported Border padding mode")
        case "adaptive_avg_pool2d":
            sizes = zip(args[0].shape[-2:], args[1], strict=True)
            if any(of % to and to % of for of, to in sizes):
                raise RuntimeError("Adaptive pool MPS: input sizes must be divisible")
        case "convolution" | "convolution_backward" | "conv2d":
            for x in args[:3]:
                laid = isinstance(x, FarTensor) and x.dim() == 4 and not x.is_contiguous()
                if laid and x.is_contiguous(memory_format=torch.channels_last):
                    raise RuntimeError("MPS: operators beside convolutions went wrong with this")
