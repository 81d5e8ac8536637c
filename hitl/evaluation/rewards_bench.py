"""`hitl bench rewards`: scoring answers in one pass against the published layout of three, with the same encoder.

The published layout (allenai/FineGrainedRLHF, tasks/qa_feedback/training/reward.py) encodes each answer three times:
R1 question and answer with a separator before each sub-sentence; R2 the passages, too, and a separator before each
sentence; R3 question, passages and answer. Longformer pads each input to a multiple of its window, 512, and a batch to
its longest. Both sides are timed from plain text to rewards, side by side, in batches of different questions; the
published layout is spared its second tokenisation, its growing prefixes and its second segmentation.
An encoder of 512 positions reads the longer inputs in windows of 512. Knows nothing of labels but for teaching heads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil
import torch
from torch import Tensor

from hitl.annotation.text import sentences, sub_sentences
from hitl.errors import InputError
from hitl.evaluation.progress import Progress
from hitl.evaluation.rewards_data import Question, read_questions, taught
from hitl.evaluation.statistics import table
from policies.rewards.backbone import Backbone, load_backbone
from policies.rewards.documents import Document
from policies.rewards.encoder import RewardEncoder
from policies.rewards.learner import RewardLearner

WINDOW = 512
"""Longformer's attention window (allenai/longformer-base-4096): its inputs are padded to multiples of it."""
_ANSWERS = 4
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Text:
    """One answer as plain text, before anything is cut or encoded."""

    question: str
    passages: tuple[tuple[str, ...], ...]
    answer: str


class ThreePasses:
    """The published layout. Its heads are plain linear layers on the states at separators and at the first token."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        generator = torch.Generator().manual_seed(0)
        self._heads = torch.randn(3, backbone.size, generator=generator) / backbone.size**0.5
        tokenizer = backbone.tokenizer
        mark = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
        self._mark = int(mark)
        self.tokens = 0

    @torch.inference_mode()
    def score(self, texts: Sequence[Text]) -> list[list[float]]:
        """The segment scores and the whole score of each answer. `tokens` counts what was encoded, with padding."""
        rows: list[list[list[int]]] = [[], [], []]
        marks: list[list[list[int]]] = [[], [], []]
        for text in texts:
            question = f"question: {text.question.strip()}"
            context = " context: " + " ".join(f"wikipage: {p[0]} text: {' '.join(p[1:])}" for p in text.passages)
            parts = ([s for s in sub_sentences(text.answer)], [s for s in sentences(text.answer)])
            for at, lead in enumerate((question, question + context)):
                ids, places = self._marked(lead, [text.answer[s.start : s.end] for s in parts[at]])
                rows[at].append(ids)
                marks[at].append(places)
            rows[2].append(self._ids(f"{question}{context} answer: {text.answer}"))
            marks[2].append([0])
        scores: list[list[float]] = [[] for _ in texts]
        for at in range(3):
            for index, states in enumerate(self._encode(rows[at])):
                if marks[at][index]:
                    scores[index] += [float(x) for x in states[marks[at][index]] @ self._heads[at].to(states)]
        return scores

    def _marked(self, lead: str, pieces: Sequence[str]) -> tuple[list[int], list[int]]:
        ids, places = self._ids(f"{lead} answer:"), []
        for piece in pieces:
            places.append(len(ids))
            ids += [self._mark, *self._ids(" " + piece)]
        return ids, places

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._backbone.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return found

    def _encode(self, rows: Sequence[list[int]]) -> list[Tensor]:
        """States of a batch, padded to its longest, which is padded to a multiple of the window."""
        length = -(-max(len(row) for row in rows) // WINDOW) * WINDOW
        ids = torch.full((len(rows), length), self._mark)
        mask = torch.zeros(len(rows), length, dtype=torch.long)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = torch.tensor(row)
            mask[at, : len(row)] = 1
        self.tokens += ids.numel()
        model = self._backbone.model
        device = next(model.parameters()).device
        if self._backbone.layout == "blocks":
            ids, mask = ids.view(-1, WINDOW), mask.view(-1, WINDOW).clone()
            mask[:, 0] = 1  # a window of padding alone has nothing to look at
        found = model(input_ids=ids.to(device), attention_mask=mask.to(device))
        return list(found.last_hidden_state.reshape(len(rows), length, -1))


class OnePass:
    """Ours: everything a learner does with answers that it sees for the first time."""

    def __init__(self, learner: RewardLearner, backbone: Backbone) -> None:
        self._learner = learner
        self._backbone = backbone

    def score(self, texts: Sequence[Text]) -> list[list[float]]:
        """Chances of all segments and scores of the whole, of each answer."""
        # An encoder of its own remembers nothing from before.
        self._learner.encoder = RewardEncoder(self._backbone.name, backbone=self._backbone)
        return [
            [*(c for head in p.chances.values() for c in head), *p.scores.values()]
            for p in self._learner.predict([_document(text) for text in texts])
        ]

    def tokens(self, texts: Sequence[Text], *, alone: bool = False) -> int:
        """What is encoded for these answers, together or one by one."""
        groups: dict[object, list[Document]] = {}
        for at, text in enumerate(texts):
            groups.setdefault(at if alone else (text.question, text.passages), []).append(_document(text))
        return sum(len(self._backbone.pack(group).row.ids) for group in groups.values())


def _document(text: Text) -> Document:
    segments = {
        "sub_sentence": tuple((s.start, s.end) for s in sub_sentences(text.answer)),
        "sentence": tuple((s.start, s.end) for s in sentences(text.answer)),
    }
    return Document(text.answer, text.question, text.passages, text.answer, segments)  # type: ignore[arg-type]


def _measured(work: Callable[[], _Result]) -> tuple[_Result, float, float]:
    """The result, seconds, and by how many megabytes memory rose at most while it ran."""
    gpu = torch.cuda.is_available()
    process, done = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    peak = [before]
    if gpu:
        torch.cuda.reset_peak_memory_stats()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    began = time.perf_counter()
    result = work()
    if gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    rise = torch.cuda.max_memory_allocated() if gpu else peak[0] - before
    return result, seconds, rise / 2**20


def run(
    data: Path,
    *,
    encoder: str,
    device: str = "auto",
    answers: int = 32,
    repeats: int = 5,
    progress: Progress | None = None,
) -> dict:
    """What the JSON holds: medians over `repeats` batches of `answers` answers, four to a question."""
    questions = read_questions(data)
    groups = max(1, answers // _ANSWERS)
    if len(questions) < groups:
        raise InputError(f"has {len(questions)} questions, and a batch needs {groups}.", field=str(data))
    batches = [[questions[(r * groups + i) % len(questions)] for i in range(groups)] for r in range(repeats + 1)]
    backbone = load_backbone(encoder, device)
    learner = _taught(backbone, batches[0])
    ours, theirs = OnePass(learner, backbone), ThreePasses(backbone)
    show = (progress or Progress(False)).of("batches")
    rows = []
    for at, batch in enumerate(batches):
        texts = _texts(batch)
        theirs.tokens = 0
        sides: list[Callable[[], object]] = [lambda t=texts: ours.score(t), lambda t=texts: theirs.score(t)]  # type: ignore[misc]
        order = (0, 1) if at % 2 else (1, 0)
        measured = {side: _measured(sides[side])[1:] for side in order}
        rows.append([*measured[0], *measured[1], ours.tokens(texts), ours.tokens(texts, alone=True), theirs.tokens])
        show(at, repeats) if at else None
    difference = _difference(ours, _texts(batches[-1]))
    return _summary(np.array(rows[1:]), answers=groups * _ANSWERS, difference=difference, backbone=backbone)


def _taught(backbone: Backbone, questions: Sequence[Question]) -> RewardLearner:
    """Heads that have learned something, so that equal scores mean something."""
    return taught(RewardEncoder(backbone.name, backbone=backbone), questions)


def _texts(questions: Sequence[Question]) -> list[Text]:
    return [
        Text(document.prompt, tuple(map(tuple, document.sources)), document.answer)
        for question in questions
        for document in question.documents
    ]


def _difference(ours: OnePass, texts: Sequence[Text]) -> float:
    """Between scores of answers that shared a pass and of each in a pass of its own, whose inputs are the same."""
    together = ours.score(texts)
    alone = [ours.score([text])[0] for text in texts]
    return max(
        (abs(a - b) for one, two in zip(together, alone, strict=True) for a, b in zip(one, two, strict=True)),
        default=0.0,
    )


def _summary(rows: np.ndarray, *, answers: int, difference: float, backbone: Backbone) -> dict:
    """rows `(repeats, 7)`: seconds and megabytes of one pass, of three; tokens of one, of one alone, of three."""
    middle = np.median(rows, 0)
    return {
        "encoder": backbone.fingerprint,
        "device": str(next(backbone.model.parameters()).device),
        "threads": torch.get_num_threads(),
        "answers": answers,
        "repeats": len(rows),
        "token_ratio": round(float(np.median(rows[:, 6] / rows[:, 4])), 3),
        "token_ratio_alone": round(float(np.median(rows[:, 6] / rows[:, 5])), 3),
        "time_ratio": round(float(np.median(rows[:, 2] / rows[:, 0])), 3),
        "memory_ratio": round(float(np.median(rows[:, 3] / np.maximum(rows[:, 1], 1.0))), 3),
        "one_pass": {
            "tokens_per_answer": round(middle[4] / answers, 1),
            "tokens_per_answer_alone": round(middle[5] / answers, 1),
            "ms_per_answer": round(1000 * middle[0] / answers, 2),
            "peak_mb": round(middle[1], 1),
        },
        "three_passes": {
            "tokens_per_answer": round(middle[6] / answers, 1),
            "ms_per_answer": round(1000 * middle[2] / answers, 2),
            "peak_mb": round(middle[3], 1),
        },
        "max_score_difference": float(f"{difference:.3g}"),
    }


def as_table(result: dict) -> str:
    """For people."""
    one, three = result["one_pass"], result["three_passes"]
    rows = [
        ["tokens an answer", one["tokens_per_answer"], three["tokens_per_answer"], f"{result['token_ratio']:.2f}"],
        [
            "tokens, each answer alone",
            one["tokens_per_answer_alone"],
            three["tokens_per_answer"],
            f"{result['token_ratio_alone']:.2f}",
        ],
        ["ms an answer", one["ms_per_answer"], three["ms_per_answer"], f"{result['time_ratio']:.2f}"],
        ["peak memory, MB", one["peak_mb"], three["peak_mb"], f"{result['memory_ratio']:.2f}"],
    ]
    return table(["", "one pass", "three passes", "ratio"], rows)
