"""Microphones listed by a process of its own."""

from __future__ import annotations

import pytest

from hitl.errors import UnavailableError
from hitl.speech import device_list


def test_each_name_comes_once_whatever_else_is_printed_to_the_error_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = 'import sys; print(\'ALSA: noise\', file=sys.stderr); print(\'["usb", "webcam", "usb"]\')'
    monkeypatch.setattr(device_list, "_PROBE", probe)
    assert device_list.names_now() == ["usb", "webcam"]


@pytest.mark.parametrize(
    "probe", ["raise SystemExit(1)", "print('nonsense')", "import os; os.abort()", "import time; time.sleep(30)"]
)
def test_a_list_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch, probe: str) -> None:
    monkeypatch.setattr(device_list, "_PROBE", probe)
    monkeypatch.setattr(device_list, "_PATIENCE_S", 1.0)
    with pytest.raises(UnavailableError, match="microphones: cannot be listed"):
        device_list.names_now()


def test_what_portaudio_has_is_listed() -> None:
    pytest.importorskip("pyaudio")
    from hitl.speech.microphone import devices

    assert device_list.names_now() == list(dict.fromkeys(device.name for device in devices()))
