# SPDX-License-Identifier: MIT
"""Bootable disks of Debian releases, with what reeve's packages depend on installed, and the packages in /root/debs.

The base (Debian, its kernel, systemd) is cached as a directory for each release; the disk is made of it with mke2fs,
which needs no mount. The packages are built on a bare root of the release, of what is committed.
"""
import glob
import hashlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE, "tests/releases"))
import roots  # pylint: disable=wrong-import-position
from telling import run_long  # pylint: disable=wrong-import-position

PACKAGES = ("linux-image-cloud-amd64 initramfs-tools zstd systemd systemd-sysv udev dbus kmod python3 curl procps "
            "iproute2 libpam-systemd")
# Only what a virtual disk needs, so that the kernel is there within a second.
MODULES = "virtio_blk\nvirtio_pci\next4\n"
SIZE = "3G"
# What the steps below say, in the directory of the release.
LOG = "image.log"

AGENT = """[Unit]
Description=Runs what the test asks for
[Service]
ExecStart=/usr/local/sbin/vm-agent
Restart=always
RestartSec=1s
OOMScoreAdjust=-1000
[Install]
WantedBy=multi-user.target
"""
# Nothing here is to run beside the test.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "man-db.timer", "e2scrub_all.timer", "e2scrub_reap.service",
          "fstrim.timer", "systemd-timesyncd.service", "getty@tty1.service", "serial-getty@ttyS0.service")

INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "


def write(root, path, text, mode=0o644):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def packages_key():
    """Changes with what is committed of all that the packages are made of."""
    lines = subprocess.run(["git", "-c", "safe.directory=*", "-C", SOURCE, "ls-tree", "HEAD", ".", "tests/vm/guest/"],
                           capture_output=True, text=True, check=True).stdout.splitlines()
    counted = [line for line in lines if line.split("\t")[1] not in ("tests", "findings", "bench", ".ci", "dev", "tools")]
    return hashlib.sha256("\n".join(counted).encode()).hexdigest()[:16]


def make_root(release, folder, say, base=None):
    return roots.Root(release, f"vm-{release.suite}", SOURCE, say, os.path.join(folder, LOG), base)


def build_packages(release, folder, say):
    """Builds the packages and the test module on a bare root. Returns the directory that has them."""
    target = os.path.join(folder, "packages-" + packages_key())
    if os.path.isdir(target):
        return target
    for old in glob.glob(os.path.join(folder, "packages-*")):
        shutil.rmtree(old)
    say("building the packages on a bare root")
    with make_root(release, folder, say) as root:
        root.run_long("./dev deb && cc -O1 -shared -fPIC -Iinclude -o build/deb/hog.so tests/vm/guest/hog.c "
                      "build/deb/reeve-*/obj-*/lib/libreeve.so.1", "building the packages")
        os.makedirs(target + ".part", exist_ok=True)
        for path in glob.glob(root.path + "/src/build/deb/*.deb") + [root.path + "/src/build/deb/hog.so"]:
            if "dbgsym" not in path:
                shutil.copy(path, target + ".part")
    os.rename(target + ".part", target)
    return target


def make_base(release, folder, say):
    """The cached directory with the system that the disk is made of."""
    base = os.path.join(roots.CACHE, "vm", release.suite)
    if os.path.isdir(base):
        return base
    say("installing a kernel and systemd into a root")
    os.makedirs(os.path.dirname(base), exist_ok=True)
    with make_root(release, folder, say) as root:
        # Another run may have made it while this one waited for its turn.
        if os.path.isdir(base):
            return base
        write(root.path, "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        root.run_long(f"apt-get update && {INSTALL} initramfs-tools", "installing initramfs-tools")
        write(root.path, "etc/initramfs-tools/conf.d/vm", "MODULES=list\n")
        write(root.path, "etc/initramfs-tools/modules", MODULES)
        root.run_long(INSTALL + PACKAGES, "installing a kernel and systemd")
        shutil.rmtree(base + ".part", ignore_errors=True)
        shutil.rmtree(root.path + "/src")
        # Without the mounts that lie in it: sys, dev, proc, and the packages that apt has fetched.
        run_long(["cp", "-a", "--one-file-system", root.path, base + ".part"], "copying it", say, root.log)
    os.unlink(os.path.join(base + ".part", "usr/sbin/policy-rc.d"))
    os.rename(base + ".part", base)
    return base


def finish_system(root, debs):
    """The changes that make the copied system one that boots for a test."""
    write(root, "etc/fstab", "/dev/vda / ext4 defaults 0 1\n")
    write(root, "etc/hostname", "vm\n")
    write(root, "etc/hosts", "127.0.0.1 localhost vm\n")
    write(root, "etc/systemd/system/vm-agent.service", AGENT)
    shutil.copy(os.path.join(HERE, "guest/agent.py"), os.path.join(root, "usr/local/sbin/vm-agent"))
    os.chmod(os.path.join(root, "usr/local/sbin/vm-agent"), 0o755)
    wants = os.path.join(root, "etc/systemd/system/multi-user.target.wants")
    os.makedirs(wants, exist_ok=True)
    os.symlink("/etc/systemd/system/vm-agent.service", os.path.join(wants, "vm-agent.service"))
    for unit in MASKED:
        path = os.path.join(root, "etc/systemd/system", unit)
        if not os.path.lexists(path):
            os.symlink("/dev/null", path)
    os.makedirs(os.path.join(root, "var/log/journal"), exist_ok=True)
    shutil.copytree(debs, os.path.join(root, "root/debs"))
    # The service sees nothing below /root.
    os.makedirs(os.path.join(root, "usr/lib/reeve-test"))
    os.rename(os.path.join(root, "root/debs/hog.so"), os.path.join(root, "usr/lib/reeve-test/hog.so"))
    for name in ("producer.py", "snapshot.py"):
        shutil.copy(os.path.join(HERE, "guest", name), os.path.join(root, "root", name))


def make_disk(release, folder, say):
    """Makes directory/disk.img, directory/vmlinuz and directory/initrd anew."""
    open(os.path.join(folder, LOG), "wb").close()
    debs = build_packages(release, folder, say)
    base = make_base(release, folder, say)
    say("making the disk")
    # Only the dependencies are installed: what reeve's own installation does is the first thing tried.
    needed = "$(apt-get -s install --no-install-recommends /root/debs/*.deb | sed -n 's/^Inst \\([^ ]*\\) .*/\\1/p' | " \
             "grep -v reeve)"
    with make_root(release, folder, say, base) as root:
        shutil.rmtree(root.path + "/src")
        os.makedirs(root.path + "/src")
        finish_system(root.path, debs)
        root.run_long(f"apt-get update && {INSTALL} {needed}", "installing what the packages depend on")
        for path in ("var/lib/apt/lists", "src"):
            shutil.rmtree(os.path.join(root.path, path))
        os.unlink(os.path.join(root.path, "etc/resolv.conf"))
        for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
            found = glob.glob(os.path.join(root.path, "boot", pattern))
            if not found:
                raise roots.Trouble(f"expected /boot/{pattern} of the kernel's package, seen none; see {root.log}")
            shutil.copy(max(found), os.path.join(folder, name))
        root.unmount_machine()
        disk = os.path.join(folder, "disk.img")
        if os.path.exists(disk):
            os.unlink(disk)
        run_long(["mke2fs", "-q", "-t", "ext4", "-d", root.path, disk, SIZE], "writing the disk", say, root.log)
