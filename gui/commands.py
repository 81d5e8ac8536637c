"""Every command of the window as data: its words, its keys, and in which views those keys hold. Knows nothing of Qt.

Two commands may have the same keys where no view has both. Letters and digits that mark a category are not here: they
come from the project's schema.
"""

from __future__ import annotations

from dataclasses import dataclass

STOP = "robot.stop"
TALK = "say.talk"
DICTATE = "label.dictate"
LIVE = ("live", "settings")
"""Corrections can be given here."""
TEXT = ("annotate",)
"""The page of Annotate on which spans of an answer are marked."""
RECORDING = ("recording",)
"""The page on which spans of a recording are marked."""
MARK = (*TEXT, *RECORDING)
PLAY = (*RECORDING, "adjudicate")
"""Pages on which a recording may be seen."""
ITEM = (*MARK, "compare", "adjudicate")
"""All pages of Annotate that show an item."""


@dataclass(frozen=True)
class Command:
    """One command: its id, the menu it is in, its words, its keys (QKeySequence portable text) and its tooltip. views:
    where it can be used; everywhere, where that is empty. on_time: its words while a recording is marked."""

    id: str
    menu: str
    text: str
    keys: str
    tip: str
    views: tuple[str, ...] = ()
    on_time: str = ""

    def meets(self, other: Command) -> bool:
        """Whether there is a view that has both."""
        return not self.views or not other.views or bool(set(self.views) & set(other.views))


ANNOTATE: tuple[Command, ...] = (
    Command("mark.next_word", "Annotate", "Next word", "Right", "Selects it.", MARK, "Next half second"),
    Command("mark.previous_word", "Annotate", "Previous word", "Left", "Selects it.", MARK, "Half second before"),
    Command("mark.next_sentence", "Annotate", "Next sentence", "Down",
            "Selects it. The one before counts as judged, so that learning can begin.", MARK, "Next stretch"),
    Command("mark.previous_sentence", "Annotate", "Previous sentence", "Up", "Selects it.", MARK, "Stretch before"),
    Command("mark.first_word", "Annotate", "First word of the sentence", "Home", "Selects it.", MARK,
            "First half second of the stretch"),
    Command("mark.last_word", "Annotate", "Last word of the sentence", "End", "Selects it.", MARK,
            "Last half second of the stretch"),
    Command("mark.next_span", "Annotate", "Next span or suggestion", "Ctrl+Right", "Makes it current.", MARK),
    Command("mark.previous_span", "Annotate", "Previous span or suggestion", "Ctrl+Left", "Makes it current.", MARK),
    Command("mark.extend_word", "Annotate", "Extend by a word", "Shift+Right",
            "Moves the end of the selection, or of the current span, further.", MARK, "Extend by half a second"),
    Command("mark.shrink_word", "Annotate", "Shrink by a word", "Shift+Left",
            "Moves the end of the selection, or of the current span, back.", MARK, "Shrink by half a second"),
    Command("mark.extend_sentence", "Annotate", "Extend by a sentence", "Shift+Down", "Moves the end.", MARK,
            "Extend by a stretch"),
    Command("mark.shrink_sentence", "Annotate", "Shrink by a sentence", "Shift+Up", "Moves the end.", MARK,
            "Shrink by a stretch"),
    Command("mark.end_further", "Annotate", "End one character further", "Alt+Right",
            "Exact: by what a reader takes for one character, or by a tenth of a second.", MARK,
            "End a tenth of a second further"),
    Command("mark.end_back", "Annotate", "End one character back", "Alt+Left", "Exact.", MARK,
            "End a tenth of a second back"),
    Command("mark.start_further", "Annotate", "Start one character further", "Alt+Shift+Right", "Exact.", MARK,
            "Start a tenth of a second further"),
    Command("mark.start_back", "Annotate", "Start one character back", "Alt+Shift+Left", "Exact.", MARK,
            "Start a tenth of a second back"),
    Command("mark.accept", "Annotate", "Accept, or go on", "Return",
            "Accepts the current suggestion; else goes to the next one, or to the next sentence or stretch.", MARK),
    Command("mark.remove", "Annotate", "Reject, or take away", "Backspace",
            "Rejects the current suggestion, or takes the current label away.", MARK),
    Command("mark.unsure", "Annotate", "Cannot say", "Ctrl+U",
            "Nobody can say what this is, so nothing is learned of it; again takes that back.", MARK),
    Command("mark.severity", "Annotate", "Next severity", ".", "Of the current span.", MARK),
    Command("mark.earlier", "Annotate", "Choose the repeated text", "Ctrl+J",
            "For a span that repeats something: select the earlier text, then press Enter.", TEXT),
    Command("mark.note", "Annotate", "Write a note", "F2", "On the current label, or on the item.", MARK),
    Command(DICTATE, "Annotate", "Dictate", "F4",
            "Hold it while you speak: the words go into the note or correction, not to the robot.", ITEM),
    Command("mark.evidence", "Annotate", "Choose evidence", "Ctrl+E",
            "Goes to the sources: arrows choose a sentence, Enter makes it evidence, Ctrl+E comes back.", TEXT),
    Command("mark.search", "Annotate", "Search the sources", "Ctrl+F", "Finds words in the sources.", TEXT),
    Command("mark.rewrite", "Annotate", "Correct the text", "Ctrl+T",
            "Goes to the corrected text; again comes back to the answer.", TEXT),
    Command("item.next_output", "Annotate", "Next answer", "Ctrl+Tab", "Of the same item.", TEXT),
    Command("item.previous_output", "Annotate", "Previous answer", "Ctrl+Shift+Tab", "Of the same item.", TEXT),
    Command("play.toggle", "Annotate", "Play", "Space", "Plays the recording from here, or pauses.", PLAY),
    Command("play.selection", "Annotate", "Play the selection", "Shift+Space",
            "Plays what is selected, and nothing else.", PLAY),
    Command("play.faster", "Annotate", "Faster", "Ctrl+Shift+Up", "Plays up to four times as fast.", PLAY),
    Command("play.slower", "Annotate", "Slower", "Ctrl+Shift+Down", "Plays down to a quarter of the speed.", PLAY),
    Command("play.next_picture", "Annotate", "Next picture", "PgDown", "Of the large camera.", PLAY),
    Command("play.previous_picture", "Annotate", "Picture before", "PgUp", "Of the large camera.", PLAY),
    Command("play.camera", "Annotate", "Enlarge the next camera", "Ctrl+Tab", "A click on a camera does so, too.",
            PLAY),
    Command("mark.start_here", "Annotate", "Start at the playhead", "[",
            "The current span, or what is selected, begins at the moment that is seen.", RECORDING),
    Command("mark.end_here", "Annotate", "End at the playhead", "]",
            "The current span, or what is selected, ends at the moment that is seen.", RECORDING),
    Command("track.zoom_in", "Annotate", "Look at less of the recording", "+", "Ctrl and the wheel do so, too.",
            PLAY),
    Command("track.zoom_out", "Annotate", "Look at more of the recording", "-", "Ctrl and the wheel do so, too.",
            PLAY),
    Command("track.fit", "Annotate", "Look at all of the recording", "Ctrl+Home", "From beginning to end.", PLAY),
    Command("item.compare", "Annotate", "Compare answers", "Ctrl+K", "Says which of two answers is better.", ITEM),
    Command("item.others", "Annotate", "Other people’s labels", "Ctrl+L",
            "Shows what others marked beside yours, and where you have to decide.", ITEM),
    Command("compare.first", "Annotate", "The left one is better", "Left", "And on to the next pair.", ("compare",)),
    Command("compare.second", "Annotate", "The right one is better", "Right", "And on to the next pair.",
            ("compare",)),
    Command("compare.tie", "Annotate", "Both are equally good", "Down", "And on to the next pair.", ("compare",)),
    Command("compare.previous", "Annotate", "Pair before", "Up", "Shows the pair before.", ("compare",)),
    Command("compare.next", "Annotate", "Next pair", "Return", "Shows the next pair.", ("compare",)),
    Command("others.down", "Annotate", "Next place", "Down", "Goes down the table.", ("adjudicate",)),
    Command("others.up", "Annotate", "Place before", "Up", "Goes up the table.", ("adjudicate",)),
    Command("others.right", "Annotate", "Next person", "Right", "Goes to the right in the table.", ("adjudicate",)),
    Command("others.left", "Annotate", "Person before", "Left", "Goes to the left in the table.", ("adjudicate",)),
    Command("others.next", "Annotate", "Next disagreement", "Ctrl+Down", "Goes to the next place to decide about.",
            ("adjudicate",)),
    Command("others.previous", "Annotate", "Disagreement before", "Ctrl+Up",
            "Goes to the place before that is to be decided about.", ("adjudicate",)),
    Command("others.take", "Annotate", "Take over", "Return",
            "What the chosen person marked counts here; on to the next disagreement.", ("adjudicate",)),
    *(Command(f"others.take{n}", "Annotate", f"Take over from person {n}", str(n),
              f"What the person in column {n} marked counts here; 1 is you.", ("adjudicate",)) for n in range(1, 10)),
    Command("others.neither", "Annotate", "Nobody is right", "0",
            "Nothing is marked here; on to the next disagreement.", ("adjudicate",)),
    Command("label.undo", "Annotate", "Undo the last step", "Ctrl+Z",
            "Takes your last step back, on whatever item it was. There is no limit.", ITEM),
    Command("label.redo", "Annotate", "Redo", "Ctrl+Shift+Z", "Makes the step again that was taken back.", ITEM),
    Command("item.finish", "Annotate", "Save and next", "Ctrl+Return", "This item is done; shows the next.", ITEM),
    Command("item.next", "Annotate", "Next item", "Ctrl+PgDown", "Without saying that this one is done.", ITEM),
    Command("item.previous", "Annotate", "Previous item", "Ctrl+PgUp", "Shows the item before.", ITEM),
    Command("item.skip", "Annotate", "Skip this item", "F7", "Leaves it out; shows the next.", ITEM),
    Command("item.flag", "Annotate", "Flag this item", "F8", "Marks it as one to talk about, or no longer.", ITEM),
    Command("queue.uncertain", "Annotate", "Order: most uncertain first", "", "What the model is least sure of.",
            ITEM),
    Command("queue.listed", "Annotate", "Order: as listed", "", "As it was imported.", ITEM),
    Command("queue.random", "Annotate", "Order: random", "", "Shuffled, always the same for you.", ITEM),
    Command("queue.open", "Annotate", "Show items that are not done", "", "Passes over the others.", ITEM),
    Command("queue.flagged", "Annotate", "Show flagged items", "", "Passes over the others.", ITEM),
    Command("queue.all", "Annotate", "Show all items", "", "Passes over none.", ITEM),
    Command("project.write", "Annotate", "Write outputs…", "Ctrl+Shift+W",
            "Has a language model answer prompts; every prompt becomes an item.", ITEM),
    Command("project.choose", "Annotate", "Choose a project…", "Ctrl+O", "Shows the projects of the backend.",
            (*ITEM, "projects")),
)  # fmt: skip

MODELS: tuple[Command, ...] = (
    Command("models.promote", "Models", "Promote", "Return",
            "Has the robot act with the chosen version from now on.", ("models",)),
    Command("models.leave", "Models", "Do not promote", "Backspace",
            "Leaves the version that the gate refused as it is.", ("models",)),
    Command("models.roll_back", "Models", "Roll back", "F6",
            "Has the robot act with the version before this one again. Promote takes that back.", ("live", "models")),
    Command("models.compare", "Models", "Compare", "Ctrl+K",
            "Sets the chosen version beside the one that acts, or no more. Ctrl and a click choose another.",
            ("models",)),
    Command("models.learning", "Models", "Learn from corrections", "Ctrl+L",
            "Learns while corrections are given; or only keeps them.", ("live", "models")),
    Command("models.export", "Models", "Export…", "Ctrl+E",
            "Writes the chosen version as a table, or this page as a picture.", ("models",)),
)  # fmt: skip

COMMANDS: tuple[Command, ...] = (
    Command(STOP, "Robot", "Stop the robot", "Esc",
            "Asks the robot to stop and to stay stopped until you resume. This is a stop request by software, "
            "not a certified emergency stop."),
    Command("robot.resume", "Robot", "Resume", "Ctrl+R", "Lets the stopped robot move again."),
    Command("robot.release", "Robot", "Release to the policy", "Ctrl+G",
            "Ends the running correction, so that the policy chooses again."),
    Command("robot.new_episode", "Robot", "New episode…", "Ctrl+N", "Ends this episode and begins another."),
    Command("say.talk", "Correct", "Talk", "Space",
            "Hold it while you speak, or tap it before and after, as the settings say.", LIVE),
    Command("say.focus", "Correct", "Write a correction", "/", "Goes to the text box.", (*LIVE, "models")),
    *(Command(f"say.choose{n}", "Correct", f"Take alternative {n}", str(n),
              f"Sends the policy's alternative {n} as your correction, or answers what is asked.", LIVE)
      for n in range(1, 6)),
    Command("say.undo", "Correct", "Undo the last correction", "Ctrl+Z",
            "Takes the last correction back: it stops acting and is no example for learning.", LIVE),
    *ANNOTATE,
    *MODELS,
    Command("view.live", "View", "Live", "Ctrl+1", "Shows the robot and what it does."),
    Command("view.annotate", "View", "Annotate", "Ctrl+2", "Shows the answers to mark and to compare."),
    Command("view.models", "View", "Models", "Ctrl+4", "Shows what was learned, version by version."),
    Command("view.settings", "View", "Settings", "Ctrl+5", "Shows the settings and the keys."),
    Command("view.palette", "View", "Command palette…", "Ctrl+Shift+P", "Finds any command by its name."),
    Command("theme.system", "View", "Theme: as the system", "", "Follows the colours of the desktop."),
    Command("theme.light", "View", "Theme: light", "", "Dark text on light."),
    Command("theme.dark", "View", "Theme: dark", "", "Light text on dark."),
    Command("text.bigger", "View", "Larger text", "Ctrl+=", "Makes all text one point larger."),
    Command("text.smaller", "View", "Smaller text", "Ctrl+-", "Makes all text one point smaller."),
    Command("text.reset", "View", "Normal text size", "Ctrl+0", "Makes all text 13 pt."),
    Command("view.fullscreen", "View", "Full screen", "F11", "Fills the screen, or returns from it."),
    Command("help.hints", "Help", "Show the hints again", "", "Points at the text box, the alternatives and STOP."),
    Command("help.keys", "Help", "Keys", "F1", "Lists every command with its key."),
    Command("app.quit", "Help", "Quit", "Ctrl+Q", "Closes the window. What is not yet saved is kept and sent later."),
)  # fmt: skip

PLAY_COMMANDS = tuple(command.id for command in COMMANDS if command.views == PLAY)
"""Commands that need a recording."""
MENUS = tuple(dict.fromkeys(command.menu for command in COMMANDS))
