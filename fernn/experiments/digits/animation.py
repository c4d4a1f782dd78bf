"""`fernn animate`: what a trained predictor makes of a test sequence, as a GIF."""

from pathlib import Path

import torch

from fernn.data.mnist import load_mnist
from fernn.datasets.digits import digit_pools
from fernn.errors import FernnError
from fernn.experiments import find_experiment
from fernn.experiments.digits.experiment import DigitExperiment
from fernn.experiments.digits.figures import moving_forecasts
from fernn.experiments.digits.params import tested_on
from fernn.layout import Layout
from fernn.models.registry import PRETRAINED, WEIGHTS
from fernn.models.storage import read_model
from fernn.params import Params
from fernn.results.figures import STYLE, save_moving, stamp
from fernn.runs import Run, find_run, runs_of

STEPS = 30  # predicted
BASELINE = "G-RNN"  # shown beside any other model
DPI, FRAME_MS = 200, 150


def animate(params: Params, layout: Layout, name: str, to: Path | None = None, mnist: Path | None = None) -> str:
    """Save a GIF of the truth, the G-RNN and a run side by side: the frames seen, then 30 predicted frames.

    The sequence is the first one of the test of length. The G-RNN is trained on the same flow, with the same seed if
    there are several. Weights that are missing in results/ are the package's, where it has those of the run.

    Args:
        params: of the scale.
        layout: of its results.
        name: of the run.
        to: the file; None for one named after the run, in the working directory.
        mnist: folder of the digits; None for that of the params.

    Returns:
        The file, and the runs that it shows.

    Raises:
        FernnError: if the run predicts no frames or is not trained, or the digits are missing.
    """
    run = find_run(params, name)
    experiment = find_experiment(run.experiment)
    if not isinstance(experiment, DigitExperiment):
        raise FernnError(
            f"{name}: {run.experiment} recognizes actions and predicts no frames, so nothing can be shown."
        )
    trained = {each: path for each in runs_of(params, run.experiment) if (path := _weights(layout, each))}
    if run not in trained:
        train = f"fernn train {name} --scale {layout.scale}"
        raise FernnError(f"{name} is not trained: {layout.model(name)} is missing. Train it: {train}")
    beside = [each for each in trained if each.model == BASELINE != run.model and each.flow == run.flow]
    shown = [*sorted(beside, key=lambda each: each.seed != run.seed)[:1], run]
    section = experiment.section(params)
    data, motion = section.data, experiment.motion(section)
    digits = digit_pools(load_mnist(mnist or params.mnist.folder), data.digit, data.held_out, data.seed)["test"]
    stream = tested_on("length", run.flow)
    recipes = motion.sampler(run.flow, data.seed, stream, len(digits), data.digits).draw(1)
    frames = motion.render(digits, recipes, data.seen + STEPS, data.frame)
    forecasts = {}
    for each in shown:
        network = read_model(trained[each], (experiment.model(section, each.model).network,))
        with torch.no_grad():
            forecasts[each.model] = network(frames[:, : data.seen], STEPS)[0, :, 0].numpy()
    path = to or Path(f"{name.replace('/', '-')}.gif")
    import matplotlib.style

    with matplotlib.style.context(STYLE, after_reset=True):
        figures = moving_forecasts(frames[0, :, 0].numpy(), forecasts)
        for figure in figures:
            stamp(figure, params, [run], f"{data.predicted} steps")
        save_moving(figures, path, DPI, FRAME_MS)
    return f"{path}: truth, {', '.join(each.id for each in shown)}"


def _weights(layout: Layout, run: Run) -> Path | None:
    """The weights of a run in results/, or in the package."""
    shipped = [name for name, of in PRETRAINED.items() if (of["scale"], of["run"]) == (layout.scale, run.id)]
    candidates = [layout.model(run.id), *(WEIGHTS / f"{name}.safetensors" for name in shipped)]
    return next((path for path in candidates if path.is_file()), None)
