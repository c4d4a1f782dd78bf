"""What a user of the library does beside training: cut time, change V, precision and device, differentiate twice."""

import numpy as np
import pytest
import torch
from torch import nn

from fernn.errors import FernnError
from fernn.flows import Rotation, Scaling, Translation
from fernn.models import (
    CNN3D,
    FERNNCell,
    FERNNClassifier,
    FERNNPredictor,
    GRNNPlusClassifier,
    GRNNPredictor,
    ReferenceCell,
    RotationCell,
    RotationPredictor,
    winograd,
)
from tests.closeness import relative_error

QUARTER = {"degrees": 90, "fields": 1, "group_order": 4, "decoder_layers": 1}
PREDICTORS = {
    "translation": lambda **more: FERNNPredictor("V1T", **{"hidden_channels": 2, "decoder_layers": 1, **more}),
    "G-RNN": lambda **more: GRNNPredictor(**{"hidden_channels": 2, "decoder_layers": 1, **more}),
    "rotation": lambda **more: RotationPredictor("V1R", **{**QUARTER, **more}),
    "dense": lambda **more: RotationPredictor("V1R", **{**QUARTER, "convolution": "dense", **more}),
}
CLASSIFIERS = {
    "FERNN": lambda: FERNNClassifier("V1T", (2, 3), (3, 3)),
    "G-RNN+": lambda: GRNNPlusClassifier("V1T", (2, 3), (3, 3)),
    "3D-CNN": lambda: CNN3D(2),
}
CELLS = {
    "translation": lambda: FERNNCell("V1T", hidden_channels=2),
    "winograd": lambda: FERNNCell("V1T", hidden_channels=64),
    "mixing": lambda: FERNNCell("V1T", hidden_channels=2, mixing=1),
    "rotation": lambda: RotationCell(Rotation(1, 90), fields=2, order=4),
}
MODELS = {**PREDICTORS, **CLASSIFIERS}
of = pytest.mark.parametrize


def run(model: nn.Module, clips: torch.Tensor, steps: int = 1) -> torch.Tensor:
    """Logits, or the frames that follow."""
    return model(clips, steps) if hasattr(model, "decoder") else model(clips)


def frames(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@of("kind", CELLS)
@of("before", [1, 2])
def test_a_state_of_other_frames_is_refused(kind: str, before: int) -> None:
    """torch would stretch a batch or a pixel to fit, or resize the result."""
    cell, state = CELLS[kind](), None
    for _ in range(before):
        state = cell(frames(2), state)
    for other in (frames(1), frames(3), torch.rand(2, 1, 4, 4), torch.rand(2, 1, 12, 12)):
        with pytest.raises(FernnError, match=r"belongs to the cell and to the frames that made it"):
            cell(other, state)
    assert cell(frames(2), state).time == before + 1


RIGHT_ANGLES = Rotation(1, 90)


@of(
    ("own", "other", "said"),
    [
        (FERNNCell("V1T", hidden_channels=2), FERNNCell("V1T", hidden_channels=3), "whose maps are"),
        (FERNNCell("V1T", kernel_size=5), FERNNCell("V1T"), "kernel 5, mixing 0, got a state of .*, kernel 3"),
        (FERNNCell("V1T"), FERNNCell("V2T"), r"Translation\(k=1\), .*, got a state of Translation\(k=2\)"),
        (FERNNCell("V1T", mixing=1), FERNNCell("V1T"), "mixing 1, got a state of .*, mixing 0"),
        (RotationCell(RIGHT_ANGLES, fields=2, order=4), RotationCell(RIGHT_ANGLES, fields=1, order=4), "maps are"),
        (RotationCell(RIGHT_ANGLES, fields=2, order=4), RotationCell(RIGHT_ANGLES, fields=1, order=8), "one group"),
        (RotationCell("V1R", fields=1), RotationCell("V2R", fields=1), "belongs to the cell that made it"),
    ],
    ids=["channels", "kernel", "translations", "mixing", "fields", "group", "rotations"],
)
def test_a_state_of_another_cell_is_refused(own: nn.Module, other: nn.Module, said: str) -> None:
    with pytest.raises(FernnError, match=said):
        own(frames(1), other(frames(1)))


@of("shape", [(1, 8, 8), (2, 2, 8, 8), (2, 1, 1, 8, 8), (0, 1, 8, 8)])
@of("kind", CELLS)
def test_a_frame_of_another_shape_is_refused(kind: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(
        FernnError, match=r"Cell got a frame of shape .*expected \(batch >= 1, 1, (height, width|side, side)\)"
    ):
        CELLS[kind]()(torch.zeros(shape))


@of("kind", CELLS)
def test_time_can_be_cut_and_goes_on_with_new_weights(kind: str) -> None:
    cell = CELLS[kind]()
    state = cell(frames(1), cell(frames(1)))
    cut = state.detach()
    assert not any(each.requires_grad for each in (cut.maps if isinstance(cut.maps, tuple) else (cut.maps,)))
    assert torch.equal(cell(frames(1), cut).max(), cell(frames(1), state).max())
    kernel = cell.W.weights if isinstance(cell, RotationCell) else cell.W.weight
    state.max().sum().backward()
    kernel.grad = None
    with torch.no_grad():
        kernel.zero_()
    after = cell(frames(1), cut)
    assert torch.allclose(after.max(), cell(frames(1)).max(), atol=1e-6)  # W * h is nothing now
    after.max().sum().backward()  # not through what was before
    assert kernel.grad is not None


@of("kind", PREDICTORS)
@of("layers", [0, 1, 4])
def test_a_decoder_has_as_many_hidden_layers_as_asked_for(kind: str, layers: int) -> None:
    decoder = PREDICTORS[kind](decoder_layers=layers).decoder
    assert [type(each) for each in decoder][1::2] == [nn.ReLU] * layers
    assert sum(isinstance(each, nn.Conv2d) for each in decoder) == layers + 1


def test_a_decoder_has_four_hidden_layers_unless_told() -> None:
    models = FERNNPredictor("V1T"), GRNNPredictor(), RotationPredictor("V1R", 90, fields=1, group_order=4)
    for model in models:
        assert sum(isinstance(each, nn.ReLU) for each in model.decoder) == model.config["decoder_layers"] == 4


@of("kind", [*PREDICTORS, "FERNN"])
def test_other_generators_share_the_weights(kind: str) -> None:
    """In the precision and the mode of the model."""
    model, clips = MODELS[kind]().double().eval(), frames(1, 3).double()
    name = "V2R" if isinstance(model, RotationPredictor) else "V2T"
    other = model.with_flow(name)
    assert model.flow.name != other.flow.name == name
    assert other.config == {**model.config, "flow": name}
    assert not other.training
    assert all(a is b for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert run(other, clips).dtype == torch.float64
    assert not torch.equal(run(other, clips), run(model, clips))
    assert torch.equal(run(other.with_flow(model.flow), clips), run(model, clips))


def test_other_generators_for_weights_with_a_norm() -> None:
    model = PREDICTORS["translation"]()
    nn.utils.parametrizations.weight_norm(model.cell.W)
    assert torch.equal(model.with_flow("V2T").with_flow("V1T")(frames(1, 2), 1), model(frames(1, 2), 1))


@of("convolution", ["steerable", "dense", "auto"])
def test_what_is_fixed_stays_exact_in_every_precision(convolution: str) -> None:
    model = PREDICTORS["rotation"](convolution=convolution)
    expected, weights = model(frames(1, 2), 2), {k: v.clone() for k, v in model.state_dict().items()}
    model.bfloat16().half().float().load_state_dict(weights)
    assert torch.equal(model(frames(1, 2), 2), expected)
    exact = model.double()(frames(1, 2), 2)
    assert torch.allclose(exact.float(), expected, atol=1e-5)


@of("kind", MODELS)
def test_a_model_without_numbers_takes_them_later(kind: str) -> None:
    made = MODELS[kind]().eval()
    with torch.device("meta"):
        model = MODELS[kind]().eval()
    assert {each.device.type for each in (*model.parameters(), *model.buffers())} == {"meta"}
    model.to_empty(device="cpu").load_state_dict(made.state_dict())
    assert torch.equal(run(model, frames(1, 2), 2), run(made, frames(1, 2), 2))


@of("kind", PREDICTORS)
def test_a_default_precision_of_float64(kind: str) -> None:
    try:
        torch.set_default_dtype(torch.float64)
        assert PREDICTORS[kind]()(frames(1, 2).double(), 1).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@of("kind", MODELS)
def test_clips_of_another_precision_or_order_in_memory(kind: str) -> None:
    model = MODELS[kind]().eval()
    expected, taken = run(model, frames(1, 3)), run(model, frames(1, 3).double())
    assert taken.dtype == torch.float32
    assert torch.equal(taken, expected)
    if kind != "3D-CNN":  # whose kernels have five axes
        assert torch.allclose(run(model.to(memory_format=torch.channels_last), frames(1, 3)), expected, atol=1e-6)


@of("kind", MODELS)
@of("shape", [(0, 3, 1, 8, 8), (1, 0, 1, 8, 8), (1, 3, 2, 8, 8), (3, 1, 8, 8)])
def test_clips_of_another_shape_are_refused(kind: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(FernnError, match=r"expected \(batch >= 1,"):
        run(MODELS[kind](), torch.rand(shape))


@of("kind", MODELS)
@of("dtype", [torch.uint8, torch.int64, torch.bool])
def test_bytes_are_no_frames(kind: str, dtype: torch.dtype) -> None:
    with pytest.raises(FernnError, match=rf"got frames of {dtype}.*/ 255"):
        run(MODELS[kind](), torch.ones(1, 2, 1, 8, 8, dtype=dtype))


@of("kind", CELLS)
def test_a_burn_in_without_gradients_costs_later_steps_none(kind: str) -> None:
    """The kernel that was prepared in it would hold back those of the weights, in silence."""
    cell = CELLS[kind]()
    with torch.no_grad():
        state = cell(frames(1))
        state = cell(frames(1), state)
    cell(frames(1), cell(frames(1), state)).max().square().mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in cell.parameters())


@of("kind", CELLS)
def test_a_burn_in_under_autocast(kind: str) -> None:
    cell = CELLS[kind]()
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            state = cell(frames(1).double())
        cell(frames(1).double(), state).max().float().square().mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in cell.parameters())


def test_a_grnn_of_rotations_turns_nothing() -> None:
    """So any group will do."""
    assert RotationCell("V0R", order=8, fields=1)(frames(1)).lab().shape == (1, 1, 8, 8, 8)


@of("kind", PREDICTORS)
def test_steps_are_counted(kind: str) -> None:
    with pytest.raises(FernnError, match=r"steps=-1\): expected a whole number of at least 0"):
        PREDICTORS[kind]()(frames(1, 2), -1)


@of(
    ("build", "said"),
    [
        (lambda: FERNNCell(Rotation(1)), r"expected a Translation or its name, such as 'V2T'; found Rotation"),
        (lambda: FERNNCell("V1R"), r"'V1R' names no flow of translation"),
        (lambda: FERNNCell("V1T", activation="swish"), r"activation='swish'.*relu, tanh"),
        (lambda: FERNNCell("V1T", kernel_size=2), r"kernel_size=2\): .*odd"),
        (lambda: FERNNCell("V1T", kernel_size=-1), r"kernel_size=-1\): .*at least 1"),
        (
            lambda: FERNNCell("V1T", kernel_size=5)(torch.zeros(1, 1, 1, 9)),
            "1x9 pixels, smaller than the border of its kernel, 2",
        ),
        (lambda: RotationCell("V1R", kernel_size=2), r"kernel_size=2\): .*odd"),
        (lambda: RotationCell("V1R", convolution="fast"), r"convolution='fast'.*one of steerable, dense, auto"),
        (lambda: RotationCell("V1R", frame="moving"), r"frame='moving'.*one of lab, co-moving"),
        (
            lambda: RotationCell(Rotation(1, 45), order=7),
            "turns by 45 degrees per frame, but the group C_7 has steps of 51",
        ),
        (lambda: RotationCell("V1R", fields=1)(torch.zeros(2, 1, 9, 8)), r"expected \(batch >= 1, 1, side, side\)"),
        (
            lambda: FERNNClassifier("V1T", kernel_size=4),
            r"FERNNClassifier\(stem_kernels=.*kernel_size=4\): .*must be odd",
        ),
        (lambda: GRNNPlusClassifier("V1T", kernel_size=0), r"GRNNPlusClassifier\(kernel_size=0\): .*at least 1"),
        (lambda: FERNNClassifier("V1T", stem_kernels=[5, 2, 3]), "must be odd"),
        (lambda: FERNNClassifier("V1T", [3, 4], [5]), "FERNNClassifier: 2 stem_channels and 1 stem_kernels"),
        (lambda: FERNNClassifier("V1T", [], []), "FERNNClassifier: 0 stem_channels and 0 stem_kernels"),
        (lambda: FERNNClassifier("V2R"), "names no flow of translation"),
        (lambda: FERNNPredictor(2), r"expected a Translation or its name.*found 2"),
        (lambda: FERNNPredictor(None), r"expected a Translation or its name.*found None"),
        (lambda: FERNNClassifier(Rotation(1)), r"expected a Translation"),
        (lambda: RotationCell(Translation(1)), r"expected a Rotation or its name, such as 'V2R'; found Translation"),
        (lambda: RotationPredictor(Translation(1)), r"expected a Rotation"),
        (lambda: PREDICTORS["translation"]().with_flow(None), r"expected a Translation"),
        (lambda: PREDICTORS["rotation"]().with_flow("V1T"), r"'V1T' names no flow of rotation"),
        (lambda: PREDICTORS["rotation"]().with_flow(Rotation(1, 30)), r"turns by 30 degrees.*C_4"),
        (lambda: FERNNPredictor("V1T", decoder_layers=-1), r"Decoder\(layers=-1\): .* at least 0"),
        (lambda: FERNNCell("V1T", mixing=-1), r"mixing=-1\): .* at least 0"),
        (lambda: RotationCell("V1R", mixing=0.5), r"mixing=0\.5\): .* at least 0"),
        (lambda: ReferenceCell(Scaling(1), mixing="1"), r"mixing='1'\): .* at least 0"),
        (lambda: FERNNCell(Scaling(1)), r"expected a Translation .*found Scaling.*ReferenceCell takes any flow"),
        (lambda: FERNNCell("V1T", hidden_channels=0), r"hidden_channels=0\): expected a whole number of at least 1"),
        (lambda: RotationCell("V1R", fields=0), r"fields=0\)"),
        (lambda: RotationCell("V1R", order=0), r"order=0\)"),
        (lambda: FERNNClassifier("V1T", (2, 0), (3, 3)), r"stem_channels=0\)"),
        (lambda: FERNNCell("V1T", kernel_size=3.0), r"kernel_size=3\.0\): expected a whole number"),
        (lambda: RotationCell("V1R", kernel_size="3"), r"kernel_size='3'\): expected a whole number"),
        (lambda: FERNNClassifier("V1T", (2, 3), (3, 3.0)), r"stem_kernels=3\.0\): expected a whole number"),
        (lambda: CNN3D(base=2.0), r"base=2\.0\): expected a whole number"),
        (lambda: Rotation(1, "ten"), r"degrees='ten'\)"),
        (lambda: Rotation(1).move(torch.rand(1, 3, 4, 5, 5), 1, order=0), r"order=0\): .* at least 1"),
        (lambda: Rotation(1).move(torch.rand(1, 3, 4, 5, 5), 1, order=-4), r"order=-4\)"),
        (lambda: Translation(1).move(torch.rand(1, 9, 1, 5, 5), 1.5), r"time=1\.5\): time counts frames"),
        (lambda: Rotation(1).move(torch.rand(1, 3, 1, 5, 5), 2.0), r"time=2\.0\): time counts frames"),
    ],
)
def test_arguments_that_cannot_be(build, said: str) -> None:
    with pytest.raises(FernnError, match=said):
        build()


def test_numbers_of_numpy_are_numbers() -> None:
    assert Translation(np.int64(2)) == Translation(2)
    assert Rotation(np.int8(2), np.float32(30)) == Rotation(2, 30)
    assert hash(Translation(np.int64(2))) == hash(Translation(2))


@of("kind", CELLS)
def test_a_cell_tells_what_it_is(kind: str) -> None:
    said = repr(CELLS[kind]())
    assert ("V1R, degrees=90" in said and "fields=2, order=4" in said) or "V1T, activation='relu'" in said


def second_derivative(model: nn.Module) -> torch.Tensor:
    seen = frames(1, 2).to(next(model.parameters()).dtype).requires_grad_()
    (slope,) = torch.autograd.grad(model(seen, 1).square().sum(), seen, create_graph=True)
    (curve,) = torch.autograd.grad(slope.square().sum(), seen)
    return curve.double()


def test_a_second_derivative_of_many_channels() -> None:
    model = FERNNPredictor("V1T", hidden_channels=64, decoder_layers=1)
    with pytest.raises(FernnError, match=r"first derivative only.*winograd\.allowed\(False\)"):
        second_derivative(model)
    with winograd.allowed(False):
        found = second_derivative(model)
    assert relative_error(found, second_derivative(model.double())) < 1e-4  # of float64, Winograd has nothing


def test_a_second_derivative_of_rotations() -> None:
    model = PREDICTORS["rotation"](fields=2)
    with pytest.raises(FernnError, match=r"first derivative only.*convolution='dense'"):
        second_derivative(model)
    dense = PREDICTORS["dense"](fields=2)
    dense.load_state_dict(model.state_dict())
    assert relative_error(second_derivative(dense), second_derivative(dense.double())) < 1e-4


def test_a_model_that_could_not_be_moved_is_as_it_was() -> None:
    model = PREDICTORS["rotation"]()
    expected = model(frames(1, 2), 1)
    with pytest.raises((RuntimeError, AssertionError)):
        model.to("xpu")
    assert torch.equal(model(frames(1, 2), 1), expected)


def test_no_steps_have_the_precision_of_some() -> None:
    model = PREDICTORS["translation"]()
    assert {model(frames(1, 2).double(), steps).dtype for steps in (0, 1)} == {torch.float32}


@of("kind", MODELS)
def test_exported_programs_compute_the_same(kind: str) -> None:
    model = MODELS[kind]().eval()
    rest = (2,) if kind in PREDICTORS else ()
    any_batch = "rotation" not in kind and kind != "dense"
    shapes = ({0: torch.export.Dim("batch", min=2)} if any_batch else None, *(None for _ in rest))
    with torch.no_grad():
        program = torch.export.export(model, (frames(2, 3), *rest), dynamic_shapes=shapes).module()
        for batch in (2, 5) if any_batch else (2,):
            assert torch.allclose(program(frames(batch, 3), *rest), model(frames(batch, 3), *rest), atol=1e-6)


@of("kind", MODELS)
def test_weights_given_with_the_call(kind: str) -> None:
    model = MODELS[kind]().eval()
    arguments = (frames(2, 3), 2) if kind in PREDICTORS else (frames(2, 3),)
    halved = {name: value / 2 if value.is_floating_point() else value for name, value in model.state_dict().items()}
    given = torch.func.functional_call(model, halved, arguments)
    assert not torch.allclose(given, model(*arguments), atol=1e-6)
    model.load_state_dict(halved)
    assert torch.equal(given, model(*arguments))
