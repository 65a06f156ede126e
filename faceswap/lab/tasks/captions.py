"""Short texts of what a grey picture shows: its class, and how thick and slanted the stroke is."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from faceswap.errors import OptionsError

_THICK = {-1: "thin", 0: "", 1: "thick"}
_SLANT = {-1: "left", 0: "", 1: "right"}


@dataclass(frozen=True)
class Captions:
    """A vocabulary, and the limits between thin, neither and thick, left, neither and right."""

    classes: tuple[str, ...]
    ink_limits: tuple[float, float]
    slant_limits: tuple[float, float]

    @classmethod
    def fitted(cls, x: Tensor, classes: tuple[str, ...]) -> "Captions":
        """Limits at the thirds of pictures (N, 1, H, W)."""
        thirds = torch.tensor([1 / 3, 2 / 3])
        ink = torch.quantile(x.flatten(1).mean(1), thirds)
        lean = torch.quantile(cls.slant(x), thirds)
        return cls(
            classes,
            (float(ink[0]), float(ink[1])),
            (float(lean[0]), float(lean[1])),
        )

    @property
    def words(self) -> tuple[str, ...]:
        """Word n + 1 of the model is the n-th of these; a class may be called as another word."""
        return (*self.classes, _THICK[-1], _THICK[1], _SLANT[-1], _SLANT[1])

    def text(self, number: int, thick: int, slant: int) -> str:
        """What is said of a class by −1, 0 or 1 for thin to thick and for left to right."""
        words = (_THICK[thick], self.classes[number], _SLANT[slant])
        return " ".join(word for word in words if word)

    def understood(self, text: str) -> tuple[int, int, int]:
        """Class and signs of what ``text`` says, as ``text`` and ``numbers`` take them.

        Raises OptionsError where it names no class.
        """
        words = text.split()
        signs = []
        for place, names in ((0, _THICK), (-1, _SLANT)):
            said = [sign for sign, name in names.items() if name and words[place:][:1] == [name]]
            # A class may be called "left".
            found = bool(said) and len(words) > 1
            if found:
                words.pop(place)
            signs.append(said[0] if found else 0)
        name = " ".join(words)
        if name not in self.classes:
            few = ", ".join(self.classes[:20]) + (", …" if len(self.classes) > 20 else "")
            raise OptionsError(
                f"'{name}' is no class of these pictures; they have {few}. Say thin or thick "
                "before it and left or right after it, or neither."
            )
        return self.classes.index(name), signs[0], signs[1]

    def numbers(self, number: int, thick: int, slant: int) -> list[int]:
        """The same in words of the model, of which 0 says nothing; as ``read`` has them."""
        one = self._numbered(*(torch.tensor([n]) for n in (number, thick, slant)))
        return [int(word) for word in one[0]]

    @staticmethod
    def slant(x: Tensor) -> Tensor:
        """Degrees (N,) by which the strokes of (N, 1, H, W) lean to the right, by moments."""
        _, _, h, w = x.shape
        weight = x[:, 0] / x[:, 0].sum((1, 2), keepdim=True).clamp(min=1e-6)
        up = -torch.arange(h, device=x.device, dtype=x.dtype).view(1, -1, 1)
        right = torch.arange(w, device=x.device, dtype=x.dtype).view(1, 1, -1)
        up = up - (weight * up).sum((1, 2), keepdim=True)
        right = right - (weight * right).sum((1, 2), keepdim=True)
        both = (weight * up * right).sum((1, 2))
        tall = (weight * up.square()).sum((1, 2)).clamp(min=1e-6)
        return torch.atan(both / tall) * 180 / math.pi

    def read(self, x: Tensor, labels: Tensor) -> Tensor:
        """Texts (N, 3) of pictures (N, 1, H, W) of known classes (N,), measured."""
        thick = _sign(x.flatten(1).mean(1), self.ink_limits)
        slant = _sign(self.slant(x), self.slant_limits)
        return self._numbered(labels, thick, slant)

    def _numbered(self, labels: Tensor, thick: Tensor, slant: Tensor) -> Tensor:
        """Classes and signs (N,) of both measures → texts (N, 3)."""
        first = len(self.classes) + 1
        thick, slant = (
            sign.abs() * (first + 2 * n + (sign > 0)) for n, sign in enumerate((thick, slant))
        )
        return torch.stack([labels + 1, thick, slant], 1)


def _sign(values: Tensor, limits: tuple[float, float]) -> Tensor:
    """−1, 0 or 1 of values (N,) below, between and above ``limits``."""
    return (values > limits[1]).long() - (values < limits[0]).long()
