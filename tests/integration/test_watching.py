#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The files for monitoring that ship with reeved: the alert rules and the dashboard. They must be right by
themselves, and speak of what a real reeved says."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
import promql
import tools
from exposition import Exposition

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROMETHEUS = os.path.join(SOURCE, "conf", "prometheus")
RULES = os.path.join(PROMETHEUS, "reeve.rules.yml")
EXAMPLES = os.path.join(PROMETHEUS, "reeve.rules.test.yml")
DASHBOARD = os.path.join(SOURCE, "conf", "grafana", "reeve.json")
# What Prometheus adds to what it scrapes.
ITS_OWN = {"up"}


def promtool(*arguments):
    """Skips the test where there is none."""
    tools.need("promtool")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False,
                          timeout=harness.PATIENCE)
    return done.returncode, done.stdout + done.stderr


class Rules(unittest.TestCase):
    def test_promtool_accepts_them(self):
        code, output = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
        self.assertEqual(code, 0, output)

    def test_the_examples_hold(self):
        code, output = promtool("test", "rules", EXAMPLES)
        self.assertEqual(code, 0, output)

    def test_an_example_that_is_wrong_fails(self):
        """The test above would notice."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(RULES, folder)
            path = os.path.join(folder, "test.yml")
            with open(EXAMPLES, encoding="utf-8") as file, open(path, "w", encoding="utf-8") as copy:
                copy.write(file.read().replace("has crashed", "has not crashed", 1))
            self.assertNotEqual(promtool("test", "rules", path)[0], 0)

    def test_each_alert_has_an_example_that_fires(self):
        with open(EXAMPLES, encoding="utf-8") as file:
            fires = re.findall(r"alertname: (\w+)\n +exp_alerts:\n", file.read())
        alerts = [alert for alert, _ in promql.rules_of(RULES)]
        self.assertEqual(len(alerts), len(set(alerts)))
        self.assertEqual(set(fires), set(alerts))


class Names(harness.DaemonTest):
    @classmethod
    def setUpClass(cls):
        daemon = harness.Daemon(
            "[module:heart]\nload = heartbeat\n"
            "[module:spool]\nload = spool\ndirectory = spool\ncommand = true\n")
        cls.addClassCleanup(daemon.close)
        daemon.start().wait_started()
        cls.metrics = Exposition(daemon.request("/metrics")[2])
        cls.names = set(cls.metrics.family_of) | ITS_OWN

    def test_what_the_rules_use_is_there(self):
        for alert, expression in promql.rules_of(RULES):
            names = promql.metrics_of(expression)
            self.assertTrue(names, alert)
            self.assertLessEqual(names, self.names, alert)

    def test_what_the_dashboard_uses_is_there(self):
        queries = promql.queries_of(promql.dashboard_of(DASHBOARD))
        self.assertGreater(len(queries), 40)
        for query in queries:
            names = promql.metrics_of(query)
            self.assertTrue(names, query)
            self.assertLessEqual(names, self.names, query)

    def test_labels_are_there(self):
        labels = {name: set() for name in self.names}
        for name, pairs in self.metrics.samples:
            labels[name].update(label for label, _ in pairs)
        known = set.union(*labels.values()) | {"instance", "job"}
        texts = [e for _, e in promql.rules_of(RULES)]
        texts += promql.queries_of(promql.dashboard_of(DASHBOARD))
        for text in texts:
            for name, selector in re.findall(r"(\w+)\{([^}]*)\}", text):
                used = set(re.findall(r'(\w+)=~?"', selector)) - {"instance", "job"}
                self.assertLessEqual(used, labels[name], text)
            for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", text):
                self.assertLessEqual(set(group.split(", ")), known, text)

    def test_a_wrong_name_is_found(self):
        self.assertEqual(
            promql.metrics_of('time() - (reeve_x{a="b_c"} > 0) and on (job) '
                              "sum by (le, d) (rate(reeve_y_bucket[5m])) unless up == 1"),
            {"reeve_x", "reeve_y_bucket", "up"})


class Dashboard(unittest.TestCase):
    dashboard = promql.dashboard_of(DASHBOARD)

    def test_its_queries_are_promql(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "rules.yml")
            with open(path, "w", encoding="utf-8") as file:
                file.write("groups:\n- name: queries\n  rules:\n")
                for number, query in enumerate(promql.queries_of(self.dashboard)):
                    file.write(f"  - record: query_{number}\n    expr: >-\n      {query}\n")
            code, output = promtool("check", "rules", path)
        self.assertEqual(code, 0, output)

    def test_panels_have_their_place(self):
        taken, ids = {}, set()
        for panel in self.dashboard["panels"]:
            self.assertNotIn(panel["id"], ids)
            ids.add(panel["id"])
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, f"{panel['title']} covers {taken.get((x, y))}")
                    taken[x, y] = panel["title"]

    def test_panels_ask_by_the_variables(self):
        variables = {v["name"] for v in self.dashboard["templating"]["list"]}
        self.assertEqual(variables, {"datasource", "instance", "module"})
        for panel in self.dashboard["panels"]:
            references = [target["refId"] for target in panel.get("targets", [])]
            self.assertEqual(len(references), len(set(references)), panel["title"])
            for target in panel.get("targets", []):
                self.assertEqual(target["datasource"]["uid"], "${datasource}")
                self.assertIn('instance=~"$instance"', target["expr"], panel["title"])
                used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
                self.assertLessEqual(used, variables, panel["title"])


if __name__ == "__main__":
    harness.main()
