# SPDX-License-Identifier: Apache-2.0
"""The schema files against the Python dtypes, the native layouts and a C compiler."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pretrade._native import limits as native
from pretrade.domain import DECISION_DTYPE, EVENT_DTYPE, LIMITS_DTYPE, ORDER_DTYPE, QUOTES_DTYPE
from pretrade.limits import CONTROLS_DTYPE, GATE_DTYPE, PARAMETERS_DTYPE, Level
from pretrade.limits.layouts import LAYOUTS

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
NAMES = sorted(p.stem for p in SCHEMAS.glob("*.json"))
DTYPES = {
    "event": EVENT_DTYPE,
    "order": ORDER_DTYPE,
    "decision": DECISION_DTYPE,
    "limits": LIMITS_DTYPE,
    "quotes": QUOTES_DTYPE,
    "controls": CONTROLS_DTYPE,
    "parameters": PARAMETERS_DTYPE,
    "gate": GATE_DTYPE,
}
KINDS = {"u8": "u1", "i8": "i1", "u16": "<u2", "u32": "<u4", "i32": "<i4", "u64": "<u8", "i64": "<i8", "f32": "<f4"}


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    return found


def fnv(found: dict[str, Any]) -> int:
    """The layout hash as the README of schemas/ words it, written again from scratch."""
    data = found["name"].encode() + b"\0" + found["version"].to_bytes(8, "little") + found["size"].to_bytes(8, "little")
    for field in found["fields"]:
        data += field["name"].encode() + b"\0" + field["type"].encode() + b"\0"
        data += field["offset"].to_bytes(8, "little") + field["size"].to_bytes(8, "little")
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def test_there_is_a_schema_for_every_native_layout() -> None:
    assert set(NAMES) == set(LAYOUTS)


@pytest.mark.parametrize("name", NAMES)
def test_native_layout_is_that_of_the_schema(name: str) -> None:
    found, layout = schema(name), LAYOUTS[name]
    assert (found["version"], found["size"], int(found["layout_hash"], 16)) == (layout["version"], layout["size"], layout["hash"])
    assert [(f["name"], f["type"], f["offset"], f["size"]) for f in found["fields"]] == layout["fields"]
    assert fnv(found) == layout["hash"]


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_numpy_dtype_is_that_of_the_schema(name: str) -> None:
    dtype, found = DTYPES[name], schema(name)
    assert dtype.itemsize == found["size"]
    fields = {f["name"]: f for f in found["fields"]}
    assert dtype.names is not None
    assert not set(dtype.names) - set(fields)
    for field in dtype.names:
        kind, offset = dtype.fields[field][:2]  # type: ignore[index]  # a structured dtype has fields
        assert (offset, kind.itemsize) == (fields[field]["offset"], fields[field]["size"]), field
        if kind.subdtype is None and kind.names is None:
            assert kind == np.dtype(KINDS[fields[field]["type"]]), field
    # Only padding may be missing from a dtype: what is left out must be unnamed to users.
    assert {f for f in fields if f not in dtype.names} <= {"pad", "spare", "pad_2", "spare_state"}


def test_levels_are_those_of_the_native_table() -> None:
    assert {level.name.lower(): int(level) for level in Level} == native.LEVELS


@pytest.fixture(scope="module")
def compiler() -> str:
    found = shutil.which("cc")
    if found is None:
        pytest.fail("no C compiler (cc) on this machine: the C layouts are not checked")
    return found


def test_c_structures_lie_where_the_schemas_say(compiler: str, tmp_path: Path) -> None:
    lines = []
    for name in NAMES:
        lines.append(f'printf("{name} %zu\\n", sizeof(struct pretrade_{name}));')
        lines += [f'printf("{name}.{f["name"]} %zu\\n", offsetof(struct pretrade_{name}, {f["name"]}));' for f in schema(name)["fields"]]
    source = tmp_path / "layouts.c"
    source.write_text('#include "pretrade_layouts.h"\n#include <stdio.h>\nint main(void) {' + "\n".join(lines) + "return 0;}\n")
    program = tmp_path / "layouts"
    subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{SCHEMAS}", str(source), "-o", str(program)], check=True)
    printed = dict(line.split() for line in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines())
    for name in NAMES:
        assert int(printed[name]) == schema(name)["size"]
        assert {f["name"]: int(printed[f"{name}.{f['name']}"]) for f in schema(name)["fields"]} == {
            f["name"]: f["offset"] for f in schema(name)["fields"]
        }


def test_a_moved_field_does_not_compile(compiler: str, tmp_path: Path) -> None:
    text = (SCHEMAS / "pretrade_layouts.h").read_text()
    moved = text.replace("    uint64_t version;\n    uint32_t epoch;\n", "    uint32_t epoch;\n    uint64_t version;\n", 1)
    assert moved != text
    (tmp_path / "moved.h").write_text(moved)
    done = subprocess.run([compiler, "-std=c11", "-fsyntax-only", "-x", "c", str(tmp_path / "moved.h")], check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "offset" in done.stderr
