# SPDX-License-Identifier: Apache-2.0
"""Sections of text and tables, as Markdown for a page and as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from pretrade.domain.errors import ValidationError

BEGIN: Final = "<!-- generated from stored predictions: pretrade validate order-error --write -->"
END: Final = "<!-- end of what is generated -->"
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:75em;margin:2em auto;padding:0 1em;color:#1b1f24}table{border-collapse:collapse;margin:1em 0}"
    "td,th{border-bottom:1px solid #d0d7de;padding:.25em .7em;text-align:left;font-variant-numeric:tabular-nums}"
    "tr:first-child th{border-bottom:2px solid #57606a}"
)


@dataclass(frozen=True, slots=True)
class Section:
    """A title, words, and a table that may be empty."""

    title: str
    text: str = ""
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        wrong = [row for row in self.rows if len(row) != len(self.head)]
        if wrong:
            raise ValidationError(f"section {self.title!r}: a row has {len(wrong[0])} cells, the head {len(self.head)}")


def markdown(sections: Sequence[Section]) -> str:
    """Sections as Markdown."""
    out = []
    for section in sections:
        out += [f"## {section.title}", ""] + ([section.text, ""] if section.text else [])
        if section.head:
            lines = (section.head, ("---",) * len(section.head), *section.rows)
            out += [*("| " + " | ".join(cells) + " |" for cells in lines), ""]
    return "\n".join(out)


def html(title: str, sections: Sequence[Section]) -> str:
    """Sections as one self-contained page."""
    out = [f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>"]
    for section in sections:
        out.append(f"<h2>{escape(section.title)}</h2>")
        out += [f"<p>{escape(part)}</p>" for part in section.text.split("\n\n") if part]
        if section.head:
            out.append("<table><tr>" + "".join(f"<th>{escape(c)}</th>" for c in section.head) + "</tr>")
            out += ["<tr>" + "".join(f"<td>{escape(c.replace('**', ''))}</td>" for c in row) + "</tr>" for row in section.rows]
            out.append("</table>")
    return "".join(out) + "</html>\n"


def between(page: str, generated: str) -> str:
    """The page with its generated part exchanged.

    Raises
    ------
    ValidationError
        If the page does not hold both marks, once each.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValidationError(f"the page holds {page.count(BEGIN)} begins and {page.count(END)} ends of a generated part; one of each must stand")
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{generated.strip()}\n\n{END}{rest.partition(END)[2]}"


def update(path: Path, generated: str, *, is_written: bool) -> bool:
    """Whether a page held what is generated; written, it does afterwards."""
    page = path.read_text(encoding="utf-8")
    wanted = between(page, generated)
    if is_written and page != wanted:
        path.write_text(wanted, encoding="utf-8")
    return page == wanted
