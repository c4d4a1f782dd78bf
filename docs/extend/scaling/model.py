"""The network: the paper's, over the flow of zooms."""

from fernn.flows import Scaling
from fernn.models.reference import ReferenceCell
from fernn.models.seq2seq import Decoder, Seq2Seq


class ScalingPredictor(Seq2Seq):
    """A FERNN over V_k^S, built and read by the name of its flow."""

    def __init__(self, flow: str, factor: float, hidden_channels: int, kernel_size: int, decoder_layers: int) -> None:
        config = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        cell = ReferenceCell(Scaling.parse(flow, factor), 1, hidden_channels, kernel_size)
        super().__init__(cell, Decoder(hidden_channels, 1, decoder_layers, circular=False), config)
