"""LSTM autoencoder: encodes a sequence of rows into one latent code and decodes it to rows."""

import torch
from pydantic import Field
from torch import Tensor, nn

from faceswap.autoencoder.interface import Autoencoder, OutputActivation, PictureConfig


class LstmConfig(PictureConfig):
    """Pictures (C, H, W) are read as H rows of C·W values. hidden: units of each LSTM."""

    hidden: int = Field(default=128, ge=1)
    latent_dim: int = Field(default=32, ge=1)
    output_activation: OutputActivation = "sigmoid"


class LstmAutoencoder(Autoencoder):
    """LSTM autoencoder with a bidirectional encoder and a decoder conditioned on the code.

    Source: Srivastava et al., "Unsupervised learning of video representations using LSTMs", ICML
    2015; here the decoder gets the code and a position embedding at every step instead of its own
    last output. The encoder is bidirectional because one direction forgets the first rows.
    """

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config.shape, config.latent_dim, config.output_activation)
        self.config = config
        row, hidden = config.shape[0] * config.shape[2], config.hidden
        self.reader = nn.LSTM(row, hidden, batch_first=True, bidirectional=True)
        self.shrink = nn.Linear(2 * hidden, config.latent_dim)
        self.begin = nn.Linear(config.latent_dim, 2 * hidden)
        self.grow = nn.Linear(config.latent_dim, hidden)
        self.place = nn.Parameter(0.1 * torch.randn(config.shape[1], hidden))
        self.writer = nn.LSTM(hidden, hidden, batch_first=True)
        self.row = nn.Linear(hidden, row)
        for layer in (self.reader, self.writer):
            _init_lstm_(layer)

    @property
    def output_bias(self) -> Tensor:
        """Biases of the last layer, (C · W,)."""
        return self.row.bias

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) → codes (N, code)."""
        _, (last, _) = self.reader(x.transpose(1, 2).flatten(2))
        code: Tensor = self.shrink(torch.cat([*last], 1))
        return code

    def decode_logits(self, code: Tensor) -> Tensor:
        """Codes (N, code) → logits (N, C, H, W)."""
        c, h, w = self.shape
        steps = self.grow(code)[:, None] + self.place
        state, cell = self.begin(code)[None].chunk(2, 2)
        rows: Tensor = self.row(self.writer(steps, (state.contiguous(), cell.contiguous()))[0])
        return rows.view(-1, h, c, w).transpose(1, 2)


def _init_lstm_(layer: nn.LSTM) -> None:
    """Orthogonal recurrent initialisation, forget-gate bias 1.

    Both keep gradients alive over many steps at the start of training. Sources: Saxe et al.,
    "Exact solutions to the nonlinear dynamics of learning", ICLR 2014; Jozefowicz et al., "An
    empirical exploration of recurrent network architectures", ICML 2015.
    """
    for name, values in layer.named_parameters():
        if name.startswith("weight_hh"):
            for gate in values.detach().chunk(4):
                nn.init.orthogonal_(gate)
        elif name.startswith("bias_ih"):
            values.detach().chunk(4)[1].fill_(1.0)
