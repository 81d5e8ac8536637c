"""The commands that make data, train words and speech, and measure: generate, segments, train-words, train-speech,
evaluate, bench. Thin and lazy, too."""

from __future__ import annotations

import json
import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from hitl.cli_shared import EXIT_FAILED, EXIT_OK, need, need_simulator, print_json, settings_of, simulated_policy
from hitl.cli_training import show_training
from hitl.errors import ConfigError

if TYPE_CHECKING:
    from hitl.evaluation.progress import Progress as ShownProgress
    from policies.rewards.encoder import RewardEncoder


def _segments(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    for module, extra, part in (("faster_whisper", "speech", "the recognizer"), ("torch", "backend", "grounding")):
        need(module, extra, part)
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
    need_simulator()
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
        tasks_only=arguments.tasks_only,
    )
    print(f"\nmade {made['episodes']} episodes, {made['frames']:,} frames, {made['segments']:,} segments")
    return EXIT_OK


def _train_words(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    need("torch", "backend", "the policies")
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


def _sample_moments(arguments: Namespace) -> int:
    need("torch", "backend", "the policies")
    from policies.hierarchy import base_moments

    out = arguments.out or arguments.model / base_moments.FILE
    made = base_moments.make(arguments.model, arguments.dataset, arguments.held_out, out)
    print(f"{made['learned']} moments that it learned from, {made['held_out']} that it never saw")
    print(f"it answers {made['agreement']:.1%} of those as the expert did; wrote {out}")
    return EXIT_OK


def _show_share(done: float) -> None:
    print(f"\rwords: {done:4.0%}", end="", file=sys.stderr, flush=True)


def _evaluate_skills(arguments: Namespace) -> int:
    settings = simulated_policy(arguments)
    from hitl.evaluation import skills

    skills.main(settings, episodes=arguments.episodes, seed=arguments.seed, workers=arguments.workers)
    return EXIT_OK


def _evaluate_packing(arguments: Namespace) -> int:
    settings = simulated_policy(arguments)
    from hitl.evaluation import packing

    plan = packing.Plan(
        modes=[arguments.mode] if arguments.mode else packing.MODES,
        conditions=arguments.only_shift or packing.CONDITIONS,
        episodes=arguments.episodes,
        seeds=range(arguments.seed, arguments.seed + arguments.seeds),
        variants=arguments.variant or ["default"],
        rounds=arguments.rounds,
        round_episodes=arguments.round_episodes,
        budget=arguments.budget,
        nominal_after=arguments.nominal_after,
        out=arguments.out,
        workers=arguments.workers,
        on=arguments.on or "processes",
        policy=arguments.acting,
    )
    if arguments.record:
        for option in ("on", "picture"):
            if getattr(arguments, option):
                hint = "It plays one episode after the other, and only keeps them."
                raise ConfigError("does not go with --record.", field=f"--{option}", hint=hint)
        from hitl.evaluation import packing_session

        packing_session.main(settings, plan)
    else:
        if arguments.picture:
            need("cv2", "backend", "pictures")
        packing.main(settings, plan, arguments.picture)
    return EXIT_OK


def _evaluate_asking(arguments: Namespace) -> int:
    settings = simulated_policy(arguments)
    from hitl.evaluation import asking

    given = {name: getattr(arguments, name) for name in ("episodes", "seed", "workers", "moments", "picture")}
    asking.main(settings, conditions=arguments.only_shifts or asking.CONDITIONS, **given)
    return EXIT_OK


def _evaluate_rewards(arguments: Namespace) -> int:
    from hitl.evaluation import rewards

    result = rewards.run(
        arguments.feedback,
        encoder=_reward_encoder(arguments),
        folds=arguments.folds,
        test=arguments.test,
        seed=arguments.seed,
        progress=_shown_progress(),
        tune=arguments.tune,
    )
    print(rewards.as_table(result))
    if arguments.out is not None:
        rewards.write_result(result, arguments.out)
    return print_json(result)


def _evaluate_label_efficiency(arguments: Namespace) -> int:
    from hitl.evaluation import label_efficiency, rewards

    result = label_efficiency.run(
        arguments.feedback,
        encoder=_reward_encoder(arguments),
        seeds=arguments.seeds,
        progress=_shown_progress(),
    )
    print(label_efficiency.as_table(result))
    if arguments.out is not None:
        rewards.write_json(result, arguments.out)
    return print_json(result)


def _evaluate_forgetting(arguments: Namespace) -> int:
    need("torch", "backend", "learning")
    need("cv2", "backend", "pictures")
    from hitl.evaluation import forgetting, rewards

    for path in (arguments.out, arguments.picture):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)  # or fail before minutes of work
    result = forgetting.run(arguments.strategy, seeds=arguments.seeds, progress=_shown_progress())
    print(forgetting.as_table(result))
    if arguments.out is not None:
        rewards.write_json(result, arguments.out)
    if arguments.picture is not None:
        forgetting.draw(result, arguments.picture)
    return print_json(result)


def _bench_rewards(arguments: Namespace) -> int:
    need("torch", "backend", "the reward models")
    from hitl.evaluation import rewards_bench

    settings = settings_of(arguments)
    result = rewards_bench.run(
        arguments.feedback,
        encoder=arguments.encoder,
        device=settings.device,
        answers=arguments.answers,
        repeats=arguments.repeats,
        progress=_shown_progress(),
    )
    print(rewards_bench.as_table(result))
    return print_json(result)


def _reward_encoder(arguments: Namespace) -> RewardEncoder:
    """Keeps the features of answers in the data folder, so that a second run reads none anew."""
    need("torch", "backend", "the reward models")
    from policies.rewards.encoder import RewardEncoder

    settings = settings_of(arguments)
    folder = settings.data_folder / "rewards" / "features"
    return RewardEncoder(arguments.encoder, device=settings.device, cache=folder)


def _shown_progress() -> ShownProgress:
    from hitl.evaluation.progress import Progress

    return Progress()


def _evaluate_segments(arguments: Namespace) -> int:
    settings = simulated_policy(arguments)
    from hitl.evaluation import trajectory_rewards

    given = {name: getattr(arguments, name) for name in ("episodes", "seed", "seconds", "workers")}
    trajectory_rewards.main(settings, **given)
    return EXIT_OK


def _bench_correction(arguments: Namespace) -> int:
    settings = simulated_policy(arguments)
    from hitl.evaluation import correction_latency

    return print_json(correction_latency.run(settings, n=arguments.n, seed=arguments.seed))


def _bench_update(arguments: Namespace) -> int:
    settings = simulated_policy(arguments)
    from hitl.evaluation import update_latency
    from hitl.jobs import place_of

    place_of(settings.learn_on)  # said here, and not by a learner that ends at once

    return print_json(update_latency.run(settings, n=arguments.n, seed=arguments.seed))


def _bench_stream(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    need("cv2", "backend", "this bench")
    from hitl.evaluation import streaming

    return print_json(streaming.run(settings, seconds=arguments.seconds, seed=arguments.seed))


def _bench_speech(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    need("torch", "backend", "grounding")
    need("faster_whisper", "speech", "the recognizer")
    from hitl.evaluation import speech

    return print_json(
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


def _bench_label(arguments: Namespace) -> int:
    settings = settings_of(arguments)
    need("torch", "backend", "learning")
    need("PySide6", "gui", "the editor")
    from hitl.evaluation import label_latency

    found = label_latency.run(
        settings,
        data=arguments.file,
        recordings=arguments.recordings,
        items=arguments.items,
        n=arguments.n,
        seed=arguments.seed,
    )
    return print_json(found | (_playing_times() if arguments.recordings else _paint_times()))


def _paint_times() -> dict[str, float]:
    """From a key in the editor to what it paints, on a long answer, in a window that no screen shows."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from gui.annotate.paint_bench import paint_times_ms
    from gui.app import application

    times = sorted(ms for _, ms in paint_times_ms(application()))
    p50, p95 = times[len(times) // 2], times[min(len(times) - 1, round(0.95 * len(times)))]
    print(f"{'key pressed':<28}{'painted':<28}{p50:>6.1f} ms{p95:>6.1f} ms")
    return {"paint_p50_ms": round(p50, 2), "paint_p95_ms": round(p95, 2), "keys": len(times)}


def _playing_times() -> dict[str, float]:
    """From a step of the playhead to what it paints, on an hour with 500 spans, in a window that no screen shows."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from gui.annotate.recording_bench import playing_times_ms
    from gui.app import application

    times = sorted(ms for what, ms in playing_times_ms(application()) if what == "playing")
    p50, p95 = times[len(times) // 2], times[min(len(times) - 1, round(0.95 * len(times)))]
    print(f"{'a step of the playhead':<28}{'painted':<28}{p50:>6.1f} ms{p95:>6.1f} ms")
    return {"playing_p50_ms": round(p50, 2), "playing_p95_ms": round(p95, 2), "steps": len(times)}


def _train_speech(arguments: Namespace) -> int:
    need("torch", "backend", "training")
    need("faster_whisper", "speech", "the recognizer")
    from hitl.evaluation import speech_training

    speech_training.train(
        arguments.out,
        arguments.corpus,
        utterances=arguments.utterances,
        steps=arguments.steps,
        minutes=arguments.minutes,
        device=arguments.device or "auto",
        threads=arguments.threads,
        progress=show_training,
        start_from=arguments.start_from,
    )
    return EXIT_OK


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "segments": _segments,
    "generate": _generate,
    "train-words": _train_words,
    "sample-moments": _sample_moments,
    "evaluate skills": _evaluate_skills,
    "evaluate packing": _evaluate_packing,
    "evaluate asking": _evaluate_asking,
    "evaluate rewards": _evaluate_rewards,
    "evaluate label-efficiency": _evaluate_label_efficiency,
    "evaluate forgetting": _evaluate_forgetting,
    "bench rewards": _bench_rewards,
    "evaluate segments": _evaluate_segments,
    "bench correction": _bench_correction,
    "bench update": _bench_update,
    "bench stream": _bench_stream,
    "bench speech": _bench_speech,
    "bench label": _bench_label,
    "train-speech": _train_speech,
}
