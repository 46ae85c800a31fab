# SPDX-License-Identifier: Apache-2.0
"""The ``[fix]`` part of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretrade.domain import Config
from pretrade.domain.errors import ConfigError

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/gateway.toml"


def test_the_example_is_a_stand_alone_edge() -> None:
    config = Config.load(EXAMPLE)
    assert config.fix is not None
    assert (config.fix.sender, config.fix.target, config.fix.version) == ("PRETRADE", "VENUE", "FIX.4.4")
    assert config.fix.standalone
    assert config.fix.opening_position == "flat"
    assert [(s.target, s.accounts, s.strategy_id, s.reset_at_logon) for s in config.fix.sessions] == [("EMS", ["ACC1"], 0, True)]
    assert config.gate.fallback_factor == 1.0
    assert config.static_of(config.instrument("ES"))["max_order_quantity"] == 50


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version = "FIX.4.4"', 'version = "FIX.4.3"', r"version is 'FIX\.4\.3'; it must be one of"),
        ('opening_position = "flat"', 'opening_position = "zero"', "opening_position is 'zero'"),
        ('accounts = ["ACC1"]', 'accounts = ["ACC2"]', "session EMS names account 'ACC2'"),
        ("standalone = true", "standalon = true", "did you mean 'standalone'"),
        ("standalone = true", "standalone = true\nalert_tag = 38", "alert_tag is 38"),
        ("[[fix.session]]", "[[fix.sessions]]", "unknown key 'sessions'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = EXAMPLE.read_text()
    assert text.count(old) == 1
    path = tmp_path / "gateway.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        Config.load(path)


def test_an_account_belongs_to_one_session(tmp_path: Path) -> None:
    second = '[[fix.session]]\ntarget = "OTHER"\naccounts = ["ACC1"]\n\n[gate]'
    path = tmp_path / "gateway.toml"
    path.write_text(EXAMPLE.read_text().replace("[gate]", second))
    with pytest.raises(ConfigError, match="account 'ACC1' is of session EMS and of session OTHER"):
        Config.load(path)


def test_tls_and_a_pinned_certificate_are_read(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    tls = '[fix.listen_tls]\ncertificate = "a.pem"\nkey = "a.key"\nauthorities = "ca.pem"\n\n[gate]'
    text = EXAMPLE.read_text().replace("[gate]", tls).replace('target = "EMS"', f'target = "EMS"\ncertificate_sha256 = "{"ab" * 32}"')
    path.write_text(text)
    fix = Config.load(path).fix
    assert fix is not None
    assert fix.listen_tls.is_used
    assert not fix.venue_tls.is_used
    assert (fix.listen_tls.certificate, fix.listen_tls.authorities, fix.sessions[0].certificate_sha256) == ("a.pem", "ca.pem", "ab" * 32)


def test_drop_copies_and_a_countdown_are_read(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    more = '[fix.dead_man]\nevery_s = 15\nmsg_type = "UCOD"\nfields = "9001=60|"\n\n[[fix.drop_copy]]\ntarget = "RISKDESK"\n\n[gate]'
    path.write_text(EXAMPLE.read_text().replace("[gate]", more))
    fix = Config.load(path).fix
    assert fix is not None
    assert (fix.dead_man.every_s, fix.dead_man.msg_type, fix.dead_man.fields) == (15.0, "UCOD", "9001=60|")
    assert [(c.target, c.reset_at_logon) for c in fix.drop_copies] == [("RISKDESK", False)]
    path.write_text(EXAMPLE.read_text().replace("[gate]", "[[fix.drop_copy]]\ntargt = 1\n\n[gate]"))
    with pytest.raises(ConfigError, match="did you mean 'target'"):
        Config.load(path)
