"""``python -m tests.conformance FOLDER``: passed and total for each group."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.conformance import definitions, executions, teststate
from tests.conformance.results import Result

#: The least share that must pass, of every group of a kind.
LEAST_IN_EACH_GROUP = {"executions": 0.99}
#: The least share that must pass of a whole kind.
LEAST = {
    "validation": 0.98,
    "rejections": 0.95,
    "real": 1.0,
    "variable references": 1.0,
    "teststate": 0.95,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the conformance data is")
    parser.add_argument(
        "--only", metavar="GROUP", help="run one kind or group, such as 'real' or 'timeouts'"
    )
    parser.add_argument("--list", action="store_true", help="show why each failure failed")
    options = parser.parse_args(arguments)
    if not (options.folder / "README.md").is_file():
        parser.error(f"{options.folder} is no folder with conformance data")

    results = [
        result
        for result in _all(options.folder, options.only)
        if options.only in (None, result.kind, result.group)
    ]
    if not results:
        parser.error(f"there is no kind and no group {options.only!r}")
    _print_failures(results, with_detail=options.list)
    _print_table(results)
    return 1 if _print_shortfalls(results, options.only) else 0


def _all(folder: Path, only: str | None) -> Iterator[Result]:
    if only not in LEAST:
        yield from executions.run(folder)
    if only not in ("executions", "teststate"):
        yield from definitions.run(folder)
    if only in (None, "teststate", "test_state"):
        yield from teststate.run(folder)


def _print_failures(results: Iterable[Result], *, with_detail: bool) -> None:
    for result in results:
        if result.passed:
            continue
        print(f"FAILED {result.kind} {result.group}: {result.id}")
        if with_detail:
            print("    " + result.detail.replace("\n", "\n    "))


def _print_table(results: Iterable[Result]) -> None:
    counts: dict[tuple[str, str], Counter[bool]] = {}
    for result in results:
        for group in (result.group, "all"):
            counts.setdefault((result.kind, group), Counter())[result.passed] += 1
    print(f"\n{'kind':<20}{'group':<24}{'passed':>8}{'total':>8}")
    # A kind's sum stands below its groups.
    for (kind, group), count in sorted(
        counts.items(), key=lambda one: (one[0][0], one[0][1] == "all", one[0][1])
    ):
        passed, total = count[True], count.total()
        print(f"{kind:<20}{group:<24}{passed:>8}{total:>8}{passed / total:>9.1%}")


def _print_shortfalls(results: Iterable[Result], only: str | None) -> bool:
    counts: dict[tuple[str, str | None], Counter[bool]] = {}
    for result in results:
        counts.setdefault((result.kind, result.group), Counter())[result.passed] += 1
        counts.setdefault((result.kind, None), Counter())[result.passed] += 1
    short = False
    for (kind, group), count in counts.items():
        least = LEAST.get(kind) if group is None else LEAST_IN_EACH_GROUP.get(kind)
        if group is None and only not in (None, kind):
            continue  # one group says nothing of the whole kind
        if least is not None and count[True] < least * count.total():
            short = True
            where = kind if group is None else f"{kind} {group}"
            print(f"{where}: {count[True]} of {count.total()} is less than {least:.0%}")
    return short


if __name__ == "__main__":
    sys.exit(main())
