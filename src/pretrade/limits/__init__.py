# SPDX-License-Identifier: Apache-2.0
"""Room card to come."""
