"""Table of all faces of a side, stored by column, for sorting and filtering."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.preview.protocol import FacesAnswer

LOW_PRESENCE = 0.6
"""Presence below which a face is listed as low."""

SIDE_YAW = 35.0
"""Degrees of yaw beyond which a face counts as a side view."""


class FaceTableModel:
    """A side's faces, read from the files of the preview server's answer; empty without one.

    Raises OSError or ValueError when these cannot be read.
    """

    def __init__(self, answer: FacesAnswer | None = None) -> None:
        self.names: list[str] = []
        self._columns: tuple[str, ...] = ("excluded",)
        self._folder = self._excluded_folder = Path()
        self._values = np.zeros((0, 1), np.float32)
        if answer is not None:
            if answer.count:
                self.names = os.fsdecode(answer.names.read_bytes()).split("\n")
            self._columns = answer.columns
            self._folder, self._excluded_folder = answer.folder, answer.excluded_folder
            self._values = np.load(answer.values, allow_pickle=False)
            if not len(self.names) == len(self._values) == answer.count:
                raise ValueError("a crop's file name has more than one line")
        self.excluded: NDArray[np.bool_] = self._column("excluded") > 0.5
        self._item = {name: item for item, name in enumerate(self.names)}
        self._measured = np.zeros(len(self.names), np.bool_)
        if "brightness" in self._columns:
            self._measured = ~np.isnan(self._column("brightness"))

    def path(self, item: int) -> Path:
        """The current path of a face's crop."""
        folder = self._excluded_folder if self.excluded[item] else self._folder
        return folder / self.names[item]

    def paths(self) -> list[str]:
        """The paths of all crops, as strings: 50,000 Path objects are slow to create."""
        inside, outside = f"{self._folder}/", f"{self._excluded_folder}/"
        return [
            (outside if out else inside) + name
            for name, out in zip(self.names, self.excluded.tolist(), strict=True)
        ]

    def frame(self, item: int) -> int:
        """The frame number of a face."""
        return int(self._column("frame")[item])

    def set_excluded(self, names: Sequence[str], out: bool) -> list[int]:
        """Mark faces as excluded or restored; returns their row numbers."""
        items = [self._item[name] for name in names if name in self._item]
        self.excluded[items] = out
        return items

    def order(self, sort: str, shown: str) -> NDArray[np.int64]:
        """Row numbers of the faces that pass the filter ``shown``, sorted; unknown values last."""
        if not self.names:
            return np.zeros(0, np.int64)
        items = np.flatnonzero(self._filter(shown))
        keys = self._column(sort)[items]
        if sort == "time":
            return items[np.lexsort((self._column("track")[items], keys))]
        return items[np.argsort(keys, kind="stable")]

    def unmeasured(self, count: int) -> list[str]:
        """The first ``count`` faces whose blur and brightness are not measured yet."""
        return [self.names[item] for item in np.flatnonzero(~self._measured)[:count]]

    def unmeasured_count(self) -> int:
        """The number of faces not measured yet."""
        return int((~self._measured).sum())

    def set_measurements(
        self, names: list[str], blur: Sequence[float | None], brightness: Sequence[float | None]
    ) -> None:
        """Store blur and brightness of ``names``; None is unknown."""
        items = [self._item[name] for name in names]
        self._column("blur")[items] = np.array(blur, np.float32)
        self._column("brightness")[items] = np.array(brightness, np.float32)
        self._measured[items] = True

    def _column(self, name: str) -> NDArray[np.float32]:
        return self._values[:, self._columns.index(name)]

    def _filter(self, shown: str) -> NDArray[np.bool_]:
        yaw = np.abs(self._column("yaw"))
        match shown:
            case "in":
                return ~self.excluded
            case "out":
                return self.excluded
            case "low presence":
                return self._column("presence") < LOW_PRESENCE
            case "side":
                return yaw > SIDE_YAW
            case "frontal":
                return yaw < SIDE_YAW / 2
        return np.ones(len(self.names), np.bool_)
