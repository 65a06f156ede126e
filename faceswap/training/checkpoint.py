"""Checkpoint files: atomic writes, checksums, retention, loading for resume or for inference.

A checkpoint is one ``.safetensors`` file: tensors under ``model/``, ``ema/``, ``optimiser/``
and ``state/``, and in its header a JSON text with the kind of model, its config and the counters
of the run. It is written in a temporary folder, flushed to disk and renamed, so that a file of
the final name is always whole. Checksums of the header and of each tensor detect later damage,
also where only the weights are read: a quarter of the file; the rest is needed to resume.
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
from faceswap.io.atomic import fsync_file, fsync_folder, replace_file
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
    """Contents of a checkpoint file.

    kind: the model class. config: arguments to rebuild the model. metadata: counters and notes of
    the run, JSON values. tensors: on the CPU, contiguous.
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
    """Write a checkpoint atomically.

    Raises OutputError when the disk is full or the folder cannot be written.
    """
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {
        "format": FORMAT,
        "kind": kind,
        "config": dict(config),
        "numbers": dict(numbers),
        "checksums": {name: checksum_of(name, tensor) for name, tensor in on_cpu.items()},
    }
    # A folder, as safetensors makes up a temporary name, and a kill would leave that file behind.
    part = path.with_suffix(".part")
    written = part / path.name
    try:
        part.mkdir(exist_ok=True)
        save_file(on_cpu, written, metadata=file_metadata(header))
        # safetensors makes the file private; apply the umask instead, as the folder has it.
        os.chmod(written, part.stat().st_mode & 0o666)
        fsync_file(written)
        replace_file(written, path)
        fsync_folder(path.parent)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"Cannot save {path}: {error}.") from error
    finally:
        _remove(part)


def read_checkpoint(path: Path, *, weights: bool = False) -> Checkpoint:
    """Read and verify a checkpoint.

    weights: load only the weights for inference: the EMA weights, or the trained ones where there
    are none. The rest of the file is then neither read nor verified, and the tensors are copies;
    otherwise they may be views of the memory-mapped file.

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
    """The checkpoints of one run, ``step-000001234.safetensors``.

    Keeps the newest ``keep``, the one with the highest ``score`` in its metadata, and the newest
    healthy one.
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
        """Path of the checkpoint of ``step``, which need not exist."""
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
        """Save a checkpoint and delete those not kept; raises OutputError.

        good: the last step at which the run was healthy.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make {self.folder}: {error.strerror}.") from error
        path = self.path(step)
        write_checkpoint(path, kind, config, numbers, tensors)
        for old in set(self.files()) - self._to_keep(good):
            with suppress(OSError):  # Windows refuses while mapped; the next save retries
                old.unlink(missing_ok=True)
        return path

    def _to_keep(self, good: int) -> set[Path]:
        files = self.files()
        kept = {*files[-self.keep :], *[path for path in files if _step(path) <= good][-1:]}
        scored = [(score, path) for path in files if (score := _score(path)) is not None]
        return kept | {path for _, path in sorted(scored)[-1:]}

    def newest(
        self, until: int | None = None, *, weights: bool = False
    ) -> tuple[Checkpoint | None, list[str]]:
        """The newest valid checkpoint, None without any, and what was wrong with newer ones.

        until: ignore later steps. weights: as for ``read_checkpoint``. Raises CheckpointError when
        none is valid, NewerCheckpointError when the newest is from a newer version of faceswap,
        rather than silently resume an older one.
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
                f"({problems[0]}); restore one from a backup, or start a new run with --run."
            )
        return None, problems

    def load_for_resume(self, *, leads: bool = True) -> tuple[Checkpoint | None, list[str]]:
        """As ``newest``, to resume training; renames newer, damaged checkpoints to ``.damaged``.

        Deletes what a killed save left behind. leads: whether this is the main process, which
        alone changes files.
        """
        if leads and self.folder.is_dir():
            for part in self.folder.glob("*.part"):
                _remove(part)
        checkpoint, problems = self.newest()
        if checkpoint is not None:
            step = _step(checkpoint.path)
            if problems:
                problems.append(f"Training resumes from step {step:,}.")
            if leads:
                self.quarantine(newer_than=step)
        return checkpoint, problems

    def quarantine(self, newer_than: int) -> None:
        """Rename checkpoints after step ``newer_than``, so that training never resumes from them.

        The newest ``keep`` of them are kept as ``.damaged``.
        """
        for path in self.files():
            if _step(path) > newer_than:
                os.replace(path, path.with_suffix(".damaged"))
        for old in sorted(self.folder.glob("step-*.damaged"))[: -self.keep]:
            old.unlink(missing_ok=True)


def newest_checkpoint(folder: Path, maker: str = "faceswap train") -> Path:
    """Path of the newest valid checkpoint in ``folder``; reads the whole file to verify it.

    Raises CheckpointError when there is none, with ``maker``, the command that makes one.
    """
    checkpoint, _ = CheckpointFolder(folder).newest()
    if checkpoint is None:
        raise _no_model(folder, maker)
    return checkpoint.path


def newest_weights(folder: Path, maker: str = "faceswap train") -> tuple[Checkpoint, list[str]]:
    """Weights for inference of the newest checkpoint in ``folder`` where they are valid.

    Also returns messages about what was wrong with newer ones. Raises CheckpointError when there
    is none, with ``maker``, the command that makes one.
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
    """The step in a checkpoint's file name."""
    return int(path.stem.removeprefix("step-"))


def _score(path: Path) -> float | None:
    """Score of the model in ``path``; None where it was not measured or can't be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return float(json.loads(file.metadata()[HEADER])["numbers"]["score"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def _remove(part: Path) -> None:
    """Delete a temporary folder or file of a save."""
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def named_weights(module: torch.nn.Module, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """The state dict of ``module``, with names under ``prefix/``."""
    for name, tensor in module.state_dict().items():
        yield f"{prefix}/{name}", tensor
