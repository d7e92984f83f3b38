"""Checks the documentation of a work tree, offline.

Links and anchors resolve, every page under docs/ can be reached from docs/README.md, canonical pages say who owns
them and when they were reviewed, and every `naap` command in an example exists in the help of the built binary.
"""

import argparse
import datetime
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

INDEX = "docs/README.md"
FIELDS = ("owner", "last_reviewed", "status", "covers")
STATUSES = ("current", "draft", "historic")
WARN_DAYS, FAIL_DAYS = 180, 365
SHELL_FENCES = ("sh", "bash", "shell", "console")
NOT_OURS = ("target/", "tests/fixtures/", ".cache/")

FENCE = re.compile(r"^\s*(```+|~~~+)\s*(\w*)")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$")
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
EXTERNAL = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


class Page:
    """One Markdown file, split into prose lines and fenced blocks."""

    def __init__(self, root: Path, path: str):
        self.path = path
        lines = (root / path).read_text(encoding="utf-8").splitlines()
        self.front, lines, first = _front_matter(lines)
        self.prose: list[tuple[int, str]] = []
        self.code: list[tuple[int, str, str]] = []
        fence, language = None, ""
        for number, line in enumerate(lines, first):
            mark = FENCE.match(line)
            if fence is None and mark:
                fence, language = mark.group(1), mark.group(2).lower()
            elif fence is not None and mark and line.strip().startswith(fence) and not mark.group(2):
                fence = None
            elif fence is None:
                self.prose.append((number, line))
            else:
                self.code.append((number, language, line))

    def links(self):
        for number, line in self.prose:
            bare = re.sub(r"`[^`]*`", "``", line)
            for match in LINK.finditer(bare):
                yield number, match.group(1)
            reference = REFERENCE.match(bare)
            if reference:
                yield number, reference.group(1)

    def anchors(self):
        seen: dict[str, int] = {}
        found = set()
        for _, line in self.prose:
            found.update(re.findall(r"<a\s+(?:id|name)=\"([^\"]+)\"", line))
            heading = HEADING.match(line)
            if heading:
                slug = slugify(heading.group(2))
                count = seen.get(slug, 0)
                seen[slug] = count + 1
                found.add(f"{slug}-{count}" if count else slug)
        return found


def slugify(heading: str) -> str:
    """The anchor that hosting sites give a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def _front_matter(lines: list[str]):
    if not lines or lines[0] != "---" or "---" not in lines[1:]:
        return None, lines, 1
    end = lines.index("---", 1)
    fields = dict(part.split(":", 1) for part in lines[1:end] if ":" in part)
    return {key.strip(): value.strip() for key, value in fields.items()}, lines[end + 1 :], end + 2


def markdown_files(root: Path) -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\n")
    return sorted(p for p in listing if p and not p.startswith(NOT_OURS) and (root / p).is_file())


def resolve(page: str, target: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(page), unquote(target)))


def check_links(root: Path, pages: dict[str, Page]) -> list[str]:
    problems = []
    anchors = {path: page.anchors() for path, page in pages.items()}
    for path, page in pages.items():
        for number, link in page.links():
            if EXTERNAL.match(link):
                continue
            target, _, anchor = link.partition("#")
            where = resolve(path, target) if target else path
            if where.startswith("..") or os.path.isabs(where) or not (root / where).exists():
                problems.append(f"{path}:{number}: link '{link}' leads to nothing in this repository")
            elif anchor and where in anchors and unquote(anchor) not in anchors[where]:
                problems.append(f"{path}:{number}: '{where}' has no heading for anchor '#{anchor}'")
    return problems


def check_reachable(pages: dict[str, Page]) -> list[str]:
    if INDEX not in pages:
        return [f"{INDEX} is missing; it is the index of all pages"]
    todo, seen = [INDEX], {INDEX}
    while todo:
        page = todo.pop()
        for _, link in pages[page].links():
            target = resolve(page, link.partition("#")[0])
            if target in pages and target not in seen:
                seen.add(target)
                todo.append(target)
    return [
        f"{path}: cannot be reached from {INDEX}; link it there"
        for path in pages if path.startswith("docs/") and path not in seen
    ]


def check_front_matter(root: Path, pages: dict[str, Page], today: datetime.date):
    problems, warnings = [], []
    for path, page in pages.items():
        if not path.startswith("docs/") or path == INDEX:
            continue
        missing = [field for field in FIELDS if not (page.front or {}).get(field)]
        if missing:
            problems.append(f"{path}: front matter lacks {', '.join(missing)}")
            continue
        if page.front["status"] not in STATUSES:
            problems.append(f"{path}: status '{page.front['status']}' is none of {', '.join(STATUSES)}")
        try:
            reviewed = datetime.date.fromisoformat(page.front["last_reviewed"])
        except ValueError:
            problems.append(f"{path}: last_reviewed '{page.front['last_reviewed']}' is not an ISO date")
            continue
        age = (today - reviewed).days
        if age > FAIL_DAYS:
            problems.append(f"{path}: last reviewed {age} days ago; read it against the code and set last_reviewed")
        elif age > WARN_DAYS:
            warnings.append(f"{path}: last reviewed {age} days ago")
        for covered in page.front["covers"].split(","):
            covered = covered.strip()
            if not (root / covered).exists():
                problems.append(f"{path}: covers '{covered}', which does not exist")
            elif changed_after(root, covered, reviewed):
                warnings.append(f"{path}: '{covered}' changed after the review of {reviewed}")
    return problems, warnings


def changed_after(root: Path, path: str, day: datetime.date) -> bool:
    date = subprocess.run(
        ["git", "log", "-1", "--format=%cs", "--", path], cwd=root, capture_output=True, text=True, check=False,
    ).stdout.strip()
    return bool(date) and datetime.date.fromisoformat(date) > day


def commands(pages: dict[str, Page]):
    """Every `naap ...` in a shell block: place and words, continuation lines joined."""
    for path, page in pages.items():
        pending = None
        for number, language, line in page.code:
            if language not in SHELL_FENCES:
                continue
            if pending:
                number, line = pending[0], pending[1] + line.strip()
                pending = None
            if line.endswith("\\"):
                pending = (number, line[:-1])
                continue
            for part in re.split(r"\||&&|;", re.sub(r"\"[^\"]*\"|'[^']*'", "TEXT", line.split(" #")[0])):
                words = part.strip().removeprefix("$ ").split()
                while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                    words.pop(0)
                if words and os.path.basename(words[0]) == "naap":
                    yield f"{path}:{number}", words[1:]


class Help:
    """The help texts of the binary, asked once per subcommand."""

    def __init__(self, binary: str):
        self.binary = binary
        self.texts: dict[tuple[str, ...], str] = {}

    def text(self, path: tuple[str, ...]) -> str:
        if path not in self.texts:
            run = subprocess.run([self.binary, *path, "--help"], capture_output=True, text=True, check=False, timeout=30)
            self.texts[path] = run.stdout
        return self.texts[path]

    def subcommands(self, path: tuple[str, ...]) -> set[str]:
        block = re.search(r"^Commands:\n((?:[ \t].*\n|\n)*)", self.text(path), re.MULTILINE)
        return set(re.findall(r"^  (\w[\w-]*)", block.group(1), re.MULTILINE)) if block else set()


def check_commands(pages: dict[str, Page], known: Help) -> list[str]:
    problems = []
    for place, words in commands(pages):
        path: tuple[str, ...] = ()
        for word in words:
            if word.startswith("-"):
                break
            choices = known.subcommands(path)
            if not choices:
                break
            if word not in choices:
                problems.append(f"{place}: 'naap {' '.join((*path, word))}' is not a command of the built binary")
                break
            path = (*path, word)
        else:
            if known.subcommands(path) and words:
                problems.append(f"{place}: 'naap {' '.join(words)}' lacks its subcommand")
        for flag in (word.split("=")[0] for word in words if word.startswith("--") and len(word) > 2):
            if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", known.text(path)):
                problems.append(f"{place}: 'naap {' '.join(path)}' has no flag {flag}")
    return problems


def check(root: Path, today: datetime.date, binary: str | None):
    pages = {path: Page(root, path) for path in markdown_files(root)}
    problems = check_links(root, pages) + check_reachable(pages)
    more, warnings = check_front_matter(root, pages, today)
    problems += more
    if binary:
        problems += check_commands(pages, Help(binary))
    else:
        warnings.append("naap commands in examples were not checked, because target/debug/naap is not built")
    return len(pages), problems, warnings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--binary", help="the naap to ask for help; default: the newest build in target/")
    parser.add_argument("--today", type=datetime.date.fromisoformat, default=datetime.date.today())
    args = parser.parse_args()
    target = Path(os.environ.get("CARGO_TARGET_DIR", args.root / "target"))
    built = [path for path in (target / "debug/naap", target / "release/naap") if path.is_file()]
    binary = args.binary or (str(max(built, key=lambda path: path.stat().st_mtime)) if built else None)
    count, problems, warnings = check(args.root, args.today, binary)
    for warning in warnings:
        print(f"warning: {warning}")
    for problem in problems:
        print(f"error: {problem}")
    print(f"docs: {count} pages, {len(problems)} errors, {len(warnings)} warnings")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
