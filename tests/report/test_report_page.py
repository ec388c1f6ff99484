"""The page: well-formed, self-contained, escaped, and drawn where the numbers are."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_directories import EVALUATION, RESULTS, write_run

from qgnn_lightning.report import read_run, render_page
from qgnn_lightning.report._axis import LinearAxis, LogAxis, short
from qgnn_lightning.report._chart import Frame, Line, bar_chart, line_chart, scatter_chart
from qgnn_lightning.report._plane import WIDTH
from qgnn_lightning.report._table import numbers_table

_VOID = {"meta", "link", "br", "wbr"}


class Outline(HTMLParser):
    """Checks that tags are closed in order, and collects them with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def page(tmp_path) -> str:
    return render_page([read_run(write_run(tmp_path / "one"))])


@pytest.fixture
def two(tmp_path) -> str:
    small = write_run(tmp_path / "small")
    large = RESULTS | {"size_bytes": {"packed": 8000, "float32": 8000}}
    unfinished = write_run(tmp_path / "cut", results=None, evaluation=None)
    runs = [small, write_run(tmp_path / "large", results=large), unfinished]
    return render_page([read_run(path) for path in runs])


def headings(page: str) -> list[str]:
    return re.findall(r"<h[123]>(.*?)</h[123]>", page)


def test_every_part_is_there(page):
    wanted = ["Energy by step", "Error inside its bound", "Multipliers", "Ranges of the messages"]
    wanted += ["Degree against accuracy", "Confusion matrix of the test nodes", "Ranges"]
    assert set(wanted) <= set(headings(page))
    text = "".join(Outline(page).texts)
    for fact in ("planetoid Cora", "2,708", "5,278 undirected", "1,433"):
        assert fact in text
    assert "those of the network of the best epoch, 5 of 9, without dropout" in text
    for fact in ("75.0 %", "1,000 bytes", "8.0x smaller", "5 of 9", "bits: int2", "3.11"):
        assert fact in text


def test_table_card_and_chart_of_a_run_tell_one_size_and_one_comparison(tmp_path):
    noted = RESULTS | {"size_bytes": {"packed": 1000, "float32": 8000, "file": 9000}}
    run = read_run(write_run(tmp_path / "run", results=noted))
    page = render_page([run, run])
    cards = "<dt>Codes, scales, biases</dt><dd>1,000 bytes</dd></div>"
    cards += "<div><dt>Beside float32</dt><dd>8.0x smaller</dd>"
    assert page.count(cards) == 2
    header, row = re.findall(r"<tr><th.*?</tr>", page)[:2]
    assert header.split("</th>")[2:4] == [
        '<th scope="col">codes, scales, biases [bytes]', '<th scope="col">beside float32'
    ]  # fmt: skip
    assert "<td>1,000</td><td>8.0x smaller</td>" in row
    assert set(re.findall(r"[\d.]+x (?:smaller|larger)", page)) == {"8.0x smaller"}
    assert page.count("<dt>Packed file</dt><dd>9,000 bytes, 8,000 of them header and p") == 2


def test_runs_are_compared(two):
    assert headings(two)[:3] == ["Report of 3 runs", "Comparison", "Accuracy against size"]
    outline = Outline(two)
    anchors = {attributes.get("id") for attributes in outline.all("section")}
    assert {link["href"] for link in outline.all("a")} == {f"#run-{n}" for n in (1, 2, 3)}
    assert {"run-1", "run-2", "run-3"} <= anchors
    assert "not finished" in outline.texts


def test_a_run_that_did_not_note_its_graph_has_the_name_in_its_options(tmp_path):
    old = {name: one for name, one in RESULTS.items() if name != "data"}
    named = old | {"config": {"data": {"source": "planetoid", "name": "CiteSeer"}}}
    expected = [(named, "planetoid CiteSeer"), (old, "not recorded")]
    for number, (results, name) in enumerate(expected):
        page = render_page([read_run(write_run(tmp_path / str(number), results=results))])
        assert f"<dt>Data</dt><dd>{name}</dd>" in page
        assert "<dt>Nodes</dt>" not in page


def test_learning_curves_say_when_they_were_measured(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(write_run(tmp_path / "run")) as writer:
        for step in range(3):
            writer.add_scalar("train/accuracy", 0.5, step)
            writer.add_scalar("epoch", step, step)
    page = render_page([read_run(tmp_path / "run")])
    assert ">epoch, counted from 1</text>" in page
    assert re.search(r"<h3>Accuracy</h3><p>Training nodes: in the training passes, with dr", page)


def test_multipliers_that_are_all_zero_are_a_sentence_beside_the_violation(tmp_path):
    held = [
        {"step": 9, "tag": "constraint/multiplier", "first": 1, "values": [0.0, 0.0]},
        {"step": 9, "tag": "constraint/violation", "first": 1, "values": [-0.5, -0.9]},
    ]
    page = render_page([read_run(write_run(tmp_path / "held", diagnostics=held))])
    assert "Multipliers" not in headings(page)
    (figure,) = re.findall(r"<figure>(?:(?!</figure>).)*<h3>Constraint.*?</figure>", page)
    assert "All multipliers are 0: it has held all along." in figure


def test_the_error_is_that_of_the_tested_network_where_the_run_noted_it(tmp_path):
    def figure(name, results):
        page = render_page([read_run(write_run(tmp_path / name, results=results))])
        (found,) = re.findall(r"<figure>(?:(?!</figure>).)*<h3>Error inside.*?</figure>", page)
        return found

    observed = figure("observed", RESULTS)
    assert "Network of the last measurement." in observed
    assert "measured from 0.1 at 1 to 0.3 at 3" in observed
    tested = {
        f"quantization_error/{name}": {"first": 1, "values": [low, None, 9 * low]}
        for name, low in (("measured", 0.01), ("sharp", 0.02))
    }
    noted = figure("noted", RESULTS | {"diagnostics": tested})
    assert "Network of the best epoch, 5 of 9." in noted
    assert "measured from 0.01 at 1 to 0.09 at 3; sharp bound from 0.02 at 1" in noted


def test_full_precision_has_no_table_of_ranges(tmp_path):
    full = EVALUATION | {"ranges": []}
    page = render_page([read_run(write_run(tmp_path / "full", evaluation=full))])
    assert "Ranges" not in headings(page)
    assert "scale of a code</th>" not in page


def test_like_is_compared_with_like(tmp_path):
    """Bytes of what every network has, not of a file here and of bare weights there."""
    few = RESULTS | {"size_bytes": {"packed": 1000, "float32": 8000, "file": 4000}}
    full = RESULTS | {"size_bytes": {"packed": 8000, "float32": 8000, "file": None}}
    runs = [write_run(tmp_path / "few", results=few), write_run(tmp_path / "full", results=full)]
    page = render_page([read_run(path) for path in runs])
    rows = re.findall(r'<tr><th scope="row">(f\w+)</th>(.*?)</tr>', page)
    cells = {name: re.findall("<td>(.*?)</td>", row) for name, row in rows[:2]}
    assert cells["few"][:3] == ["75.0 %", "1,000", "8.0x smaller"]
    assert cells["full"][:3] == ["75.0 %", "8,000", "no smaller"]
    assert cells["few"][5] == "2.0"  # seconds, as the heading says
    drawn = re.findall('aria-label="Accuracy against size: .*?"', page)[0]
    assert "few: 1,000 bytes of codes, scales and biases, 75; full: 8,000" in drawn


def test_no_network_and_no_script(two):
    outline = Outline(two)
    tags = {tag for tag, _ in outline.found}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in outline.found:
        assert not {"src", "srcset", "onload", "onclick"} & attributes.keys()
    assert "//" not in two
    assert "url(" not in two
    assert "@import" not in two
    assert "default-src 'none'" in two


def test_it_can_be_read_on_a_phone_in_the_dark_and_by_a_screen_reader(page):
    outline = Outline(page)
    metas = {meta.get("name"): meta.get("content") for meta in outline.all("meta")}
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    assert "prefers-color-scheme: dark" in page
    assert outline.all("html") == [{"lang": "en"}]
    for drawing in outline.all("svg"):
        hidden = drawing.get("aria-hidden") == "true"
        assert hidden or (drawing["role"] == "img" and len(drawing["aria-label"] or "") > 20)
    charts = sum(drawing.get("class") == "chart" for drawing in outline.all("svg"))
    assert charts == len(outline.all("figure")) == page.count("<summary>Numbers</summary>")
    assert all("scope" in cell for cell in outline.all("th"))


HOSTILE = "\"><script>alert('x')</script>&amp;<img src=x onerror=y>"


def test_everything_from_files_is_escaped(tmp_path):
    evaluation = EVALUATION | {
        "class_names": [HOSTILE, "red"],
        "degrees": [{"degree": HOSTILE, "nodes": 1, "correct": 1}],
        "ranges": [{"name": HOSTILE, "bits": 2, "scale": HOSTILE}],
    }
    results = RESULTS | {
        "bits": {HOSTILE: 2},
        "messages": HOSTILE,
        "data": RESULTS["data"] | {"title": HOSTILE},
        "versions": {HOSTILE: HOSTILE},
    }
    diagnostics = [
        {"step": 1, "tag": "dirichlet_energy/symmetric", "first": 0, "values": [1, 2]},
        {"step": 1, "tag": HOSTILE, "first": 0, "values": [1, 2]},
    ]
    path = write_run(
        tmp_path / HOSTILE.replace("/", "|"),
        config=HOSTILE,
        results=results,
        evaluation=evaluation,
        diagnostics=diagnostics,
    )
    page = render_page([read_run(path), read_run(path)])
    outline = Outline(page)
    assert not {tag for tag, _ in outline.found} & {"script", "img"}
    assert all("onerror" not in attributes for _, attributes in outline.found)
    assert "".join(outline.texts).count(HOSTILE) >= 10


def _points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_lines_are_drawn_where_the_numbers_are():
    chart = line_chart(Frame("T", "x", "y"), [Line("a", [0, 5, 10], [0.0, 50.0, 100.0])])
    (left, low), (middle, half), (right, high) = _points(re.findall(r' d="(.*?)"', chart)[0])
    assert middle - left == pytest.approx(right - middle, abs=0.11)
    assert low - half == pytest.approx(half - high, abs=0.11)
    ticks = re.findall(r'class="left" x="46" y="([\d.]+)">([\d.]+)<', chart)
    place = {float(text): float(y) - 4 for y, text in ticks}
    assert place[0] == pytest.approx(low, abs=0.11)
    assert place[100] == pytest.approx(high, abs=0.11)


def test_a_missing_number_is_a_gap():
    chart = line_chart(Frame("T", "x", "y"), [Line("a", [0, 1, 2, 3, 4], [1, 2, None, 3, 4])])
    assert re.findall(r' d="(.*?)"', chart)[0].count("M") == 2


def test_equal_ratios_are_equally_long_on_a_logarithmic_axis():
    chart = line_chart(Frame("T", "x", "y"), [Line("a", [0, 1, 2], [0.01, 1, 100])], log=True)
    low, middle, high = (y for _, y in _points(re.findall(r' d="(.*?)"', chart)[0]))
    assert low - middle == pytest.approx(middle - high, abs=0.11)


def test_bars_are_as_high_as_their_numbers():
    chart = bar_chart(Frame("T", "x", "y"), [("a", 100.0, "1"), ("b", 25.0, "2")])
    full, quarter = (float(h) for h in re.findall(r' height="([\d.]+)"/>', chart))
    assert quarter == pytest.approx(full / 4, abs=0.11)
    grid = [float(y) for y in re.findall(r'class="grid".*? y1="([\d.]+)"', chart)]
    assert full == pytest.approx(max(grid) - min(grid), abs=0.11)


def test_the_widest_label_has_room():
    for value in (100.0, 100_000.0, 1.23e-10):
        chart = line_chart(Frame("T", "x", "y"), [Line("a", [0, 1], [value, 1.4 * value])])
        labels = re.findall(r'class="left" x="(\d+)" y="[\d.]+">(.*?)<', chart)
        assert all(int(end) >= 7.7 * len(text) for end, text in labels)  # digits of wide fonts


@given(st.integers(0, 1000), st.integers(1, 10**6))
def test_the_last_label_is_not_before_the_last_number(low, extent):
    axis = LinearAxis.starting([low, low + extent])
    assert axis.low == low
    assert axis.ticks()[-1] == pytest.approx(axis.high)
    assert axis.high >= low + extent
    assert extent >= 0.6 * (axis.high - low)


def test_a_time_axis_ends_with_a_label():
    chart = line_chart(Frame("T", "x", "y"), [Line("a", range(200), [1.0] * 200)])
    labels = re.findall(r'class="under" x="[\d.]+" y="234">(.*?)<', chart)
    assert labels == ["0", "50", "100", "150", "200"]


def test_long_lines_keep_their_ends():
    steps = range(5000)
    chart = line_chart(Frame("T", "x", "y"), [Line("a", steps, [float(s) for s in steps])])
    points = _points(re.findall(r' d="(.*?)"', chart)[0])
    assert len(points) <= 402
    assert points[0][0] == 52
    assert points[-1][0] == pytest.approx(406, abs=0.11)  # 4,999 of 5,000


@pytest.mark.parametrize("values", [[], [0.0], [3.0, 3.0], [-1e-9, 1e9], [1e-300, 2e-300]])
def test_axes_hold_any_numbers(values):
    for axis in (LinearAxis.around(values), LogAxis.around(values)):
        assert 1 <= len(axis.ticks()) <= 12
        for value in values:
            place = axis.place(value)
            assert place is None or -1e-9 <= place <= 1 + 1e-9


@given(st.floats(1e-3, 1e9), st.floats(1, 1e4))
def test_numbers_close_together_have_ticks_that_can_be_told_apart(low, ratio):
    axis = LogAxis.around([low, low * ratio])
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 12
    assert len({short(tick) for tick in ticks}) == len(ticks)
    assert all(0 <= axis.place(tick) <= 1 for tick in ticks)


@given(st.floats(1e-6, 1e9), st.floats(1, 1e12))
def test_the_ticks_of_a_logarithmic_axis_are_equally_far_from_each_other(low, ratio):
    axis = LogAxis.around([low, low * ratio])
    places = [axis.place(tick) for tick in axis.ticks()]
    steps = [end - start for start, end in pairwise(places)]
    assert max(steps) <= 1.1 * min(steps)  # 3 is not quite the square root of 10


def test_a_logarithmic_axis_says_so():
    scatter = scatter_chart(Frame("T", "bytes", "y"), [("a", 1, 1), ("b", 9, 2)])
    assert ">bytes (logarithmic)</text>" in scatter
    for log, unit in ((True, "joule (logarithmic)"), (False, "joule")):
        chart = line_chart(Frame("T", "x", "joule"), [Line("a", [0, 1], [1, 9])], log=log)
        assert f'<p class="unit">{unit}</p>' in chart


def test_points_at_the_same_place_surround_each_other():
    at_one_place = [(str(number), 1000.0, 80.0) for number in range(8)]
    chart = scatter_chart(Frame("T", "x", "y"), [*at_one_place, ("apart", 4000.0, 90.0)])
    marks = re.search(r'<g class="apart">(.*?)</g>', chart)[1]
    radii = [float(size) for size in re.findall(r' r="([\d.]+)"', marks)]
    halves = [float(size) / 2 for size in re.findall(r' width="([\d.]+)"', marks)]
    assert (len(radii), len(halves)) == (3, 2)  # the form follows the number of the point
    assert radii[0] > halves[0] > radii[1] > halves[1] > radii[2] == 5
    assert radii[0] <= 18  # the room above the highest number
    near = scatter_chart(Frame("T", "x", "y"), [("a", 1000.0, 80.0), ("b", 1001.0, 80.0)])
    assert float(re.search(r' r="([\d.]+)"', near)[1]) > 5


@given(st.floats(1e-3, 1e9))
def test_equal_numbers_stand_in_the_middle_of_an_axis_with_ticks(number):
    axis = LogAxis.around([number, number])
    assert axis.place(number) == pytest.approx(0.5)
    assert axis.high / axis.low == pytest.approx(2)
    assert len(axis.ticks()) >= 2


@given(st.floats(1e3, 1e6), st.floats(1, 100))
def test_labels_below_end_inside_of_the_picture(low, ratio):
    chart = scatter_chart(Frame("T", "x", "y"), [("a", low, 1), ("b", low * ratio, 2)])
    labels = re.findall(r'class="under" x="([\d.]+)" y="234">(.*?)<', chart)
    assert labels
    assert all(float(middle) + 3.8 * len(text) <= WIDTH for middle, text in labels)


def test_long_cells_are_broken_and_numbers_are_not():
    table = numbers_table(["run", "data", "test"], [["a/b", "files /home/someone/graph", "75.0 %"]])
    assert '<th scope="row">a/<wbr>b</th>' in table
    assert '<td class="long">files /<wbr>home/<wbr>someone/<wbr>graph</td><td>75.0 %</td>' in table


def test_short_numbers():
    numbers = (0, 0.5, 12, 1234.5, 0.0001, 2e7, -0.25, 1_234_567)
    expected = ["0", "0.5", "12", "1,234", "1e-4", "2e7", "-0.25", "1.23e6"]
    assert list(map(short, numbers)) == expected


def test_many_classes_are_listed_by_their_confusions(tmp_path):
    names = [f"class {index}" for index in range(50)]
    confusion = [[9 if row == column else 0 for column in range(50)] for row in range(50)]
    confusion[3][7] = 5
    found = EVALUATION | {"class_names": names, "confusion": confusion}
    page = render_page([read_run(write_run(tmp_path / "run", evaluation=found))])
    assert "The most frequent confusions of 50 classes" in page
    assert '<th scope="row">class 3</th><td>class 7</td><td>5</td>' in page


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(two, tmp_path, width):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium")
    probe = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", two)
    # The width of a frame is exact; a window has a least width.
    (tmp_path / "probe.html").write_text(probe)
    (tmp_path / "frame.html").write_text(
        f'<iframe id=f src=probe.html style="border:0;width:{width}px;height:900px"></iframe>'
        "<script>f.onload = () => { const d = f.contentDocument;"
        "document.title = d.documentElement.scrollWidth + ' in ' + f.clientWidth; }</script>"
    )
    command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--window-size=1400,1000", (tmp_path / "frame.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    title = re.search(r"<title>(\d+) in (\d+)</title>", done.stdout)
    assert title is not None, done.stderr[-500:]
    assert int(title[1]) <= int(title[2]) == width


def test_the_page_does_not_depend_on_where_the_run_is(tmp_path):
    pages = [render_page([read_run(write_run(Path(tmp_path) / folder / "run"))]) for folder in "ab"]
    assert pages[0] == pages[1]
