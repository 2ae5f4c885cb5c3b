"""Time and memory as a capture grows: more packets, and more connections.

    python bench/growth.py [--rounds 3] [--base 10000] [--most 1000000] [--write docs/performance.md]

Multiplies the captures of `web` (run.py) to one, two, four and eight times `--base` connections, and those of `small`
to 1, 10, 100 … `--most` connections; each file is read by `analyzer read --format jsonl`, in alternation. Prints a
table; with `--write` it is put into the page, and the plot beside it as images/growth.svg.
"""

from __future__ import annotations

import argparse
import math
import shlex
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

from run import Mix, count_packets, mixes, put, replicated, timed

FACTORS = (1, 2, 4, 8)


@dataclass
class Point:
    """One file, and what reading it takes."""

    series: str  # "web" or "small"
    connections: int
    file: Path
    packets: int
    seconds: list[float] = field(default_factory=list)
    peak: int = 0  # bytes

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def points(base: int, most: int) -> list[Point]:
    """The files, made where they are not there yet."""
    sizes = [("web", base * factor) for factor in FACTORS]
    sizes += [("small", 10**power) for power in range(math.floor(math.log10(most)) + 1)]
    found = []
    for series, connections in sizes:
        captures = mixes()[series].captures
        if connections < len(captures):
            captures = captures[:connections]
        file = replicated(Mix(captures, 0, connections), f"growth-{series}-{connections}")
        found.append(Point(series, connections, file, count_packets(file)))
    return found


def measure(all_points: list[Point], rounds: int) -> None:
    """The first round fills the page cache, uncounted."""
    for number in range(rounds + 1):
        for point in all_points:
            command = f"{shlex.quote(sys.executable)} -m analyzer read --format jsonl {shlex.quote(str(point.file))}"
            seconds, peak, error = timed(command)
            if error:
                sys.exit(f"{point.file}: {error}")
            if number:
                point.seconds.append(seconds)
                point.peak = max(point.peak, peak)


def table(all_points: list[Point]) -> str:
    from tabulate import tabulate

    rows = [
        [
            point.series,
            f"{point.connections:,}",
            f"{point.packets:,}",
            f"{point.median:.2f}",
            f"{point.median / point.packets * 1e6:,.2f}",
            f"{point.peak / 1e6:,.0f}",
        ]
        for point in all_points
    ]
    headers = ["captures", "connections, at least", "packets", "seconds, median", "µs per packet", "peak MB"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True, colalign=("left", *["right"] * 5))


# The plot: two panels, both axes logarithmic.

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, GAP = 800, 320, 60, 50, 40, 80
PANEL = (WIDTH - 2 * LEFT - GAP + 40) // 2
STYLE = """
    text { font: 13px sans-serif; fill: #24292f }
    .grid { stroke: #d0d7de; stroke-width: 1 }
    .web { stroke: #0969da; fill: #0969da } .small { stroke: #bc4c00; fill: #bc4c00 }
    polyline { fill: none !important; stroke-width: 2 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .grid { stroke: #3d444d }
      .web { stroke: #58a6ff; fill: #58a6ff } .small { stroke: #ffa657; fill: #ffa657 }
    }
  """


def axis(values: list[float]) -> tuple[int, int]:
    """The powers of ten around them; at least one between."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def label(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10**power:g}"


def panel(left: int, title: str, all_points: list[Point], values: list[float]) -> list[str]:
    """Values over packets."""
    x_low, x_high = axis([point.packets for point in all_points])
    y_low, y_high = axis(values)
    right, floor = left + PANEL, HEIGHT - BOTTOM

    def x(value: float) -> float:
        return left + (math.log10(value) - x_low) / (x_high - x_low) * PANEL

    def y(value: float) -> float:
        return floor - (math.log10(value) - y_low) / (y_high - y_low) * (floor - TOP)

    out = [f'<text x="{left}" y="{TOP - 16}">{title}</text>']
    for power in range(y_low, y_high + 1):
        at = y(10.0**power)
        out.append(f'<line class="grid" x1="{left}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}"/>')
        out.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{label(power)}</text>')
    for power in range(x_low, x_high + 1):
        at = x(10.0**power)
        out.append(f'<line class="grid" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{floor}"/>')
        out.append(f'<text x="{at:.1f}" y="{floor + 18}" text-anchor="middle">10<tspan dy="-5" '
                   f'font-size="9">{power}</tspan></text>')  # fmt: skip
    out.append(f'<text x="{(left + right) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">packets</text>')
    for series in dict.fromkeys(point.series for point in all_points):
        places = [(x(p.packets), y(v)) for p, v in zip(all_points, values, strict=True) if p.series == series]
        drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        out.append(f'<polyline class="{series}" points="{drawn}"/>')
        out += [f'<circle class="{series}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in places]
        a, b = places[-1]
        out.append(f'<text x="{a - 8:.1f}" y="{b - 8:.1f}" text-anchor="end">{series}</text>')
    return out


def plot(all_points: list[Point]) -> str:
    """An SVG that is legible on a light and on a dark page."""
    lines = panel(LEFT, "seconds", all_points, [point.median for point in all_points])
    lines += panel(LEFT + PANEL + GAP, "peak MB", all_points, [point.peak / 1e6 for point in all_points])
    body = "\n  ".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Seconds and peak memory over packets">\n  <style>{STYLE}</style>\n  {body}\n</svg>\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", type=int, default=10_000, help="connections of the smallest file of `web`")
    parser.add_argument("--most", type=int, default=1_000_000, help="connections of the largest file of `small`")
    parser.add_argument("--write", type=Path, help="put table and plot into this page, at its marks")
    options = parser.parse_args()
    found = points(options.base, options.most)
    measure(found, options.rounds)
    text = table(found)
    print(text)
    if options.write:
        image = options.write.parent / "images" / "growth.svg"
        image.parent.mkdir(exist_ok=True)
        image.write_text(plot(found), encoding="utf-8")
        put(f"![Seconds and peak memory over packets](images/growth.svg)\n\n{text}", options.write, "growth")


if __name__ == "__main__":
    main()
