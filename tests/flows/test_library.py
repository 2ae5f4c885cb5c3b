"""Pages as files: what is checked, and what the reason says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conversation import LETTERS, play

from analyzer.dissector import tcp
from analyzer.errors import FlowPageError, UsageError
from analyzer.flows import Library, load_library
from analyzer.flows.library import SCOPES, parse_page

PAGE = """---
id: tcp-open/mine
scope: tcp-open
title: Mine: with "quotes"
drawn_in_article: none
standard: none
either_side: false
---

Some prose.

```text
not a diagram
```

```mermaid
sequenceDiagram
    Client->>Server: SYN
    Client->>Server: FIN
```

More prose.
"""


def write(folder, name, text=PAGE):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_page_has_three_parts():
    page = parse_page(PAGE, "mine.md")
    assert (page.id, page.scope, page.title) == ("tcp-open/mine", "tcp-open", 'Mine: with "quotes"')
    assert (page.drawn_in_article, page.standard, page.either_side, page.ends_by_silence) == (None, None, False, False)
    assert page.prose.startswith("Some prose.")
    assert page.prose.endswith("More prose.")
    assert page.mermaid == "sequenceDiagram\n    Client->>Server: SYN\n    Client->>Server: FIN"


def test_front_matter_may_have_comments_quotes_and_optional_keys():
    text = PAGE.replace("either_side: false", "# why\neither_side: true\nends_by: silence\norder: 12\n")
    page = parse_page(text.replace("none\nstandard: none", '"F3"\nstandard: "RFC 9293"'), "mine.md")
    assert (page.either_side, page.ends_by_silence, page.order) == (True, True, 12)
    assert (page.drawn_in_article, page.standard) == ("F3", "RFC 9293")


# Each: what to replace in PAGE, with what, the line, part of the reason.
MALFORMED = [
    ("---\nid", "id", 1, "begins with front matter"),
    ("\n---\n", "\n", 9, "cannot read `Some prose.`"),
    ("title: Mine", "title Mine", 4, "cannot read `title Mine"),
    ("title:", "titel:", 4, "unknown key `titel`: known are id"),
    ("title", "id: x\ntitle", 4, "`id` is given twice"),
    ('title: Mine: with "quotes"\n', "", 7, "the front matter lacks `title`"),
    ("standard: none", "standard:", 6, "`standard` has no value"),
    ("scope: tcp-open", "scope: tcp", 3, "unknown scope `tcp`: known are tcp-open"),
    ("id: tcp-open/mine", "id: tcp-close/mine", 2, "is `tcp-open/` and a lower-case name"),
    ("id: tcp-open/mine", "id: tcp-open/My_Page", 2, "is `tcp-open/` and a lower-case name"),
    ("id: tcp-open/mine", "id: tcp-open/yours", 2, "must be `tcp-open/mine`"),
    ("article: none", "article: yes", 5, "`drawn_in_article` is F1 to F9, or none, not `yes`"),
    ("either_side: false", "either_side: no", 7, "`either_side` is true or false, not `no`"),
    ("either_side: false", "either_side: false\nends_by: RST", 8, "`ends_by` is silence, not `RST`"),
    ("either_side: false", "either_side: false\norder: last", 8, "`order` is a number, not `last`"),
    ("```mermaid", "```", 23, "the page has no diagram"),
    ("```text\nnot", "```mermaid\nnot", 16, "a page has one diagram"),
    ("FIN\n```", "FIN\n", 16, "this ``` is never closed"),
    ("Server: FIN", "Server: FINN", 19, "unknown step `FINN`: did you mean `FIN`?"),
    ("Server: SYN", "Server: SYN [sni=x]", 18, "unknown attribute `sni`: the steps here carry payload"),
]


@pytest.mark.parametrize(("old", "new", "line", "reason"), MALFORMED)
def test_malformed_pages_are_refused_with_file_line_and_reason(tmp_path, old, new, line, reason):
    assert old in PAGE
    path = write(tmp_path, "tcp-open/mine.md", PAGE.replace(old, new, 1))
    with pytest.raises(FlowPageError) as refused:
        load_library([tmp_path])
    assert (refused.value.path, refused.value.line) == (str(path), line)
    assert reason in refused.value.reason


def test_a_page_that_is_not_utf_8(tmp_path):
    write(tmp_path, "tcp-open/mine.md").write_bytes(PAGE.encode() + b"\n\xff\n")
    with pytest.raises(FlowPageError, match=r"mine.md:24: the page is not UTF-8"):
        load_library([tmp_path])


def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path):
    write(tmp_path, "tcp-open/mine.md").write_bytes(b"\xef\xbb\xbf" + PAGE.replace("\n", "\r\n").encode())
    assert load_library([tmp_path]).page("tcp-open/mine").mermaid == parse_page(PAGE, "").mermaid


def test_user_pages_stand_after_the_built_in_ones_and_are_matched(tmp_path):
    write(tmp_path, "tcp-open/mine.md")
    write(tmp_path, "README.md", "about these pages")
    write(tmp_path, "tcp-open/README.md", "about these pages")
    write(tmp_path, "drawings/readme.txt", "ignored")
    library = Library([tmp_path])
    assert library.of_scope("tcp-open")[-1].id == "tcp-open/mine"
    assert len(library.pages) == len(load_library().pages) + 1
    played = play("C SYN", "C FIN", automaton=library.automaton("tcp-open"))
    assert (played.flow, played.outcome) == ("tcp-open/mine", "variant")


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        load_library([tmp_path / "missing"])
    with pytest.raises(UsageError, match="holds no flow pages"):
        load_library([tmp_path])
    write(tmp_path, "tcp-opening/mine.md")
    with pytest.raises(UsageError, match="unknown scope `tcp-opening`"):
        load_library([tmp_path])


def test_a_page_outside_the_folder_of_a_scope(tmp_path):
    write(tmp_path, "mine.md")
    with pytest.raises(FlowPageError, match="lies in the folder of its scope"):
        load_library([tmp_path])


def test_ids_are_taken_once(tmp_path):
    write(tmp_path, "one/tcp-open/mine.md")
    write(tmp_path, "two/tcp-open/mine.md")
    with pytest.raises(FlowPageError, match=r"is taken by .*one"):
        load_library([tmp_path / "one", tmp_path / "two"])
    write(tmp_path, "three/tcp-open/refused.md", PAGE.replace("tcp-open/mine", "tcp-open/refused"))
    with pytest.raises(FlowPageError, match="is taken by a built-in page"):
        load_library([tmp_path / "three"])


def test_a_users_page_that_needs_too_many_states_is_refused_before_any_traffic(tmp_path):
    names = ("SYN", "SYN-ACK", "ACK", "RST")
    branches = "\nand\n".join("Client->>Server: " + ", ".join([name] * 9) for name in names)
    write(tmp_path, "tcp-open/mine.md", PAGE.replace("Client->>Server: SYN", f"par\n{branches}\nend"))
    with pytest.raises(FlowPageError, match=r"mine.md:1: scope tcp-open needs more than \d+ states"):
        load_library([tmp_path]).automaton("tcp-open")


def test_unknown_pages_and_scopes():
    with pytest.raises(UsageError, match="no flow page `tcp-open/none`"):
        load_library().page("tcp-open/none")
    with pytest.raises(UsageError, match="no flow page `none/none`"):
        load_library().page("none/none")
    with pytest.raises(UsageError, match="unknown scope `none`"):
        load_library().of_scope("none")


def test_one_automaton_per_scope_and_library():
    library = load_library()
    assert library.automaton("tcp-open") is library.automaton("tcp-open")
    assert library.automaton("tcp-open") is not library.automaton("tcp-close")


def test_a_scope_is_read_when_it_is_first_used(tmp_path):
    write(tmp_path, "tcp-open/bad.md", "no page at all")
    write(tmp_path, "tcp-close/mine.md", PAGE.replace("tcp-open", "tcp-close"))
    library = Library(root=tmp_path)
    assert [page.id for page in library.of_scope("tcp-close")] == ["tcp-close/mine"]
    with pytest.raises(FlowPageError, match=r"bad.md:1"):
        library.of_scope("tcp-open")


def test_other_scopes_may_be_given(tmp_path):
    text = PAGE.replace("tcp-open", "letters").replace("SYN", "A").replace("FIN", "B [sni=*.test]")
    write(tmp_path, "letters/mine.md", text)
    library = Library(root=tmp_path, scopes={"letters": LETTERS})
    assert library.scopes == ("letters",)
    assert [str(test) for test in library.automaton("letters").tests] == ["retransmission", "sni=*.test"]


def test_listing_the_pages_needs_no_numpy():
    code = (
        "import sys; from analyzer.flows import load_library; load_library().pages; assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_page_in_the_documentation_works_and_so_does_its_mistake(tmp_path):
    docs = (Path(__file__).parents[2] / "docs" / "flows.md").read_text(encoding="utf-8")
    text = re.search(r"````markdown\n(.*?)````", docs, re.DOTALL)[1]
    write(tmp_path, "tcp-close/polite-reset.md", text)
    automaton = load_library([tmp_path]).automaton("tcp-close")
    assert play("S FIN", "C FIN-ACK", "S ACK", "S RST", automaton=automaton).flow == "tcp-close/polite-reset"
    write(tmp_path, "tcp-close/polite-reset.md", text.replace("FIN-ACK", "FINACK"))
    with pytest.raises(FlowPageError) as refused:
        load_library([tmp_path])
    assert str(refused.value).replace(str(tmp_path), "my-flows") in docs


def test_the_documentation_knows_every_step_and_field():
    docs = (Path(__file__).parents[2] / "docs" / "flows.md").read_text(encoding="utf-8")
    assert [name for name in (*tcp.STEPS, *tcp.ATTRIBUTES) if f"`{name}`" not in docs] == []


def test_the_vocabulary_is_the_dissectors():
    assert SCOPES["tcp-open"].steps is tcp.STEPS
    assert SCOPES["tcp-close"].attributes is tcp.ATTRIBUTES
    assert [name for name in tcp.STEPS if f"`{name}`" not in tcp.__doc__] == []
