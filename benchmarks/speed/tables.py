"""Write the speed tables of the README from the result files alone.

python benchmarks/speed/tables.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
#: What a network of so many bits sends by default.
DEFAULT = {"8 bits": "int8-direct", "4 bits": "int4-delta", "2 bits": "int2-delta"}

Result = dict[str, Any]


def result(name: str) -> Result:
    """A result file."""
    content: Result = json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return content


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def speed_table() -> str:
    """Width of the features against bits, on one graph."""
    names = sorted(HERE.glob("results/propagate_[0-9]*.json"), key=lambda path: int(path.stem[10:]))
    results = [result(path.stem) for path in names]
    kept = [result(f"propagate_kept_{one['settings']['num_features']}") for one in results]
    rows = [speed_row(one, other) for one, other in zip(results, kept, strict=True)]
    first = results[0]
    settings, hardware = first["settings"], first["environment"]["hardware"]
    note = (
        f"Whole propagation, {settings['num_steps']} steps, {settings['graph']} graph of "
        f"{first['graph']['num_nodes']:,} nodes and {first['graph']['num_nonzeros']:,} non-zeros, "
        f"{settings['threads']} threads of an {hardware['processor']}, kernels: "
        f"{first['environment']['kernels']}. Against the fastest of the FP32 candidates in each "
        "file, in turns in one process, medians; 4 and 2 bits with delta-sigma messages. Pages "
        "kept: `MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184`. Source: "
        "`benchmarks/speed/results/propagate_*.json`, which name their commits and commands."
    )
    head = ["Features", "Fastest FP32", *DEFAULT, "FP32, pages kept", "2 bits"]
    return markdown(head, rows) + "\n\n" + note


def speed_row(found: Result, kept: Result) -> list[str]:
    """Milliseconds in float32, and how many times faster the packed integers are."""
    times = [f"{ratio(found, name):.1f}x" for name in DEFAULT.values()]
    with_kept = [milliseconds(kept), f"{ratio(kept, DEFAULT['2 bits']):.1f}x"]
    return [str(found["settings"]["num_features"]), milliseconds(found), *times, *with_kept]


def candidate(found: Result, name: str) -> Result:
    """What was measured of a candidate."""
    one: Result = next(one for one in found["candidates"] if one["name"] == name)
    return one


def milliseconds(found: Result) -> str:
    """Of the fastest candidate in float32."""
    return f"{1e3 * candidate(found, found['fastest_float32'])['seconds']['median']:,.0f} ms"


def ratio(found: Result, name: str) -> float:
    """Time of the fastest candidate in float32 over that of another."""
    return float(candidate(found, name)["ratio"])


def sizes_table() -> str:
    """How many times faster 2 bits are, by the size of the graph."""
    found = result("scaling")
    settings, sizes = found["settings"], found["sizes"]
    rows = [["2 bits", *(f"{gain(one['candidates'], 'int2-delta'):.1f}x" for one in sizes)]]
    note = (
        f"The same, {settings['num_features']} features, {settings['threads']} threads. Source: "
        "`benchmarks/speed/results/scaling.json`."
    )
    return markdown(["Non-zeros", *(rounded(one) for one in sizes)], rows) + "\n\n" + note


def gain(candidates: Result, name: str) -> float:
    """Time of the fastest float32 over that of a candidate."""
    seconds = {key: float(one["seconds_per_step"]) for key, one in candidates.items()}
    return min(one for key, one in seconds.items() if key.startswith("fp32")) / seconds[name]


def rounded(size: Result) -> str:
    """Number of non-zeros to two digits."""
    return f"{float(format(size['num_nonzeros'], '.2g')):,.0f}"


def main() -> None:
    """Replace what stands between the marks of each table."""
    text = README.read_text(encoding="utf-8")
    for name, table in {"speed": speed_table, "sizes": sizes_table}.items():
        marks = f"<!-- {name}: written by benchmarks/speed/tables.py -->", "<!-- end -->"
        block = f"{marks[0]}\n{table()}\n{marks[1]}"
        pattern = f"{re.escape(marks[0])}.*?{re.escape(marks[1])}"
        text = re.sub(pattern, lambda _, block=block: block, text, flags=re.DOTALL)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
