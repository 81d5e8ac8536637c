"""The commands about annotation projects: import, export, projects, agreement. Thin and lazy, too."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from hitl.cli_shared import EXIT_OK, settings_of

if TYPE_CHECKING:
    from hitl.annotation.agreement import Agreement, ProjectAgreement
    from hitl.backend.reward_versions import RewardVersions


def _import(arguments: Namespace) -> int:
    from hitl.interchange.store import import_file, schema_of

    stored = import_file(
        settings_of(arguments).data_folder,
        arguments.format,
        arguments.file,
        project=arguments.project or "",
        author=arguments.labels_of or "",
        schema=schema_of(arguments.schema) if arguments.schema else None,
    )
    made = f"made with the schema {stored.schema}" if stored.made else "was there"
    print(f"project {stored.project} ({made})")
    print(f"{stored.items} items, {stored.new_items} of them new; labels: {stored.report.lines()[0]}")
    print(f"{stored.steps} steps of {_some(stored.authors)}, {stored.new_steps} of them new")
    for line in stored.report.lines()[1:]:
        print(line)
    return EXIT_OK


def _export(arguments: Namespace) -> int:
    from hitl.interchange.store import export_project

    report = export_project(
        settings_of(arguments).data_folder,
        arguments.format,
        arguments.project,
        arguments.out,
        author=arguments.labels_of or "",
    )
    first, *others = report.lines()
    # What was not held is said behind it: these are the labels that there were.
    print(f"wrote {arguments.out}: {first}" if report.done["example"] else f"wrote {arguments.out} from {first}")
    for line in others:
        print(line)
    return EXIT_OK


def _projects(arguments: Namespace) -> int:
    from dataclasses import asdict

    from hitl.interchange.store import list_projects

    found = list_projects(settings_of(arguments).data_folder)
    if arguments.json:
        for listed in found:
            print(json.dumps(asdict(listed)))
        return EXIT_OK
    if not found:
        print("no projects yet; make one: hitl import FORMAT FILE")
        return EXIT_OK
    print(f"{'project':<24} {'items':>7} {'labelled':>9}  {'schema':<24} authors")
    for listed in found:
        schema = f"{listed.schema}, version {listed.version}" if listed.version > 1 else listed.schema
        authors = _some(listed.authors)
        print(f"{listed.name:<24} {listed.items:>7} {listed.labelled:>9}  {schema:<24} {authors}")
    return EXIT_OK


def _some(names: list[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "nobody") + more


def _schema(arguments: Namespace) -> int:
    from hitl.interchange.store import change_schema, opened, schema_as_json, schema_of

    data = settings_of(arguments).data_folder
    if arguments.new is None:
        with opened(data, arguments.project) as (project, _):
            print(schema_as_json(project.schema))
        return EXIT_OK
    schema = change_schema(data, arguments.project, schema_of(arguments.new), dict(arguments.rename))
    print(f"{arguments.project} has the schema {schema.name} now, version {schema.version}")
    for old, new in schema.renamed.items():
        print(f"{old} became {new}" if new else f"{old} was given up")
    return EXIT_OK


def _versions(arguments: Namespace) -> int:
    from msgspec import to_builtins

    families = _versions_of(arguments)
    pinned = [pin for versions in families if (pin := versions.pinned())]
    found = [entry for versions in families for entry in versions.listed()]
    if arguments.json:
        for entry in found:
            print(json.dumps({**to_builtins(entry), "pinned": entry.version in pinned}))
        return EXIT_OK
    if not found:
        print("no versions yet; they come with labels, while a learner runs")
        return EXIT_OK
    # Of those that are gone only what the gate turned down is worth a line.
    shown = [entry for entry in found if entry.kept or not entry.promoted]
    print(f"{'version':<10} {'made':<20} {'labelled':>8}  {'F1 on what is kept out':<40} verdict")
    for entry in shown:
        scores = ", ".join(f"{head} {value:.3f}" for head, value in entry.f1.items()) or "-"
        print(f"{entry.version:<10} {entry.made:<20} {entry.labelled:>8}  {scores:<40} {entry.reason}")
    for pin in pinned:
        print(f"pinned to {pin}: it answers until hitl projects rollback {arguments.project} --latest")
    return EXIT_OK


def _rollback(arguments: Namespace) -> int:
    from hitl.errors import InputError

    if bool(arguments.version) == arguments.latest:
        raise InputError("Say one of the two", field="version", hint="Give a version, such as r12, or --latest.")
    families = _versions_of(arguments)
    if arguments.latest:
        for versions in families:
            versions.unpin()
        print(f"the newest promoted version of {arguments.project} answers")
    else:
        texts, recordings = families
        (recordings if arguments.version.startswith(recordings.letter) else texts).pin(arguments.version)
        print(f"{arguments.version} of {arguments.project} answers; learning goes on behind it")
    return EXIT_OK


def _versions_of(arguments: Namespace) -> tuple[RewardVersions, RewardVersions]:
    """Those for texts, and those for recordings."""
    from hitl.backend.reward_versions import RECORDINGS, TEXTS, RewardVersions
    from hitl.interchange.store import opened

    with opened(settings_of(arguments).data_folder, arguments.project) as (project, _):
        folder = project.folder / "rewards"
        return RewardVersions(folder, TEXTS), RewardVersions(folder, RECORDINGS)


def _agreement(arguments: Namespace) -> int:
    from dataclasses import asdict

    from hitl.annotation.agreement import agreement_of
    from hitl.interchange.exchange import Exported
    from hitl.interchange.store import opened

    with opened(settings_of(arguments).data_folder, arguments.project) as (project, events):
        labels = Exported(project.name, project.schema, [], events).labels()
        shared = (project.item(name) for name in project.ids() if len(labels.get(name, {})) >= 2)
        found = agreement_of(project.schema, shared, labels)
    print(json.dumps(asdict(found)) if arguments.json else _as_table(found))
    return EXIT_OK


def _as_table(found: ProjectAgreement) -> str:
    """For people. Of single items only those with the least agreement are told."""
    people = f"{len(found.authors)} people" if len(found.authors) != 1 else "1 person"
    lines = [f"{people} labelled; {len(found.items)} items are labelled by at least two"]
    if not found.items:
        return lines[0]
    lines.append(f"{'Krippendorff’s alpha':<36} {'alpha':>7} {'segments':>9}")
    for key, alpha in found.overall.heads.items():
        lines.append(f"{key:<36} {_number(alpha.value)} {alpha.units:>9}")
    for key, alpha in found.overall.categories.items():
        lines.append(f"  {key:<34} {_number(alpha.value)} {alpha.units:>9}")
    lines.append(f"{'F1 of spans':<36} {'exact':>7} {'overlap':>9} {'items':>6}")
    for pair in found.overall.pairs:
        names = f"{pair.first}, {pair.second}"
        lines.append(f"{names:<36} {_number(pair.exact)} {_number(pair.overlap):>9} {pair.items:>6}")
    lines.append("least agreement: " + (", ".join(_least(found.items)) or "none"))
    return "\n".join(lines)


def _least(items: dict[str, Agreement], most: int = 5) -> list[str]:
    """Items by the mean overlap of their pairs, the lowest first."""
    scores = {}
    for name, agreement in items.items():
        overlaps = [pair.overlap for pair in agreement.pairs if pair.overlap is not None]
        if overlaps:
            scores[name] = sum(overlaps) / len(overlaps)
    return [f"{name} ({scores[name]:.2f})" for name in sorted(scores, key=lambda name: scores[name])[:most]]


def _number(value: float | None) -> str:
    """`-` where there is nothing to be computed."""
    return f"{'-' if value is None else f'{value:.3f}':>7}"


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "import": _import,
    "export": _export,
    "projects": _projects,
    "projects schema": _schema,
    "projects versions": _versions,
    "projects rollback": _rollback,
    "agreement": _agreement,
}
