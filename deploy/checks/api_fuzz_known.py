"""Hooks of schemathesis for `api_fuzz.sh`: requests for what the served folder holds.

What the document allows is seldom there: a session, a name, a window of the right day. Each generated value is exchanged
for one that the lists (*.json in the working folder) or sessions.txt have, so that answers have rows and no request may be
refused.
"""

import json
import zlib
from pathlib import Path

import schemathesis

SESSIONS = Path("sessions.txt").read_text(encoding="utf-8").split()
ROWS = [row for file in sorted(Path().glob("*.json")) for row in json.loads(file.read_text(encoding="utf-8"))["data"]]
HOURS = sorted({row["window_start"] for row in ROWS if "window_start" in row})
WINDOWS = [(start, end) for start in HOURS for end in HOURS if start < end]


def one(values, drawn):
    """One of the values, the same for the same draw."""
    return values[zlib.crc32(repr(drawn).encode()) % len(values)]


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and "id" in path_parameters:
        path_parameters["id"] = one(SESSIONS, path_parameters["id"])
    return path_parameters


@schemathesis.hook
def map_query(context, query):
    drawn = query or {}
    row, asked = one(ROWS, drawn), {}
    for name, value in drawn.items():
        if name in ("start", "end"):
            # Both, in order.
            asked["start"], asked["end"] = one(WINDOWS, drawn)
        elif name == "limit":
            asked[name] = value
        elif row.get(name):
            asked[name] = row[name]
    # Whose cursor it is can not be drawn; the other run follows pages.
    return asked
