"""Write the tables and figures of the README and docs/experiments.md from the result files alone.

python benchmarks/accuracy/tables.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
FIGURES = PROJECT / "docs" / "figures"
DOCUMENTS = (PROJECT / "README.md", PROJECT / "docs" / "experiments.md")
BITS = {"float32": "32", "int8": "8", "int4": "4", "int2": "2"}
GRAPHS = {"digits": "Digits", "cora": "Cora", "citeseer": "CiteSeer"}
STYLES = {"smoothness-aware, consistency": "--", "smoothness-aware": "-", "gcn": ":"}
COLOURS = {"float32": "#555555", "int8": "#2ca02c", "int4": "#1f77b4", "int2": "#d95f02"}

Cell = dict[str, Any]


def cells(study: str) -> list[Cell]:
    """Cells of a result file; none where it was not run."""
    path = HERE / "results" / f"{study}.json"
    return json.loads(path.read_text())["cells"] if path.exists() else []


def find(found: list[Cell], **values: str) -> Cell | None:
    """The finished cell with these values on its axes."""
    for cell in found:
        same = all(str(cell["values"][name]) == value for name, value in values.items())
        if same and "accuracy.test" in cell["summary"]:
            return cell
    return None


def by_depth() -> list[Cell]:
    """Cells of the depth studies, those of a graph and a method side by side."""
    found = cells("depth") + cells("depth_int2") + cells("depth_consistency")
    return sorted(found, key=lambda cell: _texts(cell, "graph", "method"), reverse=True)


def _texts(cell: Cell, *axes: str) -> list[str]:
    return [cell["values"][axis] for axis in axes]


def accuracy(cell: Cell | None) -> str:
    """Mean and standard deviation in percent; of one seed, its accuracy."""
    if cell is None:
        return "-"
    found = cell["summary"]["accuracy.test"]
    if found["std"] is None:
        return f"{100 * found['mean']:.1f} (1 seed)"
    return f"{100 * found['mean']:.1f} ± {100 * found['std']:.1f}"


def mean(cell: Cell, measure: str) -> float | None:
    """Mean of a measure, where it was taken."""
    found = cell["summary"].get(measure)
    return None if found is None else found["mean"]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number_of_seeds(found: list[Cell]) -> str:
    """How many seeds the finished cells have."""
    counts = {cell["summary"]["accuracy.test"]["count"] for cell in found if cell["summary"]}
    return " or ".join(map(str, sorted(counts)))


def main_table() -> str:
    """Bits against graphs."""
    found = cells("main")
    rows = []
    for name, bits in BITS.items():
        row = [accuracy(find(found, experiment=f"{graph}_{name}")) for graph in GRAPHS]
        rows.append([bits, *row, size(find(found, experiment=f"cora_{name}"), name)])
    note = (
        "Test accuracy in percent at the best validation epoch, mean ± unbiased standard deviation "
        f"over {number_of_seeds(found)} seeds, 10 propagation steps, fixed public split. Packed: "
        "codes, scales and biases; the file adds a header and padding of some 5 KiB. The recipes "
        "are those of `configs/experiment/`, not the defaults: `-c configs/experiment/FILE.yaml`. "
        "Source: `benchmarks/accuracy/results/main.json`, which names the commit of each run."
    )
    head = ["Bits in every stage", *GRAPHS.values(), "Cora, packed"]
    return markdown(head, rows) + "\n\n" + note


def size(cell: Cell | None, bits: str) -> str:
    """Bytes of the packed network, and how much smaller than float32 it is."""
    if cell is None or bits == "float32":
        return "-"
    packed, full = (cell["summary"][f"size_bytes.{kind}"]["mean"] for kind in ("packed", "float32"))
    return f"{packed / 1024:.0f} KiB ({full / packed:.1f}x smaller)"


def peers_table() -> str:
    """Published methods beside ours."""
    found, ours = cells("peers"), cells("main")
    methods = list(dict.fromkeys(cell["values"]["method"] for cell in found))
    graphs = ("cora", "citeseer")
    rows = [
        [method, *(accuracy(find(found, graph=graph, method=method)) for graph in graphs)]
        for method in methods
    ]
    for name in BITS:
        row = [accuracy(find(ours, experiment=f"{graph}_{name}")) for graph in graphs]
        rows.append([f"**ours, {name}**", *row])
    return markdown(["Method", "Cora", "CiteSeer"], rows)


def depth_table() -> str:
    """Accuracy, smoothness and error by depth."""
    found = by_depth()
    depths = sorted({int(cell["values"]["model.num_steps"]) for cell in found})
    rows = []
    for graph, method, bits in dict.fromkeys(
        tuple(cell["values"][axis] for axis in ("graph", "method", "bits")) for cell in found
    ):
        of_depth = [
            find(
                found,
                graph=graph,
                method=method,
                bits=bits,
                **{"model.num_steps": str(depth)},
            )
            for depth in depths
        ]
        rows.append([graph, method, bits, *(accuracy(cell) for cell in of_depth)])
    return markdown(["Graph", "Method", "Bits", *(f"{depth} steps" for depth in depths)], rows)


def deep_table() -> str:
    """Two bits, deep: ours with the recipe of the experiments beside GCN."""
    depths = ("8", "32", "64", "128")
    rows = []
    for graph in ("cora", "citeseer"):
        for method, name in (("smoothness-aware, consistency", "ours"), ("gcn", "GCN")):
            found = [
                find(
                    by_depth(), graph=graph, method=method, bits="int2", **{"model.num_steps": one}
                )
                for one in depths
            ]
            rows.append([f"{GRAPHS[graph]}, {name}", *map(accuracy, found)])
    ours, gcn = number_of_seeds(cells("depth_consistency")), number_of_seeds(cells("depth"))
    note = (
        f"Test accuracy in percent, all stages at 2 bits; ours over {ours} seeds, GCN over {gcn} "
        "and not run beyond 32 layers. Sources: `depth_consistency.json` and `depth.json` in "
        "`benchmarks/accuracy/results`."
    )
    return markdown(["2 bits", *(f"{one} steps" for one in depths)], rows) + "\n\n" + note


def measures_table() -> str:
    """Smoothness and error at the last step of each depth."""
    rows = []
    for cell in by_depth():
        values = cell["values"]
        if not cell["summary"] or values["graph"] != "cora":
            continue
        measures = [
            mean(cell, "mean_average_distance/last"),
            mean(cell, "dirichlet_energy/symmetric/last"),
            mean(cell, "quantization_error/relative/last"),
            mean(cell, "quantization_error/relative_sharp/last"),
        ]
        texts = ["-" if one is None else f"{one:.3g}" for one in measures]
        rows.append([values["method"], values["bits"], str(values["model.num_steps"]), *texts])
    head = ["Method", "Bits", "Steps", "Distance", "Dirichlet energy", "Error", "Its bound"]
    return markdown(head, rows)


def constraint_table() -> str:
    """What budgets and multipliers do."""
    rows = []
    for cell in cells("constraint"):
        values = cell["values"]
        if not cell["summary"]:
            continue
        measures = [
            mean(cell, "constraint/energy_of_change/largest"),
            mean(cell, "constraint/violation/largest"),
            mean(cell, "constraint/multiplier/largest"),
            mean(cell, "message/scale/largest"),
            mean(cell, "quantization_error/relative/last"),
        ]
        texts = ["-" if one is None else f"{one:.3g}" for one in measures]
        budget = "-" if values["multipliers"] == "none" else str(values["model.budget"])
        rows.append([values["graph"], values["multipliers"], budget, accuracy(cell), *texts])
    head = ["Graph", "Multipliers", "Budget", "Accuracy", "Energy of change", "Violation"]
    return markdown([*head, "Multiplier", "Range", "Error"], rows)


def draw_depth() -> None:
    """Accuracy by depth."""
    from matplotlib.figure import Figure

    found = [cell for cell in by_depth() if cell["summary"]]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, graph in zip(figure.subplots(1, 2, sharey=True), ("cora", "citeseer"), strict=True):
        for method, style in STYLES.items():
            for bits in ("float32", "int2"):
                line = [
                    (int(one["values"]["model.num_steps"]), one["summary"]["accuracy.test"])
                    for one in found
                    if (one["values"]["graph"], one["values"]["method"], one["values"]["bits"])
                    == (graph, method, bits)
                ]
                if not line:
                    continue
                axes.errorbar(
                    [depth for depth, _ in line],
                    [100 * value["mean"] for _, value in line],
                    [100 * (value["std"] or 0) for _, value in line],
                    fmt=style,
                    color=COLOURS[bits],
                    marker=".",
                    capsize=2,
                    label=f"{method}, {bits}",
                )
        axes.set_xscale("log", base=2)
        axes.set_xticks([2, 8, 32, 64, 128], ["2", "8", "32", "64", "128"])
        axes.set_xlabel("steps or layers")
        axes.set_title(GRAPHS[graph], loc="left")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("test accuracy, %")
    figure.axes[1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(FIGURES / "accuracy_by_depth.svg", metadata={"Date": None})


def draw_size() -> None:
    """Accuracy against bytes, on Cora."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    for cell in cells("peers"):
        if cell["summary"] and cell["values"]["graph"] == "cora":
            _point(axes, cell, cell["values"]["method"], "#999999")
    for name, colour in COLOURS.items():
        cell = find(cells("main"), experiment=f"cora_{name}")
        if cell is not None:
            _point(axes, cell, f"ours, {name}", colour)
    axes.set_xscale("log")
    axes.set_xlabel("bytes of the network, packed")
    axes.set_ylabel("test accuracy on Cora, %")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURES / "accuracy_by_bytes.svg", metadata={"Date": None})


def _point(axes: Any, cell: Cell, label: str, colour: str) -> None:
    place = mean(cell, "size_bytes.packed"), 100 * cell["summary"]["accuracy.test"]["mean"]
    axes.plot(*place, "o", color=colour)
    axes.annotate(label, place, (5, 3), textcoords="offset points", fontsize=8)


TABLES = {
    "main": main_table,
    "peers": peers_table,
    "depth": depth_table,
    "deep": deep_table,
    "measures": measures_table,
    "constraint": constraint_table,
}


def main() -> None:
    """Replace what stands between the marks of each table, and draw the figures."""
    from matplotlib import rcParams

    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for name, table in TABLES.items():
            marks = f"<!-- {name}: written by benchmarks/accuracy/tables.py -->", "<!-- end -->"
            pattern = f"{re.escape(marks[0])}.*?{re.escape(marks[1])}"
            block = f"{marks[0]}\n{table()}\n{marks[1]}"
            text = re.sub(pattern, lambda _, block=block: block, text, flags=re.DOTALL)
        document.write_text(text, encoding="utf-8")
    rcParams["svg.hashsalt"] = "tables"  # the same figures for the same results
    draw_depth()
    draw_size()


if __name__ == "__main__":
    main()
