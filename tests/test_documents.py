"""The code in the README and the documents does what they say.

Python blocks run, in order and in one namespace per file; JSON blocks parse. A
block that can't run says why in a comment before it: ``<!-- not run: reason -->``.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from markdown_it import MarkdownIt

from django_workflows import handlers

NOT_RUN = re.compile(r"<!-- not run: \S.*-->")


@dataclass(frozen=True, kw_only=True)
class Block:
    language: str
    text: str
    #: The line of the file that the text begins on, from 1.
    line: int
    is_run: bool


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown document, also those in lists and quotations."""
    before = None
    for token in MarkdownIt().parse(text):
        if token.type == "fence":
            yield Block(
                language=token.info.strip(),
                text=token.content,
                line=token.map[0] + 2,
                is_run=not (
                    before is not None
                    and before.type == "html_block"
                    and NOT_RUN.fullmatch(before.content.strip())
                ),
            )
        before = token


def run(text: str, filename: str) -> None:
    """Run the document's Python blocks; a traceback shows its file and lines."""
    names = {"__name__": "document"}
    for block in blocks(text):
        if block.language == "python" and block.is_run:
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, filename, "exec"), names)


@pytest.fixture(autouse=True)
def _handlers_of_the_documents_are_forgotten():
    known = dict(handlers._exact), dict(handlers._prefixes)
    yield
    for registry, before in zip((handlers._exact, handlers._prefixes), known, strict=True):
        registry.clear()
        registry.update(before)


documents = pytest.mark.parametrize(
    "path",
    [
        settings.BASE_DIR / "README.md",
        *sorted(
            path
            for path in (settings.BASE_DIR / "docs").rglob("*.md")
            if "_build" not in path.parts
        ),
    ],
    ids=lambda path: str(path.relative_to(settings.BASE_DIR)),
)


@documents
def test_python_blocks_run(path: Path):
    run(path.read_text(encoding="utf-8"), str(path))


@documents
def test_json_blocks_parse(path: Path):
    for block in blocks(path.read_text(encoding="utf-8")):
        if block.language == "json" and block.is_run:
            try:
                json.loads(block.text)
            except ValueError as error:
                pytest.fail(f"{path}, the block at line {block.line}: {error}")


@documents
def test_code_is_in_plain_fences(path: Path):
    # A directive would be shown, and neither run nor parsed.
    assert not [
        block.line
        for block in blocks(path.read_text(encoding="utf-8"))
        if block.language.startswith(("{code", "{literalinclude", "{sourcecode"))
    ]


def test_blocks_share_names_and_failures_show_their_line():
    document = "```python\nx = 1\n```\n\ntext\n\n```python\nassert x == 2\n```\n"

    with pytest.raises(AssertionError) as failure:
        run(document, "page.md")

    assert failure.traceback[-1].lineno + 1 == 8


def test_a_block_is_left_out_only_with_a_reason():
    document = "<!-- not run: needs a bank -->\n```python\n1 / 0\n```\n"
    run(document, "page.md")

    with pytest.raises(ZeroDivisionError):
        run(document.replace("needs a bank ", ""), "page.md")
