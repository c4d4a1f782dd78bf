"""Frame prediction with translations: the FERNN of translating MNIST."""

from typing import Self

from fernn.flows.translation import Translation
from fernn.models.cell import FERNNCell
from fernn.models.seq2seq import Decoder, Seq2Seq
from fernn.models.storage import with_flow


class FERNNPredictor(Seq2Seq):
    """See some frames, then predict the next ones (paper, Section 5.1; released `Seq2SeqFERNN`).

    Args:
        flow: the generators V, or their name, such as "V2T".
        channels: channels of a frame.
        hidden_channels: channels of the hidden map of each generator.
        kernel_size: width of the cell's kernels in pixels, odd.
        decoder_layers: number of hidden layers (3x3 circular convolution and ReLU) before the last convolution, from 0.
        mixing: how far the cell couples generators; see `FERNNCell`.

    Raises:
        FernnError: see `FERNNCell`; or for a negative number of layers.

    The weights do not depend on V: a model trained with one set of generators can be given another (see `with_flow`).
    """

    cell: FERNNCell

    def __init__(
        self,
        flow: Translation | str,
        channels: int = 1,
        hidden_channels: int = 128,
        kernel_size: int = 3,
        decoder_layers: int = 4,
        mixing: int = 0,
    ) -> None:
        flow = Translation.of(flow)
        cell = FERNNCell(flow, channels, hidden_channels, kernel_size, mixing=mixing)
        super().__init__(
            cell,
            Decoder(hidden_channels, channels, decoder_layers, circular=True),
            {
                "flow": flow.name,
                "channels": channels,
                "hidden_channels": hidden_channels,
                "kernel_size": kernel_size,
                "decoder_layers": decoder_layers,
            }
            | ({"mixing": mixing} if mixing else {}),  # without it, the files of models are as before there was any
        )

    def with_flow(self, flow: Translation | str) -> Self:
        """The same weights with other generators, a flow or its name (shared, not copied).

        Raises:
            FernnError: if it is no flow of translations.
        """
        return with_flow(self, type(self.flow).of(flow))


class GRNNPredictor(FERNNPredictor):
    """The G-RNN baseline: equivariant to static shifts only, V = {0} (paper, Section 5.1).

    Takes the arguments of `FERNNPredictor` without `flow` and `mixing`, and raises what it does.
    """

    def __init__(
        self, channels: int = 1, hidden_channels: int = 128, kernel_size: int = 3, decoder_layers: int = 4
    ) -> None:
        super().__init__(Translation(0), channels, hidden_channels, kernel_size, decoder_layers)
        del self.config["flow"]

    def with_flow(self, flow: Translation | str) -> FERNNPredictor:  # type: ignore[override]  # no longer a G-RNN
        """The same weights with generators: a FERNN (shared, not copied).

        Raises:
            FernnError: if it is no flow of translations.
        """
        other = super().with_flow(flow)
        other.__class__ = FERNNPredictor  # type: ignore[assignment]
        return other
