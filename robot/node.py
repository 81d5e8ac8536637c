"""The robot's process: runs one driver at its rate, obeys chunks and stops, and sends what it sees.

Three threads: the control thread owns the driver's motion, the camera thread its pictures, and the thread that calls
`run` owns the link. What may be done in a tick is decided by `SafetyCore`; this file waits, sends and receives. It
knows nothing of policies. Where the backend is gone the lease makes the robot hold, and nothing here has to notice.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from hitl.bus import Link, Received
from hitl.bus.addresses import client_keys_of, endpoints_of
from hitl.clock import Clock, SystemClock
from hitl.config import Settings
from hitl.errors import InputError
from hitl.messages import (
    Ack,
    ActionChunk,
    Frame,
    ImageInfo,
    NewEpisode,
    Observation,
    Resume,
    RobotState,
    Stop,
    StopAck,
    Task,
)
from robot.driver import Driver, Reading, RobotSpec
from robot.safety import SafetyCore

log = logging.getLogger("hitl.robot")

Array = NDArray[np.float64]
Factory = Callable[[Settings], Driver]
Streamed = RobotState | Observation | Frame

_POLL_MS = 50
_REMEMBERED_REQUESTS = 256


class Pacer:
    """Deadlines on a fixed grid: jitter is caught up, whole missed periods are skipped, so the phase never drifts.

    Skipping matters: a robot that catches up missed ticks in a burst moves faster than its speed limit.
    """

    def __init__(self, rate_hz: float, now_ns: int) -> None:
        self._period_ns = round(1e9 / rate_hz)
        self._due_ns = now_ns
        self.late = 0

    def begin(self, now_ns: int) -> None:
        """A tick begins now; counts it as late when it was due over one period ago, and sets the next deadline."""
        behind = now_ns - self._due_ns
        if behind > self._period_ns:
            self.late += 1
            self._due_ns += self._period_ns * (behind // self._period_ns)
        self._due_ns += self._period_ns

    def restart(self, now_ns: int) -> None:
        """The next tick is due now (after a reset, whose time counts as no delay)."""
        self._due_ns = now_ns

    def wait_s(self, now_ns: int) -> float:
        """Seconds until the next deadline, not negative."""
        return max(0.0, (self._due_ns - now_ns) / 1e9)


@dataclass(frozen=True)
class _Moment:
    """The last reading, for the camera thread: the state before tick `tick`."""

    tick: int
    stamp_ns: int
    episode: str
    reading: Reading


class _Outgoing:
    """What other threads want sent: acks all of them, stream messages the newest of each kind.

    All leave in the order in which they were put: a state from before an episode must not follow the episode's ack.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Ack | Streamed, list[NDArray]]] = {}
        self._acks = 0
        self.dropped: dict[str, int] = {}

    def ack(self, message: Ack) -> None:
        with self._lock:
            self._acks += 1
            self._waiting[f"ack {self._acks}"] = (message, [])

    def put(self, key: str, message: Streamed, payloads: list[NDArray]) -> None:
        with self._lock:
            if self._waiting.pop(key, None) is not None:
                self.dropped[key] = self.dropped.get(key, 0) + 1
            self._waiting[key] = (message, payloads)

    def unsent(self, key: str) -> None:
        with self._lock:
            self.dropped[key] = self.dropped.get(key, 0) + 1

    def take(self) -> dict[str, tuple[Ack | Streamed, list[NDArray]]]:
        with self._lock:
            taken, self._waiting = self._waiting, {}
        return taken


class RobotNode:
    """One driver on the bus. `run` blocks until `close` is called from another thread or a signal handler."""

    def __init__(self, driver: Driver, link: Link, settings: Settings, clock: Clock | None = None) -> None:
        self._driver = driver
        self._link = link
        self._raw_frames = settings.on_this_machine
        self._jpeg_quality = settings.jpeg_quality
        self._clock: Clock = clock or SystemClock()
        self._core = SafetyCore(driver.spec, lease_s=settings.lease_s)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._out = _Outgoing()
        self._episodes: deque[NewEpisode] = deque()
        self._answered: OrderedDict[str, str] = OrderedDict()
        self._moment: _Moment | None = None
        self._camera_error = ""
        self._ticks: deque[int] = deque()

    def run(self) -> None:
        """Drive the robot until closed; it then holds still and the driver is closed, also after an exception."""
        threads = [
            threading.Thread(target=self._control, name="control"),
            threading.Thread(target=self._watch, name="camera"),
        ]
        for thread in threads:
            thread.start()
        try:
            while not self._closing.is_set():
                for received in self._link.poll(_POLL_MS):
                    self._receive(received)
                self._flush()
        finally:
            self._closing.set()
            for thread in threads:
                thread.join()
            self._driver.close()
            self._link.close()

    def close(self) -> None:
        """End `run`; may be called from a signal handler and more than once."""
        self._closing.set()

    # -- link thread ----------------------------------------------------------------------------------------------

    def _receive(self, received: Received) -> None:
        message = received.message
        now_ns = self._clock.now_ns()
        if isinstance(message, Stop):
            with self._lock:
                reason = message.reason or f"stopped by {message.author}"
                tick = self._core.stop(message.id, reason, by_words=message.by_words)
            self._link.send(StopAck(id=message.id, tick=tick, stamp_ns=now_ns))
        elif isinstance(message, ActionChunk):
            if len(received.payloads) != 1:
                log.warning("a chunk without its actions was refused")
                return
            with self._lock:
                refusal = self._core.accept(message, received.payloads[0], now_ns)
            if refusal is not None:
                log.debug("chunk %d refused: %s", message.chunk, refusal)
        elif isinstance(message, Resume):
            self._resume(message)
        elif isinstance(message, NewEpisode):
            if message.id in self._answered:
                self._out.ack(Ack(id=message.id, error=self._answered[message.id], duplicate=True))
            elif all(waiting.id != message.id for waiting in self._episodes):
                self._episodes.append(message)

    def _resume(self, message: Resume) -> None:
        duplicate = message.id in self._answered
        if not duplicate:
            with self._lock:
                refused = self._core.resume(message.id, by_words=message.by_words)
            self._answer(message.id, refused)
        self._out.ack(Ack(id=message.id, error=self._answered[message.id], duplicate=duplicate))

    def _answer(self, request_id: str, error: str) -> None:
        self._answered[request_id] = error
        while len(self._answered) > _REMEMBERED_REQUESTS:
            self._answered.popitem(last=False)

    def _flush(self) -> None:
        for key, (message, payloads) in self._out.take().items():
            if isinstance(message, Frame):
                message = msgspec.structs.replace(message, dropped=self._out.dropped.get(key, 0))
            went = self._link.send(message, [payload.data for payload in payloads])
            if not went and not isinstance(message, Ack):  # the link keeps an ack until it can be sent
                self._out.unsent(key)

    # -- control thread -------------------------------------------------------------------------------------------

    def _control(self) -> None:
        pacer = Pacer(self._driver.spec.rate_hz, self._clock.now_ns())
        try:
            self._begin_first_episode()
            pacer.restart(self._clock.now_ns())
            while not self._closing.is_set():
                if self._episodes:
                    self._new_episode(self._episodes.popleft())
                    pacer.restart(self._clock.now_ns())
                now_ns = self._clock.now_ns()
                pacer.begin(now_ns)
                self._tick(now_ns, pacer.late)
                self._closing.wait(pacer.wait_s(self._clock.now_ns()))
        except Exception:
            log.exception("the control thread failed; the robot holds still")
            self._closing.set()
        finally:
            self._hold_at_last()

    def _begin_first_episode(self) -> None:
        reading = self._driver.read()
        with self._lock:
            self._core.begin_episode("", reading.targets)

    def _new_episode(self, request: NewEpisode) -> None:
        """Reset the driver; a refused shift leaves the old episode running, a failure latches a fault."""
        error = ""
        before, self._moment = self._moment, None
        try:
            self._driver.reset(request.seed, request.shift)
            targets = self._driver.read().targets
            with self._lock:
                self._core.begin_episode(request.episode, targets)
        except InputError as refused:
            error = str(refused)
            self._moment = before
        except Exception as failed:
            log.exception("reset failed; the robot holds still")
            error = f"reset failed: {failed}"
            with self._lock:
                self._core.fault(error)
        self._answer(request.id, error)
        self._out.ack(Ack(id=request.id, error=error))
        self._link.wake()

    def _tick(self, now_ns: int, late: int) -> None:
        with self._lock:
            decision = self._core.decide(now_ns)
            tick, episode = self._core.tick, self._core.episode
        try:
            if decision.targets is None:
                self._driver.hold()
            else:
                self._driver.act(decision.targets)
            reading = self._driver.read()
        except Exception as failed:
            self._fault(failed, tick, episode, now_ns, late)
            return
        with self._lock:
            self._core.sent(reading.targets)
        self._moment = _Moment(tick + 1, self._clock.now_ns(), episode, reading)
        state = RobotState(
            tick=tick,
            stamp_ns=self._stamp(now_ns),
            episode=episode,
            mode=decision.mode,
            reason="; ".join(part for part in (decision.reason, self._camera_error) if part),
            command_id=decision.command_id,
            chunk=decision.chunk,
            rate_hz=self._rate(now_ns),
            nominal_hz=self._driver.spec.rate_hz,
            late_ticks=late,
            task=_task(reading),
        )
        self._out.put("state", state, [np.ascontiguousarray(reading.joints), np.ascontiguousarray(reading.targets)])
        self._link.wake()

    def _fault(self, failed: Exception, tick: int, episode: str, now_ns: int, late: int) -> None:
        """The driver raised: latch, try to hold, and say so; only a resume lets the robot move again."""
        reason = f"the driver failed in tick {tick}: {failed}"
        with self._lock:
            first = not self._core.latched
            self._core.fault(reason)
        if first:
            log.error("%s", reason, exc_info=failed)
        self._hold_at_last()
        moment = self._moment
        size = len(self._driver.spec.action_names)
        joints, targets = np.zeros(size), np.zeros(size)
        if moment is not None:
            joints, targets = moment.reading.joints, moment.reading.targets
        with self._lock:
            self._core.sent(targets)
        state = RobotState(
            tick=tick,
            stamp_ns=self._stamp(now_ns),
            episode=episode,
            mode="fault",
            reason=reason,
            rate_hz=self._rate(now_ns),
            nominal_hz=self._driver.spec.rate_hz,
            late_ticks=late,
        )
        self._out.put("state", state, [np.ascontiguousarray(joints), np.ascontiguousarray(targets)])
        self._link.wake()

    def _hold_at_last(self) -> None:
        try:
            self._driver.hold()
        except Exception as failed:
            log.error("the driver cannot hold: %s", failed)

    def _rate(self, now_ns: int) -> float:
        """Ticks of the last second, by their mean period."""
        ticks = self._ticks
        ticks.append(now_ns)
        while now_ns - ticks[0] > 1_000_000_000:
            ticks.popleft()
        return (len(ticks) - 1) * 1e9 / (now_ns - ticks[0]) if len(ticks) > 1 else 0.0

    def _stamp(self, now_ns: int) -> int:
        """A stamp on the backend's clock: the same clock on one machine, else moved by the link's estimate."""
        return now_ns if self._raw_frames else now_ns + self._link.offset_ns

    # -- camera thread --------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        pacer = Pacer(self._driver.spec.capture_hz, self._clock.now_ns())
        while not self._closing.is_set():
            pacer.begin(self._clock.now_ns())
            moment = self._moment
            if moment is not None:
                try:
                    self._capture(moment)
                    self._camera_error = ""
                except Exception as failed:
                    if not self._camera_error:
                        log.exception("capture failed")
                    self._camera_error = f"cameras failed: {failed}"
            self._closing.wait(pacer.wait_s(self._clock.now_ns()))

    def _capture(self, moment: _Moment) -> None:
        stamp_ns = self._stamp(self._clock.now_ns())
        capture = self._driver.capture()
        if self._moment is None or self._moment.episode != moment.episode:
            return  # the cell was reset meanwhile: the picture belongs to no episode
        images = [ImageInfo(camera=name, height=p.shape[0], width=p.shape[1]) for name, p in capture.policy.items()]
        observation = Observation(tick=moment.tick, stamp_ns=stamp_ns, episode=moment.episode, images=images)
        numbers = [np.ascontiguousarray(moment.reading.joints), np.ascontiguousarray(moment.reading.targets)]
        self._out.put("observation", observation, numbers + [np.ascontiguousarray(p) for p in capture.policy.values()])
        self._link.wake()
        for name, view in capture.views.items():
            frame = Frame(
                camera=name,
                tick=moment.tick,
                stamp_ns=stamp_ns,
                height=view.shape[0],
                width=view.shape[1],
                encoding="raw" if self._raw_frames else "jpeg",
            )
            payload = np.ascontiguousarray(view) if self._raw_frames else encode_jpeg(view, self._jpeg_quality)
            self._out.put(f"frame {name}", frame, [payload])
        self._link.wake()


def encode_jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """JPEG bytes `(n,)` of an RGB picture `(h, w, 3)`."""
    import cv2

    done, encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture could not be encoded as JPEG")
    return encoded.reshape(-1)


def spec_json(spec: RobotSpec, settings: Settings) -> str:
    """The spec as JSON, for Hello: what a backend needs to know of a robot, and how its first episode begins."""
    table = {
        "name": spec.name,
        "rate_hz": spec.rate_hz,
        "capture_hz": spec.capture_hz,
        "action_names": list(spec.action_names),
        "lower": spec.lower.tolist(),
        "upper": spec.upper.tolist(),
        "max_speed": spec.max_speed.tolist(),
        "cameras": [msgspec.to_builtins(camera) for camera in spec.cameras],
        "shifts": list(spec.shifts),
        "kinematics": spec.kinematics,
        "first_seed": settings.seed,
        "first_shift": settings.shift,
    }
    return msgspec.json.encode(table).decode()


def _task(reading: Reading) -> Task | None:
    status = reading.task
    if status is None:
        return None
    return Task(
        name=status.name,
        stage=status.stage,
        stages=status.stages,
        finished=status.finished,
        success=status.success,
        note=status.note,
    )


def run_robot(driver_factory: Factory, settings: Settings) -> None:
    """Make the driver and run it until SIGINT or SIGTERM. Raises what the factory raises."""
    driver = driver_factory(settings)
    _check_spec(driver.spec)
    _check_shift(driver.spec, settings.shift)
    keys = client_keys_of(settings)
    link = Link(
        endpoints_of(settings), "robot", driver.spec.name, keys=keys, robot_json=spec_json(driver.spec, settings)
    )
    node = RobotNode(driver, link, settings)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: node.close())
    log.info("robot %s at %g Hz, cameras at %g Hz", driver.spec.name, driver.spec.rate_hz, driver.spec.capture_hz)
    node.run()


def _check_spec(spec: RobotSpec) -> None:
    size = len(spec.action_names)
    if not (math.isfinite(spec.rate_hz) and spec.rate_hz > 0 and spec.capture_hz > 0):
        raise InputError("rate_hz and capture_hz must be greater than 0.", field=f"driver {spec.name}")
    for name, limits in (("lower", spec.lower), ("upper", spec.upper), ("max_speed", spec.max_speed)):
        if np.shape(limits) != (size,):
            raise InputError(f"{name} has not one number an action ({size}).", field=f"driver {spec.name}")


def _check_shift(spec: RobotSpec, shift: str) -> None:
    if shift not in ("nominal", *spec.shifts):
        known = ", ".join(("nominal", *spec.shifts))
        raise InputError(f"{spec.name} has no shift {shift!r}.", field="shift", hint=f"Known: {known}.")
