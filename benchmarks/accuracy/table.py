"""Write the table of results into the README, from the result files alone.

python benchmarks/accuracy/table.py
"""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parent.parent / "README.md"
START = "<!-- results: benchmarks/accuracy/table.py writes this table -->"
END = "<!-- end of results -->"
BITS = {"float32": "32", "int8": "8", "int4": "4", "int2": "2"}
GRAPHS = {"digits": "Digits", "cora": "Cora", "citeseer": "CiteSeer"}


def cell(graph: str, bits: str) -> str:
    """Mean and spread of the test accuracy, or a dash where it was not measured."""
    path = HERE / "results" / f"{graph}_{bits}.json"
    if not path.exists():
        return "-"
    summary = json.loads(path.read_text())["summary"]
    return f"{summary['test_accuracy_mean']:.1f} ± {summary['test_accuracy_std']:.1f}"


def size(graph: str, bits: str) -> str:
    """Bytes of the packed network, and how much smaller than float32 it is."""
    path = HERE / "results" / f"{graph}_{bits}.json"
    if bits == "float32" or not path.exists():
        return "-"
    run = next(iter(json.loads(path.read_text())["runs"].values()))
    packed, full = run["size_bytes"]["packed"], run["size_bytes"]["float32"]
    return f"{packed / 1024:.0f} KiB ({full / packed:.1f}x smaller)"


def table() -> str:
    """The table in Markdown."""
    lines = [
        "| Bits in every stage | " + " | ".join(GRAPHS.values()) + " | Cora, packed |",
        "|---|" + "---|" * (len(GRAPHS) + 1),
    ]
    for name, bits in BITS.items():
        cells = [cell(graph, name) for graph in GRAPHS]
        lines.append(f"| {bits} | " + " | ".join(cells) + f" | {size('cora', name)} |")
    lines += [
        "",
        "Test accuracy in percent at the best validation epoch, mean ± standard deviation over "
        "5 seeds, 10 propagation steps, fixed public split.",
        "Source: [benchmarks/accuracy/results](benchmarks/accuracy/results), where every run "
        "names its commit and its command.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Replace what stands between the two marks."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    README.write_text(f"{before}{START}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
