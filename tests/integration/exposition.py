# SPDX-License-Identifier: MIT
"""Reads what /metrics says, strictly enough to find what is wrong with it."""
import re

LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
PARTS = {"histogram": ("_bucket", "_sum", "_count")}


class Exposition:
    """types and helps by family; samples by name and labels, a sorted tuple of pairs."""

    def __init__(self, text):
        self.types, self.helps, self.samples, self.family_of = {}, {}, {}, {}
        family = None
        assert text.endswith("\n"), "the last line has no end"
        # Not splitlines(), which takes more for a line's end than a line feed.
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                family, self.helps[family] = line[len("# HELP "):].split(" ", 1)
            elif line.startswith("# TYPE "):
                name, kind = line[len("# TYPE "):].split(" ")
                assert name == family and name not in self.types, line
                self.types[name] = kind
            else:
                self._sample(line, family)

    def _sample(self, line, family):
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        parts = PARTS.get(self.types[family], ("",))
        assert name in [family + part for part in parts], f"{line} in the family {family}"
        key = name, tuple(sorted(read_labels(labels or "")))
        assert key not in self.samples, f"twice: {line}"
        self.samples[key] = float(value)
        self.family_of[name] = family

    def value(self, name, **labels):
        return self.samples[name, tuple(sorted(labels.items()))]

    def values(self, label):
        return {dict(labels).get(label) for _, labels in self.samples} - {None}

    def counters(self):
        """All samples that may never go back."""
        return {key: value for key, value in self.samples.items()
                if self.types[self.family_of[key[0]]] in ("counter", "histogram")}

    def histograms(self):
        """For each series its family, labels, [(bound, count)], sum and count."""
        found = {}
        for (name, labels), value in self.samples.items():
            family = self.family_of[name]
            if self.types[family] != "histogram":
                continue
            rest = tuple(pair for pair in labels if pair[0] != "le")
            series = found.setdefault((family, rest), {"buckets": []})
            if name.endswith("_bucket"):
                series["buckets"].append((float(dict(labels)["le"]), value))
            else:
                series[name.rsplit("_", 1)[1]] = value
        return [(family, dict(labels), s["buckets"], s["sum"], s["count"])
                for (family, labels), s in found.items()]


def read_labels(text):
    labels, place = [], 0
    while place < len(text):
        match = LABEL.match(text, place)
        assert match, f"{text!r} at {place}"
        labels.append((match.group(1), re.sub(
            r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), match.group(2))))
        place = match.end()
    return labels
