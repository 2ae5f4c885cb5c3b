"""The documented flows: Markdown pages with sequence diagrams, and the automata that match traffic against them.

    library = load_library()
    automaton = library.automaton("tcp-open")

`docs/flows.md` says what a page means and how to add one.
"""

from analyzer.flows.library import Library, Page, load_library

__all__ = ["Library", "Page", "load_library"]
