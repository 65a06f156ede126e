"""Former names, values and entries of options, and what is said of them."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field, ValidationError

from faceswap.options import Options, Presentation, help_list


class BoatOptions(Options):
    """Options of a job that only tests know."""

    renamed: ClassVar[Mapping[str, str]] = {"cloth": "sail", "paint": "look"}
    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "sail": {"triangle": "lateen"},
        "kind": {"dinghy": "tender"},
    }
    moved_entries: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "look": {"mast": "mast", "pole": "mast"}
    }

    kind: Annotated[Literal["tender", "ketch"], Presentation(positional=True)] = "ketch"
    sail: Literal["lateen", "square"] = "square"
    look: str = ""
    mast: Annotated[float, Field(ge=1)] = 5


@pytest.mark.parametrize(
    ("given", "current", "sentences"),
    [
        ({"sail": "square", "mast": 3}, {"sail": "square", "mast": 3}, []),
        (
            {"cloth": "triangle"},
            {"sail": "lateen"},
            ["--sail triangle is now called --sail lateen."],
        ),
        ({"kind": "dinghy"}, {"kind": "tender"}, ["dinghy is now called tender."]),
        (
            {"paint": "hull=red, pole = 7 ,deck=teak"},
            {"look": "hull=red,deck=teak", "mast": "7"},
            ["--look pole=7 is now --mast 7."],
        ),
        (
            {"look": "mast=7", "mast": 9.0},
            {"look": "", "mast": 9.0},
            ["--look mast=7 is now --mast 7."],
        ),
        ({"look": None, "sail": 5}, {"look": None, "sail": 5}, []),
        ({"look": "mast,pole="}, {"look": "mast,pole="}, []),
    ],
)
def test_former_names_values_and_entries_are_replaced(
    given: dict[str, object], current: dict[str, object], sentences: list[str]
) -> None:
    assert BoatOptions.with_notices(given) == (current, sentences)
    assert BoatOptions.current_names(given) == current


def test_options_are_made_from_them() -> None:
    boat = BoatOptions.model_validate({"cloth": "triangle", "paint": "pole=7", "kind": "dinghy"})
    assert boat == BoatOptions(sail="lateen", mast=7, kind="tender")
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        BoatOptions.model_validate({"paint": "pole=0"})
    with pytest.raises(ValidationError, match="'lateen' or 'square'"):
        BoatOptions.model_validate({"cloth": "round"})


def test_choices_are_listed_in_help() -> None:
    assert help_list("The boat", {"a": "floats", "b": "sinks"}) == (
        "The boat:\n\n* **a**: floats.\n* **b**: sinks."
    )
