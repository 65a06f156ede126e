"""How much memory a step will take, known before it is taken.

What a pass forward leaves for the way back is counted as autograd is given it. With PyTorch's fake
tensors, which have a shape and no content, that needs neither the memory nor the arithmetic, and
the most that there is at once is found by watching tensors come and go.
"""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes. kept: what the way forward leaves for the way back, weights not counted. most: of
    all tensors made on both ways and alive at once, gradients of the weights among them."""

    saved: int
    peak: int


def saved_activation_bytes(forward: Callable[[], Tensor], known: Iterable[Tensor]) -> int:
    """Bytes that ``forward`` leaves for the way back from its result, but for those ``known``.

    Tensors that share memory count once. known: what is there anyway, such as the weights.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = forward()
    own = {tensor.untyped_storage()._cdata for tensor in known}
    total = sum(size for place, size in kept.items() if place not in own)
    del result  # until here, so that no place in memory was given to two tensors
    return total


def estimate_memory(forward: Callable[[], Tensor], weights: Sequence[Tensor]) -> MemoryEstimate:
    """What ``forward`` and the way back from the scalar it gives take; sets gradients.

    To be called among fake tensors, where it costs nothing but time.
    """
    with _Living() as living:
        result: list[Tensor] = []

        def run() -> Tensor:
            result.append(forward())
            return result[0]

        kept = saved_activation_bytes(run, weights)
        torch.autograd.backward(result.pop())
    return MemoryEstimate(kept, living.most)


class _Living(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums up the bytes of the tensors that operations make, until they are gone."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        before = {_place(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        result = func(*args, **(kwargs or {}))
        for made in tree_leaves(result):
            if isinstance(made, Tensor) and _place(made) not in before:
                self._add(made)
        return result

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        place = storage._cdata
        if place in self._sizes:
            return
        self._sizes[place] = storage.nbytes()
        self.now += self._sizes[place]
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._remove, place)

    def _remove(self, place: int) -> None:
        self.now -= self._sizes.pop(place)


def _place(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
