import numpy as np
import pytest

from faceswap.training.held_out_split import Role, split_roles


def film(frames: int, rate: float = 25.0) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(frames) / rate, np.zeros(frames, int)


@pytest.mark.parametrize("frames", [130, 200, 400, 1000, 5000])
def test_what_is_held_out_is_a_second_from_what_is_trained_on(frames: int) -> None:
    seconds, sources = film(frames)
    role = split_roles(seconds, sources)
    held, trained = seconds[role == Role.HELD_OUT], seconds[role == Role.TRAINING]
    assert 4 <= len(held) <= 64
    assert np.abs(held[:, None] - trained).min() >= 1 - 1e-6
    assert (role == Role.GAP).mean() <= 0.2


def test_long_films_have_more_stretches_and_short_ones_none() -> None:
    def stretches(frames: int) -> int:
        role = split_roles(*film(frames))
        return int((np.diff((role == Role.HELD_OUT).astype(int), prepend=0) == 1).sum())

    assert [stretches(n) for n in (100, 200, 300, 600, 2000)] == [0, 1, 1, 2, 4]
    assert not split_roles(*film(39, 1.0)).any()
    assert (split_roles(*film(40, 1.0)) == Role.HELD_OUT).sum() == 4
    assert (split_roles(*film(100_000)) == Role.HELD_OUT).sum() == 64


def test_two_films_lie_apart_and_the_order_of_faces_does_not_matter() -> None:
    seconds, sources = film(200)
    seconds, sources = np.concatenate([seconds, seconds]), np.concatenate([sources, sources + 1])
    role = split_roles(seconds, sources)
    assert (role == Role.HELD_OUT).sum() == 20
    mixed = np.random.default_rng(0).permutation(400)
    assert np.array_equal(split_roles(seconds[mixed], sources[mixed]), role[mixed])
    for source in (0, 1):
        mine = sources == source
        held, trained = (seconds[mine & (role == r)] for r in (Role.HELD_OUT, Role.TRAINING))
        assert np.abs(held[:, None] - trained).min(initial=9) >= 1 - 1e-6
