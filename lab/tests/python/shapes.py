"""Shapes of answers: which keys, and of which types, whatever the values."""

import datetime
import pathlib
import re


def shape(value, path=""):
    """Maps every path in an answer to the name of its type. All members of a list count as one."""
    if isinstance(value, dict):
        found = {path: "map"} if path else {}
        for key, child in value.items():
            if key != "ResponseMetadata":
                found.update(shape(child, f"{path}.{key}" if path else key))
        return found
    if isinstance(value, list):
        found = {path: "list"}
        for child in value:
            found.update(shape(child, f"{path}[]"))
        return found
    if isinstance(value, datetime.datetime):
        return {path: "time"}
    return {path: type(value).__name__}


def differences(operation, lab, moto):
    """Lines of the form `lab Operation Path`, `moto Operation Path` or `type Operation Path`.

    Below a key that only one side has, nothing more is said. Members of a list that is empty on one side are not compared.
    """
    ours, theirs = shape(lab), shape(moto)
    lines = set()
    for path in sorted(set(ours) | set(theirs)):
        parents = list(_parents(path))
        if any((parent in ours) != (parent in theirs) for parent in parents):
            continue
        if path not in ours or path not in theirs:
            if not any(parent.endswith("[]") and _empty(parent, ours, theirs) for parent in parents + [path]):
                lines.add(f"{'moto' if path in theirs else 'lab'} {operation} {path}")
        elif ours[path] != theirs[path]:
            lines.add(f"type {operation} {path}")
    return lines


def _parents(path):
    """`A`, `A[]` and `A[].B` of `A[].B.C`."""
    for at, char in enumerate(path):
        if char == "." or path.startswith("[]", at):
            yield path[:at]
        if path.startswith("[]", at):
            yield path[: at + 2]


def _empty(member, ours, theirs):
    return not any(path.startswith(member) for path in ours) or not any(path.startswith(member) for path in theirs)


class Allowed:
    """Differences that are known, each with its reason: `lab|moto|type Operation Path # reason`, `*` for any run of characters."""

    def __init__(self, file):
        self.patterns = {}
        self.used = set()
        for line in pathlib.Path(file).read_text().splitlines():
            entry, _, reason = line.partition("#")
            if entry.strip():
                if not reason.strip():
                    raise SystemExit(f"{file}: '{line}' has no reason")
                pattern = " ".join(entry.split())
                parts = (re.escape(part) for part in pattern.split("*"))
                self.patterns[pattern] = re.compile(".*".join(parts))

    def split(self, lines):
        """The known and the unknown among `lines`."""
        known = set()
        for line in lines:
            fitting = [entry for entry, pattern in self.patterns.items() if pattern.fullmatch(line)]
            self.used.update(fitting)
            if fitting:
                known.add(line)
        return known, lines - known

    def stale(self):
        """Entries that no answer differs by any more."""
        return sorted(set(self.patterns) - self.used)
