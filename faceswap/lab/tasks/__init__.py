"""The lab's tasks: each trains and evaluates an autoencoder on one problem."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faceswap.lab.framework.run import TaskFunction, TaskSettings
    from faceswap.lab.task_registry import TaskName


def task_functions() -> "dict[TaskName, Callable[[TaskSettings], TaskFunction]]":
    """The function of each task; their descriptions are in ``lab.task_registry``."""
    from faceswap.lab.tasks import (
        anomaly,
        audio,
        bottleneck,
        classification,
        comparison,
        generation,
        latent_space,
        regularisation,
        restoration,
        search,
        time_series,
        translation,
    )

    return {
        "family": comparison.compare_architectures,
        "reconstruct": bottleneck.reconstruct,
        "codes": bottleneck.compare_codes,
        "rate": bottleneck.rate,
        "scatter": bottleneck.scatter,
        "sequence": bottleneck.sequence,
        "transformer": bottleneck.transformer,
        "stacked": classification.stacked,
        "restraint": regularisation.compare_regularisers,
        "denoise": restoration.denoise,
        "occlusion": restoration.occlusion,
        "inpaint": restoration.inpaint,
        "superres": restoration.superres,
        "colourise": restoration.colourise,
        "shift": restoration.shift,
        "vae": generation.vae,
        "generate": generation.generate,
        "caption": generation.caption,
        "interpolate": latent_space.interpolate,
        "attributes": latent_space.attributes,
        "retrieve": search.retrieve,
        "anomaly": anomaly.anomaly,
        "series": time_series.time_series,
        "classify": classification.classify,
        "translate": translation.translate,
        "sound": audio.denoise_audio,
    }
