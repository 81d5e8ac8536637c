"""Messages to frames and back: one head frame (magic, protocol version, MessagePack) and raw payload frames behind it.

Decides what a well-formed message is; knows nothing of sockets, threads or disks. Every error is an `InputError`
or `MessageError` that names the field. The head is `b"HTL"`, one byte of protocol version, then the tagged Struct.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

import msgspec

from hitl import annotation_messages, model_messages
from hitl.annotation_messages import MAX_PICTURES_BYTES, AnnotationMessage, Pictures
from hitl.clock import is_ulid
from hitl.errors import InputError, MessageError
from hitl.messages import (
    AUDIO_RATE,
    MAX_AUDIO_BYTES,
    MAX_TEXT_CHARS,
    PROTOCOL,
    ActionChunk,
    Choose,
    ControlMessage,
    Correction,
    CorrectionStatus,
    Frame,
    Label,
    Metric,
    NewEpisode,
    Observation,
    Request,
    RobotState,
    SetHold,
    StopMessage,
    StreamMessage,
    Undo,
    Utterance,
)
from hitl.model_messages import ModelMessage
from hitl.recognizer_messages import MAX_HINTS, MAX_HYPOTHESES, MAX_SOUND_S, Recognize, RecognizerMessage

AnyMessage = StreamMessage | ControlMessage | RecognizerMessage | AnnotationMessage | ModelMessage | StopMessage
Payload = bytes | memoryview
FROM_WINDOW = (*annotation_messages.FROM_WINDOW, *model_messages.FROM_WINDOW)
"""What only a window may send and nobody keeps."""
FROM_LEARNER = (*annotation_messages.FROM_LEARNER, *model_messages.FROM_LEARNER)
"""What only a learner may send."""
MAX_HEAD_BYTES = 4 << 20
"""Longest message without its payloads: a minute of sound fits, and a pasted megabyte is answered by name."""

MAX_NAME_CHARS = 200
"""Longest name of a project or an item."""
MAX_READINGS = 10
"""More readings of what was said are refused; the first few have nearly all the probability."""
MAX_WORDS = MAX_TEXT_CHARS // 2
"""No text has more."""

_MAGIC = b"HTL"
_HEAD = _MAGIC + bytes([PROTOCOL])
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: AnyMessage) -> bytes:
    """The head frame of `message`. Raises MessageError where a text holds half of a surrogate pair."""
    try:
        return _HEAD + _encoder.encode(message)
    except UnicodeEncodeError as error:
        raise MessageError(f"{type(message).__name__} holds text that is no valid Unicode ({error.reason})") from error


def decode(head: Payload) -> AnyMessage:
    """The message in a head frame. Raises MessageError for foreign bytes, another version or a wrong field."""
    data = memoryview(head)
    if len(data) > MAX_HEAD_BYTES:
        raise MessageError(
            f"a message of {len(data)} bytes is over the limit of {MAX_HEAD_BYTES}", hint="Send less text."
        )
    if len(data) < len(_HEAD) or data[:3] != _MAGIC:
        raise MessageError("these bytes are no hitl message", hint="Check that both ends are hitl and the address.")
    if data[3] != PROTOCOL:
        raise version_error(data[3])
    try:
        return _decoder.decode(data[4:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"a message of protocol {PROTOCOL} that cannot be read: {error}") from error


def version_error(theirs: int) -> MessageError:
    """The error for a peer of protocol version `theirs`; it names both versions."""
    return MessageError(
        f"the other side speaks protocol {theirs}, this side speaks protocol {PROTOCOL}",
        field="protocol",
        hint="Install the same version of hitl on both sides.",
    )


def id_of(head: Payload) -> str:
    """The id inside a head frame that `decode` refused, or an empty string; never raises."""
    data = memoryview(head)
    if len(data) > MAX_HEAD_BYTES or data[:3] != _MAGIC:
        return ""
    try:
        fields = msgspec.msgpack.decode(data[4:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    found = fields.get("id", "") if isinstance(fields, dict) else ""
    return found if isinstance(found, str) and len(found) <= 64 else ""


def newest_key(message: AnyMessage) -> tuple[str, str]:
    """Messages of one sender with the same key replace each other where the newest wins."""
    kind = type(message).__name__
    if isinstance(message, Frame):
        return kind, message.camera
    if isinstance(message, CorrectionStatus):
        return kind, message.id
    if isinstance(message, Metric):
        return kind, message.name
    return kind, ""


def check_payloads(message: AnyMessage, payloads: Sequence[Payload]) -> None:
    """Raise MessageError unless the payloads fit what the message says about them."""
    sizes = [memoryview(payload).nbytes for payload in payloads]
    if isinstance(message, Observation):
        pictures = [image.height * image.width * 3 for image in message.images]
        fits = len(sizes) == 2 + len(pictures) and sizes[2:] == pictures and sizes[0] % 8 == sizes[1] % 8 == 0
    elif isinstance(message, Frame):
        raw = message.height * message.width * 3
        fits = len(sizes) == 1 and sizes[0] > 0 and (message.encoding == "jpeg" or sizes[0] == raw)
    elif isinstance(message, RobotState):
        fits = len(sizes) == 2 and sizes[0] % 8 == sizes[1] % 8 == 0
    elif isinstance(message, ActionChunk):
        fits = len(sizes) == 1 and message.steps > 0 and sizes[0] > 0 and sizes[0] % (8 * message.steps) == 0
    elif isinstance(message, Pictures):
        small = len(sizes) < 2 or sum(sizes) <= MAX_PICTURES_BYTES
        fits = len(sizes) == len(message.times_ms) and all(sizes) and small
    elif isinstance(message, Recognize):
        check_recognize(message, payloads)
        return
    else:
        fits = not sizes
    if not fits:
        raise MessageError(
            f"{type(message).__name__} came with payloads of {sizes} bytes, which do not fit its fields",
            field="payloads",
            hint="Send exactly the buffers that hitl/messages.py and its neighbours list for it.",
        )


def check_recognize(request: Recognize, payloads: Sequence[Payload]) -> None:
    """Raise MessageError, naming the field, where a sound or what is asked about it is over the limits."""
    size = sum(memoryview(payload).nbytes for payload in payloads)
    if len(payloads) != 1 or not size or size % 2 or size > MAX_AUDIO_BYTES:
        raise MessageError(
            f"has {size} bytes in {len(payloads)} payloads; give an even number from 2 to {MAX_AUDIO_BYTES} in one",
            field="audio",
            hint=f"Send int16 samples, mono, 16 kHz, of at most {MAX_SOUND_S} s.",
        )
    if not 1 <= request.best <= MAX_HYPOTHESES:
        raise MessageError(
            f"is {request.best}; give 1 to {MAX_HYPOTHESES}", field="best", hint="Ask for the most probable ones."
        )
    if len(request.hints) > MAX_HINTS or not all(_is_hint(hint) for hint in request.hints):
        raise MessageError(
            f"must be at most {MAX_HINTS} texts of at most {MAX_TEXT_CHARS} printable characters",
            field="hints",
            hint="Give fewer or shorter ones.",
        )


def _is_hint(text: str) -> bool:
    return len(text) <= MAX_TEXT_CHARS and text.isprintable()


def check_text(text: str, field: str = "text") -> str:
    """`text` without surrounding white space, or InputError that names the field and says what to do."""
    stripped = text.strip()
    if not stripped:
        raise InputError("is empty", field=field, hint="Say in a few words what should be done.")
    if len(stripped) > MAX_TEXT_CHARS:
        raise InputError(
            f"has {len(stripped)} characters; at most {MAX_TEXT_CHARS} are taken",
            field=field,
            hint="Say it shorter.",
        )
    for position, letter in enumerate(stripped):
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp"):
            raise InputError(
                f"has the control character U+{ord(letter):04X} at position {position}",
                field=field,
                hint="Remove it; a correction is one line of plain text.",
            )
    return stripped


def check_request(request: Request) -> None:
    """Raise InputError, naming the field, where a request of a person cannot be meant so."""
    if not is_ulid(request.id):
        raise InputError(f"{request.id[:64]!r} is no ULID", field="id", hint="Make ids with hitl.clock.new_ulid().")
    if not request.author or len(request.author) > 100 or not request.author.isprintable():
        raise InputError(
            "must be 1 to 100 printable characters", field="author", hint="Set your name in the settings."
        )
    if isinstance(request, Correction):
        _check_words(request)
    if isinstance(request, Correction | SetHold) and request.hold_s is not None:
        if not math.isfinite(request.hold_s) or not 0 <= request.hold_s <= 86_400:
            raise InputError(
                f"is {request.hold_s}; give 0 to 86400 seconds", field="hold_s", hint="0 holds until done or released."
            )
    if isinstance(request, Choose):
        check_text(request.command, "command")
    if isinstance(request, Utterance):
        _check_utterance(request)
    if isinstance(request, Label):
        _check_label(request)
    if isinstance(request, Undo | Choose) and not is_ulid(request.target):
        raise InputError(f"{request.target[:64]!r} is no ULID", field="target", hint="Give the id of a correction.")
    if isinstance(request, NewEpisode):
        if len(request.shift) > 100 or not request.shift.isprintable():
            raise InputError("must be a name of at most 100 printable characters", field="shift", hint="Use nominal.")
        if request.seed is not None and not 0 <= request.seed < 2**32:
            raise InputError(f"is {request.seed}; give 0 to 4294967295", field="seed", hint="Leave it out for any.")


def _check_label(label: Label) -> None:
    for name, text in (("project", label.project), ("item", label.item)):
        if not 0 < len(text) <= MAX_NAME_CHARS or not text.isprintable():
            raise InputError(
                f"must be 1 to {MAX_NAME_CHARS} printable characters", field=name, hint="Open the project again."
            )
    if not label.changes:
        raise InputError("is empty", field="changes", hint="Send a step only where it changes something.")
    if label.undoes and not is_ulid(label.undoes):
        raise InputError(f"{label.undoes[:64]!r} is no ULID", field="undoes", hint="Give the id of a step.")
    if not 0 <= label.spent_s <= 86_400:  # also not a number
        raise InputError(f"is {label.spent_s}; give 0 to 86400 seconds", field="spent_s", hint="Leave it out.")


def _check_words(correction: Correction) -> None:
    check_text(correction.text)
    _check_share(correction.heard, "heard")
    if len(correction.readings) > MAX_READINGS:
        raise InputError(
            f"has {len(correction.readings)}; at most {MAX_READINGS} are taken",
            field="readings",
            hint="Give the most probable ones.",
        )
    for reading in correction.readings:
        check_text(reading.text, "readings")
        _check_share(reading.probability, "readings")


def _check_share(value: float, field: str) -> None:
    if not 0.0 <= value <= 1.0:  # also not a number
        raise InputError(f"is {value}; give 0 to 1", field=field, hint="It is a probability.")


def _check_utterance(utterance: Utterance) -> None:
    size = len(utterance.audio)
    if not size or size % 2 or size > MAX_AUDIO_BYTES:
        raise InputError(
            f"has {size} bytes; give an even number from 2 to {MAX_AUDIO_BYTES}",
            field="audio",
            hint="Send int16 samples, mono, 16 kHz, of at most a minute.",
        )
    if utterance.text:
        check_text(utterance.text)
    if utterance.correction and not is_ulid(utterance.correction):
        raise InputError(
            f"{utterance.correction[:64]!r} is no ULID", field="correction", hint="Give the id of what came of it."
        )
    if len(utterance.recognizer) > 100 or not utterance.recognizer.isprintable():
        raise InputError("must be at most 100 printable characters", field="recognizer", hint="Give its name.")
    if utterance.began_ns > utterance.stamp_ns:
        raise InputError(
            "is later than stamp_ns", field="began_ns", hint="The sound begins before its last word ends."
        )
    if len(utterance.words) > MAX_WORDS:
        raise InputError(
            f"has {len(utterance.words)}; at most {MAX_WORDS} are taken", field="words", hint="Leave them out."
        )
    for word in utterance.words:
        check_text(word.text, "words")
        if not 0 <= word.start_s <= word.end_s <= MAX_AUDIO_BYTES / (2 * AUDIO_RATE):  # also not a number
            raise InputError(
                f"{word.start_s} to {word.end_s} s lies outside the sound", field="words", hint="Leave them out."
            )
