"""The command line: `analyzer COMMAND`. Each command lives in `analyzer.commands`."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import click

import analyzer
from analyzer.commands.terminal import open_output, say
from analyzer.errors import AnalyzerError

_INTERRUPTED = 130
_BROKEN_PIPE = 141  # what a shell reports for a program that SIGPIPE ended

# Modules of `analyzer.commands`, each with a command of its name. Loaded when asked for: every command needs others.
_COMMANDS = (
    "check", "claims", "crosscheck", "decrypt", "diff", "draw", "extract", "flows", "interfaces", "live", "read",
    "slice",
)  # fmt: skip

_EPILOG = """\b
Examples:
  analyzer read web.pcapng
  sudo analyzer live -i eth0
  analyzer flows show tcp-close/four-way

`analyzer COMMAND --help` tells more, with examples. Exit codes: 0 all fine, 1 a check failed, 2 wrong usage, 3 an
input could not be read, 4 a live capture could not start, 130 interrupted.
"""


class Program(click.Group):
    """Turns what ends a command early into one line and an exit code, never into a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(importlib.import_module(f"analyzer.commands.{cmd_name}"), cmd_name)
        return found

    def make_context(self, *given: Any, **more: Any) -> click.Context:
        with _usage_in_one_line():
            return super().make_context(*given, **more)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _usage_in_one_line():
                result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except AnalyzerError as error:
            say(str(error))
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            # The reader has seen enough (`| head`). What is still buffered must not fail again at exit.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            ctx.exit(_BROKEN_PIPE)
        except KeyboardInterrupt:
            say("interrupted")
            ctx.exit(_INTERRUPTED)


@contextlib.contextmanager
def _usage_in_one_line() -> Iterator[None]:
    """What click finds wrong with the command line looks like any other message."""
    try:
        yield
    except click.UsageError as error:
        if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # not in click 8.1, nor raised there
            raise
        message = " ".join(error.format_message().split())
        message = message[:1].lower() + message[1:]
        if error.ctx and "--help" not in message:
            message += f"{'' if message.endswith(('.', '?', ')')) else '.'} Try '{error.ctx.command_path} --help'."
        say(message)
        raise click.exceptions.Exit(error.exit_code) from error


def _version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from analyzer.dissector import compiled

    stage = "compiled" if compiled() else "interpreted: the same results, slower; a C compiler and a new install help"
    click.echo(f"analyzer {analyzer.__version__} (packet stage {stage})")
    ctx.exit()


@click.group(cls=Program, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="The version, and whether the packet stage is compiled.",
)
def program() -> None:
    """Sequence diagrams you can run against real traffic: reads captures, rebuilds connections, and labels each with
    the documented flow it followed."""


@program.command(
    epilog="""\b
Examples:
  analyzer schema > connection.schema.json
  analyzer schema claims > claims.schema.json
"""
)
@click.argument("command", type=click.Choice(["read", "live", "claims", "check"]), default="read")
def schema(command: str) -> None:
    """Print the JSON Schema of what read, live, claims or check prints.

    Of one line of read --format jsonl (this if no command is named) or of live --format jsonl, of claims --format
    json, or of check --format json.
    """
    import msgspec

    from analyzer.reporter.schema import schema_of

    with open_output(None) as output:
        output.bytes(msgspec.json.format(msgspec.json.encode(schema_of(command)), indent=2) + b"\n")


@program.command(
    epilog="""\b
Examples:
  bash:  echo 'eval "$(analyzer completion bash)"' >> ~/.bashrc
  zsh:   echo 'eval "$(analyzer completion zsh)"' >> ~/.zshrc
  fish:  analyzer completion fish > ~/.config/fish/completions/analyzer.fish
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete commands, options and values."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind  # click knows all three
    click.echo(kind(program, {}, "analyzer", "_ANALYZER_COMPLETE").source())


def main() -> None:
    """The entry point `analyzer`."""
    # NumPy starts threads for linear algebra, of which there is none here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Connections come and go by the thousand, hardly any in cycles: looking for those after every 700 objects, as
    # Python does by itself, takes a tenth of the time of a large capture; each search goes through the thousands that
    # wait for their end. It is a part of a small one's start, too.
    gc.set_threshold(50_000)
    try:
        program(prog_name="analyzer")
    finally:
        # Nor is what is left at the end worth a search, which would take a tenth of the time of a small capture.
        gc.freeze()
