"""A token's rights are said in so many words; what was not said is not assumed."""

from pathlib import Path

import pytest

from glideslope.adapters.identity.tokens import FileTokens
from glideslope.domain.errors import Invalid, NameInvalid, TokenScopeInvalid
from glideslope.domain.ids import ModelName
from glideslope.wiring import tokens


def made(state: Path, role: str, *models: str, all_models: bool = False, seconds: float | None = None) -> str:
    return tokens.create(state, actor="x", role=role, models=models, all_models=all_models, seconds=seconds)


def test_a_source_is_made_for_named_models_or_in_so_many_words_for_all(tmp_path: Path) -> None:
    some, every = made(tmp_path, "source", "fraud"), made(tmp_path, "source", all_models=True)
    found = FileTokens(tmp_path)

    assert [found.find(token).models for token in (some, every)] == [{"fraud"}, None]  # type: ignore[union-attr]
    assert [line.models for line in tokens.listed(tmp_path)] == [(ModelName("fraud"),), None]


@pytest.mark.parametrize(
    ("role", "models", "all_models"),
    [
        ("source", (), False),
        ("source", ("fraud",), True),
        ("member", ("fraud",), False),
        ("admin", (), True),
        ("reader", (), True),
    ],
)
def test_rights_that_were_not_said_clearly_are_not_given(
    tmp_path: Path, role: str, models: tuple[str, ...], all_models: bool
) -> None:
    with pytest.raises(TokenScopeInvalid):
        made(tmp_path, role, *models, all_models=all_models)
    assert tokens.listed(tmp_path) == []


def test_a_model_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NameInvalid):
        made(tmp_path, "source", "Fraud!")
    with pytest.raises(Invalid, match="no role"):
        made(tmp_path, "auditor")


def test_a_token_that_ends_is_shown_with_its_end(tmp_path: Path) -> None:
    made(tmp_path, "member", seconds=90 * 86_400)
    made(tmp_path, "member", seconds=1e-6)
    made(tmp_path, "member")
    lasting, over, endless = tokens.listed(tmp_path)

    assert (lasting.expired, over.expired, endless.expired, endless.expires_at) == (False, True, False, "")
    assert lasting.expires_at > lasting.created_at
