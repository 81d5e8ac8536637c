"""The `hitl` command: reads options and starts one part. Thin and lazy: a part is imported when it is started.

Errors that hitl raises on purpose end as one line on standard error with exit status 2; HITL_DEBUG=1 shows where they
came from. It knows nothing of what the parts do.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hitl.options import build_parser

if TYPE_CHECKING:
    from hitl.config import Settings
    from policies.hierarchy.loop import Progress

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = build_parser().parse_args(argv)
    run = _COMMANDS[arguments.command]
    # Taken out of the environment, where every HITL_* variable is a setting and a wrong one is an error.
    debug = bool(os.environ.pop("HITL_DEBUG", ""))
    try:
        return run(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`hitl doctor | head`); leave quietly, and do not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except Exception as error:
        if debug or not _is_on_purpose(error):
            raise
        print(f"hitl: {_in_words(error)}", file=sys.stderr)
        return EXIT_WRONG_INPUT


def _is_on_purpose(error: Exception) -> bool:
    """Whether `error` is hitl's own, or policies', which know nothing of hitl, or the system's about a named file."""
    from hitl.errors import HitlError

    policies = sys.modules.get("policies.errors")
    return (
        isinstance(error, HitlError)
        or (policies is not None and isinstance(error, policies.PolicyError))
        or (isinstance(error, OSError) and error.filename is not None)
    )


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}. Choose another place, or mend it there; then try again."
    return str(error)


# -- the commands -------------------------------------------------------------------------------------------------


def _window_and_all(arguments: Namespace) -> int:
    from hitl import launch

    return launch.everything(_settings(arguments))


def _demo(arguments: Namespace) -> int:
    settings = _simulated_policy(arguments)
    from hitl import headless, launch

    if arguments.headless or not launch.has_display():
        return headless.main(settings)
    _need("PySide6", "gui", "the window")
    return launch.demo(settings)


def _backend(arguments: Namespace) -> int:
    settings = _settings(arguments)
    _need("torch", "backend", "the policies")
    _log("backend", settings)
    from hitl.backend.models import load_model
    from hitl.backend.server import run_backend
    from hitl.launch import recognizer_beside

    with recognizer_beside(settings):
        run_backend(settings, load_model)
    return EXIT_OK


def _recognizer(arguments: Namespace) -> int:
    settings = _settings(arguments)
    _log("recognizer", settings)
    for module in ("faster_whisper", "soxr", "safetensors"):
        _need(module, "speech", "the recognizer")
    from hitl.recognizing import run_recognizer

    run_recognizer(settings)
    return EXIT_OK


def _robot(arguments: Namespace) -> int:
    settings = _settings(arguments)
    _log("robot", settings)
    from robot.drivers import create_driver
    from robot.node import run_robot

    run_robot(create_driver, settings)
    return EXIT_OK


def _gui(arguments: Namespace) -> int:
    settings = _settings(arguments)
    _need("PySide6", "gui", "the window")
    from gui import app
    from hitl.bus.addresses import client_keys_of, endpoints_of, outbox_path
    from hitl.config import to_environment

    return app.main(
        endpoints_of(settings),
        outbox=outbox_path(settings),
        author=settings.author,
        keys=client_keys_of(settings),
        ear=[sys.executable, "-m", "hitl.cli", "ear"],
        ear_environment=to_environment(settings),
    )


def _say(arguments: Namespace) -> int:
    if arguments.wav is not None:
        return _say_file(arguments)
    if not arguments.text:
        raise _missing_words()
    from hitl.say import say

    hold_s = getattr(arguments, "hold_s", None)
    print(say(" ".join(arguments.text), _settings(arguments), hold_s=hold_s, wait_s=arguments.wait))
    return EXIT_OK


def _missing_words() -> Exception:
    from hitl.errors import InputError

    return InputError("is missing.", field="TEXT", hint='For example: hitl say "go higher", or hitl say --wav FILE.')


def _say_file(arguments: Namespace) -> int:
    settings = _settings(arguments)
    for module in ("soxr",) if settings.recognizer_at == "backend" else ("soxr", "faster_whisper"):
        _need(module, "speech", "the recognizer")
    from hitl.listen import say_file

    say_file(arguments.wav, settings, print, arguments.wait)
    return EXIT_OK


def _ear(arguments: Namespace) -> int:
    settings = _settings(arguments)
    _log("ear", settings)
    for module in ("onnxruntime", "soxr", "safetensors"):
        _need(module, "speech", "listening")
    from hitl.hearing import ear_of
    from hitl.speech.ear_service import serve

    serve(lambda tell: ear_of(settings, tell))
    return EXIT_OK


def _listen(arguments: Namespace) -> int:
    settings = _settings(arguments)
    _log("listen", settings)
    for module in ("onnxruntime", "soxr", "safetensors"):
        _need(module, "speech", "listening")
    from hitl.listen import hands_free, listen

    listen(hands_free(settings), lambda text: print(text, flush=True))
    return EXIT_OK


def _transcribe(arguments: Namespace) -> int:
    _need("faster_whisper", "speech", "the recognizer")
    from hitl.transcribe import as_text, transcribe

    def told(found: dict[str, Any]) -> None:
        failed = "error" in found
        print(json.dumps(found) if arguments.json else as_text(found), file=sys.stderr if failed else sys.stdout)

    done = transcribe(arguments.files, _settings(arguments), words=arguments.words, told=told)
    return EXIT_OK if done else EXIT_FAILED


def _segments(arguments: Namespace) -> int:
    settings = _settings(arguments)
    for module, extra, part in (("faster_whisper", "speech", "the recognizer"), ("torch", "backend", "grounding")):
        _need(module, extra, part)
    from hitl import segments
    from hitl.backend.models import load_model
    from hitl.speech.narration import Rules
    from robot.aloha.grammar import KINDS, as_records

    found = segments.segments_of(arguments.session, settings, load_model, Rules(arguments.spoken), arguments.add)
    if warning := segments.warning(found):
        print(f"hitl: {warning}", file=sys.stderr)
    if arguments.json:
        for record in segments.as_records(found):
            print(json.dumps(record))
    else:
        print(segments.as_table(found))
    if not found.alignment.segments:
        return EXIT_FAILED
    if arguments.out is not None:
        written = segments.write_dataset(arguments.out, found, as_records(), KINDS)
        print(segments.as_text(written, arguments.out), file=sys.stderr if arguments.json else sys.stdout)
    return EXIT_OK


def _generate(arguments: Namespace) -> int:
    _need_simulator()
    from robot.aloha.generate import generate

    def progress(done: int, episodes: int, frames: int, segments: int) -> None:
        print(f"\r{done}/{episodes} episodes, {frames:,} frames, {segments:,} segments", end="", flush=True)

    print(f"writing to {arguments.out}; stop with Ctrl-C and run again to go on")
    made = generate(
        arguments.out,
        arguments.episodes,
        seed=arguments.seed,
        workers=arguments.workers,
        progress=progress,
    )
    print(f"\nmade {made['episodes']} episodes, {made['frames']:,} frames, {made['segments']:,} segments")
    return EXIT_OK


def _train(arguments: Namespace) -> int:
    settings = _settings(arguments)
    _need("torch", "backend", "the policies")
    from policies.hierarchy.train import Budget, train

    given = {"low_level_steps": arguments.low_level_steps, "high_level_steps": arguments.high_level_steps}
    train(
        arguments.dataset,
        arguments.out,
        Budget(minutes=arguments.minutes, **{name: steps for name, steps in given.items() if steps}),
        seed=arguments.seed,
        device=settings.device,
        threads=arguments.threads,
        resume=not arguments.restart,
        progress=_show_training,
        command="\n".join((*_data_command(arguments.dataset), shlex.join(["hitl", *sys.argv[1:]]))),
        start_from=arguments.start_from,
    )
    print(f"\nwrote {arguments.out}; try it: hitl demo --model {shlex.quote(str(arguments.out))}")
    return EXIT_OK


def _train_words(arguments: Namespace) -> int:
    settings = _settings(arguments)
    _need("torch", "backend", "the policies")
    from hitl.backend.models import model_folder
    from policies.hierarchy.dataset import CommandWords
    from policies.hierarchy.rewording import reword
    from robot.aloha.grammar import COMMANDS

    words = [CommandWords(c.text, c.family, c.train, c.held_out) for c in COMMANDS]
    command = shlex.join(["hitl", *sys.argv[1:]])
    made = reword(
        model_folder(settings)[1], arguments.out, words, seed=arguments.seed, command=command, progress=_show_share
    )
    found = made["training"]["language"]
    print(
        f"\n{found['held_out_top1']:.1%} of {found['held_out_phrases']} phrases that it never saw find their command"
    )
    print(f"wrote {arguments.out}; try it: hitl demo --model {shlex.quote(str(arguments.out))}")
    return EXIT_OK


def _show_share(done: float) -> None:
    print(f"\rwords: {done:4.0%}", end="", file=sys.stderr, flush=True)


def _data_command(folder: Path) -> list[str]:
    """The command that makes the data of `folder`, for the model card; none where they do not say their seed."""
    try:
        seed = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["seed"]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # whatever is wrong with the folder, training says it
    episodes = sum(path.stem.isdigit() for path in (folder / "shards").glob("*.safetensors"))
    return [f"hitl generate --out {shlex.quote(str(folder))} --episodes {episodes} --seed {seed}"]


def _evaluate_skills(arguments: Namespace) -> int:
    settings = _simulated_policy(arguments)
    from hitl.evaluation import skills

    skills.main(settings, episodes=arguments.episodes, seed=arguments.seed, workers=arguments.workers)
    return EXIT_OK


def _evaluate_packing(arguments: Namespace) -> int:
    settings = _simulated_policy(arguments)
    from hitl.evaluation import packing

    packing.main(
        settings,
        modes=[arguments.mode] if arguments.mode else packing.MODES,
        conditions=[arguments.only_shift] if arguments.only_shift else packing.CONDITIONS,
        episodes=arguments.episodes,
        seed=arguments.seed,
        workers=arguments.workers,
    )
    return EXIT_OK


def _bench_correction(arguments: Namespace) -> int:
    settings = _simulated_policy(arguments)
    from hitl.evaluation import correction_latency

    return _print_json(correction_latency.run(settings, n=arguments.n, seed=arguments.seed))


def _bench_stream(arguments: Namespace) -> int:
    settings = _settings(arguments)
    _need("cv2", "backend", "this bench")
    from hitl.evaluation import streaming

    return _print_json(streaming.run(settings, seconds=arguments.seconds, seed=arguments.seed))


def _bench_speech(arguments: Namespace) -> int:
    settings = _settings(arguments)
    _need("torch", "backend", "grounding")
    _need("faster_whisper", "speech", "the recognizer")
    from hitl.evaluation import speech

    return _print_json(
        speech.run(
            settings,
            folder=arguments.set,
            recognizers=arguments.recognizer or tuple(speech.RECOGNIZERS),
            live=arguments.live,
            limit=arguments.limit,
            seed=arguments.seed,
            say=lambda text: print(f"\r{text:<78}", end="", file=sys.stderr, flush=True),
        )
    )


def _train_speech(arguments: Namespace) -> int:
    _need("torch", "backend", "training")
    _need("faster_whisper", "speech", "the recognizer")
    from hitl.evaluation import speech_training

    speech_training.train(
        arguments.out,
        arguments.corpus,
        utterances=arguments.utterances,
        steps=arguments.steps,
        minutes=arguments.minutes,
        device=arguments.device or "auto",
        threads=arguments.threads,
        progress=_show_training,
        start_from=arguments.start_from,
    )
    return EXIT_OK


def _screenshot(arguments: Namespace) -> int:
    _need("PySide6", "gui", "the window")
    from gui import screenshot

    size = arguments.size or screenshot.DEFAULT_SIZE
    return screenshot.main(arguments.view, arguments.out, theme=arguments.theme, size=size)


def _doctor(arguments: Namespace) -> int:
    from hitl import doctor

    checks = doctor.diagnose(_settings(arguments))
    print(doctor.as_json(checks) if arguments.json else doctor.report(checks))
    return EXIT_OK if doctor.all_well(checks) else EXIT_FAILED


def _keys(arguments: Namespace) -> int:
    from hitl.bus.addresses import hand_out

    folder = hand_out(arguments.folder, arguments.name)
    print(f"made {folder}: copy it to the machine of {arguments.name} and give it there as --keys")
    print(f"the backend takes --keys {arguments.folder}")
    return EXIT_OK


def _version(arguments: Namespace) -> int:
    from importlib.metadata import PackageNotFoundError, version

    from hitl.messages import PROTOCOL

    try:
        number = version("hitl")
    except PackageNotFoundError:
        number = "not installed"
    print(f"hitl {number}, protocol {PROTOCOL}, Python {sys.version.split()[0]}")
    return EXIT_OK


# -- what the commands share --------------------------------------------------------------------------------------


def _simulated_policy(arguments: Namespace) -> Settings:
    """The settings, where everything that an experiment needs is installed."""
    settings = _settings(arguments)
    _need("torch", "backend", "the policies")
    _need_simulator()
    return settings


def _need_simulator() -> None:
    _need("mujoco", "robot", "the simulated robot")
    if sys.platform == "linux":
        # MuJoCo reads it on import; its own choice needs a display. Worker processes inherit it.
        os.environ.setdefault("MUJOCO_GL", "egl")


def _print_json(result: dict[str, Any]) -> int:
    """One line; what is no finite number, where nothing was measured, is null."""
    import json
    import math

    finite = {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in result.items()}
    print(json.dumps(finite))
    return EXIT_OK


def _settings(arguments: Namespace) -> Settings:
    """Settings from file, environment and the options of this command. Raises ConfigError."""
    from hitl.config import FIELDS, load_settings

    given = vars(arguments)
    flags = {name: given[name] for name in FIELDS if given.get(name) is not None}
    address = given.get("connect") or given.get("bind")
    if address:
        flags["host"], flags["port"] = parse_address(address, "--connect" if given.get("connect") else "--bind")
    return load_settings(flags, file=given.get("settings"))


def parse_address(text: str, option: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPV6]:PORT`. Raises ConfigError that names the option."""
    from hitl.errors import ConfigError

    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise ConfigError(f"{text[:80]!r} is not HOST:PORT.", field=option, hint="For example 127.0.0.1:5570.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _log(part: str, settings: Settings) -> None:
    import logging

    logging.basicConfig(level=settings.log_level.upper(), format=f"{part}: %(message)s")


def _need(module: str, extra: str, part: str) -> None:
    """Raise MissingPackageError unless `module`, which `part` needs, is installed."""
    from importlib.util import find_spec

    from hitl.errors import MissingPackageError

    if find_spec(module) is None:
        hint = f"Run: pip install 'hitl[{extra}]', or make setup."
        raise MissingPackageError(f"{part} needs it and it is not installed.", field=module, hint=hint)


def _show_training(now: Progress) -> None:
    """One line that is written over."""
    line = f"{now.phase}: {now.fraction:4.0%}"
    if math.isfinite(now.loss):  # phases that only count have none
        line += f", loss {now.loss:.4f}, {now.samples_per_s:.0f} samples/s, {now.remaining_s / 60:.1f} min left"
    print(f"\r{line:<78}", end="", flush=True)


_COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "": _window_and_all,
    "demo": _demo,
    "backend": _backend,
    "recognizer": _recognizer,
    "robot": _robot,
    "gui": _gui,
    "say": _say,
    "ear": _ear,
    "listen": _listen,
    "transcribe": _transcribe,
    "segments": _segments,
    "generate": _generate,
    "train": _train,
    "train-words": _train_words,
    "evaluate skills": _evaluate_skills,
    "evaluate packing": _evaluate_packing,
    "bench correction": _bench_correction,
    "bench stream": _bench_stream,
    "bench speech": _bench_speech,
    "train-speech": _train_speech,
    "screenshot": _screenshot,
    "doctor": _doctor,
    "keys": _keys,
    "version": _version,
}

if __name__ == "__main__":
    sys.exit(main())
