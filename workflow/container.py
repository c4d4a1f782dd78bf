"""Jobs in a container: image, code and Apptainer's options."""

import os
from pathlib import Path

from fernn.errors import FernnError
from fernn.gpus import visible_gpus
from fernn.pipeline.image import FetchedImage, fetched, program

LINKED = (Path("results"), Path("data"))  # may lie elsewhere, where there is more room


def image_of(image: str | None, must: bool) -> FetchedImage | None:
    """The image for jobs of Snakemake with `--sdm apptainer`.

    Args:
        image: `image` of params.yaml.
        must: whether it is an error if that names none; else jobs run without.

    Raises:
        FernnError: if there is none that should be there.
    """
    if image is not None:
        return fetched(image)
    if must:
        raise FernnError(
            "--sdm apptainer wants an image, and params.yaml names none. Write image: docker://... there and run "
            "`fernn image fetch` (docs/image.md), or leave --sdm apptainer away."
        )
    return None


def tell_apptainer(image: FetchedImage, checkout: Path) -> None:
    """Set the variables by which Apptainer and the job in the container learn what they need."""
    prefix = (program() or "apptainer").upper()
    # The library is the checkout's, not the image's copy: it is the one whose digest the results carry.
    os.environ[f"{prefix}ENV_PYTHONPATH"] = str(checkout)
    os.environ[f"{prefix}ENV_FERNN_IMAGE"] = image.digest
    if visible_gpus():
        os.environ[f"{prefix}_NV"] = "1"  # --nv; asked where the job runs, since nodes differ
    # Apptainer shows a job the checkout, and not what its links lead to
    here = Path.cwd().resolve()
    outside = {str(path.resolve()) for path in LINKED if path.exists() and not path.resolve().is_relative_to(here)}
    bound = [path for path in os.environ.get(f"{prefix}_BIND", "").split(",") if path]
    if outside - set(bound):
        os.environ[f"{prefix}_BIND"] = ",".join([*bound, *sorted(outside - set(bound))])
