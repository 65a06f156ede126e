"""A folder of rendered people: pictures, masks, one table and a card; written piece by piece.

    folder/pictures/000000.png   masks/000000.png   people.csv   README.md   dataset.json

Rows are appended to ``people.csv.part`` once their files are written, and it is renamed at the
end: a stopped rendering goes on after its last row.
"""

import csv
import io
import json
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np

from faceswap import __version__
from faceswap.errors import OutputError
from faceswap.faces.labels import DEFINITIONS, PALETTE
from faceswap.io.atomic import make_folder, replace_file, write_atomically
from faceswap.io.provenance import RENDERED, Provenance, encoded_picture
from faceswap.synthetic.people import RenderedPerson, render_clip, render_person
from faceswap.synthetic.people_attributes import ATTRIBUTES, Value
from faceswap.types import UInt8Image

MADE = Provenance(
    "A rendered person, made with faceswap sample people; it shows no real person.", RENDERED
)
_TABLE, _CARD, _SETTINGS = "people.csv", "README.md", "dataset.json"
_POINTS = [f"{axis}{k}" for k in range(81) for axis in ("x", "y", "v")]
COLUMNS = ["picture", "mask", "identity", "variation", "frame", *ATTRIBUTES, *_POINTS]
"""Columns of the table; xK, yK, vK: place in pixels and visibility of point K."""


@dataclass(frozen=True)
class DatasetSettings:
    """What is rendered. frames: pictures of each clip, 0 for single pictures; variations: single
    pictures of each person."""

    seed: int
    size: int
    variations: int = 1
    frames: int = 0
    file: Literal["png", "jpg"] = "png"


@dataclass(frozen=True)
class Item:
    """One picture or clip, ready to be written: files by their path in the folder, and rows."""

    files: dict[str, bytes]
    rows: list[list[Value]]


def rendered_item(settings: DatasetSettings, number: int) -> Item:
    """Render and encode item ``number``: a picture, or with ``frames`` a clip."""
    if settings.frames:
        people: Iterator[RenderedPerson] = render_clip(
            settings.seed, number, settings.size, settings.frames
        )
    else:
        one = render_person(
            settings.seed, number // settings.variations, settings.size,
            number % settings.variations,
        )  # fmt: skip
        people = iter([one])
    files: dict[str, bytes] = {}
    rows: list[list[Value]] = []
    for frame, person in enumerate(people):
        name = f"{number:06d}/{frame:04d}" if settings.frames else f"{number:06d}"
        picture, mask = f"pictures/{name}.{settings.file}", f"masks/{name}.png"
        options = {"quality": 95} if settings.file == "jpg" else {"compress_level": 3}
        kind = "JPEG" if settings.file == "jpg" else "PNG"
        files[picture] = encoded_picture(person.image, kind, MADE, **options)
        files[mask] = _encoded_mask(person.labels)
        rows.append([picture, mask, *_row(person, frame)])
    return Item(files, rows)


def _encoded_mask(labels: UInt8Image) -> bytes:
    from PIL import Image

    page = Image.fromarray(labels)
    page.putpalette(PALETTE.ravel().tolist())
    data = io.BytesIO()
    page.save(data, format="PNG", compress_level=9)
    return data.getvalue()


def _row(person: RenderedPerson, frame: int) -> list[Value]:
    row: list[Value] = [person.number, person.variation, frame]
    row += [person.attributes[name] for name in ATTRIBUTES]
    for (x, y), seen in zip(person.points.astype(np.float64), person.visible, strict=True):
        row += [round(float(x), 2), round(float(y), 2), int(seen)]
    return row


class PeopleDataset:
    """The folder of a data set, new or begun earlier with the same settings.

    Raises OutputError when it holds something else or cannot be written. done: items it has.
    """

    def __init__(self, folder: Path, settings: DatasetSettings) -> None:
        self.folder, self.settings = folder, settings
        self._open()
        kept = self._kept_rows()
        per_item = settings.frames or 1
        self.done = len(kept) // per_item
        self._part = folder / f"{_TABLE}.part"
        rows = kept[: self.done * per_item]
        write_atomically(self._part, _csv([COLUMNS, *rows]))

    def _open(self) -> None:
        folder, path = self.folder, self.folder / _SETTINGS
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file; choose a folder.")
        wanted = {"faceswap": __version__, **asdict(self.settings)}
        if not path.exists():
            if folder.exists() and any(folder.iterdir()):
                raise OutputError(f"{folder} has other files; choose an empty or a new folder.")
            for name in ("pictures", "masks"):
                make_folder(folder / name)
            write_atomically(path, (json.dumps(wanted, indent=1) + "\n").encode())
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(f"{path} cannot be read; choose another folder.") from error
        if found != wanted:
            other = [f"{k} {found.get(k)}" for k in wanted if found.get(k) != wanted[k]]
            raise OutputError(
                f"{folder} holds another data set ({', '.join(other)}); choose another folder."
            )

    def _kept_rows(self) -> list[list[str]]:
        """Rows of an earlier rendering, up to the first whose files are missing."""
        for name in (f"{_TABLE}.part", _TABLE):
            path = self.folder / name
            if path.exists():
                break
        else:
            return []
        text = path.read_text(encoding="utf-8")
        # A row that a crash cut short has no end of line.
        whole = text[: text.rfind("\n") + 1]
        rows = list(csv.reader(io.StringIO(whole)))[1:]
        kept: list[list[str]] = []
        for row in rows:
            files = [self.folder / row[0], self.folder / row[1]] if len(row) == len(COLUMNS) else []
            if not files or not all(f.is_file() and f.stat().st_size for f in files):
                break
            kept.append(row)
        return kept

    def add(self, item: Item) -> None:
        """Write the files of the next item, then its rows. Raises OutputError."""
        try:
            for name, data in item.files.items():
                path = self.folder / name
                path.parent.mkdir(exist_ok=True)
                part = path.with_name(path.name + ".part")
                part.write_bytes(data)
                replace_file(part, path)
            with open(self._part, "ab") as file:
                file.write(_csv(item.rows))
        except OSError as error:
            raise OutputError(
                f"{self.folder} cannot be written ({error.strerror or error}); make room or choose "
                "another folder, then start it again."
            ) from error
        self.done += 1

    def finish(self) -> None:
        """Write the card and rename the table. Raises OutputError."""
        write_atomically(self.folder / _CARD, card(self.settings, self.done).encode())
        try:
            replace_file(self._part, self.folder / _TABLE)
        except OSError as error:
            raise OutputError(f"{self._part} cannot be renamed: {error.strerror}.") from error


def _csv(rows: Sequence[Sequence[Value | str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def rendered_items(
    settings: DatasetSettings, start: int, count: int, workers: int
) -> Generator[Item, None, None]:
    """Items ``start`` to ``count``, in order, rendered by ``workers`` processes."""
    if workers <= 1:
        for number in range(start, count):
            yield rendered_item(settings, number)
        return
    # Spawned, not forked: forking a process with threads is unsafe.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    ahead: list[Future[Item]] = []
    try:
        for number in range(start, count):
            ahead.append(pool.submit(rendered_item, settings, number))
            if len(ahead) > 3 * workers:
                yield ahead.pop(0).result()
        while ahead:
            yield ahead.pop(0).result()
    except BrokenProcessPool as error:
        raise OutputError(
            "A rendering process ended, perhaps for lack of memory; start it again with fewer "
            "--workers."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def card(settings: DatasetSettings, items: int) -> str:
    """The data set's card, in Markdown."""
    what = (
        f"{items} clips of {settings.frames} pictures" if settings.frames else f"{items} pictures"
    )
    labels = "\n".join(
        f"| {int(label)} | {label.name.lower().replace('_', ' ')} | {text} |"
        for label, text in DEFINITIONS.items()
    )
    columns = "\n".join(f"| {name} | {text} |" for name, text in ATTRIBUTES.items())
    again = f"--size {settings.size} --seed {settings.seed}"
    if settings.frames:
        again += f" --clips --frames {settings.frames}"
    elif settings.variations > 1:
        again += f" --variations {settings.variations}"
    if settings.file != "png":
        again += f" --file {settings.file}"
    return f"""# Rendered people

{what} of {settings.size}×{settings.size} pixels, rendered by faceswap {__version__} with seed
{settings.seed}. They show nobody: no photograph of a person and no measurement of one went into
them. Backgrounds are made up, or parts of free pictures that come with scikit-image.

License: CC0 1.0, free for every use.

Again, the same bytes: `faceswap sample people FOLDER --count {items} {again}`

## Files

- `pictures/`: the pictures. `masks/`: for each a picture with a label per pixel, by the majority
  of its samples while rendering.
- `{_TABLE}`: a row for each picture. `picture`, `mask`: its files; `identity`: number of the
  person; `variation`: of the person's pictures; `frame`: of a clip, 12.5 a second; the attributes
  below; `x0`, `y0`, `v0` to `x80`, `y80`, `v80`: place in pixels (centres at integers) and
  visibility of the points: the 68 of iBUG, then 13 on the forehead from left to right.

## Labels

| value | label | what it covers |
|---|---|---|
{labels}

Points of hidden parts are given too, where they would be seen; `v` is 0 there.

## Attributes

| column | meaning |
|---|---|
{columns}

## What it is not

Rendered skin, hair and eyes are simpler than real ones, and the shares of ages, styles and lights
were chosen by hand: measure on photographs before you rely on a model trained on them.
"""
