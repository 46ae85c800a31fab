# SPDX-License-Identifier: Apache-2.0
"""Suites of other projects, run from a checkout that the developer names; nothing of them lies here."""
