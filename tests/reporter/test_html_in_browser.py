"""The page as somebody uses it, in a browser: search, sort, open, switch, keyboard, print, and hostile captures."""

import base64
import re
from pathlib import Path

import pytest

from analyzer import model
from analyzer.flows import load_library
from analyzer.reporter.outputs.html import SCRIPTS, Html
from tests.cases import CASES, capture_of, keys_of
from tests.reporter import browser as browsers
from tests.reporter.builders import (
    certificate,
    connection,
    diverged,
    exchange,
    http,
    http2_showcase,
    showcase,
    tls,
    tls_showcase,
    web_showcase,
)
from tests.test_cli import run

pytestmark = pytest.mark.skipif(
    not (browsers.CHROMIUM and browsers.DRIVER), reason="not installed: chromium, chromium-driver"
)

DOWN, ENTER, ESCAPE, RIGHT, TAB, END = "\ue015", "\ue007", "\ue00c", "\ue014", "\ue004", "\ue010"
ROWS = "#table .body [role=row]"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browsers.browser(tmp_path_factory.mktemp("chromium")) as found:
        found.resize(1400, 900)
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reports")


def written(path, connections):
    """A report of made-up connections."""
    pieces = []
    report = Html(pieces.append, load_library())
    for number, one in enumerate(connections):
        report.add(model_with(one, id=number))
    report.finish()
    path.write_text("".join(pieces), encoding="utf-8")
    return path


def model_with(one, **fields):
    import msgspec

    return msgspec.structs.replace(one, **fields)


def report_of(folder, *cases, options=()):
    path = folder / f"{'-'.join(cases).replace('/', '_')}{len(options)}.html"
    if not path.exists():
        keys = [part for case in cases for key in keys_of(case) for part in ("--keys", key)]
        result = run("read", "-q", "-o", str(path), *keys, *options, *(str(capture_of(case)) for case in cases))
        assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def web(page, folder):
    page.open(report_of(folder, "tcp/web-page"))
    return page


@pytest.fixture
def streams(page, folder):
    page.open(report_of(folder, "http2/parallel", options=("--headers",)))
    return page


def rows(page):
    return page.texts(ROWS)


def shown(page, tab, row=0):
    page.js("location.hash = arguments[0]", f"c{row}/{tab}")
    page.wait("const p = document.getElementById('panel'); return p && !document.getElementById('connection').hidden "
              f"&& p.getAttribute('aria-labelledby') === 'tab-{tab}'")  # fmt: skip


def test_the_table_has_every_connection(web):
    found = rows(web)
    assert len(found) == 5
    assert "10.0.0.1:56230" in found[0]
    assert "✓ three-way-handshake" in found[0]
    assert web.js("return document.getElementById('found').textContent") == "5 connections"
    assert web.js("return document.querySelector('[role=grid]').getAttribute('aria-rowcount')") == "6"


def test_search_finds_addresses_paths_flows_and_statuses(web):
    for text, expected in [("refused", 1), ("/style.css", 1), ("10.0.0.1:56252", 1), ("four-way get", 1),
                           ("8080", 1), ("nothing-like-it", 0), ("", 5)]:  # fmt: skip
        web.js("const s = document.getElementById('search'); s.value = arguments[0]; "
               "s.dispatchEvent(new Event('input'))", text)  # fmt: skip
        web.wait(f"return document.querySelectorAll('{ROWS}').length === {expected}")
    assert web.log() == []


def test_sorting_both_ways(web):
    web.click("[data-key=bytes] button")
    ascending = rows(web)
    web.click("[data-key=bytes] button")
    assert rows(web) == ascending[::-1]
    assert "5.91 kB" in rows(web)[0]
    assert web.js("return document.querySelector('[data-key=bytes]').getAttribute('aria-sort')") == "descending"
    web.click("[data-key=client] button")
    assert "10.0.0.1:41724" in rows(web)[0]


def test_chips_filter_by_the_worst_outcome(page, folder):
    page.open(written(folder / "chips.html", showcase()))
    total = len(rows(page))
    page.js("[...document.querySelectorAll('#chips button')].find((b) => b.textContent.includes('diverged')).click()")
    assert 0 < len(rows(page)) < total
    assert page.texts("#chips [aria-pressed=true]")[0].startswith("✗diverged")


def test_a_connection_opens_with_its_ladder_and_the_back_button_returns(web):
    web.click(f"{ROWS}:nth-child(3)")
    web.wait("return document.querySelector('#connection .ladder')")
    assert web.js("return document.getElementById('home').hidden")
    ladder = web.texts(".ladder tr")
    assert any("SYN [payload=0]" in row for row in ladder)
    assert any("FIN" in row and "35" in row for row in ladder)
    assert web.js("return document.activeElement.id") == "h-connection"
    assert web.js("return document.querySelector('.ladder a').href").startswith(
        "https://www.rfc-editor.org/rfc/rfc9293"
    )
    web.driver.back()
    web.wait("return !document.getElementById('home').hidden")


def test_every_rung_has_its_arrow_and_packet(web):
    shown(web, "ladder", 2)
    directions = web.js(
        "return [...document.querySelectorAll('.ladder tbody:first-of-type .arrow')].map((a) => a.classList[1])"
    )
    assert directions == ["client", "server", "client"]
    assert web.texts(".ladder tbody:first-of-type .copy") == ["28", "29", "30"]


def test_what_is_missing_and_where_it_diverged_is_marked(page, folder):
    page.open(written(folder / "diverged.html", [diverged()]), "#c0/ladder")
    page.wait("return document.querySelector('.ladder')")
    assert len(page.texts(".r-missing")) == 1
    assert "FIN" in page.texts(".r-missing .arrow")[0]
    assert sum("diverged here" in text for text in page.texts(".ladder .drawn")) == 1
    assert "server RST, which no documented flow allows here" in page.texts("span.why")[-1]


def test_every_view_of_a_connection_draws_without_a_word_on_the_console(streams):
    for tab, drawn in [("ladder", ".ladder"), ("exchanges", ".fall .bars"), ("sequence", "svg.plot .data"),
                       ("tls", ".card"), ("facts", ".pairs"), ("json", "pre.json")]:  # fmt: skip
        shown(streams, tab)
        assert streams.js("return document.querySelectorAll(arguments[0]).length", f"#panel {drawn}"), tab
    assert streams.log() == []


def test_streams_are_drawn_over_time_and_frame_by_frame(streams):
    shown(streams, "exchanges")
    assert len(streams.texts(".fall tbody tr")) == 6
    over_time = streams.js("return document.querySelectorAll('.fall .down').length")
    assert over_time == 24  # a HEADERS and three DATA of each stream
    streams.click("[data-view=order]")
    frames = streams.js("return [...document.querySelectorAll('.fall .bars')].map((b) => b.getAttribute('aria-label'))")
    assert all(label.startswith("5 frames: numbers ") for label in frames)
    # Interleaved: the frames of the first stream do not stand side by side.
    numbers = [int(number) for number in re.findall(r"\d+", frames[0].split("numbers")[1])]
    assert numbers[-1] - numbers[0] > 4


def test_an_exchange_shows_its_header_fields_and_its_stream(streams):
    shown(streams, "exchanges")
    streams.click(".fall .path")
    assert any(":path" in text or "user-agent" in text for text in streams.texts(".fields th"))
    assert "END_STREAM" in "".join(streams.texts(".one .ladder .arrow"))
    assert streams.js("return document.querySelector('.fall .path').getAttribute('aria-expanded')") == "true"
    streams.click(".fall .path")
    assert streams.texts(".one .ladder") == []


def test_the_plot_marks_what_was_sent_again_and_reads_segments_to_the_keyboard(page, folder):
    page.open(report_of(folder, "http2/loss-on-path"), "#c0/sequence")
    page.wait("return document.querySelector('svg.plot')")
    assert page.js("return document.querySelectorAll('svg.plot path.retransmission').length") == 1
    assert "retransmission" in page.js("return document.querySelector('svg.plot').getAttribute('aria-label')")
    page.js("document.querySelector('svg.plot').focus()")
    page.press(RIGHT, RIGHT, RIGHT)
    assert page.texts(".readout")[0].startswith("Packet ")
    before = page.texts("svg.plot text")
    page.press("+")
    assert page.texts("svg.plot text") != before
    assert page.log() == []


def test_the_plot_marks_copies_and_says_what_it_leaves_out(page, folder):
    page.open(report_of(folder, "traffic/router-both-sides"), "#c0/sequence")
    page.wait("return document.querySelector('svg.plot path.copy')")
    assert any("captured twice: a copy" in text for text in page.texts("#panel details td"))
    page.open(report_of(folder, "traffic/corrupted", options=("--verify-checksums",)), "#c0/sequence")
    page.wait("return document.querySelector('svg.plot')")
    assert "1 segment with a wrong checksum: left out" in "".join(page.texts("#panel .note"))
    assert page.log() == []


def test_time_goes_on_in_the_plot_where_the_clock_was_set_back(page, folder):
    path = report_of(folder, "traffic/clock-set-back")
    page.open(path, "#c1/sequence")
    page.wait("return document.querySelector('svg.plot path.cursor')")
    assert not any(text.startswith("-") for text in page.texts("svg.plot text"))
    assert "The clock was set back" in "".join(page.texts("#panel .note"))
    assert any(text.startswith("-3,59") for text in page.texts("#panel details td"))  # as the clock said
    page.open(path, "#c0/sequence")
    page.wait("return document.querySelector('svg.plot')")
    assert page.js("return document.querySelectorAll('svg.plot path.cursor').length") == 0
    assert page.log() == []


def test_facts_tell_of_tunnels_copies_cuts_and_icmp(page, folder):
    told = {
        "tunnels/vxlan": "vxlan 42 (192.0.2.1 → 192.0.2.2)",
        "traffic/router-both-sides": "packets captured twice12",
        "traffic/snaplen-http": "segments cut by the snapshot length2",
    }
    for case, text in told.items():
        page.open(report_of(folder, case), "#c0/facts")
        page.wait("return document.querySelector('#panel .card')")
        assert text in "".join(page.texts("#panel .pairs tr"))
        assert "Checksums were not looked at" in "".join(page.texts("#panel .note"))
    page.open(report_of(folder, "traffic/corrupted", options=("--verify-checksums",)))
    assert "packets: 1 with a wrong checksum" in "".join(page.texts(".facts td"))
    assert page.log() == []


def test_tls_and_its_certificates(streams):
    shown(streams, "tls")
    text = "".join(streams.texts("#panel"))
    assert "TLS_AES_256_GCM_SHA384" in text
    assert "CN=example.test" in text
    assert "its issuers do not lead to a trusted root" in text


def test_packet_numbers_are_copied_as_filters(web):
    shown(web, "ladder", 0)
    web.driver.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    web.js("document.querySelector('.ladder .copy').click()")
    web.wait("return document.getElementById('said').textContent === 'Copied: frame.number == 1'")
    web.js("document.querySelector('.under .copy:last-of-type') && "
           "[...document.querySelectorAll('.under .copy')].at(-1).click()")  # fmt: skip
    web.wait("return document.getElementById('said').textContent === 'Copied: tcp.stream eq 0'")


def test_the_keyboard_is_enough(web):
    web.press("/")
    web.wait("return document.activeElement.id === 'search'")
    web.press("handshake")
    web.wait(f"return document.querySelectorAll('{ROWS}').length === 4")
    web.press(DOWN)
    web.wait("return document.activeElement.dataset.place === '0'")
    web.press(DOWN, DOWN)
    assert web.js("return document.activeElement.dataset.place") == "2"
    web.press(END)
    assert web.js("return document.activeElement.dataset.place") == "3"
    web.press(ENTER)
    web.wait("return document.activeElement.id === 'h-connection'")
    web.js("document.querySelector('[role=tab]').focus()")
    web.press(RIGHT)
    assert web.js("return document.activeElement.id") == "tab-exchanges"
    assert web.js("return document.activeElement.getAttribute('aria-selected')") == "true"
    web.press(ESCAPE)
    web.wait("return !document.getElementById('home').hidden && document.activeElement.dataset.place === '3'")


def test_previous_and_next_follow_the_order_of_the_table(web):
    shown(web, "ladder", 0)
    web.js("[...document.querySelectorAll('.crumbs button')].at(-1).click()")
    web.wait("return location.hash.startsWith('#c1') && document.querySelector('.title .id').textContent === '#1 '")
    assert web.log() == []


def test_nothing_leaves_the_page(page, folder):
    path = report_of(folder, "http2/parallel", options=("--headers",))
    page.requests()
    page.open(path)
    for tab in ("ladder", "exchanges", "sequence", "tls", "facts", "json"):
        shown(page, tab)
    asked = page.requests()
    assert asked == [path.as_uri()], asked
    assert page.log() == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("tab", [None, "ladder", "exchanges", "sequence", "tls", "facts"])
def test_text_has_contrast(page, folder, tab, dark):
    """WCAG 2.2 §1.4.3: 4.5 to 1 for text, 3 to 1 for large text."""
    page.resize(1400, 900, dark=dark)
    page.open(report_of(folder, "http2/parallel", options=("--headers",)), "" if tab is None else f"#c0/{tab}")
    assert page.js("return document.documentElement.dataset.theme") == ("dark" if dark else "light")
    page.js("for (const one of document.querySelectorAll('details')) one.open = true")
    poor = page.js(CONTRAST)
    page.resize(1400, 900)
    assert poor == []


CONTRAST = """
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (node) => {
  for (let one = node; one; one = one.parentElement) {
    const found = rgb(getComputedStyle(one).backgroundColor);
    if (found.length === 3 || found[3] === 1) return found;
  }
  return [255, 255, 255];
};
const poor = [];
for (const node of document.querySelectorAll('body *')) {
  const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
  if (!own || !node.getClientRects().length || node.closest('.said, .sr, .skip, script, style, :disabled')) continue;
  const style = getComputedStyle(node);
  const colour = rgb(node.namespaceURI.endsWith('svg') ? style.fill : style.color);
  const [a, b] = [light(colour), light(behind(node))].sort((x, y) => y - x);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  const name = node.className.baseVal ?? node.className;
  const contrast = (a + 0.05) / (b + 0.05);
  if (contrast < (large ? 3 : 4.5)) poor.push([name, node.textContent.slice(0, 40), style.color, contrast]);
}
return poor.slice(0, 8);
"""


@pytest.mark.parametrize("tab", [None, "ladder", "exchanges", "sequence", "tls", "facts", "json"])
def test_everything_has_a_name_and_tables_have_headers(page, folder, tab):
    page.open(report_of(folder, "http2/parallel", options=("--headers",)), "" if tab is None else f"#c0/{tab}")
    assert page.js("""
        const nameless = [...document.querySelectorAll('button, a, input, [role=img], [role=grid], [role=tabpanel]')]
          .filter((one) => one.getClientRects().length)
          .filter((one) => !one.textContent.trim() && !one.getAttribute('aria-label') && !one.labels?.length
                  && !one.getAttribute('aria-labelledby'));
        return nameless.map((one) => one.outerHTML);""") == []  # fmt: skip
    assert (
        page.js("""
        return [...document.querySelectorAll('table')].filter((one) => !one.querySelector('th[scope]')).length""")
        == 0
    )
    assert page.js("const ids = [...document.querySelectorAll('[id]')].map((one) => one.id); "
                   "return ids.filter((id, at) => ids.indexOf(id) !== at)") == []  # fmt: skip


@pytest.mark.parametrize("tab", [None, "ladder", "exchanges", "sequence", "tls", "facts"])
def test_a_narrow_window_does_not_scroll_sideways(page, folder, tab):
    page.resize(400, 800)
    page.open(report_of(folder, "http2/parallel", options=("--headers",)), "" if tab is None else f"#c0/{tab}")
    width = page.js("return document.documentElement.scrollWidth")
    page.resize(1400, 900)
    assert width <= 400


def test_printing(page, folder):
    page.open(written(folder / "many.html", [connection() for _ in range(120)]))
    for fragment, least in (("", 3), ("#c3/ladder", 1)):
        page.js("location.hash = arguments[0]", fragment)
        page.wait("return document.getElementById('home').hidden === " + ("true" if fragment else "false"))
        pdf = base64.b64decode(page.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
        assert pdf.startswith(b"%PDF-")
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= least  # all rows are there, not those in sight
    page.js("dispatchEvent(new Event('beforeprint'))")
    assert len(rows(page)) == 120
    page.js("dispatchEvent(new Event('afterprint'))")
    assert len(rows(page)) < 60


def test_only_rows_in_sight_are_elements(page, folder):
    page.open(written(folder / "thousands.html", [connection() for _ in range(3000)]))
    assert len(rows(page)) < 60
    page.js("document.querySelector('.view').scrollTop = 1500 * 34")
    page.wait(f"return [...document.querySelectorAll('{ROWS}')].some((row) => row.firstChild.textContent === '1500')")
    assert len(rows(page)) < 60


HOSTILE = (
    "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>"
    "\u2028\u202e\x1b[2J\x00\"'`${{{{%}}]]>--><!--"
)


def test_a_hostile_capture_injects_nothing(page, folder):
    wicked = HOSTILE
    one = exchange(f"GET {wicked}", 200)
    request = model_with(
        one.request,
        method=wicked,
        target=wicked,
        authority=wicked,
        headers=[(wicked, wicked), ("javascript:alert(1)", "x")],
    )
    leaf = model_with(certificate(), subject=wicked, issuer=wicked, names=[wicked], serial=wicked, problems=[wicked])
    secret = tls(server_name=wicked, alpn=wicked, alpn_offered=[wicked], certificates=[leaf], cipher_suite=wicked,
                 version=wicked, ja3=wicked, decryption=wicked,
                 alerts=[model.Alert("server", wicked, wicked, 9)])  # fmt: skip
    talk = http(model_with(one, request=request, trailers=[(wicked, wicked)]))
    step = model.Step("client", wicked, 1, 1, 0)
    divergence = model.Divergence(1, "client", wicked, [wicked], wicked, [wicked, f"client {wicked} missing"])
    opening = model.Verdict(flow=None, outcome="diverged", steps=[step], divergence=divergence,
                            branches=[wicked], differs=[wicked], standard=wicked)  # fmt: skip
    hostile = connection(
        capture=f"{wicked}.pcap", client=(wicked, 1), server=(wicked, 2), tls=secret, http=talk, open=opening,
        faults=[model.Fault(1, wicked, wicked)], tunnel=model.Tunnel(wicked, model.PerSide(), tls=secret, http=talk),
    )  # fmt: skip
    pieces = []
    report = Html(pieces.append, load_library(), headers=True, secrets=True)
    report.begin(Source(wicked))
    report.add(hostile)
    report.end(Source(wicked))
    report.finish()
    path = folder / "hostile.html"
    path.write_text("".join(pieces), encoding="utf-8")
    assert "window.hacked" not in re.sub(r"&lt;script&gt;window.hacked|onerror=window.hacked", "", path.read_text())
    page.open(path)
    for tab in ("ladder", "exchanges", "sequence", "tls", "facts", "json"):
        shown(page, tab)
        page.js("for (const one of document.querySelectorAll('.fall .path')) one.click()")
        assert page.js("return document.querySelectorAll('img, iframe, #connection script').length") == 0
        text = page.js("return document.body.innerText")
        assert not re.search("[\x00\x1b\u202e\u2028]", text), tab
    assert page.js("return window.hacked") is None
    assert page.log() == []
    assert "hacked" in page.js("return document.title")  # shown as what it is


class Source:
    """What `Html` asks of an analysis."""

    samples = None
    warnings: list = []  # noqa: RUF012

    def __init__(self, name):
        self.name = name
        self.frame_logs = {}

    @property
    def totals(self):
        from tests.reporter.builders import Totals

        return Totals(packets=1, connections=1)


def test_showcases_draw_without_a_word_on_the_console(page, folder):
    connections = [*showcase(), *web_showcase(), *http2_showcase(), *tls_showcase()]
    page.open(written(folder / "showcase.html", connections))
    for row, one in enumerate(connections):
        for tab in ("ladder", *(["exchanges"] if one.http else []), *(["tls"] if one.tls else []), "facts"):
            shown(page, tab, row)
    assert page.log() == []
    assert page.js("return document.getElementById('problem').hidden")


def test_recorded_captures_draw_without_a_word_on_the_console(page, folder):
    cases = [case for case in CASES if case.startswith(("http1/", "tls/starttls", "http2/goaway"))]
    path = folder / "recorded.html"
    assert run("read", "-q", "-o", str(path), *(str(capture_of(case)) for case in cases)).exit_code == 0
    page.open(path)
    count = page.js("return report.count")
    assert count >= len(cases)
    page.js("document.getElementById('connection').hidden = false")
    for row in range(count):
        for tab in ("ladder", "exchanges", "sequence", "facts"):  # not by the address: that may not change so often
            page.js("return showConnection(arguments[0], arguments[1], { back, step })", row, tab)
            assert page.js("return document.getElementById('panel').childNodes.length"), (row, tab)
    assert page.log() == []


def test_scripts_can_stand_in_a_page():
    folder = Path(browsers.__file__).parents[2] / "analyzer/reporter/outputs/html"
    assert {path.name for path in folder.glob("*.js")} == set(SCRIPTS)
    for name in SCRIPTS:
        text = (folder / name).read_text(encoding="utf-8")
        assert "</script" not in text.lower()
        assert "<!--" not in text
        assert "innerHTML" not in text
        assert len(text.splitlines()) < 400
