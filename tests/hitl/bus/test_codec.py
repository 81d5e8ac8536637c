from __future__ import annotations

import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.annotation_messages import MAX_PICTURES_BYTES, Pictures, ShowPictures
from hitl.bus import codec
from hitl.clock import new_ulid
from hitl.errors import InputError, MessageError
from hitl.messages import (
    MAX_AUDIO_BYTES,
    MAX_TEXT_CHARS,
    PROTOCOL,
    ActionChunk,
    Choose,
    Correction,
    CorrectionStatus,
    Frame,
    Hello,
    ImageInfo,
    Metric,
    NewEpisode,
    Observation,
    Ping,
    Reading,
    RobotState,
    SetHold,
    TimedWord,
    Undo,
    Utterance,
)
from hitl.recognizer_messages import MAX_HINTS, MAX_HYPOTHESES, HeardWord, Recognize, Recognized, ScoredText

plain = st.text(st.characters(exclude_categories=("Cs",)), max_size=50)
numbers = st.integers(-(2**63), 2**63 - 1)
messages = st.one_of(
    st.builds(Correction, id=plain, author=plain, stamp_ns=numbers, text=plain, hold_s=st.none() | st.floats(0, 1e6)),
    st.builds(Ping, t0=numbers),
    st.builds(Hello, id=plain, protocol=st.integers(0, 99), role=st.sampled_from(["gui", "robot", "say"]), name=plain),
    st.builds(
        Observation,
        tick=numbers,
        stamp_ns=numbers,
        episode=plain,
        images=st.lists(st.builds(ImageInfo, camera=plain, height=st.integers(0, 9), width=st.integers(0, 9))),
    ),
    st.builds(RobotState, tick=numbers, stamp_ns=numbers, episode=plain, mode=st.sampled_from(["running", "stopped"])),
    st.builds(Metric, name=plain, value=st.floats(allow_nan=False), stamp_ns=numbers),
    st.builds(Recognize, id=plain, best=numbers, words=st.booleans(), hints=st.lists(plain)),
    st.builds(
        Recognized,
        id=plain,
        hypotheses=st.lists(st.builds(ScoredText, text=plain, log_probability=st.floats(allow_nan=False))),
        no_speech=st.floats(0, 1),
        words=st.lists(
            st.builds(
                HeardWord, text=plain, start_s=st.floats(0, 9), end_s=st.floats(0, 9), probability=st.floats(0, 1)
            )
        ),
        recognizer=plain,
        error=plain,
        field=plain,
        hint=plain,
    ),
)


@given(messages)
def test_what_is_encoded_is_decoded(message: codec.AnyMessage) -> None:
    assert codec.decode(codec.encode(message)) == message


@given(st.binary(max_size=200), st.sampled_from([b"", b"HTL", b"HTL" + bytes([PROTOCOL])]))
def test_garbage_is_a_message_error_and_nothing_else(data: bytes, start: bytes) -> None:
    with pytest.raises(MessageError):
        codec.decode(start + data)
    assert isinstance(codec.id_of(start + data), str)


@given(messages, st.data())
def test_a_cut_message_is_refused(message: codec.AnyMessage, data: st.DataObject) -> None:
    head = codec.encode(message)
    with pytest.raises(MessageError):
        codec.decode(head[: data.draw(st.integers(0, len(head) - 1))])


def test_another_version_is_named_with_ours() -> None:
    head = bytearray(codec.encode(Ping(t0=1)))
    head[3] = 77
    with pytest.raises(MessageError, match=rf"protocol 77.*protocol {PROTOCOL}"):
        codec.decode(bytes(head))


def test_a_wrong_field_is_named_and_the_id_is_still_found() -> None:
    fields = {"type": "Undo", "id": "X1", "author": "a", "stamp_ns": "soon", "target": "t"}
    head = codec.encode(Ping(t0=1))[:4] + msgspec.msgpack.encode(fields)
    with pytest.raises(MessageError, match="stamp_ns"):
        codec.decode(head)
    assert codec.id_of(head) == "X1"


def test_an_unknown_field_is_refused() -> None:
    head = codec.encode(Ping(t0=1))[:4] + msgspec.msgpack.encode({"type": "Ping", "t0": 1, "t9": 2})
    with pytest.raises(MessageError, match="t9"):
        codec.decode(head)


def test_a_head_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(MessageError, match="over the limit"):
        codec.decode(bytes(codec.MAX_HEAD_BYTES + 1))


def test_deeply_nested_bytes_are_refused() -> None:
    with pytest.raises(MessageError):
        codec.decode(codec.encode(Ping(t0=1))[:4] + b"\x91" * 100_000)


@given(st.text(string.ascii_letters + "äé的 🙂", min_size=1).filter(str.strip))
def test_plain_text_is_taken_and_stripped(text: str) -> None:
    if len(text.strip()) <= MAX_TEXT_CHARS:
        assert codec.check_text(f"  {text}\n") == text.strip()


@pytest.mark.parametrize(
    "text", ["", "   ", "\n\t", "go\nup", "go\x00", "\x1b[31mred", "a\ud800b", "a\u2028b", "a\x7f"]
)
def test_text_that_is_no_sentence_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError) as caught:
        codec.check_text(text)
    assert caught.value.field == "text" and caught.value.hint


def test_a_megabyte_of_text_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="1000000 characters"):
        codec.check_text("a" * 1_000_000)


def request(**fields: object) -> dict[str, object]:
    return {"id": new_ulid(), "author": "ada", "stamp_ns": 0, **fields}


def utterance(**fields: object) -> Utterance:
    return Utterance(**{**request(stamp_ns=5), "began_ns": 1, "text": "", "audio": bytes(4), **fields})


@pytest.mark.parametrize(
    "right",
    [
        Correction(**request(text="go", heard=0.0, readings=[Reading(text="go", probability=0.1)] * 10)),
        Choose(**request(target=new_ulid(), command="go left")),
        utterance(
            audio=bytes(MAX_AUDIO_BYTES), text="go left", correction=new_ulid(), recognizer="whisper", began_ns=5
        ),
        utterance(),
        utterance(narration=True, words=[TimedWord(text="go", start_s=0.0, end_s=60.0)] * 250),
    ],
)
def test_requests_about_speech_that_can_be_meant_are_taken_and_fit_into_a_message(right: codec.Request) -> None:
    codec.check_request(right)
    assert codec.decode(codec.encode(right)) == right


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (utterance(words=[TimedWord(text="go", start_s=0.0, end_s=0.1)] * 251), "words"),
        (utterance(words=[TimedWord(text="go", start_s=0.2, end_s=0.1)]), "words"),
        (utterance(words=[TimedWord(text="go", start_s=0.0, end_s=float("nan"))]), "words"),
        (utterance(words=[TimedWord(text=" ", start_s=0.0, end_s=0.1)]), "words"),
        (Undo(**request(target="x")), "target"),
        (Undo(**request(id="x", target=new_ulid())), "id"),
        (Undo(**request(author="", target=new_ulid())), "author"),
        (Undo(**request(author="a" * 101, target=new_ulid())), "author"),
        (SetHold(**request(hold_s=float("nan"))), "hold_s"),
        (SetHold(**request(hold_s=-1.0)), "hold_s"),
        (Correction(**request(text="go", hold_s=float("inf"))), "hold_s"),
        (Correction(**request(text=" ")), "text"),
        (NewEpisode(**request(seed=-1)), "seed"),
        (NewEpisode(**request(shift="a\nb")), "shift"),
        (Correction(**request(text="go", heard=float("nan"))), "heard"),
        (Correction(**request(text="go", heard=1.1)), "heard"),
        (Correction(**request(text="go", readings=[Reading(text="go", probability=0.05)] * 11)), "readings"),
        (Correction(**request(text="go", readings=[Reading(text="a\nb", probability=0.5)])), "readings"),
        (Correction(**request(text="go", readings=[Reading(text="go", probability=-0.1)])), "readings"),
        (Choose(**request(target="x", command="go left")), "target"),
        (Choose(**request(target=new_ulid(), command=" ")), "command"),
        (utterance(id="x"), "id"),
        (utterance(audio=b""), "audio"),
        (utterance(audio=b"odd"), "audio"),
        (utterance(audio=bytes(MAX_AUDIO_BYTES + 2)), "audio"),
        (utterance(text="a" * (MAX_TEXT_CHARS + 1)), "text"),
        (utterance(correction="x"), "correction"),
        (utterance(recognizer="a\nb"), "recognizer"),
        (utterance(began_ns=6), "began_ns"),
    ],
)
def test_requests_that_cannot_be_meant_name_their_field(wrong: object, field: str) -> None:
    with pytest.raises(InputError) as caught:
        codec.check_request(wrong)
    assert caught.value.field == field


def state() -> RobotState:
    return RobotState(tick=1, stamp_ns=1, episode="e", mode="running")


def observation() -> Observation:
    images = [ImageInfo(camera="a", height=2, width=3)]
    return Observation(tick=1, stamp_ns=1, episode="e", images=images)


def frame(encoding: str = "raw") -> Frame:
    return Frame(camera="a", tick=1, stamp_ns=1, height=2, width=3, encoding=encoding)


chunk = ActionChunk(chunk=1, episode="e", command_id="", start_tick=0, steps=2, stamp_ns=0)


@pytest.mark.parametrize(
    ("message", "payloads"),
    [
        (state(), [bytes(16), bytes(16)]),
        (observation(), [bytes(16), bytes(16), bytes(18)]),
        (frame(), [bytes(18)]),
        (frame("jpeg"), [bytes(5)]),
        (chunk, [bytes(2 * 8 * 14)]),
        (Ping(t0=0), []),
    ],
)
def test_payloads_fit_their_message(message: codec.AnyMessage, payloads: list[bytes]) -> None:
    codec.check_payloads(message, payloads)
    with pytest.raises(MessageError, match="payloads"):
        codec.check_payloads(message, [*payloads, b"more"])
    if payloads:
        with pytest.raises(MessageError, match="payloads"):
            codec.check_payloads(message, payloads[:-1])


@pytest.mark.parametrize(
    ("message", "payloads"),
    [
        (frame(), [bytes(17)]),
        (frame("jpeg"), [b""]),
        (state(), [bytes(16), bytes(15)]),
        (observation(), [bytes(16), bytes(16), bytes(17)]),
        (chunk, [bytes(8 * 3)]),
        (msgspec.structs.replace(chunk, steps=0), [b""]),
    ],
)
def test_payloads_of_the_wrong_size_are_refused(message: codec.AnyMessage, payloads: list[bytes]) -> None:
    with pytest.raises(MessageError, match="payloads"):
        codec.check_payloads(message, payloads)


def test_only_the_same_stream_replaces() -> None:
    status = CorrectionStatus(
        id="1", text="", command="", grounding="new", similarity=0, state="saved", author="", session_ns=0, episode=""
    )
    other = msgspec.structs.replace(status, id="2")
    keys = {codec.newest_key(message) for message in (frame(), state(), status, other, observation())}
    assert len(keys) == 5
    assert codec.newest_key(frame()) == codec.newest_key(msgspec.structs.replace(frame(), tick=2))


@pytest.mark.parametrize(
    ("fields", "sound", "wrong"),
    [
        ({}, bytes(MAX_AUDIO_BYTES), ""),
        ({"best": MAX_HYPOTHESES, "hints": ["go left"] * MAX_HINTS}, bytes(2), ""),
        ({}, bytes(MAX_AUDIO_BYTES + 2), "audio"),
        ({}, bytes(3), "audio"),
        ({}, b"", "audio"),
        ({"best": 0}, bytes(2), "best"),
        ({"best": MAX_HYPOTHESES + 1}, bytes(2), "best"),
        ({"hints": ["go left"] * (MAX_HINTS + 1)}, bytes(2), "hints"),
        ({"hints": ["a" * (MAX_TEXT_CHARS + 1)]}, bytes(2), "hints"),
        ({"hints": ["a\ud800"]}, bytes(2), "hints"),
    ],
)
def test_what_is_asked_of_a_recognizer_has_limits_that_are_named(
    fields: dict[str, object], sound: bytes, wrong: str
) -> None:
    question = Recognize(**{"id": "x", **fields})
    if not wrong:
        codec.check_payloads(question, [sound])
        return
    with pytest.raises(MessageError) as caught:
        codec.check_payloads(question, [sound])
    assert caught.value.field == wrong and caught.value.hint


def test_a_sound_for_a_recognizer_is_one_payload_and_an_answer_has_none() -> None:
    for payloads in ([], [bytes(2), bytes(2)]):
        with pytest.raises(MessageError, match="audio"):
            codec.check_payloads(Recognize(id="x"), payloads)
    codec.check_payloads(Recognized(id="x"), [])
    with pytest.raises(MessageError, match="payloads"):
        codec.check_payloads(Recognized(id="x"), [bytes(2)])


def pictures(*times_ms: int) -> Pictures:
    return Pictures(id="p", project="p", item="i", camera="front", times_ms=list(times_ms))


@pytest.mark.parametrize(
    ("message", "payloads"),
    [
        (pictures(), []),
        (pictures(0, 100), [b"jpeg", b"jpeg"]),
        (pictures(0), [bytes(MAX_PICTURES_BYTES + 1)]),
        (pictures(0, 1), [bytes(MAX_PICTURES_BYTES - 1), b"1"]),
    ],
)
def test_pictures_come_with_one_payload_each(message: Pictures, payloads: list[bytes]) -> None:
    codec.check_payloads(message, payloads)
    assert codec.decode(codec.encode(message)) == message


@pytest.mark.parametrize(
    ("message", "payloads"),
    [
        (pictures(0), []),
        (pictures(), [b"jpeg"]),
        (pictures(0, 100), [b"jpeg", b""]),
        (pictures(0, 1), [bytes(MAX_PICTURES_BYTES), b"1"]),
        (ShowPictures(id="s", project="p", item="i", camera="front", start_ms=0, end_ms=9), [b"jpeg"]),
    ],
)
def test_pictures_that_do_not_fit_and_payloads_elsewhere_are_refused(
    message: codec.AnyMessage, payloads: list[bytes]
) -> None:
    with pytest.raises(MessageError, match="payloads"):
        codec.check_payloads(message, payloads)
