#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The container of these tests beside others: a test that cannot see our processes must not sweep us away."""
import os
import secrets
import shutil
import subprocess
import sys
import tempfile

import container
from container import ContainerTest


class Beside(ContainerTest):
    def sweep_from_outside(self, **environment):
        """Where none of our mounts and processes can be seen, as in another test's namespaces."""
        outside = f"/proc/{os.getppid()}"
        subprocess.run(["nsenter", f"--mount={outside}/ns/mnt", f"--root={outside}/root",
                        f"--wd={os.path.dirname(os.path.abspath(__file__))}",
                        "unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-B", "-c",
                        "import container; container.sweep()"], env=dict(os.environ, **environment), check=True)

    def make_groups(self):
        """Locked ones, as a container has them, each with an empty one in it. Returns paths and locks."""
        name = container.FOLDER + secrets.token_hex(8)
        found = [container.make_group(os.path.join(point, name)) for point in container.hierarchies()]
        for group, _ in found:
            os.mkdir(os.path.join(group, "inner"))
            self.addCleanup(container.end_group, group)
        return [group for group, _ in found], [lock for _, lock in found]

    def wait_swept(self, paths, sweep=container.sweep):
        """Another test may hold the lock for a moment, as it sweeps, too."""
        def gone():
            sweep()
            return not any(os.path.exists(path) for path in paths)
        container.wait_until(gone, f"{paths} to be swept")

    def test_a_sweep_from_another_process_namespace(self):
        self.assertTrue(os.listdir(self.container.root))
        self.sweep_from_outside()
        self.assertEqual(self.container.run("echo", "alive").stdout, "alive\n")
        self.assertTrue(os.path.isdir(self.container.folder))

    def test_a_sweep_that_does_not_see_the_folder(self):
        groups, locks = self.make_groups()
        with tempfile.TemporaryDirectory() as other:
            self.sweep_from_outside(TMPDIR=other)
            self.assertTrue(all(os.path.isdir(group + "/inner") for group in groups), "they are locked")
            for lock in locks:
                os.close(lock)
            self.wait_swept(groups, lambda: self.sweep_from_outside(TMPDIR=other))

    def test_a_group_in_which_something_runs_is_left_whole(self):
        groups, locks = self.make_groups()
        with subprocess.Popen(["sleep", "infinity"]) as sleeper:
            try:
                for group in groups:
                    with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
                        file.write(str(sleeper.pid))
                for lock in locks:
                    os.close(lock)
                container.sweep()
                self.assertTrue(all(os.path.isdir(group + "/inner") for group in groups))
            finally:
                sleeper.kill()
        self.wait_swept(groups)

    def test_a_hierarchy_that_is_mounted_twice(self):
        before = container.hierarchies()
        for point in before:
            again = tempfile.mkdtemp()
            self.addCleanup(os.rmdir, again)
            container.mount(point, again, "none", container.MS_BIND)
            self.addCleanup(container.libc.umount2, again.encode(), 0)
        self.assertEqual(container.hierarchies(), before)

    def test_what_a_killed_test_left_is_swept(self):
        left, lock = container.make_folder()
        container.sweep()
        self.assertTrue(os.path.isdir(left), "its test holds the lock")
        os.close(lock)
        self.wait_swept([left])

    def test_a_sweep_keeps_no_descriptor(self):
        left, lock = container.make_folder()
        with open(os.path.join(left, "file"), "w", encoding="ascii"):
            os.close(lock)
        self.addCleanup(shutil.rmtree, left)
        before = os.listdir("/proc/self/fd")
        container.sweep()
        self.assertTrue(os.path.isdir(left), "a directory with a file is nobody's to take away")
        self.assertEqual(os.listdir("/proc/self/fd"), before)


if __name__ == "__main__":
    container.main()
