"""Poses of the Annotate view for pictures: each gives the view a moment of the sample project."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gui.annotate import samples
from gui.annotate.chooser import Target
from gui.annotate.view import AnnotateView, Page
from hitl.annotation_messages import OpenItem, OpenProject
from hitl.events import LabelEvent
from hitl.labels import Span

Pose = Callable[[AnnotateView], None]


def settle(view: AnnotateView, steps: Sequence[LabelEvent] = (), names: list[str] | None = None) -> None:
    """Answer what the view asks, as a backend would, until it asks no more."""
    state = view.bench.state
    view.connected = True
    state.link(True)
    for _round in range(6):
        asked = state.asks(1 << 62)
        for question in asked:
            if isinstance(question, OpenProject):
                view.bench.receive([samples.project_opened(question, names=names)])
            elif isinstance(question, OpenItem):
                view.bench.receive([samples.item_opened(question, [s for s in steps if s.item == question.item])])
            else:
                view.bench.receive([samples.agreement_found(question)])
    view.refresh()


def _work(view: AnnotateView, *steps: LabelEvent, item: str = "dev-37", learned: bool = True) -> None:
    view.bench.open_project(samples.PROJECT)
    settle(view, steps)
    if learned:
        view.bench.receive([samples.progress()])
    view.bench.open_item(item)
    settle(view, steps)
    _page(view, "annotate")


def _page(view: AnnotateView, page: Page) -> None:
    view.show_page(page)


def _choose(view: AnnotateView, words: str) -> None:
    editor = view.bench.editor
    assert editor is not None
    for key, span in editor.labels.of(Span).items():
        if editor.text[span.start : span.end] == words:
            editor.choose(Target("span", key))
    view.refresh()


def _none(view: AnnotateView) -> None:
    settle(view, names=[])


def _projects(view: AnnotateView) -> None:
    settle(view)


def _away(view: AnnotateView) -> None:
    view.connected = False
    view.refresh()


def _fresh(view: AnnotateView) -> None:
    _work(view)


def _spans(view: AnnotateView) -> None:
    _work(view, samples.marked())
    _choose(view, "four")


def _nested(view: AnnotateView) -> None:
    _work(view, samples.marked())
    _choose(view, "its many sea birds, which visitors like to watch")


def _suggested(view: AnnotateView) -> None:
    _work(view)
    view.bench.receive([samples.suggestions()])
    editor = view.bench.editor
    assert editor is not None
    editor.cursor.to_sentence(0)
    editor.enter()
    view.refresh()


def _missing(view: AnnotateView) -> None:
    _work(view, samples.marked(), samples.missing())
    editor = view.bench.editor
    assert editor is not None
    editor.choose(Target("missing", next(iter(editor.labels.missing()))))
    view.refresh()


def _rewrite(view: AnnotateView) -> None:
    _work(view, samples.marked(), samples.rewritten())
    view.rewrite.focus()


def _compare(view: AnnotateView) -> None:
    _work(view, samples.contradicting())
    view.bench.receive([samples.suggestions()])
    _page(view, "compare")


def _opinion(view: AnnotateView) -> None:
    _work(view)
    view.bench.receive([samples.suggestions()])
    _page(view, "compare")


def _others(view: AnnotateView) -> None:
    steps = [samples.marked(), samples.of_tomas()]
    _work(view, *steps)
    _page(view, "adjudicate")
    settle(view, steps)


def _flagged(view: AnnotateView) -> None:
    _work(view, samples.marked(), samples.flagged())


def _offline(view: AnnotateView) -> None:
    _work(view, samples.marked())
    view.bench.state.link(False)
    view.connected = False
    for _round in (1, 2):
        view.act(lambda: view.bench.do(view.bench.editor.next_sentence(1) if view.bench.editor else []))
    category = view.bench.editor.schema.categories[2] if view.bench.editor else None
    view.make("mark", category)


def _long(view: AnnotateView) -> None:
    _work(view, item="dev-39")
    editor = view.bench.editor
    assert editor is not None
    categories = [entry for entry in editor.schema.categories if entry.where == "span"]
    for number in range(0, len(editor.cursor.map.words) - 12, 7):
        editor.select(editor.cursor.map.words[number].start, editor.cursor.map.words[number + 4 + number % 7].end)
        view.bench.do(editor.mark(categories[number % len(categories)]))
    editor.cursor.to_sentence(90)
    editor.target = None
    view.refresh()
    view.text.follow()


def _scripts(view: AnnotateView) -> None:
    _work(view, item="dev-38")
    editor = view.bench.editor
    assert editor is not None
    categories = {entry.shortcut: entry for entry in editor.schema.categories}
    for words, letter in (
        ("ברוכים הבאים", "f"),
        ("👩‍👩‍👧‍👦 Families", "u"),
        ("تطير فوق الميناء", "i"),
        ("cafés", "c"),
        ("🏖️", "r"),
        ("🇪🇸🇯🇵", "f"),
        ("हर साल", "u"),
        ("祭り", "i"),
        ("여름에", "c"),
    ):
        start = editor.text.index(words)
        editor.select(start, start + len(words))
        view.bench.do(editor.mark(categories[letter]))
    editor.choose(next(Target("span", key) for key, span in editor.labels.of(Span).items() if span.start == 15))
    view.refresh()


VIEWS: dict[str, tuple[str, Pose]] = {
    "annotate-away": ("there is no backend yet", _away),
    "annotate-empty": ("there is no project yet", _none),
    "annotate-projects": ("the projects of the backend", _projects),
    "annotate": ("an answer that nobody has marked yet", _fresh),
    "annotate-spans": ("an answer with spans, one of them current", _spans),
    "annotate-nested": ("nested and overlapping spans", _nested),
    "annotate-suggested": ("what the model suggests", _suggested),
    "annotate-missing": ("missing items and their evidence", _missing),
    "annotate-rewrite": ("a corrected answer, compared with the original", _rewrite),
    "annotate-compare": ("preferences that contradict each other", _compare),
    "annotate-opinion": ("which answer the model would prefer", _opinion),
    "annotate-others": ("labels of two people side by side", _others),
    "annotate-flagged": ("an item that is to be talked about", _flagged),
    "annotate-offline": ("steps that wait for the backend", _offline),
    "annotate-long": ("a very long answer with many spans", _long),
    "annotate-scripts": ("right-to-left text, emoji and accents", _scripts),
}
