"""A sample project with which every page of Annotate can be drawn without a backend. The texts were written for it."""

from __future__ import annotations

from hitl.annotation.items import Item, Output, SourceText
from hitl.annotation.presets import preset
from hitl.annotation.schema import Schema
from hitl.annotation_messages import (
    AgreementFound,
    AskAgreement,
    Counts,
    CurvePoint,
    HeadAgreement,
    ItemOpened,
    OpenItem,
    OpenProject,
    PairAgreement,
    Progress,
    ProjectOpened,
    SegmentScore,
    Suggestion,
    Suggestions,
)
from hitl.errors import InputError
from hitl.events import LabelEvent
from hitl.labels import Change, Evidence, Missing, Preference, Review, Rewrite, Span, Value, key_of

PROJECT = "bridges-and-towers"
AUTHOR = "Ada"
_LIGHTHOUSE = (
    "The lighthouse at Port Ellery was first lit in 1911. It has four keepers’ houses, two of which still stand. "
    "The coast around it is known for its mild summers and its many sea birds, which visitors like to watch. "
    "It is 38 metres high and was built of local granite. The tower was lit for the first time in 1911. "
    "Its lamp was changed to electric light in 1936, and nobody has lived there since."
)
_BETTER = (
    "The lighthouse at Port Ellery was lit on 3 May 1912, after four years of work. It is 38 metres high, and its "
    "lamp has been electric since 1936."
)
_THIRD = "It was lit in 1912. It is the tallest tower of the coast."
_FOURTH = "Nobody knows when the lighthouse was first lit, since the records were lost in a fire."
_SOURCES = [
    SourceText(title="Port Ellery Light", sentences=[
        "Port Ellery Light stands on the northern head of Ellery Bay.",
        "Work began in 1908, and the light was first shown on 3 May 1912.",
        "The tower is 38 metres high and built of granite from a quarry nearby.",
        "Three houses were built for the keepers; two of them still stand.",
    ]),
    SourceText(title="Lights of the northern coast", sentences=[
        "Most lights of the coast were electrified between 1934 and 1938, that of Port Ellery in 1936.",
        "The last keeper left Port Ellery in 1974, when the light became automatic.",
    ]),
]  # fmt: skip
RTL = (
    "The sign says «ברוכים הבאים לנמל» in large letters. 👩‍👩‍👧‍👦 Families come here all summer 🏖️, cafés stay open "
    "until late. النوارس تطير فوق الميناء، والأطفال يضحكون. Naïve visitors 🇪🇸🇯🇵 expect quiet. बंदरगाह में हर साल मेला "
    "लगता है। 港の祭りは夏に行われる。항구는 여름에 붐빈다."
)  # fmt: skip


def schema(name: str = "fine-grained-rlhf") -> Schema:
    """The schema of the sample project."""
    return preset(name)


def items() -> list[Item]:
    """Three items: four answers about a lighthouse, a text of several scripts, a very long answer."""
    outputs = [Output(track=f"prediction {number}", text=text)
               for number, text in enumerate((_LIGHTHOUSE, _BETTER, _THIRD, _FOURTH), 1)]  # fmt: skip
    long = " ".join(
        f"Paragraph {number} tells how the {what} of the harbour was built, mended and painted again, year after year."
        for number in range(1, 61)
        for what in ("pier", "wall", "crane")
    )
    return [
        Item(id="dev-37", prompt="When was the lighthouse at Port Ellery first lit, and how high is it?",
             sources=_SOURCES, outputs=outputs),
        Item(id="dev-38", prompt="What does the harbour look like?", outputs=[Output(track="prediction 1", text=RTL)]),
        Item(id="dev-39", prompt="Tell the history of the harbour.", sources=_SOURCES[:1],
             outputs=[Output(track="prediction 1", text=long)]),
    ]  # fmt: skip


def project_opened(question: OpenProject, *, names: list[str] | None = None, learner: bool = True) -> ProjectOpened:
    """The project, as a backend would open it."""
    known = [PROJECT, "harbour-summaries"] if names is None else names
    if not question.project:
        return ProjectOpened(id=question.id, project="", projects=known, learner=learner)
    here = [item.id for item in items()]
    counts = [Counts(item=f"dev-{number}", state="done" if number < 37 else "new", others=int(number == 37))
              for number in range(1, 415)]  # fmt: skip
    assert all(name in {entry.item for entry in counts} for name in here)
    return ProjectOpened(id=question.id, project=question.project, projects=known, schema=schema(), items=counts,
                         authors=[AUTHOR, "Tomás"], learner=learner)  # fmt: skip


def item_opened(question: OpenItem, steps: list[LabelEvent] | None = None) -> ItemOpened:
    """An item, as a backend would open it."""
    item = next((item for item in items() if item.id == question.item), None)
    if item is None:
        item = Item(id=question.item, outputs=[Output(track="prediction 1", text="Another answer.")])
    return ItemOpened(id=question.id, project=question.project, item=item, steps=steps or [])


def event(number: int, values: list[Value], author: str = AUTHOR, item: str = "dev-37") -> LabelEvent:
    """A step that puts values under keys of its own."""
    changes = [Change(key=key_of(value, f"01KAW00000000000000000{number:02}{place:02}"), value=value)
               for place, value in enumerate(values)]  # fmt: skip
    return LabelEvent(id=f"01KAW0000000000000000000{number:02}", session="01KAW0SESSION", session_ns=0, author=author,
                      project=PROJECT, item=item, changes=changes, spent_s=61.0)  # fmt: skip


def span(words: str, *categories: str, **more: object) -> Span:
    """A span on the first answer, found by its words."""
    text = items()[0].outputs[0].text
    start = text.find(words)
    if start < 0:
        raise InputError(f"{words!r} is not in the sample", field="words", hint="Look at the text.")
    return Span(track="prediction 1", start=start, end=start + len(words), categories=list(categories), **more)  # type: ignore[arg-type]


def marked() -> LabelEvent:
    """Spans that lie in, over and beside each other."""
    coast = "The coast around it is known for its mild summers and its many sea birds, which visitors like to watch."
    again = span("The tower was lit for the first time in 1911.", "Redundant")
    first = span("The lighthouse at Port Ellery was first lit in 1911.", "Unverifiable")
    return event(1, [
        span("1911", "Wrong-Grounding", evidence=[Evidence(source=0, sentence=2)], note="1912, says the first source"),
        span("four", "Wrong-Grounding", evidence=[Evidence(source=0, sentence=4)]),
        span(coast, "Irrelevant"),
        span("its many sea birds, which visitors like to watch", "Unverifiable", "Incoherent"),
        span("nobody has lived there since", "Wrong-Grounding"),
        Span(track=again.track, start=again.start, end=again.end, categories=["Redundant"],
             repeats=(first.start, first.end)),
    ])  # fmt: skip


def missing() -> LabelEvent:
    """What the answer lacks."""
    return event(2, [
        Missing(track="prediction 1", category="Missing-Answer", evidence=[Evidence(source=0, sentence=2)],
                note="the day: 3 May 1912"),
        Missing(track="prediction 1", category="Missing-Minor-Auxiliary", evidence=[Evidence(source=1, sentence=2)]),
    ])  # fmt: skip


def rewritten() -> LabelEvent:
    """A corrected answer."""
    text = _LIGHTHOUSE.replace("first lit in 1911", "first lit on 3 May 1912").replace(
        "four keepers’", "three keepers’"
    )
    return event(
        3, [Rewrite(track="prediction 1", text=text.replace(" The tower was lit for the first time in 1911.", ""))]
    )


def contradicting() -> LabelEvent:
    """Preferences that go round in a circle."""
    names = [output.track for output in items()[0].outputs]
    given = [(1, 0, "second"), (2, 1, "second"), (2, 0, "first")]
    values: list[Value] = []
    for high, low, winner in given:
        values.append(Preference(first=names[low], second=names[high], winner=winner))  # type: ignore[arg-type]
    return event(4, values)


def of_tomas() -> LabelEvent:
    """What another person marked."""
    return event(5, [
        span("in 1911", "Wrong-Grounding", note="off by one year"),
        span("four", "Wrong-Grounding", evidence=[Evidence(source=0, sentence=4)]),
        span("local granite", "Unverifiable"),
        span("nobody has lived there since", "Wrong-Grounding", evidence=[Evidence(source=1, sentence=2)]),
    ], "Tomás")  # fmt: skip


def agreement_found(question: AskAgreement) -> AgreementFound:
    """How far the two agree in the whole project."""
    heads = [("relevance", 0.41, 212), ("factuality", 0.55, 96), ("completeness", 0.38, 30)]
    return AgreementFound(
        id=question.id, project=question.project, items=30,
        heads=[HeadAgreement(head=head, alpha=alpha, segments=count) for head, alpha, count in heads],
        pairs=[PairAgreement(first=AUTHOR, second="Tomás", exact=0.47, overlap=0.62, items=30)],
    )  # fmt: skip


def flagged() -> LabelEvent:
    """A note on the item, which is to be talked about."""
    return event(6, [Review(state="flagged", note="Is “lit” the first test or the opening?")])


def suggestions() -> Suggestions:
    """What the model would mark, and what each sentence earns."""
    text = items()[0].outputs[0].text
    found = [("in 1911", "Wrong-Grounding", 0.71), ("four keepers’ houses", "Wrong-Grounding", 0.64),
             ("The tower was lit for the first time in 1911.", "Redundant", 0.83)]  # fmt: skip
    spans = [Suggestion(track="prediction 1", start=text.find(words), end=text.find(words) + len(words), category=kind,
                        probability=score) for words, kind, score in found]  # fmt: skip
    rewards = [(0.3, -0.31), (0.3, -0.12), (-0.24, 0.38), (0.3, 0.47), (-0.21, 0.05), (0.28, 0.1)]
    starts = [0, 53, 109, 214, 267, 313]
    segments = []
    for start, (relevance, factuality) in zip(starts, rewards, strict=True):
        for head, reward in (("relevance", relevance), ("factuality", factuality)):
            segments.append(SegmentScore(track="prediction 1", start=start, end=start + 9, head=head,
                                         probability=0.5 - reward / 2, reward=reward))  # fmt: skip
    return Suggestions(project=PROJECT, item="dev-37", version="r12", spans=spans, segments=segments,
                       preferences=[-0.4, 1.3, 0.2, None], uncertainty=0.62)  # fmt: skip


def progress() -> Progress:
    """What the learner has learned so far."""
    scores = [(8, 0.31, 0.22), (14, 0.44, 0.35), (21, 0.49, 0.47), (29, 0.6, 0.51), (36, 0.64, 0.58)]
    curve = [CurvePoint(labelled=count, f1={"relevance": c1, "factuality": c2}) for count, c1, c2 in scores]
    order = ["dev-37", "dev-38", "dev-39"]
    return Progress(project=PROJECT, version="r12", labelled=36, held_out=60, f1=curve[-1].f1, curve=curve,
                    pairwise={"preference": 0.64},
                    order=order,
                    seconds=2.4, reason="Better on held-out items than the version before.")  # fmt: skip
