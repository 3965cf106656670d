# SPDX-License-Identifier: MIT
# Sourced by the findings on Debian's kernels, after common.sh: boots one in an emulated machine that has nothing but a
# shell (busybox) and version 2 of control groups, so this machine's kernel and rights do not matter.

# prepare_machine: unpacks what the machines are made of.
prepare_machine() {
    unpack "$work/machine" trixie qemu-system-x86=1:10.0.13+ds-0+deb13u1 busybox-static=1:1.37.0-6+b9
    tree=$work/machine/tmp/tree
    mkdir -p "$tree/bin" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/tmp"
    cp "$work/machine/usr/bin/busybox" "$tree/bin/busybox"
}

# kernel_of RELEASE PACKAGE=VERSION
kernel_of() {
    unpack "$work/$1" "$1" "$2"
    cp "$work/$1"/boot/vmlinuz-* "$work/machine/tmp/vmlinuz-$1"
}

# boot RELEASE SCRIPT: what the script, which root runs in /sys/fs/cgroup, prints on its standard output.
boot() {
    cat >"$tree/init" <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t sysfs sys /sys
mount -t cgroup2 cgroup /sys/fs/cgroup
cd /sys/fs/cgroup
echo '+cpu +memory +pids' >cgroup.subtree_control
sh /script 2>/dev/null | sed 's/^/seen: /'
reboot -f
SH
    chmod +x "$tree/init"
    printf '%s\n' "$2" >"$tree/script"
    (cd "$tree" && find . | "$work/machine/usr/bin/busybox" cpio -o -H newc 2>/dev/null) >"$work/machine/tmp/initrd"
    inside "$work/machine" timeout 300 qemu-system-x86_64 -accel tcg,thread=multi -cpu max,la57=off,pmu=off \
        -machine q35 -smp 2 -m 512 -no-reboot -display none -nodefaults -kernel "/tmp/vmlinuz-$1" -initrd /tmp/initrd \
        -append 'console=ttyS0 panic=-1 mitigations=off loglevel=0' -serial stdio </dev/null >"$work/console"
    tr -d '\r' <"$work/console" | sed -n 's/^seen: //p'
}
