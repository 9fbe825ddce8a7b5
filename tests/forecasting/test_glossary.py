"""docs/glossary.md explains what the tables show."""

import re
from pathlib import Path

import pytest

from storage.tables import EVALUATION

GLOSSARY = (Path(__file__).resolve().parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")
EXPLAINED = set(re.findall(r"`([a-z0-9_]+)`", GLOSSARY))


@pytest.mark.parametrize("column", [name for name in EVALUATION.column_names if name not in ("ticker", "model")])
def test_every_column_of_the_evaluation_is_explained(column: str) -> None:
    assert column in EXPLAINED


@pytest.mark.parametrize(
    "term", ["Session", "Adjusted close", "Log return", "Vintage", "Purge", "Skill", "MASE", "Coverage", "Holm"]
)
def test_the_words_of_the_field_are_explained(term: str) -> None:
    assert f"**{term}**" in GLOSSARY
