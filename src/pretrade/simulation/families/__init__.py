# SPDX-License-Identifier: Apache-2.0
"""One file per family of scenarios; each defines ``FAMILY``. Adding one needs nothing else."""
