"""Lower halves of other faces come in below the nose, warped and in place."""

import torch

from faceswap.faces.align import mean_face
from faceswap.swap.training.pair_sampler import LowerFaces, RetargetedFaces
from faceswap.swap.training.retargeted_pictures import LowerHalves, put_lower_halves

SIDE = 64


def test_a_lower_half_changes_over_between_nose_and_lip() -> None:
    points = torch.from_numpy(mean_face().points[:, :2]).float()[None] * 0.9
    x = torch.tensor([1.0, 0.0])
    pictures, maps = torch.zeros(2, 3, SIDE, SIDE), torch.zeros(2, 4, SIDE // 2, SIDE // 2)
    white = torch.zeros(2, 3, SIDE, SIDE)
    white[..., :32] = 0.5
    twice = 2 * torch.eye(3, 4).expand(2, 3, 4)
    halves = LowerHalves(white, torch.ones(2, 4, SIDE // 2, SIDE // 2), twice)
    both = torch.cat([points, points])
    driven = RetargetedFaces(
        driven_rows=slice(0, 2),
        driving_side="a",
        driving_points=both,
        places=torch.tensor([0, 0]),
        start=both,
        end=both,
        lower=LowerFaces(torch.tensor([False, True]), torch.tensor([0, 0]), both, both + 0.125 * x),
        mouths=both,
        opened=torch.zeros(2),
        confidence=torch.ones(2),
    )
    theta = torch.eye(2, 3).expand(2, 2, 3)
    put_lower_halves((pictures, maps), halves, driven, theta)
    assert pictures[0].max() == 0
    assert maps[0].max() == 0
    nose, lip = ((points[0, n, 1] + 1) * SIDE / 2 for n in (33, 51))
    assert pictures[1, :, : int(nose) - 1].max() == 0
    below = pictures[1, 0, int(lip) + 2]
    assert below[:34].min() == 1, "the edge went four pixels to the right with the points"
    assert below[38:].max() == 0
    assert maps[1, :, int(lip) // 2 + 2 :].min() == 1
