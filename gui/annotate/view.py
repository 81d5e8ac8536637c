"""The Annotate view: what was asked, what came of it, labels, and the bar below. It shows a Workbench and calls it.

In the middle is what is marked: an answer, or a recording. Both are shown and followed alike, and tell alike what the
person pointed at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QWidget,
)

from gui.actions import Registry, keys_shown
from gui.annotate.adjudicate import AdjudicatePage
from gui.annotate.chooser import Target
from gui.annotate.compare import ComparePage
from gui.annotate.editor import ItemEditor
from gui.annotate.fields import LineField, TextField
from gui.annotate.foot import Foot
from gui.annotate.heading import Framed, Heading, Page
from gui.annotate.labels_panel import LabelsPanel
from gui.annotate.letters import Letters
from gui.annotate.project_page import ProjectPage
from gui.annotate.recording.centre import RecordingView
from gui.annotate.recording.stretches import StretchesPane
from gui.annotate.rewrite import RewriteBox
from gui.annotate.sources import SourcesPane
from gui.annotate.text_view import TextView
from gui.annotate.words import rewards_of
from gui.annotate.workbench import Workbench
from gui.commands import PLAY_COMMANDS
from gui.connection import RecordedPictures
from gui.theme import Theme
from gui.widgets.basics import column
from hitl.annotation.agreement import Cluster
from hitl.annotation.schema import Category
from hitl.labels import Change
from hitl.messages import Message


class AnnotateView(QWidget):
    """`page_changed` says which commands have their keys now."""

    page_changed = Signal(str)

    def __init__(self, theme: Theme, registry: Registry, bench: Workbench) -> None:
        super().__init__()
        self.setObjectName("page")
        self._theme = theme
        self._registry = registry
        self.bench = bench
        self.connected = False
        self.page: Page = "annotate"
        """What is wanted; without an item, the projects are shown."""
        self.projects = ProjectPage(theme)
        self.sources = SourcesPane(theme)
        self.stretches = StretchesPane(theme)
        self.text = TextView(theme)
        self.recording = RecordingView(theme, registry, bench.clock)
        self.rewrite = RewriteBox(theme, registry)
        self.compare = ComparePage(theme, registry)
        self.adjudicate = AdjudicatePage(theme, registry)
        self.labels = LabelsPanel(theme)
        self.foot = Foot(registry)
        self._letters = Letters(self)
        self._shown = ""
        self._folded: bool | None = None
        self._build()
        self._wire()
        self.restyle()

    def _build(self) -> None:
        self.heading = Heading(self._registry)
        self._below = QStackedWidget()
        self._below.addWidget(self.rewrite)
        self._below.addWidget(self.adjudicate)
        self._marked = QStackedWidget()
        self._marked.addWidget(self.text)
        self._marked.addWidget(self.recording)
        self.middle = QSplitter(Qt.Orientation.Vertical)
        self.middle.addWidget(self._marked)
        self.middle.addWidget(self._below)
        self.middle.setStretchFactor(0, 3)
        self.middle.setStretchFactor(1, 1)
        self.middle.setSizes([420, 190])
        self._centre = QStackedWidget()
        self._centre.addWidget(self.middle)
        self._centre.addWidget(self.compare)
        self._spread(False)
        centre = QFrame()
        centre.setObjectName("centre")
        layout = column(self.heading, self._centre, spacing=0)
        layout.setStretch(1, 1)
        centre.setLayout(layout)
        self._asked = QStackedWidget()
        self._asked.addWidget(self.sources)
        self._asked.addWidget(self.stretches)
        self.asked = Framed(self._asked, "")
        self.columns = QSplitter(Qt.Orientation.Horizontal)
        for part, share in ((self.asked, 3), (centre, 5), (Framed(self.labels, "Labels"), 3)):
            self.columns.addWidget(part)
            self.columns.setStretchFactor(self.columns.count() - 1, share)
        self.columns.setChildrenCollapsible(False)
        self.columns.setSizes([330, 560, 320])
        work = QWidget()
        layout = column(self.columns, self.foot, spacing=0)
        layout.setStretch(0, 1)
        work.setLayout(layout)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.projects)
        self._pages.addWidget(work)
        self.setLayout(column(self._pages))

    def _wire(self) -> None:
        self.projects.opened.connect(self.open_project)
        for part in (self.text, self.recording):
            part.selected.connect(lambda start, end: self.act(lambda: self._editor_call("select", start, end)))
            part.walked.connect(self._walk)
            part.chosen.connect(self._choose)
            part.resized.connect(lambda key, start, end: self.make("resize", key, start, end))
        self.stretches.walked.connect(self._walk)
        self._letters.pressed.connect(self._letter)
        self.sources.toggled.connect(lambda entry: self.make("toggle_evidence", entry.source, entry.sentence))
        self.labels.categories.marked.connect(lambda category: self.make("mark", category))
        self.labels.list.chosen.connect(self._choose)
        details = self.labels.details
        details.severity.connect(lambda key: self.make("set_severity", key))
        details.noted.connect(lambda note: self.make("set_note", note))
        details.evidence.connect(lambda entry: self.make("toggle_evidence", entry.source, entry.sentence))
        details.left.connect(self.focus_text)
        self.rewrite.written.connect(self._rewritten)
        self.rewrite.folded.connect(self._fold)
        self.compare.preferred.connect(lambda first, second, winner: self.make("prefer", first, second, winner))
        self.adjudicate.decided.connect(self._decide)
        self.adjudicate.elsewhere.connect(lambda track: self.act(lambda: self._editor_call("go_to_track", track)))
        self.adjudicate.shown.connect(self._show_place)
        self.heading.tabs.currentChanged.connect(self._tab)

    # -- doing ------------------------------------------------------------------------------------------------------

    @property
    def shown(self) -> TextView | RecordingView:
        """What is marked: the answer, or the recording."""
        editor = self.bench.editor
        return self.recording if editor is not None and editor.timed else self.text

    def act(self, do: Callable[[], object]) -> None:
        """Do something to the workbench, then show what came of it."""
        do()
        self.refresh()
        self.shown.follow()

    def make(self, method: str, *arguments: object) -> None:
        """Make a step out of a method of the editor that returns changes."""
        editor = self.bench.editor
        if editor is not None:
            changes: list[Change] = getattr(editor, method)(*arguments)
            self.bench.do(changes)
            self.refresh()
            self.shown.follow()

    def _editor_call(self, method: str, *arguments: object) -> None:
        if self.bench.editor is not None:
            getattr(self.bench.editor, method)(*arguments)
            self.bench.do([])

    def _walk(self, sentence: int) -> None:
        self.act(lambda: self._editor_call("select_sentence", sentence))

    def _choose(self, target: Target) -> None:
        self.act(lambda: self._editor_call("choose", target))

    def _decide(self, cluster: Cluster, chosen: str) -> None:
        self.make("decide", cluster, self.bench.state.author, chosen)
        self.next_disagreement(1)

    def next_disagreement(self, step: int) -> None:
        """To the next place of this item that is to be decided about (with -1, the one before)."""
        if self.bench.editor is not None and not self.adjudicate.go_open(step):
            onward = keys_shown(self._registry.keys("item.finish"))
            self.bench.said = f"Nothing is left to decide in this item. {onward} goes on to the next."
            self.refresh()

    def _rewritten(self, item: str, track: str, text: str) -> None:
        if self.bench.item == item and self.bench.editor is not None:
            self.bench.do(self.bench.editor.rewrite(text, track))
            self.refresh()

    def _show_place(self, start: int, end: int) -> None:
        if self.bench.editor is not None and self.page == "adjudicate":
            self.act(lambda: self._editor_call("select", start, end))

    def _tab(self, place: int) -> None:
        editor = self.bench.editor
        if editor is None or not 0 <= place < len(editor.item.outputs):
            return
        if editor.item.outputs[place].track != editor.track:
            self.keep_text()
            self.act(lambda: self._editor_call("go_to_track", editor.item.outputs[place].track))

    def keep_text(self) -> None:
        """What is being written is a step now."""
        self.rewrite.save()
        if self.labels.details.note.hasFocus():
            self.labels.details.note.finished.emit()

    def open_project(self, name: str) -> None:
        """Work on a project; empty: choose one."""
        self.keep_text()
        self.bench.open_project(name)
        self.show_page("projects" if not name else "annotate")

    # -- pages and focus ----------------------------------------------------------------------------------------------

    def show_page(self, page: Page) -> None:
        """Show marking, comparing, other people's labels, or the projects."""
        editor = self.bench.editor
        if page == "compare" and (editor is None or len(editor.item.outputs) < 2):
            self.bench.said = "There is only one answer, so there is nothing to compare."
            page = "annotate"
        if editor is not None:
            editor.shows_others = page == "adjudicate"
        if page == "adjudicate":
            self.bench.state.want_agreement()
        self.page = page
        self.refresh()
        self.focus_text()

    def page_now(self) -> str:
        """The page that is seen; that of marking is "annotate" for an answer and "recording" for a recording."""
        if self._pages.currentIndex() == 0:
            return "projects"
        return "recording" if self.page == "annotate" and self.shown is self.recording else self.page

    def work_as(self, author: str) -> None:
        """From now on this person labels."""
        state = self.bench.state
        if author != state.author:
            self.keep_text()
            state.author = author
            self.open_project(state.project)

    def toggle_page(self, page: Page) -> None:
        """Show a page, or marking again."""
        self.show_page("annotate" if self.page == page else page)

    def focus_text(self) -> None:
        """Give the keys to what is marked."""
        if self._pages.currentIndex() == 0:
            self.projects.focus_first()
        else:
            self.shown.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def wants_words(self) -> bool:
        """Whether spoken words belong into a field of this view."""
        field = QApplication.focusWidget()
        return isinstance(field, LineField | TextField) and self.isAncestorOf(field)

    def take_words(self, words: str) -> None:
        """Put spoken words into the field that has the focus, or else into the note."""
        field = QApplication.focusWidget()
        if isinstance(field, TextField) and self.isAncestorOf(field):
            field.insertPlainText(words)
            return
        if not isinstance(field, LineField) or not self.isAncestorOf(field):
            field = self.labels.details.note
            field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        field.end(False)
        field.insert(f" {words}" if field.text() and not field.text().endswith(" ") else words)

    # -- showing ------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Draw what has changed."""
        bench, state = self.bench, self.bench.state
        editor = bench.editor
        choosing = editor is None or self.page == "projects"
        self._pages.setCurrentIndex(0 if choosing else 1)
        if choosing:
            self.recording.open("", "")
            self.projects.show_state(state, self.connected)
            self._tell_page()
            return
        assert editor is not None
        self._letters.show_schema(editor.schema)
        self.heading.show_editor(editor, self.page)
        self._show_asked(editor)
        self._show_marked(editor)
        self.labels.show_editor(editor, state.progress)
        self._below.setCurrentIndex(1 if self.page == "adjudicate" else 0)
        if self.page == "adjudicate" and self._folded is not None:
            self._fold(None)
            self.middle.setSizes([1000, 1000])
        self._below.setVisible(self.page == "adjudicate" or (editor.schema.rewrites and not editor.timed))
        self._centre.setCurrentIndex(1 if self.page == "compare" else 0)
        self._spread(self.page == "compare")
        if self.page == "compare":
            self.compare.show_editor(editor, state.progress)
        elif self.page == "adjudicate":
            self.adjudicate.show_editor(editor, state.author, state.agreement)
        self.foot.show_bench(bench, self.connected)
        self._enable()
        self._tell_page()
        if self._shown != bench.item:
            self._shown = bench.item
            self.shown.follow()
            self.focus_text()

    def _spread(self, comparing: bool) -> None:
        """While it is not seen, the page that compares takes no room from the columns."""
        across = QSizePolicy.Policy.Preferred if comparing else QSizePolicy.Policy.Ignored
        self.compare.setSizePolicy(across, QSizePolicy.Policy.Preferred)

    def _show_asked(self, editor: ItemEditor) -> None:
        """What was asked for, at the left."""
        self._asked.setCurrentIndex(1 if editor.timed else 0)
        if editor.timed:
            self.asked.set_title("The recording")
            self.stretches.show_editor(editor)
            return
        self.asked.set_title("Question and sources")
        self.sources.show_item(editor.item)
        label_now = editor.span or editor.missing
        used = [entry for value in editor.labels.values.values() for entry in getattr(value, "evidence", ())]
        self.sources.view.show_evidence(label_now.evidence if label_now is not None else (), used)

    def _show_marked(self, editor: ItemEditor) -> None:
        """What is marked, in the middle."""
        state = self.bench.state
        self._marked.setCurrentWidget(self.shown)
        timed = editor.timed
        self.recording.open(state.project if timed else "", editor.item.id if timed else "", editor.item.duration_ms)
        self.recording.problem = state.problems.get(editor.item.id, "")
        places = editor.cursor.map.sentences
        rewards = rewards_of(state.suggestions.get(editor.item.id), editor.schema, editor.track, places)
        self.shown.show_editor(editor, rewards)
        if not timed:
            self.rewrite.show_editor(editor)

    def receive(self, messages: Sequence[Message], pictures: Sequence[RecordedPictures]) -> None:
        """Give the recording its share of what arrived."""
        self.recording.receive(messages, pictures, connected=self.connected)

    def _fold(self, folded: bool | None) -> None:
        """Give the corrected text as much room as it needs; None: what is below the answer is something else."""
        if folded is not None and self.page == "adjudicate" or folded == self._folded:
            return
        self._folded = folded
        self._below.setMaximumHeight(self.rewrite.folded_height() if folded else 16777215)
        if folded is False:
            self.middle.setSizes([600, 400])

    def tick(self) -> None:
        """Draw the time that passes; who watches a recording is at work."""
        self.recording.ask()
        if self.recording.playing:
            self.bench.watch.touch(self.bench.clock.now_ns())
        if self.bench.editor is not None and self.isVisible():
            self.foot.show_bench(self.bench, self.connected)

    def _tell_page(self) -> None:
        self._allow_letters()
        self.page_changed.emit(self.page_now())

    def _allow_letters(self) -> None:
        """Elsewhere the same letters and digits may be commands."""
        self._letters.enable(self.isVisible() and self.page == "annotate")

    def _enable(self) -> None:
        editor, history = self.bench.editor, self.bench.state.history
        assert editor is not None
        enable = self._registry.enable
        enable("label.undo", history.undo is not None)
        enable("label.redo", history.redo is not None)
        enable("item.compare", len(editor.item.outputs) > 1)
        enable("mark.severity", bool(editor.schema.severities))
        enable("mark.rewrite", editor.schema.rewrites)
        enable("mark.evidence", bool(editor.item.sources))
        enable("mark.search", bool(editor.item.sources))
        for name in PLAY_COMMANDS:
            enable(name, editor.timed)

    def _letter(self, category: Category) -> None:
        """A letter marks what is selected; while a recording plays, it says where something begins or ends."""
        editor = self.bench.editor
        if editor is None or self.page != "annotate":
            return
        if editor.timed and self.recording.watches(category):
            self.act(lambda: self.bench.do(self.recording.press(editor, category)))
        else:
            self.make("mark", category)

    def restyle(self) -> None:
        """Take over the theme's colours and type."""
        for part in (
            self.projects,
            self.sources,
            self.stretches,
            self.text,
            self.recording,
            self.rewrite,
            self.labels,
        ):
            part.restyle()

    def hideEvent(self, event: QHideEvent) -> None:
        """Letters mark nothing while this is not seen; what is being written counts."""
        super().hideEvent(event)
        self.keep_text()
        self._allow_letters()

    def showEvent(self, event: QShowEvent) -> None:
        """Give the keys to what is shown."""
        super().showEvent(event)
        self._allow_letters()
        self.refresh()
        self.focus_text()

    # -- the places of the splitters ----------------------------------------------------------------------------------

    def layout_state(self) -> list[QByteArray]:
        """How wide the columns are, to be kept."""
        return [self.columns.saveState(), self.middle.saveState()]

    def restore_layout(self, kept: list[QByteArray]) -> None:
        """Make the columns as wide as they were."""
        for splitter, state in zip((self.columns, self.middle), kept, strict=False):
            splitter.restoreState(state)
