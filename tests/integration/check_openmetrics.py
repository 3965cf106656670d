# SPDX-License-Identifier: MIT
"""Reads OpenMetrics by the reference parser, and prints each family's name, type and unit.

A program of its own since Debian's python3-prometheus-client is there for Debian's Python, which need
not be the first one in the path."""
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

# newline: what is read is what was sent.
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    for family in text_string_to_metric_families(file.read()):
        print(family.name, family.type, family.unit, len(family.samples))
