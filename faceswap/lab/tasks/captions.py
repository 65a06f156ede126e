"""Captions of grey pictures: class, stroke width and slant, measured from the picture."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from faceswap.errors import OptionsError

_THICK = {-1: "thin", 0: "", 1: "thick"}
_SLANT = {-1: "left", 0: "", 1: "right"}


@dataclass(frozen=True)
class Captions:
    """Vocabulary, and thresholds of ink (thin, neither, thick) and slant (left, neither, right)."""

    classes: tuple[str, ...]
    ink_limits: tuple[float, float]
    slant_limits: tuple[float, float]

    @classmethod
    def fitted(cls, x: Tensor, classes: tuple[str, ...]) -> "Captions":
        """Captions with thresholds at the terciles of pictures (N, 1, H, W)."""
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
        """Word n + 1 of the model is the n-th of these, 0 is padding; classes may repeat a word."""
        return (*self.classes, _THICK[-1], _THICK[1], _SLANT[-1], _SLANT[1])

    def text(self, number: int, thick: int, slant: int) -> str:
        """Caption of a class, with −1, 0 or 1 for thin to thick and for left to right."""
        words = (_THICK[thick], self.classes[number], _SLANT[slant])
        return " ".join(word for word in words if word)

    def understood(self, text: str) -> tuple[int, int, int]:
        """Parse a caption into class and signs, the arguments of ``text`` and ``numbers``.

        Raises OptionsError when it names no class.
        """
        words = text.split()
        signs = []
        for place, names in ((0, _THICK), (-1, _SLANT)):
            match = [sign for sign, name in names.items() if name and words[place:][:1] == [name]]
            # One word must remain, as a class may be called "left".
            found = bool(match) and len(words) > 1
            if found:
                words.pop(place)
            signs.append(match[0] if found else 0)
        name = " ".join(words)
        if name not in self.classes:
            few = ", ".join(self.classes[:20]) + (", …" if len(self.classes) > 20 else "")
            raise OptionsError(
                f"'{name}' is no class of these pictures; they have {few}. Write thin or thick "
                "before the class and left or right after it, or neither."
            )
        return self.classes.index(name), signs[0], signs[1]

    def numbers(self, number: int, thick: int, slant: int) -> list[int]:
        """The caption as the model's word numbers, 0 for none; see ``read``."""
        one = self._numbered(*(torch.tensor([n]) for n in (number, thick, slant)))
        return [int(word) for word in one[0]]

    @staticmethod
    def slant(x: Tensor) -> Tensor:
        """Slant (N,) of strokes (N, 1, H, W) to the right in degrees, from image moments."""
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
        """Measure the captions (N, 3) of pictures (N, 1, H, W) of known classes (N,)."""
        thick = _sign(x.flatten(1).mean(1), self.ink_limits)
        slant = _sign(self.slant(x), self.slant_limits)
        return self._numbered(labels, thick, slant)

    def _numbered(self, labels: Tensor, thick: Tensor, slant: Tensor) -> Tensor:
        """Classes (N,) and signs (N,) of both measures → captions (N, 3)."""
        first = len(self.classes) + 1
        thick, slant = (
            sign.abs() * (first + 2 * n + (sign > 0)) for n, sign in enumerate((thick, slant))
        )
        return torch.stack([labels + 1, thick, slant], 1)


def _sign(values: Tensor, limits: tuple[float, float]) -> Tensor:
    """−1, 0 or 1 for values (N,) below, between or above ``limits``."""
    return (values > limits[1]).long() - (values < limits[0]).long()
