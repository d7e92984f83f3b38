"""Fills the corpus of each fuzz target with real inputs. Usage: seed.py CORPUS_FOLDER"""

import hashlib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/fixtures"


def captured():
    return (FIXTURES / "events-2026-01-08.jsonl").read_bytes().splitlines()


def documents():
    """Each orchestrator of the real documents by itself: mutations of whole ones would be too slow."""
    for name in ["getNetworkCapabilities.json", "getNetworkCapabilities-ai-batch-byoc.json"]:
        for entry in json.loads((FIXTURES / name).read_text())["orchestrators"]:
            yield json.dumps(entry, separators=(",", ":")).encode()


def entries():
    for entry in documents():
        yield entry
        yield b"[" + entry + b"," + entry + b"]"


def files(pattern):
    return [path.read_bytes() for path in sorted(ROOT.glob(pattern))]


SEEDS = {
    "event_decode": lambda: captured()
    + files("tests/fixtures/transport-sample.jsonl")
    + [
        b'{"id":"c","type":"network_capabilities","timestamp":"1767908947583","gateway":"g","data":[%s]}' % entry
        for entry in documents()
    ],
    "capability_decode": entries,
    "envelope_decode": lambda: files("protocol/tests/golden/envelope.*.bin"),
    "state_decode": lambda: files("protocol/tests/golden/*.bin"),
    "config": lambda: files("deploy/config/*.toml"),
    "facade": lambda: files("deploy/clickhouse/*.sql")
    + [b"INSERT INTO t (a) FORMAT RowBinary\n\x01", b"SELECT * FROM t FORMAT JSON", b"WITH 1 AS x SELECT x; DROP TABLE t"],
}


def main(corpus):
    for target, seeds in SEEDS.items():
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for seed in seeds():
            (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
