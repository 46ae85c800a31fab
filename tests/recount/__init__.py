# SPDX-License-Identifier: Apache-2.0
"""Recounts from raw events by programs that import nothing of ours."""
