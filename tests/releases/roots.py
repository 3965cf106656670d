# SPDX-License-Identifier: MIT
"""Bare roots of Debian releases, to run a command where nothing but debootstrap's minbase is installed.

A release's minbase and its packages are downloaded once and cached (see CACHE). A root is an overlay over that
minbase, so a test finds it as debootstrap left it. Mounts are made in a mount namespace of this process, and
processes run in a pid namespace below it: enter_namespaces() must have been called before. Whatever ends this
process takes both along; the directory with what was written stays until the next root of that name.
"""
import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys

from telling import Trouble, run_long

# Minbases, packages and images: about 3 GB with all releases. It may be removed at any time.
CACHE = os.environ.get("REEVE_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "reeve")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INSIDE = "REEVE_INSIDE_NAMESPACES"

MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 1 << 19
MNT_DETACH = 2
libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags=0, data=""):
    if libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source} at {target}: {os.strerror(number)}")


def enter_namespaces():
    """Starts this program again, in namespaces of its own. Returns there."""
    if os.environ.get(INSIDE):
        # The first process of a namespace gets no signal that it does not handle.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return
    if os.geteuid() != 0:
        raise Trouble("this takes root: it makes chroots and mounts")
    os.environ[INSIDE] = "yes"
    with subprocess.Popen(["unshare", "--mount", "--propagation=slave", "--pid", "--fork", "--kill-child",
                           sys.executable, *sys.argv]) as process:
        # unshare itself passes no signal on. Ctrl-C reaches the program inside anyway.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: end_inside(process))
        sys.exit(process.wait())


def end_inside(process):
    """Asks the program inside to end. It may have ended already."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            for pid in file.read().split():
                os.kill(int(pid), signal.SIGTERM)


def take_turn(path, say, what):
    """The lock of what only one run may use at a time, as an open file. Waits for it, and says so."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    file = open(path + ".lock", "w", encoding="ascii")  # pylint: disable=consider-using-with
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another run that has {what}")
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def mirrors():
    """Where this machine's apt gets Debian and its security updates from: (uri, uri or None)."""
    lines = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages",
         "Origin: Debian", "Component: main"], capture_output=True, text=True, check=True).stdout.splitlines()
    found = {}
    for line in lines:
        label, uri = line.rsplit(" ", 1)
        found.setdefault(label, uri.rstrip("/"))
    if "Debian" not in found:
        raise Trouble("apt knows no Debian mirror yet: run apt-get update first")
    return found["Debian"], found.get("Debian-Security")


def sources_list(release):
    """The lines of sources.list for a release; stable ones have updates."""
    main, security = mirrors()
    line = f"deb [signed-by={KEYRING}]"
    lines = [f"{line} {main} {release.suite} main"]
    if release.stable:
        lines.append(f"{line} {main} {release.suite}-updates main")
        if security:
            lines.append(f"{line} {security} {release.suite}-security main")
    return "\n".join(lines) + "\n"


def make_minbase(release, say):
    """The directory of the release's minbase, made if it is not cached."""
    folder = os.path.join(CACHE, "roots", release.suite)
    with take_turn(folder, say, f"the bare root of Debian {release}"):
        if os.path.isdir(folder):
            return folder
        shutil.rmtree(folder + ".part", ignore_errors=True)
        run_long(["debootstrap", "--variant=minbase", f"--cache-dir={package_cache(release)}", release.suite,
                  folder + ".part", mirrors()[0]], f"making a bare root of Debian {release}", say, folder + ".log")
        os.rename(folder + ".part", folder)
    return folder


def package_cache(release):
    folder = os.path.join(CACHE, "debs", release.suite)
    os.makedirs(os.path.join(folder, "partial"), exist_ok=True)
    return folder


def share_packages(source, target):
    """Links downloaded packages into another directory. Each root has one of its own, as apt locks it, and removes from it what
    an interrupted download left."""
    os.makedirs(os.path.join(target, "partial"), exist_ok=True)
    for name in os.listdir(source):
        if name.endswith(".deb"):
            try:
                os.link(os.path.join(source, name), os.path.join(target, name))
            except FileExistsError:
                pass


def copy_settings(root, release):
    """The files that let apt work in the root as it does here: mirrors, proxies, certificates, name service."""
    with open(os.path.join(root, "etc/apt/sources.list"), "w", encoding="utf-8") as file:
        file.write(sources_list(release))
    for name in os.listdir("/etc/apt/apt.conf.d"):
        with open(os.path.join("/etc/apt/apt.conf.d", name), encoding="utf-8") as file:
            text = file.read()
        # Hooks of packages that the root does not have stay here.
        if re.search(r"Acquire::|Proxy", text) and not re.search(r"Invoke|Hook", text):
            shutil.copy(os.path.join("/etc/apt/apt.conf.d", name), os.path.join(root, "etc/apt/apt.conf.d"))
    with open(os.path.join(root, "etc/apt/apt.conf.d/90keep"), "w", encoding="utf-8") as file:
        file.write('APT::Keep-Downloaded-Packages "true";\nBinary::apt::APT::Keep-Downloaded-Packages "true";\n'
                   'Acquire::Languages "none";\n')
    shutil.rmtree(os.path.join(root, "etc/apt/apt.conf.d/docker-clean"), ignore_errors=True)
    for path in ("/etc/resolv.conf", "/etc/hosts"):
        shutil.copy(path, os.path.join(root, "etc"))
    if os.path.isdir("/etc/ssl/certs"):
        os.makedirs(os.path.join(root, "etc/ssl"), exist_ok=True)
        shutil.copytree("/etc/ssl/certs", os.path.join(root, "etc/ssl/certs"), symlinks=False,
                        dirs_exist_ok=True, ignore_dangling_symlinks=True)


class Root:
    """An overlay over a release's minbase, with a clone of a checkout's HEAD in /src. A context manager.

    What its long steps say goes to the file log. A base is a directory with another system of the release, to take in
    place of the minbase."""

    def __init__(self, release, name, checkout, say, log, base=None):
        self.release = release
        self.folder = os.path.join(CACHE, "work", name)
        self.path = os.path.join(self.folder, "root")
        self.checkout = checkout
        self.say = say
        self.log = log
        self.base = base
        self.turn = None

    def __enter__(self):
        base = self.base or make_minbase(self.release, self.say)
        self.turn = take_turn(self.folder, self.say, f"the directory {self.folder}")
        shutil.rmtree(self.folder, ignore_errors=True)
        for part in ("upper", "work", "root"):
            os.makedirs(os.path.join(self.folder, part))
        mount("overlay", self.path, "overlay", 0,
              f"lowerdir={base},upperdir={self.folder}/upper,workdir={self.folder}/work")
        mount("proc", self.path + "/proc", "proc")
        for name in ("sys", "dev"):
            mount("/" + name, f"{self.path}/{name}", "none", MS_BIND | MS_REC)
            mount("none", f"{self.path}/{name}", "none", MS_SLAVE | MS_REC)
        archives = os.path.join(self.folder, "archives")
        share_packages(package_cache(self.release), archives)
        mount(archives, self.path + "/var/cache/apt/archives", "none", MS_BIND)
        copy_settings(self.path, self.release)
        self.clone()
        return self

    def clone(self):
        """Only what is committed, as whoever clones the project gets it."""
        # The checkout is the user's. git does not hand its own options on to the side that reads there.
        subprocess.run(["git", "-c", "safe.directory=*", "clone", "--quiet", "--no-hardlinks",
                        "--upload-pack", "git -c 'safe.directory=*' upload-pack", self.checkout, self.path + "/src"],
                       check=True)

    def unmount_machine(self):
        """Takes away what is this machine's: the root is no more than its files then."""
        for name in ("proc", "sys", "dev", "var/cache/apt/archives"):
            libc.umount2(f"{self.path}/{name}".encode(), MNT_DETACH)

    def __exit__(self, *_):
        # With all that is mounted in it. Only then nothing but our own is removed.
        if libc.umount2(self.path.encode(), MNT_DETACH) != 0:
            raise OSError(ctypes.get_errno(), f"cannot unmount {self.path}")
        share_packages(os.path.join(self.folder, "archives"), package_cache(self.release))
        shutil.rmtree(self.folder, ignore_errors=True)
        self.turn.close()

    def argv(self, command, user="root"):
        """The command that runs a shell's command line in the root, in /src."""
        line = f"cd /src && {command}"
        home = "/root" if user == "root" else f"/home/{user}"
        shell = ["/bin/bash", "-c", line]
        if user != "root":
            shell = ["/usr/sbin/runuser", "-u", user, "--", *shell]
        return ["chroot", self.path, "/usr/bin/env", "-i", f"HOME={home}", "TERM=dumb", f"PATH={PATH}",
                "LC_ALL=C.UTF-8", *(f"{k}={v}" for k, v in os.environ.items() if k.endswith("_proxy") or
                                    k.startswith("REEVE_") and k not in (INSIDE, "REEVE_CACHE")), *shell]

    def run(self, command, user="root", check=True):
        done = subprocess.run(self.argv(command, user), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        if check and done.returncode != 0:
            raise Trouble(f"{command}: exit code {done.returncode}\n{done.stdout[-3000:]}")
        return done

    def run_long(self, command, what):
        """As run(), a step that may take more than a few seconds."""
        run_long(self.argv(command), what, self.say, self.log)

    def add_user(self, name):
        """A user who may become root by sudo without a password. The checkout is the user's, and like a home on Debian 13
        nobody else comes there."""
        self.run_long("apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "
                      f"sudo && useradd -m -s /bin/bash {name} && chown -R {name}: /src && chmod 700 /src && "
                      f"echo '{name} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{name}", f"adding the user {name}")
