"""The benches run, count right and have the promised keys. How fast they were is for benches, not for tests."""

from __future__ import annotations

import math
import sys
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hitl import headless
from hitl.bus import Received
from hitl.config import Settings
from hitl.evaluation import correction_latency, streaming, update_latency
from hitl.messages import Frame
from robot.node import encode_jpeg

BACKEND = [sys.executable, str(Path(__file__).resolve().parents[2] / "support" / "scripted.py")]
QUIET = Settings(driver="synthetic", record=False, log_level="error")


def test_bench_correction_runs_through_real_processes(capsys: pytest.CaptureFixture[str]) -> None:
    result = correction_latency.run(QUIET, n=8, seed=3, commands={"backend": BACKEND})
    assert (result["n"], result["lost"], result["duplicated"]) == (8, 0, 0)
    assert 0 < result["p50_ms"] <= result["p99_ms"] <= result["max_ms"]
    assert (result["seed"], result["driver"], result["policy"]) == (3, "synthetic", "scripted")
    assert "p99_ms" in capsys.readouterr().out


class Sent:
    """What `_result` reads of a Person."""

    def __init__(self, sent: list[str], begun: Counter[str]) -> None:
        self.sent = dict.fromkeys(sent, 0)
        self.begun = begun


def test_a_correction_that_was_not_executed_or_not_logged_is_lost() -> None:
    person = Sent(["a", "b", "c"], Counter("ab"))
    result = correction_latency._result(person, [5.0, None, 7.0], Counter("ab"))  # type: ignore[arg-type]
    assert result["lost"] == 2 and result["duplicated"] == 0 and result["max_ms"] == 7.0


def test_a_correction_that_began_twice_or_that_nobody_sent_is_a_duplicate() -> None:
    person = Sent(["a", "b"], Counter({"a": 2, "b": 1}))
    result = correction_latency._result(person, [5.0, 6.0], Counter("abx"))  # type: ignore[arg-type]
    assert result["lost"] == 0 and result["duplicated"] == 2


def test_with_everything_lost_the_delays_are_no_numbers() -> None:
    result = correction_latency._result(Sent(["a"], Counter()), [None], Counter())  # type: ignore[arg-type]
    assert result["lost"] == 1 and math.isnan(result["p50_ms"])


def test_bench_stream_receives_the_pictures_of_all_cameras() -> None:
    result = streaming.run(QUIET, seconds=1.0, seed=0)
    assert {"p50_ms", "p95_ms", "cpu_share", "dropped"} <= set(result)
    assert result["received"] + result["dropped"] >= result["expected"] > 80
    assert 0 < result["p50_ms"] <= result["p95_ms"] and 0 < result["cpu_share"] <= 1


@pytest.mark.parametrize("encoding", ["raw", "jpeg"])
def test_decoded_pictures_are_rgb_and_ready_to_paint(encoding: str) -> None:
    picture = np.zeros((16, 24, 3), np.uint8)
    picture[..., 0] = 200
    payload = picture.tobytes() if encoding == "raw" else encode_jpeg(picture, 95).tobytes()
    frame = Frame(camera="front", tick=0, stamp_ns=0, height=16, width=24, encoding=encoding)  # type: ignore[arg-type]
    decoded = streaming.decode(Received("stream", b"", frame, [payload]))
    assert decoded.shape == (16, 24, 3) and decoded.flags.c_contiguous
    assert abs(int(decoded[8, 12, 0]) - 200) < 10 and decoded[8, 12, 2] < 20


def test_the_headless_demo_plays_its_script_and_leaves_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Scripted(headless.System):
        def __init__(self, settings: Settings) -> None:
            super().__init__(settings, commands={"backend": BACKEND})

    monkeypatch.setattr(headless, "System", Scripted)
    settings = Settings(driver="synthetic", data=str(tmp_path), log_level="error")
    report = headless.run(settings, [(0.2, "go higher"), (0.8, "go lower"), (1.4, "stop")], 2.5)
    higher, lower, stop = report.states.values()
    assert higher == ["saved", "acting", "replaced"] and lower[:2] == ["saved", "acting"] and stop == ["saved", "done"]
    assert Path(report.recording).is_file() and report.session in report.recording
    assert 0 < report.real_time_factor < 1.5 and set(report.cpu) == {"backend", "robot"}
    out = capsys.readouterr().out
    assert '"go higher"' in out and "robot: paused" in out


@pytest.mark.timeout(400)
def test_bench_update_learns_through_real_processes(capsys: pytest.CaptureFixture[str]) -> None:
    settings = msgspec.structs.replace(QUIET, device="cpu")
    result = update_latency.run(settings, n=2, seed=1)
    assert result["n"] == 2 and result["errors"] == 0 and result["versions"] >= 3
    assert result["learned"] + result["not_promoted"] == 2
    assert result["policy"].startswith("v") and (result["driver"], result["learn_on"]) == ("synthetic", "here")
    for name in ("tick_jitter_p99_ms", "tick_jitter_p99_ms_without"):
        assert 0 <= result[name] < float("inf")
    assert "tick_jitter_p99_ms_without" in capsys.readouterr().out


def test_bench_update_counts_what_did_not_act() -> None:
    class Seen:
        versions, errors = 4, ["the disk is full"]

    delays = [
        update_latency.Delay(1.0, 0.4, True),
        update_latency.Delay(None, 0.5, False),
        update_latency.Delay(None),
        update_latency.Delay(3.0, 0.6, True),
    ]
    result = update_latency._result(delays, Seen(), (0.1, 0.5), (0.1, 0.4))  # type: ignore[arg-type]
    assert (result["learned"], result["not_promoted"], result["errors"]) == (2, 1, 1)
    assert (result["p50_s"], result["max_s"], result["steps_p50_s"]) == (2.0, 3.0, 0.5)


def test_jitter_is_the_distance_from_one_period() -> None:
    assert update_latency._jitter([20.0] * 98 + [25.0, 15.0]) == (0.0, 5.0)
    assert math.isnan(update_latency._jitter([])[0])
