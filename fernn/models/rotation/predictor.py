"""Frame prediction: the sequence-to-sequence FERNN of rotating MNIST."""

from typing import Self

from fernn.flows.rotation import Rotation
from fernn.models.rotation.cell import RotationCell
from fernn.models.seq2seq import Decoder, Seq2Seq
from fernn.models.storage import with_flow


class RotationPredictor(Seq2Seq):
    """See some frames, then predict the next ones (paper, Section 5.1; released `Seq2SeqRotationRNN`).

    The decoder's convolutions are plain ones with zero padding, over all F*N channels (released code).

    Args:
        flow: the generators V, or their name, such as "V4R"; "V0R" is the G-RNN.
        degrees: the smallest turn per frame, where `flow` is a name.
        fields: F, regular fields of the hidden map of each generator.
        group_order: N of the rotation group C_N.
        channels: channels of a frame.
        kernel_size: width of the cell's filters in pixels, odd.
        decoder_layers: number of hidden layers (3x3 convolution and ReLU) before the last convolution.
        convolution: "steerable" computes the hidden convolution in its own basis, "dense" with the expanded filter,
            the same function up to rounding; "auto" takes either, by the channels (see
            `fernn.models.rotation.convolution.choose_convolution`).
        frame: "lab" (released code) or "co-moving", which turns the images in place of the hidden maps.

    Raises:
        FernnError: see `RotationCell`.

    The weights do not depend on V, the convolution or the frame.
    """

    cell: RotationCell

    def __init__(
        self,
        flow: Rotation | str,
        degrees: float = 10.0,
        fields: int = 32,
        group_order: int = 36,
        channels: int = 1,
        kernel_size: int = 3,
        decoder_layers: int = 4,
        convolution: str = "steerable",
        frame: str = "lab",
    ) -> None:
        flow = Rotation.of(flow, degrees)
        cell = RotationCell(flow, channels, fields, group_order, kernel_size, convolution, frame)
        super().__init__(
            cell,
            Decoder(fields * group_order, channels, decoder_layers, circular=False),
            {
                "flow": flow.name,
                "degrees": flow.degrees,
                "fields": fields,
                "group_order": group_order,
                "channels": channels,
                "kernel_size": kernel_size,
                "decoder_layers": decoder_layers,
                "convolution": convolution,
                "frame": frame,
            },
        )

    def with_flow(self, flow: Rotation | str) -> Self:
        """The same weights with other generators, a flow or the name of one in turns as now (shared, not copied).

        Raises:
            FernnError: if it is no flow of rotations, or its turns are not in the group.
        """
        chosen: Rotation = type(self.flow).of(flow, self.flow.degrees)
        chosen.turns(self.config["group_order"])
        return with_flow(self, chosen, degrees=chosen.degrees)

    @property
    def choices(self) -> dict[str, str]:
        """What was left to a rule, as it chose: the record of a run keeps it."""
        return {"convolution": self.cell.W.chosen}
