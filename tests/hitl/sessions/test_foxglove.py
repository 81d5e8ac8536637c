from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.messages import BackendStatus, CommandStatus
from hitl.sessions import foxglove


@given(st.integers(0, 2**63 - 1), st.text(st.characters(exclude_categories=("Cs",))), st.binary(max_size=500))
def test_what_is_written_is_read(stamp_ns: int, camera: str, data: bytes) -> None:
    written = foxglove.compressed_image(stamp_ns, camera, data)
    assert foxglove.read_compressed_image(written) == (stamp_ns, camera, data, "jpeg")


def test_the_bytes_are_those_of_the_protobuf_format() -> None:
    # timestamp {seconds: 1, nanos: 5}, frame_id "a", data 01 02, format "jpeg": https://protobuf.dev/programming-guides/encoding/
    expected = bytes.fromhex("0a04 0801 1005" + "2201 61" + "1202 0102" + "1a04 6a706567")
    assert foxglove.compressed_image(1_000_000_005, "a", b"\x01\x02") == expected


@given(st.integers(0, 2**63 - 1), st.binary(max_size=500), st.integers(0, 2**32 - 1), st.integers(0, 9))
def test_sound_that_is_written_is_read(stamp_ns: int, samples: bytes, rate: int, channels: int) -> None:
    sound = foxglove.Sound(stamp_ns, samples, rate, channels, "01ID")
    assert foxglove.read_raw_audio(foxglove.raw_audio(sound)) == sound


def test_sound_that_is_cut_off_or_of_another_format_is_a_value_error() -> None:
    whole = foxglove.raw_audio(foxglove.Sound(5, b"ab" * 300, 16_000, 1, ""))
    with pytest.raises(ValueError, match="cut off"):
        foxglove.read_raw_audio(whole[:200])
    with pytest.raises(ValueError, match="cut off"):
        foxglove.read_raw_audio(whole[: whole.index(b"pcm-s16") + 9])
    with pytest.raises(ValueError, match="opus"):
        foxglove.read_raw_audio(whole.replace(b"pcm-s16", b"opus-16"))


def test_protobuf_itself_reads_sound() -> None:
    descriptors = pytest.importorskip("google.protobuf.descriptor_pb2")
    pools = pytest.importorskip("google.protobuf.descriptor_pool")
    factory = pytest.importorskip("google.protobuf.message_factory")
    pool = pools.DescriptorPool()
    for file in descriptors.FileDescriptorSet.FromString(foxglove.audio_descriptors()).file:
        pool.Add(file)
    kind = factory.GetMessageClass(pool.FindMessageTypeByName("foxglove.RawAudio"))
    audio = kind.FromString(foxglove.raw_audio(foxglove.Sound(1_000_000_005, b"data", 16_000, 1, "01ID")))
    assert (audio.timestamp.seconds, audio.timestamp.nanos, audio.message_id) == (1, 5, "01ID")
    assert (audio.data, audio.format, audio.sample_rate, audio.number_of_channels) == (b"data", "pcm-s16", 16_000, 1)


@given(st.binary(max_size=50))
def test_other_bytes_are_a_value_error(data: bytes) -> None:
    try:
        foxglove.read_compressed_image(data)
    except ValueError:
        return
    # what is read without an error consists of known kinds of fields only
    assert foxglove._fields(data) is not None


@pytest.mark.parametrize("field", [1, 2, 3, 4])
def test_a_number_where_bytes_belong_is_a_value_error_and_not_so_many_bytes(field: int) -> None:
    with pytest.raises(ValueError, match=f"field {field} is a number"):
        foxglove.read_compressed_image(foxglove._number(field, 2**40))


def test_fields_of_another_kind_in_sound_are_a_value_error() -> None:
    pcm = foxglove._text(3, b"pcm-s16")
    for field in (1, 2, 100):
        with pytest.raises(ValueError, match=f"field {field} is a number"):
            foxglove.read_raw_audio(pcm + foxglove._number(field, 2**40))
    with pytest.raises(ValueError, match="field 4 is no number"):
        foxglove.read_raw_audio(pcm + foxglove._text(4, b"5"))


def test_a_cut_picture_is_a_value_error() -> None:
    whole = foxglove.compressed_image(5, "front", b"x" * 300)
    with pytest.raises(ValueError, match="cut off"):
        foxglove.read_compressed_image(whole[:200])


def test_protobuf_itself_reads_the_descriptors() -> None:
    descriptors = pytest.importorskip("google.protobuf.descriptor_pb2")
    pools = pytest.importorskip("google.protobuf.descriptor_pool")
    factory = pytest.importorskip("google.protobuf.message_factory")
    pool = pools.DescriptorPool()
    for file in descriptors.FileDescriptorSet.FromString(foxglove.image_descriptors()).file:
        pool.Add(file)
    kind = factory.GetMessageClass(pool.FindMessageTypeByName("foxglove.CompressedImage"))
    image = kind.FromString(foxglove.compressed_image(1_000_000_005, "front", b"data"))
    assert (image.timestamp.seconds, image.timestamp.nanos) == (1, 5)
    assert (image.frame_id, image.data, image.format) == ("front", b"data", "jpeg")


@pytest.mark.parametrize("kind", [CommandStatus, BackendStatus])
def test_schemas_have_their_object_on_top(kind: type[msgspec.Struct]) -> None:
    schema = msgspec.json.decode(foxglove.struct_schema(kind))
    assert schema["type"] == "object" and schema["title"] == kind.__name__
    assert set(schema["properties"]) == {"type", *kind.__struct_fields__}
