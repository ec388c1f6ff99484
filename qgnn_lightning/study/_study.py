"""A study: one configuration, axes along which it varies, and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from qgnn_lightning.study._options import Options, StudyError, merge
from qgnn_lightning.study._run import SEED, Run

Axes = Mapping[str, Mapping[str, Options]]


@dataclass(frozen=True)
class Cell:
    """One combination of values: a row of the table.

    Args:
        values: Value of each axis, by the axis' name.
        options: All options but the seed.
        seeds: The seeds.
    """

    values: dict[str, str]
    options: Options
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        """The values in one line."""
        return " ".join(f"{axis}={value}" for axis, value in self.values.items())

    @property
    def runs(self) -> list[Run]:
        """One run per seed."""
        return [Run(self.values, self._seeded(seed), seed) for seed in self.seeds]

    def _seeded(self, seed: int) -> Options:
        return {name: seed if one == SEED else one for name, one in self.options.items()}


@dataclass(frozen=True)
class Study:
    """Every combination of the axes' values, except those that are excluded.

    Args:
        name: What the study is called.
        base: Options that all cells share; those of an axis win over them.
        axes: For each axis its values, and for each value its options. The option value
            ``$seed`` stands for the seed of the run.
        seeds: Seeds of the runs of every cell.
        exclude: Combinations left out: for some axes the values that are meant.

    Raises:
        StudyError: If there is no seed, or an exclusion names an unknown axis or value.
    """

    name: str
    base: Options
    axes: Axes
    seeds: tuple[int, ...]
    exclude: tuple[Mapping[str, tuple[str, ...]], ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.seeds:
            raise StudyError("seeds must name at least one seed")
        for combination in self.exclude:
            for axis, values in combination.items():
                if axis not in self.axes:
                    raise StudyError(f"exclude: unknown axis {axis!r}, got {_listed(self.axes)}")
                for value in values:
                    if value not in self.axes[axis]:
                        known = _listed(self.axes[axis])
                        raise StudyError(f"exclude: axis {axis!r} has {known}, not {value!r}")

    def cells(self) -> list[Cell]:
        """The cells, the last axis varying fastest.

        Raises:
            StudyError: If two values of one cell set an option to different things, or every
                cell is excluded.
        """
        combinations = product(*(one.items() for one in self.axes.values()))
        cells = []
        for combination in combinations:
            values = {a: value for a, (value, _) in zip(self.axes, combination, strict=True)}
            if not any(_matches(values, one) for one in self.exclude):
                layers = {a: one for a, (_, one) in zip(self.axes, combination, strict=True)}
                _check_agreement(layers, values)
                cells.append(Cell(values, merge(self.base, *layers.values()), self.seeds))
        if not cells:
            raise StudyError("exclude must leave at least one combination of options")
        return cells


def _matches(values: Mapping[str, str], excluded: Mapping[str, tuple[str, ...]]) -> bool:
    return all(values[axis] in meant for axis, meant in excluded.items())


def _check_agreement(layers: Mapping[str, Options], values: Mapping[str, str]) -> None:
    owner: dict[str, str] = {}
    for axis, options in layers.items():
        for name, value in options.items():
            other = owner.setdefault(name, axis)
            if layers[other][name] != value:
                raise StudyError(
                    f"{name} is set to {layers[other][name]!r} by {other}={values[other]} and to "
                    f"{value!r} by {axis}={values[axis]}: let one axis set it, or exclude the "
                    "combination"
                )


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(names) or "none"
