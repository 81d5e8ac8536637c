"""What follows from a whole utterance: a request to the backend, a stop, or nothing; and what is kept of its sound.

Pure: it makes messages and sends none. Shared by everybody who listens; knows nothing of links, windows or grounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hitl.clock import Clock, SystemClock, new_ulid
from hitl.messages import MAX_AUDIO_BYTES, Correction, Resume, Stop, Undo, Utterance
from hitl.speech.ear_messages import Finished
from hitl.speech.intents import as_meant, intent_of, place_of
from hitl.speech.text import plain


@dataclass(frozen=True)
class Answering:
    """Makes the messages of one person. `hold_s`: how long corrections hold, None for the backend's choice;
    `narrates`: the words describe and ask for nothing, but for stop words and the "go on" that ends their pause."""

    author: str
    clock: Clock = SystemClock()
    new_id: Callable[[], str] = new_ulid
    hold_s: float | None = None
    narrates: bool = False

    def request(
        self, said: Finished, newest: Callable[[], str | None], asked: Sequence[str] = ()
    ) -> Correction | Resume | Undo | Stop | None:
        """What the words ask for; None where there are none, where they narrate, or where there is nothing to take
        back.

        newest: the id of this person's newest correction that can be taken back, asked only where it is needed; asked:
        the commands of which the policy asks which is right, where it does.
        """
        if not plain(said.text):
            return None
        id_, author, stamp_ns = self.new_id(), self.author, self.clock.now_ns()
        match intent_of(as_meant(said.text)):
            case "stop":
                return self.stop(said.text)
            case "go on":
                return Resume(id=id_, author=author, stamp_ns=stamp_ns, by_words=True)
            case _ if self.narrates:
                return None
            case "undo":
                target = newest()
                return Undo(id=id_, author=author, stamp_ns=stamp_ns, target=target) if target else None
            case _ if (place := place_of(said.text)) is not None and place < len(asked):
                return Correction(
                    id=id_,
                    author=author,
                    stamp_ns=stamp_ns,
                    text=asked[place],
                    source="answer",
                    hold_s=self.hold_s,
                )
            case _:
                return Correction(
                    id=id_,
                    author=author,
                    stamp_ns=stamp_ns,
                    text=said.text,
                    source="voice",
                    hold_s=self.hold_s,
                    heard=said.heard,
                    readings=said.readings,
                )

    def stop(self, words: str) -> Stop:
        """A stop by these words, which "go on" ends."""
        reason = f"{self.author} said {words!r}"
        return Stop(id=self.new_id(), author=self.author, stamp_ns=self.clock.now_ns(), reason=reason, by_words=True)

    def utterance(self, said: Finished, made: str, offset_ns: int = 0) -> Utterance | None:
        """The sound and its words for the recording; None where there is no sound or over a minute of it.

        made: id of the request that came of it, empty where none did; offset_ns: the backend's clock less the ear's.
        """
        if not said.audio or len(said.audio) > MAX_AUDIO_BYTES:
            return None
        return Utterance(
            id=self.new_id(),
            author=self.author,
            stamp_ns=said.spoken_ns + offset_ns,
            began_ns=min(said.began_ns, said.spoken_ns) + offset_ns,
            text=said.text,
            correction=made,
            recognizer=said.recognizer,
            audio=said.audio,
            narration=self.narrates,
            words=said.words,
        )
