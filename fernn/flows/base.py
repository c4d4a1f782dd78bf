"""The interface of a flow, and what all flows need: whole numbers, and index tensors that are made once."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from typing import Any, ClassVar, Literal, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fernn.errors import FernnError
from fernn.flows.names import reach

T = TypeVar("T")
ACTION = "act", "move", "offsets", "sources", "turns"  # what the cells for one kind of flow compute by themselves


def whole(number: Any) -> int | None:
    """A whole number, such as NumPy's, as an int of Python; None for anything else, such as 2.0 and True."""
    if isinstance(number, bool):
        return None
    try:
        return operator.index(number)
    except TypeError:
        return None


@dataclass(frozen=True)
class Flow(ABC):
    """A one-parameter group of transformations psi_t(nu), for each generator nu of a finite set V_k (paper, Section 4):

        psi_0(nu).f = f,    psi_s(nu).psi_t(nu).f = psi_{s+t}(nu).f

    f is a map of channels on a grid of pixels and t counts frames. The generators are multiples -k ... k of a smallest
    one, along each axis that they have. A new flow defines `letter`, `exact`, `generators` and `act`;
    `fernn.models.reference.ReferenceCell` takes any flow. A FERNN is as equivariant as its convolutions commute with
    psi_t(nu): all of them do with translations, steerable ones with rotations.

    Args:
        k: of V_k, at least 0; V_0 is the G-RNN.

    Raises:
        FernnError: if `k` is not a whole number of at least 0.
    """

    k: int
    letter: ClassVar[str]  # of the names of V_k: "T" in "V2T"
    padding: ClassVar[Literal["zeros", "circular"]] = "zeros"  # outside of the frame, as torch's `padding_mode`

    def __post_init__(self) -> None:
        k = whole(self.k)
        if k is None or k < 0:
            raise FernnError(f"{type(self).__name__}(k={self.k!r}): expected k of V_k, a whole number of at least 0.")
        object.__setattr__(self, "k", k)

    @classmethod
    def parse(cls, name: str, *arguments: Any) -> Self:
        """Read a name such as "V2T" (V_2^T); `arguments` are those that follow k.

        Raises:
            FernnError: if the name has another form.
        """
        return cls(reach(name, cls.letter), *arguments)

    @classmethod
    def of(cls, flow: Any, *arguments: Any) -> Self:
        """A flow of this kind, given itself or its name (see `parse`).

        Raises:
            FernnError: if it is neither, or a subclass that moves maps in another way than this class.
        """
        if isinstance(flow, str):
            return cls.parse(flow, *arguments)
        other = "" if not isinstance(flow, Flow) else " fernn.models.reference.ReferenceCell takes any flow."
        if not isinstance(flow, cls):
            raise FernnError(f"expected a {cls.__name__} or its name, such as {cls(2).name!r}; found {flow!r}.{other}")
        own = [name for name in ACTION if getattr(type(flow), name, None) is not getattr(cls, name, None)]
        if own:
            raise FernnError(
                f"{type(flow).__name__} moves maps in a way of its own ({', '.join(own)}); "
                f"a model of {cls.__name__} would not use it.{other}"
            )
        return flow

    @property
    def name(self) -> str:
        """The name used in params.yaml and in file names, such as "V2T"."""
        return f"V{self.k}{self.letter}"

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether psi_t(nu) permutes the pixels of a square grid, so that nothing is interpolated or lost."""

    @property
    @abstractmethod
    def generators(self) -> Sequence[Any]:
        """The generators nu of V_k, in the order of all hidden maps: numbers, or tuples of numbers, per frame."""

    @abstractmethod
    def act(self, maps: Tensor, nu: Any, time: int) -> Tensor:
        """psi_t(nu).f for maps f, (B, C, H, W). Differentiable."""

    def __len__(self) -> int:
        return len(self.generators)

    def turns(self, order: int) -> tuple[int, ...]:
        """How many steps each generator rolls the orientations of a regular representation of C_order in one frame."""
        return (0,) * len(self)

    def move(self, maps: Tensor, time: int, order: int = 1) -> Tensor:
        """Apply psi_t(nu) to the map of each generator.

        Args:
            maps: (B, V, C, H, W), or (B, 1, C, H, W) for one map that every generator is to move.
            time: t in frames; negative values move backwards.
            order: 1 for images. N for feature maps of the regular representation of C_N, channels (field,
                orientation) as in escnn: their orientation axis rolls by `turns`.

        Returns:
            (B, V, C, H, W). Differentiable.

        Raises:
            FernnError: if the second axis holds neither one map nor one for each generator, the channels are no
                multiple of `order`, a turn is no element of C_N, or t is no whole number.
        """
        self._check(maps, time, order)
        every = maps.expand(-1, len(self), -1, -1, -1)
        moved = [self.act(every[:, i], nu, time) for i, nu in enumerate(self.generators)]
        if order > 1:
            turns = self.turns(order)
            moved = [m.unflatten(1, (-1, order)).roll(time * turns[i], 2).flatten(1, 2) for i, m in enumerate(moved)]
        return torch.stack(moved, 1)

    def difference(self, nu: Any, nu_hat: Any) -> Any:
        """The generator nu - nu_hat, or None if V does not hold it."""
        found = self._find(np.subtract(nu, nu_hat).reshape(1, -1))[0]
        return None if found < 0 else self.generators[found]

    def neighbours(self, mixing: int) -> NDArray[np.int64]:
        """The generators nu + d around each nu, for all d in V_m with m = `mixing`: what a kernel over V x G couples.

        Returns:
            (V, D): their indices in V, in the order of the generators d of V_m; -1 outside of V.
        """
        return self._find(self._points()[:, None] + replace(self, k=mixing)._points())

    def _points(self) -> NDArray[np.float64]:
        """V as points (V, axes)."""
        return np.reshape(np.array(self.generators, dtype=np.float64), (len(self), -1))

    def _find(self, points: NDArray[np.float64]) -> NDArray[np.int64]:
        """The index of each point (..., axes) in V, or -1."""
        same = np.isclose(points[..., None, :], self._points()).all(-1)
        return np.where(same.any(-1), same.argmax(-1), -1)

    def _check(self, maps: Tensor, time: Any, order: Any) -> None:
        if whole(time) is None:
            raise FernnError(
                f"move(time={time!r}): time counts frames, a whole number; a negative one moves backwards."
            )
        if (whole(order) or 0) < 1:
            raise FernnError(
                f"{self!r}.move(order={order!r}): expected N of a group C_N, a whole number of at least 1."
            )
        if maps.ndim != 5 or maps.shape[1] not in (1, len(self)) or maps.shape[2] % order:
            multiple = f", channels a multiple of {order}" if order > 1 else ""
            raise FernnError(
                f"{self!r}.move got maps of shape {tuple(maps.shape)}: expected "
                f"(batch, {len(self)} or 1, channels, height, width){multiple}."
            )


def kept(most: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Cache the tensors, or tuples of them, that a function makes, for the `most` latest arguments.

    Tensors made while torch traces a program (`torch.export`, fake tensors) belong to that program: they are returned
    and not cached. Tensors made in inference mode are ordinary ones, so that training can use them, too.
    """

    def keeping(make: Callable[..., T]) -> Callable[..., T]:
        make = torch.inference_mode(False)(make)

        @lru_cache(maxsize=most)
        def made(*arguments: Any) -> T:
            result = make(*arguments)
            if any(type(each) is not Tensor for each in _tensors(result)):
                raise _Traced(result)  # lru_cache does not cache errors
            return result

        @wraps(make)
        def call(*arguments: Any) -> T:
            try:
                return made(*arguments)
            except _Traced as traced:
                result: T = traced.args[0]
                return result

        return call

    return keeping


class _Traced(Exception):  # noqa: N818 (no error)
    """Carries a result around the cache."""


def _tensors(result: Any) -> Iterator[Any]:
    if isinstance(result, tuple):
        for part in result:
            yield from _tensors(part)
    else:
        yield result
