# SPDX-License-Identifier: Apache-2.0
"""What the pages tell a reader to type is understood as written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from pretrade.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted((ROOT / "docs").rglob("*.md"))
BLOCKS = [(page, kind, body) for page in PAGES for kind, body in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)]
PLACEHOLDERS = {"INSTRUMENT": "1", "TRIP": "42", "NUMBER": "7", "FILE...": "day.dbn.zst", "NAME": "Ada", "TEXT": "words"}
COMMANDS = sorted({line.split("#")[0].strip() for _, kind, body in BLOCKS if kind == "sh" for line in body.splitlines() if line.strip()})


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("pretrade")])
def test_command_of_the_pages_is_understood(line: str) -> None:
    words = [PLACEHOLDERS.get(w, w) for w in shlex.split(line)[1:]]
    command = typer.main.get_command(app)
    context = command.make_context("pretrade", list(words))
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None, line
        context = command.make_context(name, rest, parent=context)
    assert context.params


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("make")])
def test_target_of_the_pages_exists(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE) for target in line.split()[1:]), line


def test_every_block_is_of_a_kind_the_tests_read() -> None:
    assert {kind for _, kind, _ in BLOCKS} <= {"python", "sh", ""}
    assert [c for c in COMMANDS if not c.startswith(("pretrade", "make"))] == []
    assert sum(kind == "python" for _, kind, _ in BLOCKS) == 1, "the five lines; a further block needs a test that runs it"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_decisions_have_a_number_each_and_fit_a_page() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    numbers = [int(p.name[:4]) for p in pages]
    assert len(set(numbers)) == len(numbers), "two decisions share a number"
    for page in pages:
        text = page.read_text()
        assert "**Decision.**" in text, page.name
        assert "**Why.**" in text, page.name
        assert len(text.split()) < 600, page.name
