"""What others make of our output: Mermaid's own parser, the schema of HTTP Archive, and a viewer of it, all of npm."""

from __future__ import annotations

import io
import json

import pytest
from jsonschema import Draft6Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT6

from analyzer.reporter.outputs.har import Har
from analyzer.reporter.outputs.mermaid import drawn
from tests.cases import CASES, ROOT, capture_of, keys_of, report_of
from tests.reporter.browser import CHROMIUM, DRIVER, browser
from tests.reporter.test_markdown import hostile

NPM = ROOT / "build" / "npm"

pytestmark = pytest.mark.skipif(not (NPM / "perf-cascade").exists(), reason="not fetched from npm: .ci/npm")
in_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver")


def connections_of(case: str):
    return report_of(str(capture_of(case)), keys=keys_of(case), headers=True)[0]


def har_of(connections) -> str:
    out = io.BytesIO()
    report = Har(out.write, "1")
    for one in connections:
        report.add(one)
    report.finish()
    return out.getvalue().decode()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Chromium with the scripts of the packages."""
    folder = tmp_path_factory.mktemp("npm")
    scripts = [NPM / "mermaid/dist/mermaid.min.js", NPM / "perf-cascade/dist/perf-cascade.min.js"]
    path = folder / "page.html"
    path.write_text("<!doctype html>" + "".join(f'<script src="{one.as_uri()}"></script>' for one in scripts))
    with browser(folder / "profile") as found:
        found.driver.get(path.as_uri())
        yield found


PARSE = """
const done = arguments[arguments.length - 1];
(async () => {
  const failed = [];
  for (const text of arguments[0]) {
    try { await mermaid.parse(text); } catch (error) { failed.push([text, String(error)]); }
  }
  done(failed);
})();
"""


@in_browser
def test_mermaid_parses_every_diagram(page):
    texts = {"\n".join(drawn(one)) for case in CASES for one in connections_of(case)[:3]}
    texts.add("\n".join(drawn(hostile())))
    assert len(texts) > len(CASES) / 2
    page.driver.set_script_timeout(120)
    assert page.driver.execute_async_script(PARSE, sorted(texts)) == []
    assert page.driver.execute_async_script(PARSE, ["sequenceDiagram\nClient->>: SYN"]) != []


@in_browser
@pytest.mark.parametrize("case", ["tcp/web-page", "compare/http2", "http2/over-tls"])
def test_a_viewer_draws_every_entry(page, case):
    log = json.loads(har_of(connections_of(case)))["log"]
    drawn_rows = page.js(
        "const svg = perfCascade.fromHar(arguments[0]); document.body.replaceChildren(svg);"
        "return document.querySelectorAll('.row-item').length",
        log,
    )
    assert drawn_rows == len(log["entries"])


@pytest.mark.parametrize("case", CASES)
def test_a_log_is_as_the_schema_has_it(case, schema):
    schema.validate(json.loads(har_of(connections_of(case))))


def test_the_schema_notices(schema):
    assert not schema.is_valid({"log": {"version": "1.2", "creator": {"name": "analyzer"}, "entries": []}})


@pytest.fixture(scope="module")
def schema():
    parts = {path.name: json.loads(path.read_text()) for path in (NPM / "har-schema/lib").glob("*.json")}
    resources = [(name, Resource(part, DRAFT6)) for name, part in parts.items()]
    registry = Registry().with_resources(resources)
    return Draft6Validator({"$ref": "har.json"}, registry=registry, format_checker=Draft6Validator.FORMAT_CHECKER)
