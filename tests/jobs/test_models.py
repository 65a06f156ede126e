from typing import Any

import pytest
from driving import finished

from faceswap.errors import OptionsError
from faceswap.jobs.models import ModelsOptions, ModelsSummary, models


def listed(batch: int = 16, **changes: Any) -> ModelsSummary:
    return finished(models(ModelsOptions(batch=batch, **changes)))[1]


def test_every_preset_is_listed_with_what_it_costs() -> None:
    found = {m.name: m for m in listed().models}
    assert list(found) == ["quick", "classic", "df", "liae"]
    assert found["classic"].parameters == pytest.approx(82.1, abs=0.1)
    # By hand: 2 × (9.8 + 3 × 210 + 2 × 16.8 + 302 + 3 × 302 + 20) million products.
    assert found["classic"].cost == pytest.approx(3.8, rel=0.03)
    assert found["quick"].cost < 1.5
    assert found["df"].train_memory > 4 * 4 * found["df"].parameters * 1e6 / 2**20
    text = listed().text()
    assert all(name in text for name in found)
    assert len(text.splitlines()) == 5


def test_memory_grows_with_the_batch() -> None:
    small, large = listed(16).models, listed(24).models
    assert all(s.train_memory < m.train_memory for s, m in zip(small, large, strict=True))
    assert all(s.swap_memory == m.swap_memory for s, m in zip(small, large, strict=True))


def test_a_size_or_variant_is_listed_for_the_presets_that_can_have_it() -> None:
    larger = {m.name: m for m in listed(resolution=256).models}
    assert list(larger) == ["quick", "df", "liae"]
    assert {m.resolution for m in larger.values()} == {256}
    plain = {m.name: m for m in listed().models}
    assert larger["df"].cost > 3 * plain["df"].cost
    assert [m.name for m in listed(variant="t").models] == ["df", "liae"]
    with pytest.raises(OptionsError, match="not made of u, d, t and c"):
        listed(variant="x")
