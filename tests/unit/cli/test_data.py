# SPDX-License-Identifier: Apache-2.0
"""The verbs for recordings: what they print, what they leave behind, and the code they exit with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.cli.test_verbs import pretrade
from tests.unit.feeds import recordings

PRICE = 4_800_000_000_000
MANY = [(PRICE + (1 + n % 7) * 250_000_000 * (1 if n % 2 == 0 else -1), 1 + n % 5, 128, "A", "A" if n % 2 == 0 else "B") for n in range(2_000)]


def test_a_recording_is_inspected_imported_verified_and_replayed(tmp_path: Path) -> None:
    recordings.dbn(tmp_path / "day.dbn", MANY)
    inspected = pretrade("data", "inspect", "day.dbn", "--format", "dbn", "--json", "--html", "quality.html", cwd=tmp_path)
    assert (inspected.returncode, inspected.stderr) == (0, "")
    assert json.loads(inspected.stdout)["events"] == 2_000
    assert (tmp_path / "quality.html").read_text().endswith("</html>\n")
    imported = pretrade("data", "import", "day.dbn", "--format", "dbn", "--out", "run/market.journal", "--json", cwd=tmp_path)
    assert (imported.returncode, json.loads(imported.stdout)["kinds"]) == (0, {"ADD": 2_000})
    verified = pretrade("data", "verify", "run/market.journal", "--json", cwd=tmp_path)
    told = json.loads(verified.stdout)
    assert (verified.returncode, told["ok"], told["compared_with_original"], told["rows_compared"]) == (0, True, True, 19)
    replays = [
        pretrade("replay", file, "--format", of, "--json", f"{of}.json", cwd=tmp_path)
        for file, of in (("day.dbn", "dbn"), ("run/market.journal", "journal"))
    ]
    assert [r.returncode for r in replays] == [0, 0]
    results = [json.loads((tmp_path / f"{of}.json").read_text()) for of in ("dbn", "journal")]
    for result in results:
        del result["timing"]
    assert results[0] == results[1]


def test_a_damaged_journal_exits_with_a_finding_and_names_the_place(tmp_path: Path) -> None:
    recordings.dbn(tmp_path / "day.dbn", MANY)
    assert pretrade("data", "import", "day.dbn", "--format", "dbn", "--out", "day.journal", cwd=tmp_path).returncode == 0
    raw = bytearray((tmp_path / "day.journal").read_bytes())
    raw[9_000] ^= 1
    (tmp_path / "day.journal").write_bytes(raw)
    done = pretrade("data", "verify", "day.journal", cwd=tmp_path)
    assert done.returncode == 1
    assert "offset 4096" in done.stderr
    (tmp_path / "day.dbn").unlink()
    assert pretrade("data", "verify", "day.journal", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("cut.csv.gz", b"\x1f\x8b\x08\x00\x00", "lobster"),
        ("noise.dbn", bytes(range(256)) * 8, "dbn"),
        ("lines.txt", b'1689724800000000000 {"stream":"btcusdt@depth","data":{\n', "binance"),
        ("lines.log", b"1430438404518 nonsense {}\n", "bitstamp"),
        ("lines.raw", b"1626994927.5: {\n", "cryptofeed"),
        ("lines.data", b'{"ts":1733011200691\n', "bybit"),
        ("ticks.parquet", b"PAR1 and no more", "taq"),
        ("table.csv", b"a,b\n1,2\n", "table"),
        ("day.journal", b"PTJOURNL" + bytes(5_000), "journal"),
    ],
)
def test_malformed_input_is_one_line_that_names_the_file_and_nothing_is_left(tmp_path: Path, name: str, content: bytes, format: str) -> None:
    (tmp_path / name).write_bytes(content)
    verb, *out = ("inspect", "--html", "quality.html") if format in ("dbn", "journal") else ("import", "--out", "out/day.journal")
    done = pretrade("data", verb, name, "--format", format, *out, cwd=tmp_path)
    assert done.returncode in (1, 3), done.stderr
    assert name in done.stderr or "an [[instrument]]" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    left = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    assert left == [name]


def test_progress_is_silent_beside_a_terminal_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pretrade.cli import progress

    monkeypatch.setattr("pretrade.cli.progress.time.monotonic", iter([0.0, 3.0, 6.0, 12.0]).__next__)
    with progress.FileProgress("import", True) as shown:
        shown(10, 100, 1_000)
        shown(30, 100, 3_000)
        shown(60, 100, 6_000)
    assert capsys.readouterr().err == "import: 30 %, 3,000 events, 14 s left\nimport: 60 %, 6,000 events, 8 s left\n"
    monkeypatch.undo()
    with progress.FileProgress("import") as shown:
        shown(100, 100, 1)
    assert capsys.readouterr().err == ""
    del tmp_path
