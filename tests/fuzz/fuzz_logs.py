"""Feeds the log formats what atheris makes up from their samples (libFuzzer, led by the coverage of Python code).

    make fuzz                                          each format for three minutes, one after the other
    make fuzz ARGS='zeek eve --seconds 600'            these two, for ten minutes each
    make fuzz ARGS='zeek --again FILE'                 an input that was found, or a folder of inputs, once more

Needs atheris (`pip install atheris`; wheels for CPython 3.11 on Linux), which is no part of the test environment. What
breaks a promise of `tests/sources/logs/holding.py`, takes more than ten seconds or more than two gigabytes ends the run of
its format, and is kept as `crash-…`, `timeout-…` or `oom-…` in `FOLDER/FORMAT/`, beside the corpus that the next run goes on
with. It becomes a test by hand: the shortest form of it, in the test of its format.

Event logs of Windows (EVTX) are read by a package in Rust, in a process of its own that may be lost: there is no coverage to
go by, and an input costs a process. They are left to `tests/sources/test_evtx_chunks.py`.
"""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "data" / "logs"

LONGEST = 4096
"""Bytes of an input: some records, and few enough for a thousand inputs a second."""

_WORD = re.compile(rb"[A-Za-z@_.][\w@.: -]{2,24}")
_LIMITS = ("-timeout=10", "-rss_limit_mb=2048", f"-max_len={LONGEST}", "-print_final_stats=1", "-verbosity=1")


def main() -> int:
    """Fuzz what the command line asks for; returns 1 when something was found."""
    parser = argparse.ArgumentParser(description="fuzz the log formats")
    parser.add_argument("formats", nargs="*", help="all when none is named")
    parser.add_argument("--seconds", type=int, default=180, help="for each format")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "feedsvc-fuzz"))
    parser.add_argument("--again", type=Path, help="inputs to run once, without making up any")
    parser.add_argument("--inside", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        fuzz(*asked.inside)
    sys.path.insert(0, str(ROOT))
    from feedsvc import plugins  # noqa: PLC0415 - where it is, is known from here on

    formats = asked.formats or plugins.names("logs")
    if asked.again:
        return again(formats, asked.again)
    return max(run(form, asked.folder / form, asked.seconds) for form in formats)


def run(form: str, folder: Path, seconds: int) -> int:
    """Fuzz one format in a process of its own, which libFuzzer will end; returns 1 when something was found."""
    told = prepare(form, folder)
    command = [sys.executable, __file__, "--inside", form, *told, *_LIMITS, f"-max_total_time={seconds}"]
    with folder.joinpath("log").open("wb") as log:
        code = subprocess.run(command, stdout=log, stderr=log, cwd=folder, check=False).returncode
    lines = folder.joinpath("log").read_text("utf-8", "replace").splitlines()
    figures = [line for line in lines if "cov: " in line][-1:] + [line for line in lines if "number_of_executed" in line]
    print(f"{form}: {'found something, see ' + str(folder) if code else 'held'}", *figures, sep="\n    ", flush=True)
    return 1 if code else 0


def prepare(form: str, folder: Path) -> list[str]:
    """Write the seeds and the words of a format; returns what libFuzzer is told of them."""
    corpus, first = folder / "corpus", folder / "seeds"
    words: Counter[bytes] = Counter()
    for place in (corpus, first):
        place.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(form)):
        (first / f"{number:04d}").write_bytes(seed)
        words.update(_WORD.findall(seed))
    lines = (f'"{word.decode("ascii")}"\n' for word, _ in words.most_common(300) if word.isascii())
    (folder / "words").write_text("".join(lines))
    return [str(corpus), str(first), f"-dict={folder / 'words'}", f"-artifact_prefix={folder}/"]


def seeds(form: str) -> Iterator[bytes]:
    """The beginning of each sample of a format, and the lines of those that have some."""
    for path in sorted(SAMPLES.joinpath(form).glob("*")):
        if path.name == "SOURCES.md" or path.suffix in {".gz", ".evtx"}:
            continue
        text = path.read_bytes()
        yield text[:LONGEST]
        if b"\0" not in text[:LONGEST]:
            yield from (line + b"\n" for line in text.splitlines()[:60] if len(line) < LONGEST)


def fuzz(form: str, *arguments: str) -> None:
    """Be the process that fuzzes a format; does not return."""
    atheris = importlib.import_module("atheris")
    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=["feedsvc.sources", "feedsvc.names"]):
        read = check(form)
    atheris.Setup([sys.argv[0], *arguments], lambda log: read(log) and None)
    atheris.Fuzz()


def again(formats: Sequence[str], inputs: Path) -> int:
    """Run inputs once, as a test would; what breaks shows itself with its traceback."""
    files = sorted(path for path in inputs.rglob("*") if path.is_file()) if inputs.is_dir() else [inputs]
    for form in formats:
        read = check(form)
        for path in files:
            read(path.read_bytes())
    return 0


def check(form: str) -> Callable[[bytes], object]:
    """What is done with each input; loads the format."""
    from tests.sources.logs import holding  # noqa: PLC0415 - its imports are to be instrumented

    read = holding.check(form)
    read(b"\n")
    return read


if __name__ == "__main__":
    sys.exit(main())
