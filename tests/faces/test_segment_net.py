"""The segmentation network: shapes, and the same scores folded and packed."""

import torch

from faceswap.faces.labels import Label
from faceswap.faces.segment_net import SEGMENT_SIZE, SegmentNet


def _settled() -> tuple[SegmentNet, torch.Tensor]:
    """A network whose normalisations have seen pictures, and a picture."""
    torch.manual_seed(3)
    net = SegmentNet().train()
    crops = torch.rand(4, 3, SEGMENT_SIZE, SEGMENT_SIZE)
    with torch.no_grad():
        net(crops)
    return net.eval(), crops[:2]


def test_every_pixel_has_a_score_for_each_label() -> None:
    net, crops = _settled()
    assert net(crops).shape == (2, len(Label), SEGMENT_SIZE, SEGMENT_SIZE)
    assert 4 * sum(weight.numel() for weight in net.parameters()) < 4 * 2**20


def test_folding_and_packing_keep_the_scores() -> None:
    net, crops = _settled()
    with torch.inference_mode():
        before = net(crops)
        torch.testing.assert_close(net.fold()(crops), before, rtol=1e-3, atol=1e-3)
        net.pack()  # where the operators exist
        torch.testing.assert_close(net(crops), before, rtol=1e-2, atol=1e-2)
