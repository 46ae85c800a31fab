# SPDX-License-Identifier: Apache-2.0
"""The models of the package are what they were, say what they are, and can be fitted again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pretrade.domain.errors import ModelError
from pretrade.models import registry

NAMES = [path.name for path in sorted(registry.FOLDER.iterdir()) if path.is_dir()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(registry.FOLDER / "order-error-starter", tmp_path / "order-error-starter")
    return tmp_path / "order-error-starter"


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_whole_and_its_card_speaks(name: str) -> None:
    model = registry.find(name)
    card: dict[str, Any] = model.card()
    assert card["what"]
    assert registry.metrics(card)
    assert model.id == f"{name}@{registry.content_of(model.folder)[:12]}"


def test_what_ships_is_small() -> None:
    assert sum(p.stat().st_size for p in registry.FOLDER.rglob("*") if p.is_file()) < 4_000_000


@pytest.mark.parametrize("file", ["model.txt", "card.json", "check.csv", "manifest.json"])
def test_one_changed_byte_is_noticed(folder: Path, file: str) -> None:
    (folder / file).write_bytes((folder / file).read_bytes() + b"\n")
    with pytest.raises(ModelError, match="was changed"):
        registry.read(folder)


def test_a_resealed_folder_whose_manifest_lies_is_noticed(folder: Path) -> None:
    (folder / "card.json").write_text("{}")
    with pytest.raises(ModelError, match=r"card\.json was changed"):
        registry.seal(folder, state="starter", recipe="pretrade.models.starter_recipe:train")


def test_a_pickle_is_no_file_of_a_model(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(b"\x80\x04N.")
    with pytest.raises(ModelError, match="those end in"):
        registry.read(folder)


@pytest.mark.parametrize(("state", "recipe", "said"), [("best", "pretrade.a:b", "state of"), ("champion", "os:system", "recipe of")])
def test_unknown_states_and_foreign_recipes_are_refused(folder: Path, state: str, recipe: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        registry.seal(folder, state=state, recipe=recipe)


def test_an_id_of_other_content_finds_nothing() -> None:
    with pytest.raises(ModelError, match="no shipped model is called"):
        registry.find("order-error-starter@000000000000")


def test_a_state_changes_without_changing_the_model(folder: Path) -> None:
    before = registry.read(folder)
    after = registry.seal(folder, state="challenger", recipe=before.recipe)
    assert (after.id, after.state) == (before.id, "challenger")


def test_models_of_two_families_are_not_compared(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "card.json").write_text(json.dumps({"family": "anomaly", "metrics": {"recall": 1}}))
    manifest = json.loads((other / "manifest.json").read_text())
    del manifest["files"]["card.json"]
    (other / "manifest.json").write_text(json.dumps(manifest))
    sealed = registry.seal(other, state="challenger", recipe="pretrade.models.starter_recipe:train")
    with pytest.raises(ModelError, match="2 families"):
        registry.compare([registry.read(folder), sealed])


def test_metrics_stand_side_by_side(folder: Path) -> None:
    model = registry.read(folder)
    rows = {row["metric"]: row[model.id] for row in registry.compare([model])}
    assert rows["hold.recall"] == model.card()["operating_points"]["hold"]["recall"]


def test_a_recipe_that_writes_other_bytes_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def recipe(into: Path) -> None:
        shutil.copytree(folder, into)
        (into / "model.txt").write_text("another")

    monkeypatch.setattr("pretrade.models.starter_recipe.train", recipe)
    made = registry.reproduce(registry.read(folder), into=tmp_path / "again")
    assert not made.is_same
    assert [name for name, same in made.files.items() if not same] == ["model.txt"]
