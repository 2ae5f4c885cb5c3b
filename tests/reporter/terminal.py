"""What the outputs for people print of some connections."""

from analyzer.reporter.outputs.summary import Summary
from tests.reporter.builders import Totals


def printed(output, connections, **options):
    written: list[str] = []
    report = output(written.append, **options)
    for one in connections:
        report.add(one)
    report.finish()
    return "".join(written)


def summed_up(connections, totals=None, **options):
    summary = Summary(**options)
    for one in connections:
        summary.add(one)
    summary.end_capture(totals or Totals(packets=200, connections=len(connections)))
    return summary.text()
