"""`analyzer interfaces`: where packets can be captured."""

from __future__ import annotations

import click

from analyzer.commands.terminal import open_output
from analyzer.reporter.escape import escape

_LINK_TYPES = {1: "Ethernet", 101: "IP", 105: "802.11", 127: "802.11 radiotap", 113: "Linux cooked"}


@click.command(
    epilog="""\b
Examples:
  analyzer interfaces
  analyzer interfaces --format json | jq -r '.interfaces[] | select(.up) | .name'
"""
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def interfaces(form: str) -> None:
    """List the network interfaces that `analyzer live` can capture on. That takes no permission."""
    from analyzer.capture.live.devices import devices

    found = devices()
    with open_output(None) as output:
        if form == "json":
            import msgspec

            fields = ("name", "index", "up", "running", "loopback", "link_type", "mac", "addresses")
            rows = [{field: getattr(one, field) for field in fields} for one in found]
            output.bytes(msgspec.json.format(msgspec.json.encode({"interfaces": rows}), indent=2) + b"\n")
            return
        from tabulate import tabulate

        cells = [
            [
                escape(one.name),
                "up" if one.up and one.running else "up, no carrier" if one.up else "down",
                "loopback" if one.loopback else _LINK_TYPES.get(one.link_type, f"LINKTYPE {one.link_type}"),
                ", ".join(one.addresses),
            ]
            for one in found
        ]
        cells.append(["any", "", "as the interface", "all of them, also those to come"])
        output.text(tabulate(cells, headers=["name", "state", "link type", "addresses"]) + "\n")
