"""An LSTM autoencoder: reads a sequence row by row into one code, and writes it again."""

from pydantic import Field
from torch import Tensor, nn

from faceswap.autoencoder.family import Autoencoder, PictureConfig, Squash


class LstmConfig(PictureConfig):
    """Pictures (C, H, W) are read as H rows of C·W values. hidden: units of each LSTM."""

    hidden: int = Field(default=128, ge=1)
    numbers: int = Field(default=32, ge=1)
    squash: Squash = "sigmoid"


class LstmAutoencoder(Autoencoder):
    """Source: Srivastava et al., "Unsupervised learning of video representations using LSTMs",
    ICML 2015; the decoder sees the code at every step instead of its own last output.
    """

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config.shape, config.numbers, config.squash)
        self.config = config
        row = config.shape[0] * config.shape[2]
        self.reader = nn.LSTM(row, config.hidden, batch_first=True)
        self.shrink = nn.Linear(config.hidden, config.numbers)
        self.grow = nn.Linear(config.numbers, config.hidden)
        self.writer = nn.LSTM(config.hidden, config.hidden, batch_first=True)
        self.row = nn.Linear(config.hidden, row)

    def encode(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, code)."""
        _, (last, _) = self.reader(x.transpose(1, 2).flatten(2))
        code: Tensor = self.shrink(last[-1])
        return code

    def raw(self, code: Tensor) -> Tensor:
        """(N, code) → (N, C, H, W)."""
        c, h, w = self.shape
        said = self.grow(code)[:, None].expand(-1, h, -1)
        rows: Tensor = self.row(self.writer(said)[0])
        return rows.view(-1, h, c, w).transpose(1, 2)
