"""The `hitl` command: reads options and starts one part. Thin and lazy: a part is imported when it is started.

Errors that hitl raises on purpose end as one line on standard error with exit status 2; HITL_DEBUG=1 shows where they
came from. It knows nothing of what the parts do.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any

from hitl import cli_annotation, cli_learning, cli_models, cli_training
from hitl.cli_shared import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_WRONG_INPUT,
    log_as,
    need,
    settings_of,
    simulated_policy,
)
from hitl.options import build_parser


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

    return launch.everything(settings_of(arguments))


def _demo(arguments: Namespace) -> int:
    settings = simulated_policy(arguments)
    from hitl import headless, launch

    if arguments.headless or not launch.has_display():
        return headless.main(settings)
    need("PySide6", "gui", "the window")
    return launch.demo(settings)


def _backend(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    need("torch", "backend", "the policies")
    log_as("backend", settings)
    from hitl.backend.models import load_model, load_nothing
    from hitl.backend.server import run_backend
    from hitl.launch import parts_beside

    with parts_beside(settings):
        run_backend(settings, load_model if settings.policy else load_nothing)
    return EXIT_OK


def _recognizer(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    log_as("recognizer", settings)
    for module in ("faster_whisper", "soxr", "safetensors"):
        need(module, "speech", "the recognizer")
    from hitl.recognizing import run_recognizer

    run_recognizer(settings)
    return EXIT_OK


def _learner(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    log_as("learner", settings)
    need("torch", "backend", "learning")
    from hitl.backend.learner import run_learner

    run_learner(settings)
    return EXIT_OK


def _annotate(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    need("PySide6", "gui", "the window")
    from hitl import launch

    return launch.annotate(settings)


def _write(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    if not arguments.writer.startswith(("http://", "https://")):
        need("torch", "backend", "the language model")
    from hitl.annotation.prompts import read_prompts
    from hitl.backend.writers import writer_of
    from hitl.backend.writing import Wish, write_project

    wish = Wish(arguments.count, arguments.max_tokens, arguments.temperature, arguments.seed).checked()
    prompts = read_prompts(arguments.prompts)
    writer = writer_of(arguments.writer, settings.device)
    show = sys.stderr.isatty()
    added = write_project(
        settings.data_folder, arguments.project, arguments.schema, prompts, writer, wish,
        lambda line: print(f"\r{line:<100.100}", end="", file=sys.stderr, flush=True) if show else None,
    )  # fmt: skip
    print(f"{added} new items in {arguments.project}; label them: hitl annotate {arguments.project}")
    return EXIT_OK


def _robot(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    log_as("robot", settings)
    from robot.drivers import create_driver
    from robot.node import run_robot

    run_robot(create_driver, settings)
    return EXIT_OK


def _gui(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    need("PySide6", "gui", "the window")
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
        annotate=not settings.policy,
        project=settings.project,
    )


def _say(arguments: Namespace) -> int:
    if arguments.wav is not None:
        return _say_file(arguments)
    if not arguments.text:
        raise _missing_words()
    from hitl.say import say

    hold_s = getattr(arguments, "hold_s", None)
    print(say(" ".join(arguments.text), settings_of(arguments), hold_s=hold_s, wait_s=arguments.wait))
    return EXIT_OK


def _missing_words() -> Exception:
    from hitl.errors import InputError

    return InputError("is missing.", field="TEXT", hint='For example: hitl say "go higher", or hitl say --wav FILE.')


def _say_file(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    for module in ("soxr",) if settings.recognizer_at == "backend" else ("soxr", "faster_whisper"):
        need(module, "speech", "the recognizer")
    from hitl.listen import say_file

    say_file(arguments.wav, settings, print, arguments.wait)
    return EXIT_OK


def _ear(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    log_as("ear", settings)
    for module in ("onnxruntime", "soxr", "safetensors"):
        need(module, "speech", "listening")
    from hitl.hearing import ear_of
    from hitl.speech.ear_service import serve

    serve(lambda tell: ear_of(settings, tell))
    return EXIT_OK


def _listen(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    log_as("listen", settings)
    for module in ("onnxruntime", "soxr", "safetensors"):
        need(module, "speech", "listening")
    from hitl.listen import hands_free, listen

    listen(hands_free(settings), lambda text: print(text, flush=True))
    return EXIT_OK


def _transcribe(arguments: Namespace) -> int:
    need("faster_whisper", "speech", "the recognizer")
    from hitl.transcribe import as_text, transcribe

    def told(found: dict[str, Any]) -> None:
        failed = "error" in found
        print(json.dumps(found) if arguments.json else as_text(found), file=sys.stderr if failed else sys.stdout)

    done = transcribe(arguments.files, settings_of(arguments), words=arguments.words, told=told)
    return EXIT_OK if done else EXIT_FAILED


def _screenshot(arguments: Namespace) -> int:
    need("PySide6", "gui", "the window")
    from gui import screenshot

    size = arguments.size or screenshot.DEFAULT_SIZE
    return screenshot.main(arguments.view, arguments.out, theme=arguments.theme, size=size)


def _doctor(arguments: Namespace) -> int:
    from hitl import doctor

    checks = doctor.diagnose(settings_of(arguments))
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


_COMMANDS: dict[str, Callable[[Namespace], int]] = {
    **cli_annotation.COMMANDS,
    **cli_learning.COMMANDS,
    **cli_models.COMMANDS,
    **cli_training.COMMANDS,
    "": _window_and_all,
    "demo": _demo,
    "backend": _backend,
    "recognizer": _recognizer,
    "learner": _learner,
    "robot": _robot,
    "gui": _gui,
    "annotate": _annotate,
    "write": _write,
    "say": _say,
    "ear": _ear,
    "listen": _listen,
    "transcribe": _transcribe,
    "screenshot": _screenshot,
    "doctor": _doctor,
    "keys": _keys,
    "version": _version,
}

if __name__ == "__main__":
    sys.exit(main())
