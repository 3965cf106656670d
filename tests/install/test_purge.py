#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The package's purge: the directories that it removes, and those of others, mounted there, that it must not touch.

The script runs in a mount namespace in which its directories are empty ones, so that nothing of the machine is in reach.
"""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tools  # pylint: disable=wrong-import-position

SCRIPT = os.path.join(os.environ["REEVE_SOURCE"], "debian", "reeve.postrm")
SETTING = """
set -e
mount --make-rprivate /
for folder in /etc /run /var/lib; do mount -t tmpfs none "$folder"; done
mkdir -p /etc/reeve/conf.d /run/reeve /var/lib/reeve/spool/done
touch /etc/reeve/conf.d/mine.ini /run/reeve/control /var/lib/reeve/last-runs /var/lib/reeve/spool/done/a
"""


@unittest.skipIf(tools.missing_mounts(), tools.missing_mounts())
class Purge(unittest.TestCase):
    def purge(self, before):
        """Runs the script after `before`. Returns what it said, and what is left then."""
        # mount(8) itself leaves /run/mount.
        show = "\nfind /etc /run /var/lib -mindepth 1 -path /run/mount -prune -o -print | LC_ALL=C sort"
        with tempfile.TemporaryDirectory() as scratch:
            said = os.path.join(scratch, "said")
            result = subprocess.run(
                ["unshare", "-m", "sh", "-c", SETTING + before + f'\nsh "$1" purge >"$2" 2>&1' + show,
                 "sh", SCRIPT, said], capture_output=True, text=True, check=False)
            with open(said, encoding="utf-8", errors="replace") as file:
                text = file.read()
        self.assertEqual(result.returncode, 0, text + result.stderr)
        return text, result.stdout.split("\n")[:-1]

    def test_without_mounts_nothing_is_left_nor_said(self):
        self.assertEqual(self.purge("mkdir -p '/var/lib/reeve/a b/.c'; touch '/var/lib/reeve/a b/.c/d'"), ("", []))

    def test_what_was_never_there(self):
        self.assertEqual(self.purge("rm -r /etc/reeve /run/reeve /var/lib/reeve"), ("", []))

    def test_a_configuration_that_dpkg_leaves(self):
        self.assertEqual(self.purge("touch /etc/reeve/other")[1], ["/etc/reeve", "/etc/reeve/other"])

    def test_another_file_system_below_the_state(self):
        text, left = self.purge("mkdir '/var/lib/reeve/in voices'\nmount -t tmpfs none '/var/lib/reeve/in voices'\n"
                                "touch '/var/lib/reeve/in voices/order'\nmkdir '/var/lib/reeve/in voices/empty'")
        self.assertEqual(left, ["/var/lib/reeve", "/var/lib/reeve/in voices", "/var/lib/reeve/in voices/empty",
                                "/var/lib/reeve/in voices/order"])
        self.assertIn("/var/lib/reeve", text)
        self.assertIn("mounted", text)

    def test_a_folder_of_the_same_file_system(self):
        """It has the device number of what is around it."""
        _, left = self.purge("mkdir -p /var/lib/shop/empty /var/lib/reeve/x/shop\ntouch /var/lib/shop/order\n"
                             "mount --bind /var/lib/shop /var/lib/reeve/x/shop")
        inside = "/var/lib/reeve/x/shop"
        self.assertEqual(left, ["/var/lib/reeve", "/var/lib/reeve/x", inside, inside + "/empty", inside + "/order",
                                "/var/lib/shop", "/var/lib/shop/empty", "/var/lib/shop/order"])

    def test_a_mounted_file(self):
        _, left = self.purge("touch /var/lib/order /var/lib/reeve/order\n"
                             "echo precious >/var/lib/order\nmount --bind /var/lib/order /var/lib/reeve/order")
        self.assertEqual(left, ["/var/lib/order", "/var/lib/reeve", "/var/lib/reeve/order"])

    def test_the_state_folder_is_itself_a_mount(self):
        """Its content is the service's own."""
        text, left = self.purge("mount -t tmpfs none /var/lib/reeve\nmkdir -p /var/lib/reeve/a\n"
                                "touch /var/lib/reeve/a/b")
        self.assertEqual(left, ["/var/lib/reeve"])
        self.assertIn("/var/lib/reeve", text)

    def test_a_folder_in_the_way_of_the_configuration(self):
        _, left = self.purge("mkdir /etc/reeve/conf.d/shared\nmount -t tmpfs none /etc/reeve/conf.d/shared\n"
                             "touch /etc/reeve/conf.d/shared/a.ini")
        self.assertEqual(left, ["/etc/reeve", "/etc/reeve/conf.d", "/etc/reeve/conf.d/shared",
                                "/etc/reeve/conf.d/shared/a.ini"])

    def test_a_link_is_not_followed(self):
        _, left = self.purge("mkdir /var/lib/shop\ntouch /var/lib/shop/order\nrm -r /var/lib/reeve\n"
                             "ln -s shop /var/lib/reeve")
        self.assertEqual(left, ["/var/lib/shop", "/var/lib/shop/order"])


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    unittest.main()
