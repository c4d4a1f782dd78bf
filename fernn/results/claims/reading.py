"""Files of claims: the paper's, or those of an experiment of one's own."""

from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError, model_validator

from fernn.errors import FernnError
from fernn.results.claims.claim import Asked, Bound, Cell, Claim, Entry, Exact, Factor, Line, Order

PAPER = Path(__file__).with_name("claims.yaml")  # the claims of the paper


class Claims(Entry):
    """All claims of a file, by kind. `level`: of each one-sided test."""

    level: Annotated[float, Field(gt=0, lt=0.5)]
    cells: tuple[Cell, ...] = ()
    factors: tuple[Factor, ...] = ()
    orders: tuple[Order, ...] = ()
    bounds: tuple[Bound, ...] = ()
    lines: tuple[Line, ...] = ()
    exact: tuple[Exact, ...] = ()

    @property
    def all(self) -> tuple[Claim, ...]:
        """In the order of the file's kinds."""
        return (*self.cells, *self.factors, *self.orders, *self.bounds, *self.lines, *self.exact)

    @model_validator(mode="after")
    def _once(self) -> "Claims":
        seen: set[tuple[type, str, tuple[Asked, ...], str]] = set()
        for claim in self.all:
            key = type(claim), claim.experiment, claim.asks, claim.text
            if key in seen:
                raise ValueError(f"{claim.experiment}: {claim.text!r} stands there twice")
            seen.add(key)
        return self


@cache
def read_claims(path: Path = PAPER) -> Claims:
    """The claims of a file.

    Raises:
        FernnError: if it is missing or malformed; the message names the entry.
    """
    try:
        return Claims.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise FernnError(f"{path} is missing: an experiment's evidence names it as the file of its claims.") from None
    except yaml.YAMLError as error:
        raise FernnError(f"{path} is no YAML: {error}. Mend it; docs/claims.md has the form.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise FernnError(f"{path}: {place}: {first['msg']}. Mend it; docs/claims.md has the form.") from None


def flow_of(experiment: str, measure: str) -> str:
    """The flow of the data that the cells of the paper's table of a measure are of."""
    return next(cell.flow for cell in read_claims().cells if (cell.experiment, cell.measure) == (experiment, measure))
