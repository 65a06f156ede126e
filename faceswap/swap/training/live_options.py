"""Options of a run that can be changed while it trains."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from faceswap.errors import OptionsError
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.option_checks import check_masks
from faceswap.swap.training.options import TrainOptions, apply_tuning, describe_options
from faceswap.swap.training.run_config import comparable_loss_config, objective_config
from faceswap.swap.training.task import SwapTask
from faceswap.training.distributed import ProcessGroup
from faceswap.training.live_tuning import TuningChange
from faceswap.training.state import LoopConfig


class LiveOptions:
    """Applies what 'tune' requests to ``task``, which was made from ``options``; a ``Tuner``."""

    def __init__(
        self,
        options: TrainOptions,
        task: SwapTask,
        model: SwapModel,
        faces: Mapping[str, FaceSet],
        group: ProcessGroup,
    ) -> None:
        self._options, self._task, self._model = options, task, model
        self._faces, self._group = faces, group

    def __call__(self, values: Mapping[str, Any], config: LoopConfig) -> TuningChange:
        """The change of ``config`` and of the run's record.

        Raises OptionsError when ``values`` can't be used; then nothing has changed.
        """
        values = TrainOptions.current_names(values)
        options = apply_tuning(self._options, values)
        check_masks(options, self._model)
        new = self._changed(config, options, values)
        objective = objective_config(options)
        self._options, self._task.objective = options, objective
        losses = comparable_loss_config(options, objective, self._faces)
        return TuningChange(new, losses, options.run_options(), describe_options(values))

    def _changed(
        self, config: LoopConfig, options: TrainOptions, values: Mapping[str, Any]
    ) -> LoopConfig:
        rate = values.get("learning_rate", config.learning_rate)
        batch = values.get("batch", config.batch_size)
        count = self._group.size
        if not isinstance(rate, float) or not isinstance(batch, int) or batch % count:
            raise OptionsError(
                f"A rate of {rate} and a batch of {batch} can't be used; give numbers, and a batch "
                f"size that {count} processes can divide."
            )
        changed = replace(config, learning_rate=rate, batch_size=batch)
        if {"minutes", "steps"} & values.keys():
            return replace(changed, minutes=options.minutes, steps=options.steps, endless=False)
        return changed
