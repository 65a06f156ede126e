"""Checkpoints that survive power cuts, full disks and newer versions.

One checkpoint is one ``.safetensors`` file: tensors under ``model/``, ``ema/``, ``optimiser/``
and ``state/``, and in its header a JSON text with the kind of model, its config and the numbers
of the run. It is written in a temporary folder, flushed to the disk and moved to its name, so
that a file of the final name is always whole; checksums, one for the header and one for each
tensor, find what the disk damaged later, also where only the weights are read: these are a
quarter of the file, the rest is for going on with training.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from faceswap.errors import CheckpointError, NewerCheckpointError, OutputError
from faceswap.training.checkpoint_verification import (
    FORMAT,
    HEADER,
    checksum_of,
    file_metadata,
    parse_header,
    verified_tensors,
)

_NAME = re.compile(r"step-(\d{9})\.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    kind: what sort of model it is. config: what rebuilds the model. numbers: the run's own
    state, plain JSON values. tensors: on the CPU, contiguous.
    """

    path: Path
    kind: str
    config: dict[str, Any]
    metadata: dict[str, Any]
    tensors: dict[str, Tensor]

    def tensors_under(self, name: str) -> dict[str, Tensor]:
        """The tensors under ``name/``, without that prefix."""
        prefix = name + "/"
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}


def write_checkpoint(
    path: Path,
    kind: str,
    config: Mapping[str, Any],
    numbers: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
) -> None:
    """Write a checkpoint; ``path`` appears whole or stays as it was.

    Raises OutputError when the disk is full or the folder cannot be written.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {
        "format": FORMAT,
        "kind": kind,
        "config": dict(config),
        "numbers": dict(numbers),
        "checksums": {name: checksum_of(name, tensor) for name, tensor in plain.items()},
    }
    # A folder, as safetensors writes under a name of its own making, which a kill leaves behind.
    part = path.with_suffix(".part")
    written = part / path.name
    try:
        part.mkdir(exist_ok=True)
        save_file(plain, written, metadata=file_metadata(header))
        # Readable by whom the user's umask says, as the folder is; safetensors leaves it private.
        os.chmod(written, part.stat().st_mode & 0o666)
        _flush(written)
        os.replace(written, path)
        _flush(path.parent)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"Cannot save {path}: {error}.") from error
    finally:
        _remove(part)


def read_checkpoint(path: Path, *, weights: bool = False) -> Checkpoint:
    """Read and verify a checkpoint.

    weights: only those to use the model with, which are the averaged ones, or the trained ones
    where there are none. What the file holds besides is then neither read nor verified, and the
    tensors are in memory of their own; else they may be a view of the file.

    Raises CheckpointError when it is missing, damaged or no checkpoint, NewerCheckpointError when
    it is from a newer version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = parse_header(path, file.metadata() or {})
            tensors = verified_tensors(path, file, header, weights)
        return Checkpoint(path, header["kind"], header["config"], header["numbers"], tensors)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no model file {path}.") from error
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of faceswap.") from error


class CheckpointFolder:
    """The checkpoints of one run, ``step-000001234.safetensors``: the last ``keep`` of them.

    Besides, the one with the highest ``score`` among its numbers, and the newest of a step at
    which the run was seen to do well.
    """

    def __init__(self, folder: Path, keep: int = 3) -> None:
        self.folder, self.keep = folder, keep

    def files(self) -> list[Path]:
        """All checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(p for p in self.folder.iterdir() if _NAME.fullmatch(p.name))

    def steps(self) -> list[int]:
        """The steps of all checkpoints, lowest first."""
        return [_step(path) for path in self.files()]

    def path(self, step: int) -> Path:
        """Where the checkpoint of ``step`` is or will be."""
        return self.folder / f"step-{step:09d}.safetensors"

    def save(
        self,
        step: int,
        kind: str,
        config: Mapping[str, Any],
        numbers: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        good: int = 0,
    ) -> Path:
        """Save one and remove what is not to be kept; raises OutputError.

        good: the last step at which the run was seen to do well.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make {self.folder}: {error.strerror}.") from error
        path = self.path(step)
        write_checkpoint(path, kind, config, numbers, tensors)
        for old in set(self.files()) - self._kept(good):
            with suppress(OSError):  # Windows keeps what is mapped; the next save tries again
                old.unlink(missing_ok=True)
        return path

    def _kept(self, good: int) -> set[Path]:
        files = self.files()
        kept = {*files[-self.keep :], *[path for path in files if _step(path) <= good][-1:]}
        scored = [(score, path) for path in files if (score := _score(path)) is not None]
        return kept | {path for _, path in sorted(scored)[-1:]}

    def newest(
        self, until: int | None = None, *, weights: bool = False
    ) -> tuple[Checkpoint | None, list[str]]:
        """The newest valid checkpoint, or None where there is none; what was wrong with newer ones.

        until: only those of this step and before. weights: as for ``read_checkpoint``. Raises
        CheckpointError when there are some but none is valid, NewerCheckpointError when the newest
        was made by a newer version: an old one is then not silently trained on.
        """
        problems: list[str] = []
        files = [path for path in self.files() if until is None or _step(path) <= until]
        for path in reversed(files):
            try:
                return read_checkpoint(path, weights=weights), problems
            except NewerCheckpointError:
                raise
            except CheckpointError as error:
                problems.append(str(error))
        if files:
            raise CheckpointError(
                f"None of the {len(files)} checkpoints in {self.folder} can be read "
                f"({problems[0]}); restore one from a backup, or train a new run with --run."
            )
        return None, problems

    def load_for_resume(self, *, leads: bool = True) -> tuple[Checkpoint | None, list[str]]:
        """As ``newest``, to train on from: what is newer is set aside, and it is said where to.

        Removes what a killed save left behind. leads: whether this is the process that may change
        files.
        """
        if leads and self.folder.is_dir():
            for part in self.folder.glob("*.part"):
                _remove(part)
        checkpoint, problems = self.newest()
        if checkpoint is not None:
            step = _step(checkpoint.path)
            if problems:
                problems.append(f"The run goes on from step {step:,}.")
            if leads:
                self.quarantine(newer_than=step)
        return checkpoint, problems

    def quarantine(self, newer_than: int) -> None:
        """Rename the checkpoints of steps after ``newer_than``, so that none is gone on from.

        They are kept as ``….damaged``, the last ``keep`` of them.
        """
        for path in self.files():
            if _step(path) > newer_than:
                os.replace(path, path.with_suffix(".damaged"))
        for old in sorted(self.folder.glob("step-*.damaged"))[: -self.keep]:
            old.unlink(missing_ok=True)


def newest_checkpoint(folder: Path, maker: str = "faceswap train") -> Path:
    """The newest checkpoint in ``folder`` that is whole; all of it is read to find out.

    Raises CheckpointError when there is none, and names ``maker``, the command that makes one.
    """
    checkpoint, _ = CheckpointFolder(folder).newest()
    if checkpoint is None:
        raise _no_model(folder, maker)
    return checkpoint.path


def newest_weights(folder: Path, maker: str = "faceswap train") -> tuple[Checkpoint, list[str]]:
    """The weights of the newest checkpoint in ``folder`` in which they are whole, to use them.

    And what is to be told: what was wrong with newer ones. Raises CheckpointError when there is
    none, and names ``maker``, the command that makes one.
    """
    checkpoint, problems = CheckpointFolder(folder).newest(weights=True)
    if checkpoint is None:
        raise _no_model(folder, maker)
    if problems:
        problems.append(f"The model of step {_step(checkpoint.path):,} is used instead.")
    return checkpoint, problems


def _no_model(folder: Path, maker: str) -> CheckpointError:
    return CheckpointError(f"There is no trained model in {folder}; run '{maker}' first.")


def _step(path: Path) -> int:
    """The step that a checkpoint of this name is of."""
    return int(path.stem.removeprefix("step-"))


def _score(path: Path) -> float | None:
    """How good the model in ``path`` was found to be, where that was measured and can be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return float(json.loads(file.metadata()[HEADER])["numbers"]["score"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def _remove(part: Path) -> None:
    """Remove a folder, or file, that a save was prepared in."""
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Make the disk hold what was written to a file or, by its name, to a folder."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no handle for folders; its rename is written through
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def named_weights(module: torch.nn.Module, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """The state of ``module`` as named tensors under ``prefix/``."""
    for name, tensor in module.state_dict().items():
        yield f"{prefix}/{name}", tensor
