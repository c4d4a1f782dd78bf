"""Operations are those of the real models: as they are on a CPU, and as convolutions written out by hand."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from fernn.experiments import find_experiment, load_params
from fernn.experiments.experiment import Pass
from fernn.layout import Layout
from fernn.models.predictor import FERNNPredictor
from fernn.params import Params
from fernn.preflight.operations import META, TRAINING, count, models, of_run
from fernn.runs import Run, all_runs

QUICK = load_params("params.yaml", "quick")


def runs_of_models(params: Params) -> dict[tuple[str, str], Run]:
    return {(run.experiment, run.model): run for run in all_runs(params).values()}


def changed(experiment: str, **architecture) -> Params:
    section = getattr(QUICK, experiment)
    section = section.model_copy(update={"architecture": section.architecture.model_copy(update=architecture)})
    return QUICK.model_copy(update={experiment: section})


RUNS = runs_of_models(QUICK)
CASES = [(QUICK, run) for run in RUNS.values()]
for form in ({"convolution": "steerable"}, {"frame": "lab"}):
    CASES += [(changed("rotation", **form), RUNS["rotation", model]) for model in ("G-RNN", "FERNN-V2R")]
NAMES = [f"{run.experiment}-{run.model}-{number}" for number, (_, run) in enumerate(CASES)]


def forward(params: Params, run: Run, seen: int, predicted: int | None = None) -> float:
    """As counted, of one sequence."""
    side = params.section(run.experiment).data.frame
    return models(params)[run.experiment, run.model](Pass(1, side, seen, predicted))


def on_a_cpu(params: Params, run: Run, seen: int, predicted: int | None = None) -> int:
    """Every step of the model, with numbers."""
    model = find_experiment(run.experiment).training(params, Layout("quick"), run).inputs.model.build().eval()
    side = params.section(run.experiment).data.frame
    return count(model, side, seen, *([predicted] if predicted else []))


@pytest.mark.parametrize(("params", "run"), CASES, ids=NAMES)
def test_steps_that_are_not_counted_are_like_those_that_are(params, run) -> None:
    data = params.section(run.experiment).data
    lengths = (
        [(data.frames, None)] if run.experiment == "kth" else [(1, 1), (1, 4), (data.seen, data.predicted), (5, 2)]
    )
    counted = [forward(params, run, *length) for length in lengths]
    assert counted == [on_a_cpu(params, run, *length) for length in lengths]


@pytest.mark.parametrize(("model", "maps"), [("G-RNN", 1), ("FERNN-V1T", 9), ("FERNN-V2T", 25)])
def test_translation_written_out(model, maps) -> None:
    """12 channels, 3x3 pixels, two hidden layers of the decoder, on 14x14 pixels."""
    seen, predicted = 4, 8
    U, W, decoder = 1 * 12 * 9, 12 * 12 * 9, 2 * 12 * 12 * 9 + 12 * 1 * 9
    first, second, later = U, maps * U + W, maps * (U + W)  # h_0 = 0, and h_1 is one map
    products = first + second + (seen + predicted - 2) * later + predicted * decoder
    assert forward(QUICK, RUNS["translation", model], seen, predicted) == 2 * 14 * 14 * products


@pytest.mark.parametrize(("model", "maps"), [("G-RNN", 1), ("FERNN-V2R", 5), ("FERNN-V4R", 9)])
@pytest.mark.parametrize("convolution", ["dense", "steerable"])
def test_rotation_written_out(model, maps, convolution) -> None:
    """2 fields of C_12, 3x3 pixels, two hidden layers of the decoder, on 14x14 pixels; in the lab frame."""
    seen, predicted, elements, lifted = 4, 6, 6 * 12, 6
    U, decoder = 24 * 9, 2 * 24 * 24 * 9 + 24 * 9
    if convolution == "dense":
        W, expanded = 24 * 24 * 9, 2 * 2 * elements * 12 * 12 * 9
    else:
        # five filters for each channel; a transform of 6 * 2 maps; at 7 frequencies complex matrices; a transform back
        W = 24 * 5 * 9 + 14 * 12 * (6 * 2) + 7 * (2 * 2) * (2 * 6 * 2) + 12 * 14 * 2
        expanded = 2 * 2 * elements * (7 * 2 * 2 * 6)  # weights to matrices
    expanded += 2 * lifted * 12 * 9
    products = (seen + predicted) * U + (seen + predicted - 1) * maps * W + predicted * decoder
    params = changed("rotation", convolution=convolution, frame="lab")
    assert forward(params, RUNS["rotation", model], seen, predicted) == 2 * (14 * 14 * products + expanded)


def test_kth_written_out() -> None:
    """Stem 1-8-8-16 with 5, 3 and 3 pixels; 5 frames of 12x12 pixels; six actions. 3D-CNN: 8 channels, then strides."""
    stem, W, head = 1 * 8 * 25 + 8 * 8 * 9 + 8 * 16 * 9, 16 * 16 * 9, 16 * 6
    recurrent = {
        "G-RNN": 5 * stem + (1 + 3) * W,
        "FERNN-V1T": 5 * stem + (1 + 3 * 9) * W,
        "G-RNN+": 5 * stem + 4 * 25 * (16 * 25 + W),
    }
    for model, products in recurrent.items():
        assert forward(QUICK, RUNS["kth", model], 5) == 2 * (144 * products + head)
    blocks = [(1, 8, 3, 12), (8, 16, 3, 6), (16, 16, 3, 6), (16, 32, 3, 3), (32, 32, 3, 3)]
    products = sum(27 * inputs * outputs * frames * side**2 for inputs, outputs, frames, side in blocks)
    assert forward(QUICK, RUNS["kth", "3D-CNN"], 5) == 2 * (products + 32 * 6)


def test_backward_costs_twice_as_much_as_forward() -> None:
    model = FERNNPredictor("V1T", hidden_channels=32).to(META)
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, 1, 8, 8, device=META), 3).sum().backward()
    assert counter.get_total_flops() == pytest.approx(TRAINING * count(model, 8, 3, 3), rel=0.05)


def test_weights_are_those_of_the_models() -> None:
    model = FERNNPredictor("V1T", hidden_channels=12, decoder_layers=2)
    counted = models(QUICK)
    assert counted.keys() == RUNS.keys()
    assert counted["translation", "FERNN-V1T"].weights == sum(each.numel() for each in model.parameters())


def test_training_counts_every_epoch_forward_and_backward() -> None:
    run, data = RUNS["translation", "FERNN-V2T"], QUICK.translation.data
    once = forward(QUICK, run, data.seen, data.predicted)
    counted = of_run(QUICK, run, models(QUICK))
    training = QUICK.translation.training
    assert counted.train == once * (TRAINING * data.train + data.validation) * training.epochs
    batches = data.train // training.batch
    often = training.model_copy(update={"validate_every": batches // 4})
    assert (training.validations(data.train), often.validations(data.train)) == (1, 4)
    assert counted.evaluate > once * data.test
