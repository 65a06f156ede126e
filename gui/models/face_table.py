"""What is known of all faces of a side, as columns, to sort and filter them."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DOUBTFUL = 0.6
EXCLUDED_FOLDER = 35.0


class FaceTableModel:
    """The answer to the question ``faces``; empty without one."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        values = values or {"names": "", "values": "", "columns": ["excluded"], "folder": ""}
        self.names: list[str] = values["names"].split("\n") if values["names"] else []
        self._columns: list[str] = values["columns"]
        self._folder = Path(values["folder"])
        self._out = str(values.get("excluded", ""))
        raw = np.frombuffer(base64.b64decode(values["values"]), np.float32)
        self._values = raw.reshape(-1, len(self._columns)).copy()
        self.excluded: NDArray[np.bool_] = self._column("excluded") > 0.5
        self._item = {name: item for item, name in enumerate(self.names)}
        self._tried = np.zeros(len(self.names), np.bool_)
        if "brightness" in self._columns:
            self._tried = ~np.isnan(self._column("brightness"))

    def path(self, item: int) -> Path:
        """Where a face's file lies now."""
        folder = self._folder / self._out if self.excluded[item] else self._folder
        return folder / self.names[item]

    def paths(self) -> list[str]:
        """Where all files lie; text, as fifty thousand Paths take a while to make."""
        inside, outside = f"{self._folder}/", f"{self._folder / self._out}/"
        return [
            (outside if out else inside) + name
            for name, out in zip(self.names, self.excluded.tolist(), strict=True)
        ]

    def frame(self, item: int) -> int:
        """The frame a face came from."""
        return int(self._column("frame")[item])

    def mark(self, names: list[str], out: bool) -> list[int]:
        """Note that faces were excluded or restored; their numbers."""
        items = [self._item[name] for name in names if name in self._item]
        self.excluded[items] = out
        return items

    def order(self, sort: str, shown: str) -> NDArray[np.int64]:
        """The numbers of the faces that ``shown`` lets through, sorted; unknown values last."""
        if not self.names:
            return np.zeros(0, np.int64)
        items = np.flatnonzero(self._filter(shown))
        keys = self._column(sort)[items]
        if sort == "time":
            return items[np.lexsort((self._column("track")[items], keys))]
        return items[np.argsort(keys, kind="stable")]

    def unmeasured(self, count: int) -> list[str]:
        """The first names whose blur and brightness are not known."""
        return [self.names[item] for item in np.flatnonzero(~self._tried)[:count]]

    def left_to_measure(self) -> int:
        """How many those are in all."""
        return int((~self._tried).sum())

    def set_measures(self, names: list[str], values: NDArray[np.float32]) -> None:
        """Note blur and brightness (N, 2) of ``names``."""
        items = [self._item[name] for name in names]
        place = self._columns.index("blur")
        self._values[items, place : place + 2] = values
        self._tried[items] = True

    def _column(self, name: str) -> NDArray[np.float32]:
        return self._values[:, self._columns.index(name)]

    def _filter(self, shown: str) -> NDArray[np.bool_]:
        yaw = np.abs(self._column("yaw"))
        match shown:
            case "in":
                return ~self.excluded
            case "out":
                return self.excluded
            case "doubtful":
                return self._column("presence") < DOUBTFUL
            case "side":
                return yaw > EXCLUDED_FOLDER
            case "frontal":
                return yaw < EXCLUDED_FOLDER / 2
        return np.ones(len(self.names), np.bool_)
