# SPDX-License-Identifier: Apache-2.0
"""Proof: the battery every feature, model and calibration rule must pass, ours and a researcher's alike.

Reads a plug-in and rows to try it on. Gives findings, none where it conforms: no lookahead, a prefix run equals the full run,
batch equals stream, same seed same bytes, save and load, no NaN where a score was promised, cost of a rule. Must never pass a
plug-in it could not try, and never repair one.
"""

from pretrade.conformance.battery import Finding, check_feature, check_kernel, check_model, check_rule

__all__ = ["Finding", "check_feature", "check_kernel", "check_model", "check_rule"]
