"""All jobs by command name.

A name of two words, such as ``sample people``, is a command in a group, which may be a command
itself.
"""

from collections.abc import Callable, Generator, Mapping
from typing import Any, get_type_hints

from faceswap.events import Event, Summary
from faceswap.jobs import (
    convert,
    demo,
    doctor,
    evaluate,
    extract,
    lab,
    landmarks,
    masks,
    mend,
    models,
    people,
    pretrain,
    preview,
    queue,
    restore,
    runs,
    sample,
    sample_people,
    serve,
    sources,
    swap,
    timelapse,
    train,
    tune,
    unswapped,
)
from faceswap.options import Options

JobFunction = Callable[[Any], Generator[Event, None, Summary]]
"""A job: takes its own options model, yields events, returns its own summary."""

JOBS: Mapping[str, JobFunction] = {
    "swap": swap.swap,
    "extract": extract.extract,
    "mend": mend.mend,
    "people": people.people,
    "sources": sources.sources,
    "train": train.train,
    "tune": tune.tune,
    "runs": runs.runs,
    "convert": convert.convert,
    "unswapped": unswapped.unswapped,
    "preview": preview.preview,
    "serve": serve.serve,
    "landmarks": landmarks.landmarks,
    "masks": masks.masks,
    "sample": sample.sample,
    "sample people": sample_people.sample_people,
    "evaluate": evaluate.evaluate,
    "demo": demo.demo,
    "pretrain": pretrain.pretrain,
    "models": models.models,
    "timelapse": timelapse.timelapse,
    "lab": lab.lab,
    "restore": restore.restore,
    "queue": queue.queue,
    "doctor": doctor.doctor,
}


def options_of(job: JobFunction) -> type[Options]:
    """The options model that ``job`` takes."""
    options = get_type_hints(job)["options"]
    if not (isinstance(options, type) and issubclass(options, Options)):
        raise TypeError(f"{job} takes {options}, which is not an Options model")
    return options
