"""`analyzer read --redact`: nothing of a capture that says who, where or what is in any output."""

from __future__ import annotations

import ipaddress
import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import analyzer
from analyzer import model
from analyzer.cli import program
from analyzer.commands.read import read
from analyzer.reporter.outputs import html
from analyzer.reporter.redaction import KEPT, RULES, Redactor
from tests.cases import CASES, analysed, capture_of, keys_of

FORMATS = [
    form
    for option in read.params
    if option.name == "form" and isinstance(option.type, click.Choice)
    for form in option.type.choices
]
# Of values in header fields those that stay, since everybody has them.
COMMON = re.compile(
    r"\d*|get|post|head|put|delete|options|connect|https?|close|keep-alive|upgrade|trailers|chunked|identity|te|"
    r"(gzip|deflate|br|zstd)(, .*)?|bytes|client|server|websocket",  # and words of the report
    re.IGNORECASE,
)
# The page for browsers has words of its own.
PAGE = "".join(
    path.read_text() for path in Path(html.__file__).parent.iterdir() if path.suffix in (".js", ".css", ".html")
)
LEAST = 5  # characters: shorter ones are in other words by chance
REDACTOR = Redactor("a key")


def run(*words: object):
    done = CliRunner().invoke(program, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


# What is in a capture.


def structs(one: object) -> Iterator[msgspec.Struct]:
    if isinstance(one, msgspec.Struct):
        yield one
        for field in one.__struct_fields__:
            yield from structs(getattr(one, field))
    elif isinstance(one, list):
        for each in one:
            yield from structs(each)


def hosts(text: str) -> Iterator[str]:
    yield re.sub(r":\d+$", "", text.rpartition("@")[2])


def originals(connections: list[model.Connection]) -> Iterator[str]:
    for one in structs(connections):
        match one:
            case model.Endpoint(address=address):
                yield address
            case model.Encapsulation(source=source, destination=destination):
                yield from filter(None, (source, destination))
            case model.Tls(server_name=name):
                yield from filter(None, (name,))
            case model.Certificate():
                yield from (one.sha256, *one.names, *filter(None, (one.subject, one.issuer)))
                if one.serial and len(one.serial) >= 8:
                    yield one.serial
                for name in filter(None, (one.subject, one.issuer)):
                    yield from (part.partition("=")[2] for part in name.split(","))
            case model.Request():
                if one.authority:
                    yield from hosts(one.authority)
                if one.target and one.target not in ("/", "*"):
                    yield one.target
                yield from (value for _, value in one.headers or ())
            case model.Response():
                yield from (value for _, value in one.headers or ())
            case model.Exchange():
                yield from (value for _, value in one.trailers or ())
            case model.AlternativeService(origin=origin, value=value):
                yield from filter(None, (origin, value))
            case model.Origins(origins=origins):
                yield from origins
            case model.Fault(message=message):
                yield from re.findall(r"`(.+)`", message)


@pytest.mark.parametrize("case", CASES)
def test_nothing_of_the_capture_remains(case):
    connections = list(analyzer.analyze(capture_of(case), keys=keys_of(case), headers=True, secrets=True))
    wanted = {text for text in originals(connections) if len(text) >= LEAST and not COMMON.fullmatch(text)}
    keys = [word for key in keys_of(case) for word in ("--keys", key)]
    outputs = {}
    for form in [*FORMATS, "-v"]:
        words = ["-v"] if form == "-v" else ["--format", form]
        words += ["--headers"] if form in ("-v", "jsonl") else []
        done = run("read", capture_of(case), *keys, *words, "--redact-key", "a key", "--width", 4000)
        assert done.exit_code == 0, done.output
        outputs[form] = done.stdout
    for form, output in outputs.items():
        found = [text for text in wanted if re.search(rf"(?<![\w.]){re.escape(text)}(?![\w.])", output)]
        if form == "html":
            found = [text for text in found if not text.isalpha() or text not in PAGE]
        assert not found, (form, found)
        assert str(capture_of(case)) not in output


@pytest.mark.parametrize("case", sorted(CASES)[::4])
def test_everything_else_stays(case):
    """Numbers, times, verdicts: all but text from the capture."""

    def shape(one: object, name: str = "") -> object:
        if isinstance(one, msgspec.Struct):
            kind = type(one).__name__
            return {field: shape(getattr(one, field), f"{kind}.{field}") for field in one.__struct_fields__}
        if isinstance(one, list):
            return [shape(each, name) for each in one]
        return None if (isinstance(one, str) and name not in KEPT) or isinstance(one, tuple) else one

    for connection in analysed(case)[0]:
        assert shape(REDACTOR.connection(connection)) == shape(connection)


def test_every_text_of_the_model_is_thought_of():
    """A field that is in no list is replaced, but by something that tells nothing."""
    seen: set[type] = set()
    texts: set[str] = set()

    def flat(kind: object) -> Iterator[object]:
        inner = typing.get_args(kind)
        if typing.get_origin(kind) is tuple:  # header fields
            return
        if inner and typing.get_origin(kind) is not typing.Literal:
            for one in inner:
                yield from flat(one)
        else:
            yield kind

    def walk(struct: type) -> None:
        seen.add(struct)
        for field in msgspec.structs.fields(struct):
            for kind in flat(field.type):
                if kind is str or (
                    typing.get_origin(kind) is typing.Literal and isinstance(typing.get_args(kind)[0], str)
                ):
                    texts.add(f"{struct.__name__}.{field.name}")
                elif isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in seen:
                    walk(kind)

    walk(model.Connection)
    assert texts == KEPT | RULES.keys()
    assert not KEPT & RULES.keys()


# How it is replaced.


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.integers(0, 128), st.data())
def test_addresses_keep_what_they_have_in_common(address, common, data):
    kind, bits = type(address), address.max_prefixlen
    common = min(common, bits)
    rest = data.draw(st.integers(0, (1 << (bits - common)) - 1))
    other = kind((int(address) >> (bits - common) << (bits - common)) | rest)

    def shared(one, two):
        return bits - (int(one) ^ int(two)).bit_length()

    replaced = [ipaddress.ip_address(REDACTOR.address(str(one))) for one in (address, other)]
    assert [type(one) for one in replaced] == [kind, kind]
    assert shared(*replaced) == shared(address, other)


def test_the_same_is_replaced_by_the_same():
    host = REDACTOR.host("www.example.test")
    assert REDACTOR.host("WWW.example.test:443") == f"{host}:443"
    assert REDACTOR.host("example.test") == host.partition(".")[2]
    assert REDACTOR.host("*.example.test") == "*." + host.partition(".")[2]
    assert REDACTOR.name(r"CN=www.example.test,O=Example\, Inc.").startswith(f"CN={host},O=v")
    assert REDACTOR.target("http://www.example.test/a") == f"http://{host}{REDACTOR.target('/a')}"
    assert REDACTOR.host("10.0.0.1:80") == REDACTOR.address("10.0.0.1") + ":80"
    assert REDACTOR.host("[2001:db8::1]:80") == f"[{REDACTOR.address('2001:db8::1')}]:80"
    assert Redactor("a key").host("www.example.test") == host
    assert Redactor("another").host("www.example.test") != host
    assert Redactor().host("www.example.test") != Redactor().host("www.example.test")


def test_the_shape_of_a_target_stays():
    assert re.fullmatch(r"/p\w{10}/p\w{10}/\?q\w{10}", REDACTOR.target("/a/b.css/?id=1&x=2"))
    assert [REDACTOR.target(text) for text in ("*", "/", "")] == ["*", "/", ""]


@given(st.text())
def test_any_text_can_be_replaced(text):
    for rule in RULES.values():
        replaced = rule(REDACTOR, text)
        assert isinstance(replaced, str)
    REDACTOR.header((text, text))


@given(st.from_regex(r"[a-z]{12}", fullmatch=True))
def test_no_rule_lets_a_word_through(word):
    for name, rule in RULES.items():
        if name in ("Tls.decryption", "Fault.message", "Certificate.problems"):  # the program's own words
            continue
        for text in (word, f"/{word}", f"CN={word}", f"{word}.{word}:1", f"CONNECT {word}:1", f"Upgrade {word}"):
            assert word not in rule(REDACTOR, text), name
    assert word not in REDACTOR.message(f"`{word}` is no request")
    assert word not in REDACTOR.problem(f"name mismatch: {word} was asked for")
    assert word not in REDACTOR.problem(f"its issuer {word} is no certificate authority")
    assert word not in "".join(REDACTOR.header((f"X-{word}", word)))


# On the command line.


def test_filters_know_what_was_there():
    done = run("read", capture_of("tcp/refused"), "--redact", "--filter", "address=10.0.0.1", "--format", "jsonl")
    assert len(done.stdout.splitlines()) == 1
    assert "10.0.0.1" not in done.stdout


def test_runs_with_a_key_are_alike_and_others_are_not():
    first, second = (
        json.loads(run("read", capture_of("tcp/refused"), "--redact-key", key, "--format", "jsonl").stdout)
        for key in ("one", "one")
    )
    other = json.loads(run("read", capture_of("tcp/refused"), "--redact", "--format", "jsonl").stdout)
    assert first == second
    assert other["client"]["address"] != first["client"]["address"]
    assert other["open"] == first["open"]


def test_secrets_are_not_shown_and_hidden_at_once():
    done = run("read", capture_of("tcp/refused"), "--redact", "--headers", "-v", "--show-secrets")
    assert done.exit_code == 2
    assert "exclude each other" in done.stderr


def test_several_captures_are_told_apart():
    done = run("read", capture_of("tcp/refused"), capture_of("tcp/web-page"), "--redact", "--width", 200)
    assert len(set(re.findall(r"file-\w+", done.stdout))) == 2
    assert "refused/" not in done.stdout
