"""Estimate of the memory that a training step takes.

Activations saved for the backward pass are counted by autograd's saved-tensor hooks. With PyTorch's
fake tensors, which have a shape and no data, this needs neither memory nor computation; the peak is
found by tracking when tensors are allocated and freed.
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
    """Bytes that a training step takes.

    saved: activations for the backward pass, without weights. peak: largest total of tensors alive
    at once in both passes, with the gradients of the weights.
    """

    saved: int
    peak: int


def saved_activation_bytes(forward: Callable[[], Tensor], known: Iterable[Tensor]) -> int:
    """Bytes that ``forward`` saves for the backward pass.

    Tensors that share memory count once. known: tensors not to count, such as the weights.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = forward()
    excluded = {tensor.untyped_storage()._cdata for tensor in known}
    total = sum(size for address, size in kept.items() if address not in excluded)
    del result  # kept until here, so that no address was reused
    return total


def estimate_memory(forward: Callable[[], Tensor], weights: Sequence[Tensor]) -> MemoryEstimate:
    """Estimate the memory of ``forward``, which returns a scalar, and its backward pass.

    Sets gradients. Meant for fake tensors, with which it takes no memory.
    """
    with _AllocationTracker() as tracker:
        result: list[Tensor] = []

        def run() -> Tensor:
            result.append(forward())
            return result[0]

        kept = saved_activation_bytes(run, weights)
        torch.autograd.backward(result.pop())
    return MemoryEstimate(kept, tracker.most)


class _AllocationTracker(TorchDispatchMode):
    """Tracks the total size of tensors that operations allocate, until they are freed."""

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
        before = {_address(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        result = func(*args, **(kwargs or {}))
        for made in tree_leaves(result):
            if isinstance(made, Tensor) and _address(made) not in before:
                self._add(made)
        return result

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        address = storage._cdata
        if address in self._sizes:
            return
        self._sizes[address] = storage.nbytes()
        self.now += self._sizes[address]
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._remove, address)

    def _remove(self, address: int) -> None:
        self.now -= self._sizes.pop(address)


def _address(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
