#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The container of these tests beside others: a test that cannot see our processes must not sweep us away."""
import os
import subprocess
import sys

import container
from container import ContainerTest


class Beside(ContainerTest):
    def test_a_sweep_from_another_process_namespace(self):
        self.assertTrue(os.listdir(self.container.root))
        # Where none of our mounts and processes can be seen, as in another test's namespaces.
        outside = f"/proc/{os.getppid()}"
        subprocess.run(["nsenter", f"--mount={outside}/ns/mnt", f"--root={outside}/root",
                        f"--wd={os.path.dirname(os.path.abspath(__file__))}",
                        "unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-B", "-c",
                        "import container; container.sweep()"], check=True)
        self.assertEqual(self.container.run("echo", "alive").stdout, "alive\n")
        self.assertTrue(os.path.isdir(self.container.folder))

    def test_what_a_killed_test_left_is_swept(self):
        left, lock = container.make_folder()
        group = os.path.join(os.path.dirname(self.container.groups[-1]), os.path.basename(left))
        os.mkdir(group)
        container.sweep()
        self.assertTrue(os.path.isdir(left) and os.path.isdir(group), "its test holds the lock")
        os.close(lock)
        container.sweep()
        self.assertFalse(os.path.exists(left) or os.path.exists(group))


if __name__ == "__main__":
    container.main()
