"""Additions and multiplications of a run's convolutions, counted on paper: what it costs before anything has run."""

from dataclasses import dataclass

from fernn.params import Params
from fernn.params.schema import KthArchitecture, RotationArchitecture
from fernn.runs import Run, evaluations_of, experiment_params

TRAINING = 3  # forward once, and backward for weights and for inputs
KTH_SEQUENCES = 2391  # of 25 persons
STANDIN_SEQUENCES = 24  # of a person in a scenario: six actions, four sequences each


@dataclass(frozen=True)
class Operations:
    """Of one run: its training, and its evaluation."""

    train: float
    evaluate: float


def of_run(params: Params, run: Run) -> Operations:
    """Count a run of a scale."""
    section = experiment_params(params, run.experiment)
    shown = training_sequences(params, run) * section.training.epochs
    if run.experiment == "kth":
        clip = forward(params, run, params.kth.data.frames, 0)
        tests = len(params.kth.data.persons.test) * sequences_of_a_person(params)
        return Operations(TRAINING * shown * clip, len(evaluations_of(params, run)) * tests * clip)
    data = getattr(params, run.experiment).data
    measured = {
        "test": data.test * forward(params, run, data.seen, data.predicted),
        "length": data.length.sequences * forward(params, run, data.seen, data.length.predicted),
        "velocity": data.velocity.sequences
        * generators(data.velocity.flow)
        * forward(params, run, data.seen, data.predicted),
    }
    train = TRAINING * shown * forward(params, run, data.seen, data.predicted)
    return Operations(train, sum(measured[name] for name in evaluations_of(params, run)))


def forward(params: Params, run: Run, seen: int, predicted: int) -> float:
    """One sequence, forward: `seen` frames taken in, `predicted` frames made."""
    section = getattr(params, run.experiment)
    shape, pixels, steps = section.architecture, section.data.frame**2, seen + predicted
    model = section.models[run.model]
    if run.experiment == "kth":
        if model.kind == "cnn3d":
            return _cnn3d(shape.cnn_base, seen, pixels)
        hidden = shape.stem_channels[-1]
        maps = generators(model.flow)
        # the first step needs no hidden convolution; at the second, all maps of a FERNN are the same up to a shift
        convolutions = maps * (steps - 1) if model.kind == "grnn+" else maps * (steps - 2) + 1
        kernels = maps * hidden * (2 * int(model.flow[1:-1]) + 1) ** 2 * (steps - 1) if model.kind == "grnn+" else 0
        products = _stem(shape) * steps + convolutions * (hidden * shape.kernel_size) ** 2 + kernels
        return 2.0 * products * pixels
    maps = generators(model.flow)
    if run.experiment == "rotation":
        channels = shape.fields * shape.group_order
        hidden_products = maps * (steps - 1) * _regular(shape)
        lifting = channels * shape.kernel_size**2 * steps
    else:
        channels = shape.hidden_channels
        hidden_products = (maps * (steps - 2) + 1) * (channels * shape.kernel_size) ** 2
        lifting = maps * channels * shape.kernel_size**2 * steps
    decoder = predicted * 9 * channels * (channels * shape.decoder_layers + 1)
    return 2.0 * (hidden_products + lifting + decoder) * pixels


def generators(flow: str) -> int:
    """Number of generators of a flow such as "V2T" or "V4R"."""
    line = 2 * int(flow[1:-1]) + 1
    return line**2 if flow.endswith("T") else line


def training_sequences(params: Params, run: Run) -> int:
    """Sequences of an epoch; of KTH's, about."""
    if run.experiment == "kth":
        return len(params.kth.data.persons.train) * sequences_of_a_person(params)
    count: int = getattr(params, run.experiment).data.train
    return count


def sequences_of_a_person(params: Params) -> int:
    """Sequences of KTH, or of its stand-ins; about, since some are too short or broken."""
    drawn = params.kth.source.stand_ins
    return STANDIN_SEQUENCES * len(drawn.scenarios) if drawn else round(KTH_SEQUENCES / 25)


def _stem(shape: KthArchitecture) -> int:
    widths = [1, *shape.stem_channels]
    layers = zip(widths, shape.stem_channels, shape.stem_kernels, strict=False)
    return sum(inputs * outputs * kernel**2 for inputs, outputs, kernel in layers)


def _regular(shape: RotationArchitecture) -> float:
    """Products at one pixel of a convolution of regular fields with regular fields."""
    fields, order, kernel = shape.fields, shape.group_order, shape.kernel_size
    if shape.convolution == "dense":
        return float((fields * order * kernel) ** 2)
    # for each fixed filter (two harmonics for each ring): every channel with its own copy, a transform over the
    # orientations, F x F matrices of complex numbers at half of the frequencies, and one transform back
    filters = 1 + 5 * (kernel // 2)
    transforms = fields * order * (order + 2) * (filters + 1)
    return fields * order * kernel**2 * filters + transforms + 4 * filters * fields**2 * (order // 2 + 1)


def _cnn3d(base: int, frames: int, pixels: int) -> float:
    total, inputs, left = 0.0, 1, float(pixels)
    for outputs, time, space in ((1, 2, 1), (2, 1, 2), (2, 1, 1), (4, 1, 2), (4, 1, 1)):
        frames, left = -(-frames // time), left / space**2
        total += 2 * 27 * inputs * outputs * base * frames * left
        inputs = outputs * base
    return total
