"""From a file to cells and keys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from qgnn_lightning.study import (
    Run,
    Study,
    StudyError,
    merge,
    parse_seeds,
    parse_value,
    read_study,
    short_table,
    summarize,
)
from qgnn_lightning.study._options import flatten, nest, to_yaml
from qgnn_lightning.study._table import table


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        (3, (0, 1, 2)), ("3", (0, 1, 2)), ("2..4", (2, 3, 4)), ("7..7", (7,)),
        ("4,2", (4, 2)), ([5], (5,)), ([5, 1], (5, 1)),
    ],
)  # fmt: skip
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", [0, -1, "4..2", "a", "1,1", [], True, 1.5, "4294967296,1", None])
def test_wrong_seeds_are_named(text):
    with pytest.raises(StudyError, match=r"^seeds must .*got"):
        parse_seeds(text)


names = st.text("abc", min_size=1, max_size=2)
nested = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.none(), st.text("xyz ")),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3),
)


@given(st.dictionaries(names, nested, min_size=1, max_size=3))
def test_flat_options_are_the_nested_ones(tree):
    assert nest(flatten(tree)) == tree
    assert yaml.safe_load(to_yaml(flatten(tree))) == tree


def test_later_layers_win_and_sections_replace_values():
    assert merge({"a.b": 1, "c": 2}, {"a.b": 3}) == {"a.b": 3, "c": 2}
    assert merge({"a.b": None}, {"a.b.c": 1}) == {"a.b.c": 1}
    assert merge({"a.b.c": 1}, {"a.b": None}) == {"a.b": None}


def test_values_are_read_as_fit_reads_them():
    values = {"1e-3": 0.001, "2E5": 2e5, "64": 64, "int2": "int2", "false": False, "null": None}
    assert {text: parse_value(text) for text in values} == values


def test_cells_are_the_product_without_what_is_excluded(tmp_path):
    path = written(
        tmp_path,
        "base: {model: {dropout: 0.5}}\n"
        "axes:\n"
        "  bits: {two: {model.bits: int2}, full: {model.bits: float32, model.dropout: 0.8}}\n"
        "  model.num_steps: [2, 4, 8]\n"
        "seeds: 1..2\n"
        "exclude:\n  - {bits: full, model.num_steps: [4, 8]}\n",
    )
    study = read_study(path, {"data.root": "x"})
    cells = study.cells()
    assert [tuple(cell.values.values()) for cell in cells] == [
        ("two", "2"), ("two", "4"), ("two", "8"), ("full", "2")
    ]  # fmt: skip
    assert cells[-1].options == {
        "model.dropout": 0.8, "model.bits": "float32", "model.num_steps": 2, "data.root": "x",
    }  # fmt: skip
    assert [run.seed for run in cells[0].runs] == [1, 2]


def test_base_and_axes_take_configuration_files_beside_the_study(tmp_path):
    (tmp_path / "a.yaml").write_text("seed_everything: 3\nmodel:\n  bits: int4\n  num_steps: 5\n")
    text = "base:\n  - a.yaml\n  - model.num_steps: 6\naxes: {x: {y: [a.yaml, {model.bits: int2}]}}"
    (cell,) = read_study(written(tmp_path, text), {}).cells()
    assert cell.options == {"model.bits": "int2", "model.num_steps": 5}


def test_the_seed_can_be_the_value_of_an_option():
    study = Study("s", {}, {"split": {"random": {"data.split_seed": "$seed"}}}, (4, 9))
    (cell,) = study.cells()
    assert [run.options for run in cell.runs] == [{"data.split_seed": 4}, {"data.split_seed": 9}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("axess: {}", "unknown key 'axess': did you mean 'axes'"),
        ("title: x", "unknown key 'title': choose from base, axes, seeds, exclude"),
        ("[]", "must be a mapping"),
        ("axes: [a]", "axes must be a mapping"),
        ("axes: {bits: [int2]}", "axis 'bits' lists values, so its name must be an option"),
        ("axes: {bits: {}}", "axis 'bits' must have values"),
        ("axes: {bits: {two: 3}}", "bits=two must be options or a configuration file, got 3"),
        ("axes: {bits: {two: no.yaml}}", "no.yaml cannot be read: No such file"),
        ("base: {seed_everything: 1}", "base must not set seed_everything: seeds says"),
        ("axes: {a: {b: {run_dir: x}}}", "a=b must not set run_dir"),
        ("seeds: many", "seeds must be how many"),
        ("axes: {a: {b: {}}}\nexclude: [{c: b}]", "exclude: unknown axis 'c', got a"),
        ("axes: {a: {b: {}}}\nexclude: [{a: c}]", "exclude: axis 'a' has b, not 'c'"),
        ("exclude: [a]", "exclude must list mappings"),
        ("a: b: c", "is not YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    with pytest.raises(StudyError, match=r"study\.yaml") as error:
        read_study(written(tmp_path, text), {})
    assert message in str(error.value)


def test_values_that_contradict_are_named():
    axes = {"a": {"x": {"model.bits": "int2"}}, "b": {"y": {"model.bits": "int4"}, "z": {}}}
    study = Study("s", {}, axes, (0,))
    with pytest.raises(StudyError, match="bits is set to 'int2' by a=x and to 'int4' by b=y"):
        study.cells()
    (left,) = Study("s", {}, axes, (0,), ({"a": ("x",), "b": ("y",)},)).cells()
    assert left.values == {"a": "x", "b": "z"}


def test_a_study_without_cells_is_refused():
    axes = {"bits": {"two": {"model.bits": "int2"}, "four": {"model.bits": "int4"}}}
    study = Study("none", {}, axes, (0,), ({"bits": ("two", "four")},))
    with pytest.raises(StudyError, match="exclude must leave at least one combination of options"):
        study.cells()


def test_no_seed_is_said_to_be_a_number_of_seeds():
    with pytest.raises(StudyError, match="seeds must say how many seeds, at least 1, got 0"):
        parse_seeds(0)


def test_a_typed_option_that_an_axis_sets_is_refused(tmp_path):
    path = written(tmp_path, "axes: {model.num_steps: [2]}")
    with pytest.raises(StudyError, match=r"--model\.num_steps contradicts axis 'model\.num_steps'"):
        read_study(path, {"model.num_steps": 3})


def test_a_key_is_that_of_what_is_computed():
    def key(seed: int = 0, **options: object) -> str:
        named = {name.replace("__", "."): value for name, value in options.items()}
        return Run({}, named, seed).key

    first = key(model__bits="int2", model__dropout=0.5)
    assert first == key(model__dropout=0.5, model__bits="int2")
    assert first != key(model__bits="int2", model__dropout=0.5, seed=1)
    assert first != key(model__bits="int4", model__dropout=0.5)
    assert key(model__smoothing=9.0) == key(model__smoothing=9)
    assert key(data__name="Cora", data__root="here") == key(data__name="Cora", data__root="there")
    assert key(data__source="npz", data__root="a") != key(data__source="npz", data__root="b")


def test_the_order_of_options_and_the_axes_names_do_not_matter_to_the_key():
    one = Study("s", {"model.dropout": 0.5}, {"a": {"b": {"model.bits": "int2"}}}, (0,))
    other = Study("t", {"model.bits": "int2", "model.dropout": 0.5}, {}, (0,))
    assert one.cells()[0].runs[0].key == other.cells()[0].runs[0].key


def test_nothing_heavy_is_imported():
    code = (
        "import sys, qgnn_lightning.study, qgnn_lightning.cli._study\n"
        "assert not {'torch', 'numpy', 'lightning', 'jsonargparse'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_table_for_the_terminal_has_the_main_columns_and_fits_into_it():
    names = ["accuracy.test", "accuracy.val", "seconds.fit", "size_bytes.packed"]
    names += ["size_bytes.file", "size_bytes.float32", "constraint/multiplier/largest", "epochs"]
    found = summarize([{"measures": dict.fromkeys(names, 0.5)}] * 2)
    assert short_table([({}, found)]).splitlines() == [
        "test accuracy    validation  runs  epochs  size, KiB  training, s",
        " 50.00 ± 0.00  50.00 ± 0.00     2     0.5        0.0          0.5",
    ]
    wide = short_table([({"bits": "x" * 25}, found), ({"bits": "two"}, {})]).splitlines()
    assert wide == [
        f"bits{' ' * 21}  test accuracy    validation  runs  epochs  size, KiB",
        f"{'x' * 25}   50.00 ± 0.00  50.00 ± 0.00     2     0.5        0.0",
        f"two{' ' * 22}              -             -     -       -          -",
    ]


def test_the_size_is_that_of_the_file_or_of_its_content_where_there_is_none():
    sizes = {"size_bytes.packed": 1024.0, "size_bytes.float32": 9999.0}
    rows = [sizes, sizes | {"size_bytes.file": 2048.0}]
    found = [({"a": str(row)}, summarize([{"measures": one}])) for row, one in enumerate(rows)]
    assert table(found).splitlines()[2:] == ["| 0 | 1.0 |", "| 1 | 2.0 |"]
