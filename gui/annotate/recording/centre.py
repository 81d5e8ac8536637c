"""A recording in the middle of Annotate: its cameras, the bar that plays it, and the time track on which it is marked.

It stands where the answer stands for a text, and tells the same things of what was pointed at. It owns the playhead
and the pictures; what has to be asked of the backend is told by `asked`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent, QResizeEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from gui.actions import Registry
from gui.annotate.editor import ItemEditor
from gui.annotate.recording.cameras import RecordedCameras
from gui.annotate.recording.decoder import Decoder
from gui.annotate.recording.pictures import PictureStore, Recorded
from gui.annotate.recording.playhead import Playhead
from gui.annotate.recording.scene import Scene, Scenes, chance_words
from gui.annotate.recording.track_drawing import Look, begun_of
from gui.annotate.recording.track_view import TrackView
from gui.annotate.recording.transport import Transport
from gui.annotate.recording.watching import Watching, set_edge
from gui.annotate.times import time_words
from gui.connection import Picture, RecordedPictures
from gui.theme import GRID, Theme
from gui.widgets.basics import column, label, restyle
from hitl.annotation.schema import Category
from hitl.annotation.text import Range
from hitl.annotation_messages import RecordingOpened
from hitl.clock import Clock
from hitl.labels import Change
from hitl.messages import Message

_TICK_MS = 16
_ZOOM = 1.6


class RecordingView(QWidget):
    """`selected`, `chosen`, `resized` and `walked` as of a text; `asked` carries messages for the backend."""

    selected = Signal(int, int)
    chosen = Signal(object)
    resized = Signal(str, int, int)
    walked = Signal(int)
    asked = Signal(object)

    def __init__(self, theme: Theme, registry: Registry, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.store = PictureStore()
        self.head = Playhead()
        self.watching = Watching()
        self._decoder = Decoder()
        self._editor: ItemEditor | None = None
        self._known: tuple[object, ...] = ()
        self._scenes = Scenes()
        self._scene = Scene()
        self._selection: Range | None = None
        self.problem = ""
        """Why the model suggests nothing here."""
        self._stays = False
        """The next change of the selection leaves the playhead where it is."""
        self._wanted: dict[str, int] = {}
        """Of each camera, the moment of the picture that is shown or being made ready."""
        self.cameras = RecordedCameras(theme)
        self.transport = Transport(registry)
        self.track = TrackView(theme)
        self._message = label("", wrap=True, name="Pictures")
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._message.setContentsMargins(4 * GRID, GRID, 4 * GRID, GRID)
        self._pictures = QStackedWidget()
        self._pictures.addWidget(self._message)
        framed = QWidget()
        framed.setLayout(column(self.cameras, margins=(GRID, GRID, GRID, GRID)))
        self._pictures.addWidget(framed)
        layout = column(self._pictures, self.transport, self.track, spacing=0)
        layout.setStretch(0, 1)
        self.setLayout(layout)
        self.setFocusProxy(self.track)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self.tick)
        self._wire()

    def _wire(self) -> None:
        for name in ("selected", "chosen", "resized", "walked"):
            getattr(self.track, name).connect(getattr(self, name))
        self.track.sought.connect(self.seek)
        self.cameras.sized.connect(self._want_anew)
        self.cameras.enlarged.connect(lambda _camera: self._show_moment())
        self._decoder.decoded.connect(self._decoded, Qt.ConnectionType.QueuedConnection)

    # -- what to show -------------------------------------------------------------------------------------------------

    @property
    def playing(self) -> bool:
        """Whether the recording plays."""
        return self.head.playing

    def open(self, project: str, item: str, duration_ms: int = 0) -> None:
        """Begin with the recording of this item; the same one goes on. An empty item: none is shown."""
        if (project, item) == (self.store.project, self.store.item):
            return
        self.pause()
        self.watching.forget()
        speed = self.head.speed
        self.store.show(project, item)
        self.head = Playhead(duration_ms)
        self.head.speed = speed
        self._wanted.clear()
        self.cameras.forget_pictures()
        self._editor, self._known, self._selection = None, (), None
        self._show_moment()

    def show_editor(self, editor: ItemEditor, rewards: Mapping[int, tuple[float, str]]) -> None:
        """Show an editor's recording. rewards: stretch -> (value, explanation)."""
        known = (editor.labels, editor.proposals(), editor.suggestions, editor.schema, rewards)
        fresh = editor is not self._editor or not self._known
        if fresh or any(a is not b for a, b in zip(self._known[:4], known, strict=False)) or self._known[4] != rewards:
            heights = self._scene.lane_count, len(self._scene.plots)
            self._editor, self._known = editor, known
            self._scene = self._scenes.scene(editor, rewards, editor.suggestions)
            self._show_scene(editor)
            if fresh or heights != (self._scene.lane_count, len(self._scene.plots)):
                self._fit()
        else:
            self._show_scene(editor)
        self._follow_selection(editor.cursor.selection)

    def _show_scene(self, editor: ItemEditor) -> None:
        look = Look(editor.cursor.selection, editor.cursor.sentence, editor.target,
                    begun=begun_of(self.watching.begun, editor.schema))  # fmt: skip
        self.track.show_scene(editor, self._scene, look)

    def _follow_selection(self, selection: Range) -> None:
        """The playhead goes where the person goes: to the start of what is selected, or to the end that was moved."""
        before, self._selection = self._selection, selection
        stays, self._stays = self._stays, False
        if selection == before or stays:
            self._show_moment()
        else:
            ended = before is not None and selection.start == before.start
            self.seek(selection.end if ended else selection.start)

    def follow(self) -> None:
        """Scroll to the selection; while watching, to the playhead."""
        if self.playing or self.begun:
            self.track.follow_playhead()
        else:
            self.track.follow()

    def restyle(self) -> None:
        """Take over the theme's colours and type."""
        self.track.restyle()
        self.transport.restyle()
        self._fit()

    def _fit(self) -> None:
        """The track is as high as it needs to be, up to a good half."""
        self.track.setFixedHeight(max(110, min(self.track.wanted_height(), self.height() * 11 // 20)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the height anew."""
        super().resizeEvent(event)
        self._fit()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody watches."""
        super().hideEvent(event)
        self.pause()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The keys are the track's."""
        self.track.setFocus(event.reason())

    # -- the backend --------------------------------------------------------------------------------------------------

    def receive(self, messages: Sequence[Message], pictures: Sequence[RecordedPictures], *, connected: bool) -> None:
        """Take in what arrived about this recording, and ask for what is lacking."""
        now_ns = self._clock.now_ns()
        news = [self.store.apply(message, (), now_ns) for message in messages if isinstance(message, RecordingOpened)]
        news += [self.store.apply(entry.message, entry.jpegs, now_ns) for entry in pictures]
        self.store.link(connected)
        if any(news):
            self.cameras.show_cameras(self.store.cameras)
            self._show_moment()
        self.ask()

    def ask(self) -> None:
        """Ask for what has to be asked now."""
        questions = self.store.asks(self._clock.now_ns())
        if questions:
            self.asked.emit(questions)

    # -- the playhead -------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Time has passed."""
        ready = not self.store.waits(self.cameras.large, self.head.ms)
        self.head.tick(self._clock.now_ns(), ready=ready)
        if not self.head.playing:
            self._timer.stop()
        self._show_moment()

    def toggle(self) -> None:
        """Play, or pause."""
        self.head.toggle(self._clock.now_ns())
        self._run()

    def play_selection(self) -> None:
        """Play what is selected, and only that."""
        if self._selection is not None:
            self.head.play_part(*self._selection, self._clock.now_ns())
            self._run()

    def pause(self) -> None:
        """Stay here."""
        self.head.pause()
        self._timer.stop()
        self._tell()

    def _run(self) -> None:
        if self.head.playing:
            self._timer.start()
        self._show_moment()

    def change_speed(self, step: int) -> None:
        """Play faster or slower."""
        self.head.change_speed(step)
        self._tell()

    def step_picture(self, count: int) -> None:
        """To the next picture of the large camera, or the one before; without pictures, by a tenth of a second."""
        times = self.store.times_ms(self.cameras.large)
        self.head.step(times or range(0, self.head.duration_ms + 1, 100), count)
        self._timer.stop()
        self._show_moment()
        self.track.follow_playhead()

    def seek(self, ms: float) -> None:
        """Look at this moment."""
        self.head.seek(ms)
        self._show_moment()
        self.track.follow_playhead()

    def zoom(self, step: int) -> None:
        """Look nearer (1) or from farther away (-1)."""
        self.track.zoom(_ZOOM**step)

    # -- marking while watching ---------------------------------------------------------------------------------------

    @property
    def begun(self) -> bool:
        """Whether something has begun and not ended."""
        return bool(self.watching.begun)

    def watches(self, category: Category) -> bool:
        """Whether the key of a category says where it begins or ends, rather than what is selected."""
        return self.playing or category.key in self.watching.begun

    def press(self, editor: ItemEditor, category: Category) -> list[Change]:
        """The key of a category while watching."""
        self._stays = True
        return self.watching.press(editor, category, self.head.ms)

    def set_edge(self, editor: ItemEditor, *, start: bool) -> list[Change]:
        """What is selected, or the current span, begins (or ends) at the playhead."""
        self._stays = True
        return set_edge(editor, self.head.ms, start=start)

    # -- drawing ------------------------------------------------------------------------------------------------------

    def _show_moment(self) -> None:
        """Show the pictures of the playhead's moment, as far as they are here, and the playhead."""
        ms = self.head.ms
        self.store.look(ms)
        for camera in self.cameras.names:
            self.cameras.view(camera).show_waiting(self.store.waits(camera, ms))
            self._want(self.store.at(camera, ms))
        self.track.show_playhead(ms, playing=self.head.playing)
        self._tell()
        self.ask()

    def _want(self, recorded: Recorded | None) -> None:
        if recorded is not None and self._wanted.get(recorded.camera) != recorded.ms:
            self._wanted[recorded.camera] = recorded.ms
            self._decoder.want(recorded, self.cameras.size_of(recorded.camera))

    def _want_anew(self) -> None:
        """Pictures are painted at other sizes."""
        self._wanted.clear()
        for camera in self.cameras.names:
            self._want(self.store.at(camera, self.head.ms))

    def _decoded(self, picture: Picture, recorded: Recorded) -> None:
        now = self.store.at(recorded.camera, recorded.ms)
        if now is not None and now.jpeg is recorded.jpeg:  # else it is of another recording
            self.cameras.show_picture(picture)

    def _tell(self) -> None:
        """What is to be said in the bar, and instead of pictures."""
        words, tone = self._words()
        self.transport.show_playhead(self.head, words, tone)
        message = self._instead()
        self._message.setText(message)
        restyle(self._message, "tone", "danger" if self.store.error else "soft")
        self._pictures.setCurrentIndex(0 if message else 1)

    def _words(self) -> tuple[str, str]:
        if self._editor is not None and self.watching.begun:
            known = {category.key: category for category in self._editor.schema.categories}
            parts = [f"{known[key].name} since {time_words(ms)}" for key, ms in self.watching.begun.items()]
            letters = " or ".join(known[key].shortcut for key in self.watching.begun)
            return f"{', '.join(parts)} · {letters} ends it, Backspace drops it", "accent"
        error = self.store.picture_error() or ("" if self.store.error else self.problem)
        if error:
            return error, "warn"
        if self.head.playing and self.store.waits(self.cameras.large, self.head.ms):
            return "waiting for pictures", "warn"
        return chance_words(self._scene, self.head.ms), ""

    def _instead(self) -> str:
        """What to say where there is no picture of anything."""
        store = self.store
        if store.error:
            return store.error
        if store.cameras:
            return ""
        if store.opened:
            return "This recording has no pictures. What was done is on the track below."
        if not store.connected:
            return "The backend is away. Pictures come when it is back; labels can be made meanwhile."
        return "Opening the recording…"

    def close_threads(self) -> None:
        """End the threads that decode."""
        self._decoder.close()
