"""The journal of a Chaos Toolkit run as fault entries: which action broke what, and for how long.

Every action that succeeded and undid nothing is a fault. What it breaks is told by words in its
name, else in its function or command, and whom, by its arguments. A fault of a kind that lasts goes
on until an action or rollback undoes it; else to the end of its action where that took a second, or
to the end of the experiment. The extension `tracejury` of the experiment says what words do not.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

Entry = dict[str, Any]

# What undoes a fault: whatever it is, where something lasting ends, or where no fault is named.
_UNDOES: Final = re.compile(
    r"\b(resume|unpause|remove|restore|heal|recover|undo|clean ?up|reconnect|re ?enable"
    r"|roll ?back)\b"
)
_ENDS: Final = re.compile(r"\b(stop|end|disable)\b")
_BEGINS: Final = re.compile(r"\b(start|continue|reset|enable)\b")
# The first kind of which a word is found counts.
_WORDS: Final = (
    ("message_loss", r"\b(lose|loses|lost|purge|drop)\b.*\b(message|queue)"),
    ("restart", r"\b(restart|reboot|bounce)"),
    ("delay", r"\b(latency|delay|slow|lag|throttl|jitter)"),
    ("partition", r"\b(partition|isolat|disconnect|unreachable|(packet|network) (loss|drop))"),
    ("storage", r"\b(disk|storage|filesystem|volume)"),
    ("flood", r"\b(flood|stress|overload|exhaust|burn|spam)"),
    ("hang", r"\b(hang|freeze|pause|suspend|sigstop|black ?hole|timeout)"),
    ("cancel", r"\bcancel"),
    ("kill", r"\b(kill|terminat|crash|stop|shut ?down|evict|drain|delete)"),
    ("error", r"\b(error|exception|abort|reject|fail|fault)"),
)
_LASTING: Final = ("delay", "error", "hang", "partition", "storage", "flood")
_LEAST_S: Final = 1.0

# Arguments that name what an action is aimed at, the most telling first.
_TARGETS: Final = (
    *("service", "service_name", "target", "deployment", "deployment_name", "container"),
    *("container_name", "proxy", "proxy_name", "app", "label_selector", "pod", "pod_name"),
    *("instance_id", "instance_ids", "host", "name"),
)
_SAID: Final = (
    *("kind", "target", "magnitude", "workflow", "items_expected", "item_injected", "test_id"),
    "failure_mode",
)


def is_journal(document: object) -> bool:
    """Whether it is what `chaos run` writes."""
    return (
        isinstance(document, Mapping)
        and "faults" not in document
        and isinstance(document.get("experiment"), Mapping)
        and isinstance(document.get("run"), list)
    )


def journal_entries(journal: Mapping[str, Any]) -> list[Entry]:
    """What a fault file would say of the run."""
    declared = _declared(journal["experiment"])
    whole_end = journal.get("end")
    open_entries: list[Entry] = []
    entries: list[Entry] = []
    for action in _actions(journal):
        name = str(action["activity"].get("name", "action"))
        said = declared.get(name, {})
        kind, undoes = _kind(action["activity"]) if "kind" not in said else (said["kind"], False)
        target = said.get("target", _target(action["activity"]))
        if undoes:
            open_entries = _close(open_entries, target, action.get("start"))
            continue
        if action.get("is_rollback"):
            continue
        ended = action.get("end") or whole_end
        entry = {"id": _own(name, entries), "start": _utc(action.get("start")), "end": _utc(ended)}
        entry |= {"kind": kind, "target": target} | {key: said[key] for key in _SAID if key in said}
        entries.append(entry)
        if kind in _LASTING:
            open_entries.append(entry)
            if _seconds(action) < _LEAST_S:
                entry["end"] = _utc(whole_end or ended)
    return entries


def _declared(experiment: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What the extension `tracejury` says of actions, by their names."""
    extensions = experiment.get("extensions")
    for extension in extensions if isinstance(extensions, list) else ():
        if isinstance(extension, Mapping) and extension.get("name") == "tracejury":
            faults = extension.get("faults")
            if isinstance(faults, Mapping):
                return {str(name): said for name, said in faults.items() if isinstance(said, dict)}
    return {}


def _actions(journal: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The actions that succeeded, in the order in which they began, rollbacks last."""
    for key in ("run", "rollbacks"):
        ran = journal.get(key)
        for entry in ran if isinstance(ran, list) else ():
            activity = entry.get("activity") if isinstance(entry, Mapping) else None
            is_action = isinstance(activity, Mapping) and activity.get("type") == "action"
            if is_action and entry.get("status") == "succeeded":
                yield {**entry, "is_rollback": key == "rollbacks"}


def _kind(activity: Mapping[str, Any]) -> tuple[str, bool]:
    """The kind of fault, '' where no word tells; and whether the action undoes one instead."""
    provider = activity.get("provider")
    provider = provider if isinstance(provider, Mapping) else {}
    arguments = provider.get("arguments")
    command = arguments if isinstance(arguments, str) else ""
    called = f"{provider.get('func', '')} {provider.get('path', '')} {command}"
    for text in (activity.get("name", ""), called, provider.get("module", "")):
        words = re.sub(r"([a-z])([A-Z])", r"\1 \2", str(text))
        words = re.sub(r"[^a-z0-9]+", " ", words.lower())
        kind = next((kind for kind, pattern in _WORDS if re.search(pattern, words)), "")
        if (
            _UNDOES.search(words)
            or (kind in _LASTING and _ENDS.search(words))
            or (not kind and _BEGINS.search(words))
        ):
            return "", True
        if kind:
            return kind, False
    return "", False


def _target(activity: Mapping[str, Any]) -> str:
    provider = activity.get("provider")
    arguments = provider.get("arguments") if isinstance(provider, Mapping) else None
    if not isinstance(arguments, Mapping):
        return ""
    for key in _TARGETS:
        value = arguments.get(key)
        if isinstance(value, Sequence) and not isinstance(value, str):
            value = value[0] if value else None
        if isinstance(value, str) and value:
            return value.split(",")[0].rpartition("=")[2]  # a label selector: app=worker
    return ""


def _close(entries: list[Entry], target: str, moment: object) -> list[Entry]:
    """End the faults of the target, or all of them where it is not known; gives the others."""
    ended = [entry for entry in entries if not target or entry["target"] in ("", target)]
    for entry in ended:
        entry["end"] = _utc(moment)
    return [entry for entry in entries if entry not in ended]


def _seconds(action: Mapping[str, Any]) -> float:
    duration = action.get("duration")
    return duration if isinstance(duration, int | float) else 0.0


def _own(name: str, entries: Sequence[Entry]) -> str:
    """The name, numbered where an action of that name ran before."""
    taken, own, number = {entry["id"] for entry in entries}, name, 1
    while own in taken:
        number += 1
        own = f"{name} ({number})"
    return own


def _utc(moment: object) -> object:
    """A time of the journal; what has no zone is UTC, as older versions wrote it."""
    if not isinstance(moment, str):
        return moment
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return moment if read.tzinfo else f"{moment}Z"
