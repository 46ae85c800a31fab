# SPDX-License-Identifier: Apache-2.0
"""Every exception of pretrade, drawn as one tree; rooms raise their own leaves.

::

    PretradeError
    ├── ConfigError            the TOML file or an argument is wrong: nothing starts
    ├── FeedError              a recording is refused (file, line or offset is named)
    ├── FeatureInputError      arrays or parameters of a feature do not fit
    ├── ModelError             a model cannot be fitted, loaded or trusted
    │   └── LookaheadError     rows before ``fit_until_ns`` were to be scored in an evaluation
    ├── CalibrationError       scores or rules do not fit
    ├── TableError             a shared table is refused (layout, epoch, clock domain, size)
    ├── ControlError           a human control action is refused (unknown trip, missing reason)
    ├── JournalError           a journal is corrupt or cannot be written
    ├── GateError              the gate cannot be built or is poisoned
    ├── SimulationError        a scenario or the simulated exchange is misused
    ├── ValidationError        a table, fold, ledger or stored prediction is refused
    ├── MissingToolError       a program or library that the machine must provide is missing
    └── MissingExtraError      an optional dependency is not installed
"""

from __future__ import annotations


class PretradeError(Exception):
    """Base of all errors of this package."""


class ConfigError(PretradeError):
    """The configuration is wrong; nothing starts."""


class FeedError(PretradeError):
    """A recording is refused; the message names file and line or offset."""


class FeatureInputError(PretradeError):
    """Arrays or parameters of a feature do not fit."""


class ModelError(PretradeError):
    """A model cannot be fitted, loaded or trusted."""


class LookaheadError(ModelError):
    """Rows a model was fitted on were to be scored in an evaluation."""


class CalibrationError(PretradeError):
    """Scores or rules do not fit."""


class TableError(PretradeError):
    """A shared table is refused."""


class ControlError(PretradeError):
    """A human control action is refused."""


class JournalError(PretradeError):
    """A journal is corrupt or cannot be written."""


class GateError(PretradeError):
    """The gate cannot be built or is poisoned."""


class SimulationError(PretradeError):
    """A scenario or the simulated exchange is misused."""


class ValidationError(PretradeError):
    """A table, fold, ledger or stored prediction is refused."""


class MissingToolError(PretradeError):
    """A program or library that the machine must provide is missing."""


class MissingExtraError(PretradeError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; install the extra: pip install 'pretrade[{extra}]'")
