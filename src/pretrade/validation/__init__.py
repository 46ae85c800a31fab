# SPDX-License-Identifier: Apache-2.0
"""Proof of models: tables known at their time, walk-forward folds, stored predictions, and the pages made from them.

Reads recordings, simulations and models. Gives point-in-time tables with content hashes, folds with purge and embargo, metrics with
intervals, a ledger of everything tried and scored, and reports. Must never choose anything on a test block, show a figure without
an interval, or print a number that no stored prediction holds. Folds follow Lopez de Prado (2018), chapter 7.
"""

from pretrade.validation.dataset import Dataset
from pretrade.validation.folds import Block, Fold, walk_forward
from pretrade.validation.ledger import Ledger
from pretrade.validation.steps import Steps

__all__ = ["Block", "Dataset", "Fold", "Ledger", "Steps", "walk_forward"]
