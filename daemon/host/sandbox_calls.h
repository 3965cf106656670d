/* SPDX-License-Identifier: MIT */
/* The numbers of system calls that rules are about. NO_CALL: this architecture has none of that name, or the C library's
 * headers are older. */
#ifndef REEVE_HOST_SANDBOX_CALLS_H
#define REEVE_HOST_SANDBOX_CALLS_H

#include <sys/syscall.h>

#define NO_CALL    (-1)
#define CALL(name) CALL_##name

/* Newer than the headers of Debian 12. From 424 on, numbers are the same on every architecture. */
#define CALL_fchmodat2      452
#define CALL_setxattrat     463
#define CALL_removexattrat  466
#define CALL_open_tree_attr 467
#define CALL_file_setattr   469

#ifdef SYS_acct
#define CALL_acct SYS_acct
#else
#define CALL_acct NO_CALL
#endif
#ifdef SYS_add_key
#define CALL_add_key SYS_add_key
#else
#define CALL_add_key NO_CALL
#endif
#ifdef SYS_adjtimex
#define CALL_adjtimex SYS_adjtimex
#else
#define CALL_adjtimex NO_CALL
#endif
#ifdef SYS_bind
#define CALL_bind SYS_bind
#else
#define CALL_bind NO_CALL
#endif
#ifdef SYS_bpf
#define CALL_bpf SYS_bpf
#else
#define CALL_bpf NO_CALL
#endif
#ifdef SYS_chmod
#define CALL_chmod SYS_chmod
#else
#define CALL_chmod NO_CALL
#endif
#ifdef SYS_chown
#define CALL_chown SYS_chown
#else
#define CALL_chown NO_CALL
#endif
#ifdef SYS_chown32
#define CALL_chown32 SYS_chown32
#else
#define CALL_chown32 NO_CALL
#endif
#ifdef SYS_chroot
#define CALL_chroot SYS_chroot
#else
#define CALL_chroot NO_CALL
#endif
#ifdef SYS_clock_adjtime
#define CALL_clock_adjtime SYS_clock_adjtime
#else
#define CALL_clock_adjtime NO_CALL
#endif
#ifdef SYS_clock_adjtime64
#define CALL_clock_adjtime64 SYS_clock_adjtime64
#else
#define CALL_clock_adjtime64 NO_CALL
#endif
#ifdef SYS_clock_settime
#define CALL_clock_settime SYS_clock_settime
#else
#define CALL_clock_settime NO_CALL
#endif
#ifdef SYS_clock_settime64
#define CALL_clock_settime64 SYS_clock_settime64
#else
#define CALL_clock_settime64 NO_CALL
#endif
#ifdef SYS_clone
#define CALL_clone SYS_clone
#else
#define CALL_clone NO_CALL
#endif
#ifdef SYS_clone3
#define CALL_clone3 SYS_clone3
#else
#define CALL_clone3 NO_CALL
#endif
#ifdef SYS_connect
#define CALL_connect SYS_connect
#else
#define CALL_connect NO_CALL
#endif
#ifdef SYS_creat
#define CALL_creat SYS_creat
#else
#define CALL_creat NO_CALL
#endif
#ifdef SYS_delete_module
#define CALL_delete_module SYS_delete_module
#else
#define CALL_delete_module NO_CALL
#endif
#ifdef SYS_execve
#define CALL_execve SYS_execve
#else
#define CALL_execve NO_CALL
#endif
#ifdef SYS_execveat
#define CALL_execveat SYS_execveat
#else
#define CALL_execveat NO_CALL
#endif
#ifdef SYS_fchmod
#define CALL_fchmod SYS_fchmod
#else
#define CALL_fchmod NO_CALL
#endif
#ifdef SYS_fchmodat
#define CALL_fchmodat SYS_fchmodat
#else
#define CALL_fchmodat NO_CALL
#endif
#ifdef SYS_fchown
#define CALL_fchown SYS_fchown
#else
#define CALL_fchown NO_CALL
#endif
#ifdef SYS_fchown32
#define CALL_fchown32 SYS_fchown32
#else
#define CALL_fchown32 NO_CALL
#endif
#ifdef SYS_fchownat
#define CALL_fchownat SYS_fchownat
#else
#define CALL_fchownat NO_CALL
#endif
#ifdef SYS_fcntl
#define CALL_fcntl SYS_fcntl
#else
#define CALL_fcntl NO_CALL
#endif
#ifdef SYS_fcntl64
#define CALL_fcntl64 SYS_fcntl64
#else
#define CALL_fcntl64 NO_CALL
#endif
#ifdef SYS_finit_module
#define CALL_finit_module SYS_finit_module
#else
#define CALL_finit_module NO_CALL
#endif
#ifdef SYS_fork
#define CALL_fork SYS_fork
#else
#define CALL_fork NO_CALL
#endif
#ifdef SYS_fremovexattr
#define CALL_fremovexattr SYS_fremovexattr
#else
#define CALL_fremovexattr NO_CALL
#endif
#ifdef SYS_fsconfig
#define CALL_fsconfig SYS_fsconfig
#else
#define CALL_fsconfig NO_CALL
#endif
#ifdef SYS_fsetxattr
#define CALL_fsetxattr SYS_fsetxattr
#else
#define CALL_fsetxattr NO_CALL
#endif
#ifdef SYS_fsmount
#define CALL_fsmount SYS_fsmount
#else
#define CALL_fsmount NO_CALL
#endif
#ifdef SYS_fsopen
#define CALL_fsopen SYS_fsopen
#else
#define CALL_fsopen NO_CALL
#endif
#ifdef SYS_fspick
#define CALL_fspick SYS_fspick
#else
#define CALL_fspick NO_CALL
#endif
#ifdef SYS_futimesat
#define CALL_futimesat SYS_futimesat
#else
#define CALL_futimesat NO_CALL
#endif
#ifdef SYS_init_module
#define CALL_init_module SYS_init_module
#else
#define CALL_init_module NO_CALL
#endif
#ifdef SYS_io_uring_enter
#define CALL_io_uring_enter SYS_io_uring_enter
#else
#define CALL_io_uring_enter NO_CALL
#endif
#ifdef SYS_io_uring_register
#define CALL_io_uring_register SYS_io_uring_register
#else
#define CALL_io_uring_register NO_CALL
#endif
#ifdef SYS_io_uring_setup
#define CALL_io_uring_setup SYS_io_uring_setup
#else
#define CALL_io_uring_setup NO_CALL
#endif
#ifdef SYS_ioctl
#define CALL_ioctl SYS_ioctl
#else
#define CALL_ioctl NO_CALL
#endif
#ifdef SYS_ioperm
#define CALL_ioperm SYS_ioperm
#else
#define CALL_ioperm NO_CALL
#endif
#ifdef SYS_iopl
#define CALL_iopl SYS_iopl
#else
#define CALL_iopl NO_CALL
#endif
#ifdef SYS_ioprio_set
#define CALL_ioprio_set SYS_ioprio_set
#else
#define CALL_ioprio_set NO_CALL
#endif
#ifdef SYS_kcmp
#define CALL_kcmp SYS_kcmp
#else
#define CALL_kcmp NO_CALL
#endif
#ifdef SYS_kexec_file_load
#define CALL_kexec_file_load SYS_kexec_file_load
#else
#define CALL_kexec_file_load NO_CALL
#endif
#ifdef SYS_kexec_load
#define CALL_kexec_load SYS_kexec_load
#else
#define CALL_kexec_load NO_CALL
#endif
#ifdef SYS_keyctl
#define CALL_keyctl SYS_keyctl
#else
#define CALL_keyctl NO_CALL
#endif
#ifdef SYS_kill
#define CALL_kill SYS_kill
#else
#define CALL_kill NO_CALL
#endif
#ifdef SYS_lchown
#define CALL_lchown SYS_lchown
#else
#define CALL_lchown NO_CALL
#endif
#ifdef SYS_lchown32
#define CALL_lchown32 SYS_lchown32
#else
#define CALL_lchown32 NO_CALL
#endif
#ifdef SYS_link
#define CALL_link SYS_link
#else
#define CALL_link NO_CALL
#endif
#ifdef SYS_linkat
#define CALL_linkat SYS_linkat
#else
#define CALL_linkat NO_CALL
#endif
#ifdef SYS_lremovexattr
#define CALL_lremovexattr SYS_lremovexattr
#else
#define CALL_lremovexattr NO_CALL
#endif
#ifdef SYS_lsetxattr
#define CALL_lsetxattr SYS_lsetxattr
#else
#define CALL_lsetxattr NO_CALL
#endif
#ifdef SYS_migrate_pages
#define CALL_migrate_pages SYS_migrate_pages
#else
#define CALL_migrate_pages NO_CALL
#endif
#ifdef SYS_mkdir
#define CALL_mkdir SYS_mkdir
#else
#define CALL_mkdir NO_CALL
#endif
#ifdef SYS_mkdirat
#define CALL_mkdirat SYS_mkdirat
#else
#define CALL_mkdirat NO_CALL
#endif
#ifdef SYS_mknod
#define CALL_mknod SYS_mknod
#else
#define CALL_mknod NO_CALL
#endif
#ifdef SYS_mknodat
#define CALL_mknodat SYS_mknodat
#else
#define CALL_mknodat NO_CALL
#endif
#ifdef SYS_mount
#define CALL_mount SYS_mount
#else
#define CALL_mount NO_CALL
#endif
#ifdef SYS_mount_setattr
#define CALL_mount_setattr SYS_mount_setattr
#else
#define CALL_mount_setattr NO_CALL
#endif
#ifdef SYS_move_mount
#define CALL_move_mount SYS_move_mount
#else
#define CALL_move_mount NO_CALL
#endif
#ifdef SYS_move_pages
#define CALL_move_pages SYS_move_pages
#else
#define CALL_move_pages NO_CALL
#endif
#ifdef SYS_mq_open
#define CALL_mq_open SYS_mq_open
#else
#define CALL_mq_open NO_CALL
#endif
#ifdef SYS_mq_unlink
#define CALL_mq_unlink SYS_mq_unlink
#else
#define CALL_mq_unlink NO_CALL
#endif
#ifdef SYS_msgctl
#define CALL_msgctl SYS_msgctl
#else
#define CALL_msgctl NO_CALL
#endif
#ifdef SYS_msgget
#define CALL_msgget SYS_msgget
#else
#define CALL_msgget NO_CALL
#endif
#ifdef SYS_msgrcv
#define CALL_msgrcv SYS_msgrcv
#else
#define CALL_msgrcv NO_CALL
#endif
#ifdef SYS_msgsnd
#define CALL_msgsnd SYS_msgsnd
#else
#define CALL_msgsnd NO_CALL
#endif
#ifdef SYS_name_to_handle_at
#define CALL_name_to_handle_at SYS_name_to_handle_at
#else
#define CALL_name_to_handle_at NO_CALL
#endif
#ifdef SYS_nfsservctl
#define CALL_nfsservctl SYS_nfsservctl
#else
#define CALL_nfsservctl NO_CALL
#endif
#ifdef SYS_open
#define CALL_open SYS_open
#else
#define CALL_open NO_CALL
#endif
#ifdef SYS_open_by_handle_at
#define CALL_open_by_handle_at SYS_open_by_handle_at
#else
#define CALL_open_by_handle_at NO_CALL
#endif
#ifdef SYS_open_tree
#define CALL_open_tree SYS_open_tree
#else
#define CALL_open_tree NO_CALL
#endif
#ifdef SYS_openat
#define CALL_openat SYS_openat
#else
#define CALL_openat NO_CALL
#endif
#ifdef SYS_openat2
#define CALL_openat2 SYS_openat2
#else
#define CALL_openat2 NO_CALL
#endif
#ifdef SYS_perf_event_open
#define CALL_perf_event_open SYS_perf_event_open
#else
#define CALL_perf_event_open NO_CALL
#endif
#ifdef SYS_pidfd_getfd
#define CALL_pidfd_getfd SYS_pidfd_getfd
#else
#define CALL_pidfd_getfd NO_CALL
#endif
#ifdef SYS_pidfd_open
#define CALL_pidfd_open SYS_pidfd_open
#else
#define CALL_pidfd_open NO_CALL
#endif
#ifdef SYS_pidfd_send_signal
#define CALL_pidfd_send_signal SYS_pidfd_send_signal
#else
#define CALL_pidfd_send_signal NO_CALL
#endif
#ifdef SYS_pivot_root
#define CALL_pivot_root SYS_pivot_root
#else
#define CALL_pivot_root NO_CALL
#endif
#ifdef SYS_prlimit64
#define CALL_prlimit64 SYS_prlimit64
#else
#define CALL_prlimit64 NO_CALL
#endif
#ifdef SYS_process_madvise
#define CALL_process_madvise SYS_process_madvise
#else
#define CALL_process_madvise NO_CALL
#endif
#ifdef SYS_process_mrelease
#define CALL_process_mrelease SYS_process_mrelease
#else
#define CALL_process_mrelease NO_CALL
#endif
#ifdef SYS_process_vm_readv
#define CALL_process_vm_readv SYS_process_vm_readv
#else
#define CALL_process_vm_readv NO_CALL
#endif
#ifdef SYS_process_vm_writev
#define CALL_process_vm_writev SYS_process_vm_writev
#else
#define CALL_process_vm_writev NO_CALL
#endif
#ifdef SYS_ptrace
#define CALL_ptrace SYS_ptrace
#else
#define CALL_ptrace NO_CALL
#endif
#ifdef SYS_quotactl
#define CALL_quotactl SYS_quotactl
#else
#define CALL_quotactl NO_CALL
#endif
#ifdef SYS_quotactl_fd
#define CALL_quotactl_fd SYS_quotactl_fd
#else
#define CALL_quotactl_fd NO_CALL
#endif
#ifdef SYS_reboot
#define CALL_reboot SYS_reboot
#else
#define CALL_reboot NO_CALL
#endif
#ifdef SYS_removexattr
#define CALL_removexattr SYS_removexattr
#else
#define CALL_removexattr NO_CALL
#endif
#ifdef SYS_rename
#define CALL_rename SYS_rename
#else
#define CALL_rename NO_CALL
#endif
#ifdef SYS_renameat
#define CALL_renameat SYS_renameat
#else
#define CALL_renameat NO_CALL
#endif
#ifdef SYS_renameat2
#define CALL_renameat2 SYS_renameat2
#else
#define CALL_renameat2 NO_CALL
#endif
#ifdef SYS_request_key
#define CALL_request_key SYS_request_key
#else
#define CALL_request_key NO_CALL
#endif
#ifdef SYS_rmdir
#define CALL_rmdir SYS_rmdir
#else
#define CALL_rmdir NO_CALL
#endif
#ifdef SYS_rt_sigqueueinfo
#define CALL_rt_sigqueueinfo SYS_rt_sigqueueinfo
#else
#define CALL_rt_sigqueueinfo NO_CALL
#endif
#ifdef SYS_rt_tgsigqueueinfo
#define CALL_rt_tgsigqueueinfo SYS_rt_tgsigqueueinfo
#else
#define CALL_rt_tgsigqueueinfo NO_CALL
#endif
#ifdef SYS_sched_setaffinity
#define CALL_sched_setaffinity SYS_sched_setaffinity
#else
#define CALL_sched_setaffinity NO_CALL
#endif
#ifdef SYS_sched_setattr
#define CALL_sched_setattr SYS_sched_setattr
#else
#define CALL_sched_setattr NO_CALL
#endif
#ifdef SYS_sched_setparam
#define CALL_sched_setparam SYS_sched_setparam
#else
#define CALL_sched_setparam NO_CALL
#endif
#ifdef SYS_sched_setscheduler
#define CALL_sched_setscheduler SYS_sched_setscheduler
#else
#define CALL_sched_setscheduler NO_CALL
#endif
#ifdef SYS_semctl
#define CALL_semctl SYS_semctl
#else
#define CALL_semctl NO_CALL
#endif
#ifdef SYS_semget
#define CALL_semget SYS_semget
#else
#define CALL_semget NO_CALL
#endif
#ifdef SYS_semop
#define CALL_semop SYS_semop
#else
#define CALL_semop NO_CALL
#endif
#ifdef SYS_semtimedop
#define CALL_semtimedop SYS_semtimedop
#else
#define CALL_semtimedop NO_CALL
#endif
#ifdef SYS_setdomainname
#define CALL_setdomainname SYS_setdomainname
#else
#define CALL_setdomainname NO_CALL
#endif
#ifdef SYS_sethostname
#define CALL_sethostname SYS_sethostname
#else
#define CALL_sethostname NO_CALL
#endif
#ifdef SYS_setns
#define CALL_setns SYS_setns
#else
#define CALL_setns NO_CALL
#endif
#ifdef SYS_setpriority
#define CALL_setpriority SYS_setpriority
#else
#define CALL_setpriority NO_CALL
#endif
#ifdef SYS_settimeofday
#define CALL_settimeofday SYS_settimeofday
#else
#define CALL_settimeofday NO_CALL
#endif
#ifdef SYS_setxattr
#define CALL_setxattr SYS_setxattr
#else
#define CALL_setxattr NO_CALL
#endif
#ifdef SYS_shmat
#define CALL_shmat SYS_shmat
#else
#define CALL_shmat NO_CALL
#endif
#ifdef SYS_shmctl
#define CALL_shmctl SYS_shmctl
#else
#define CALL_shmctl NO_CALL
#endif
#ifdef SYS_shmget
#define CALL_shmget SYS_shmget
#else
#define CALL_shmget NO_CALL
#endif
#ifdef SYS_socket
#define CALL_socket SYS_socket
#else
#define CALL_socket NO_CALL
#endif
#ifdef SYS_stime
#define CALL_stime SYS_stime
#else
#define CALL_stime NO_CALL
#endif
#ifdef SYS_swapoff
#define CALL_swapoff SYS_swapoff
#else
#define CALL_swapoff NO_CALL
#endif
#ifdef SYS_swapon
#define CALL_swapon SYS_swapon
#else
#define CALL_swapon NO_CALL
#endif
#ifdef SYS_symlink
#define CALL_symlink SYS_symlink
#else
#define CALL_symlink NO_CALL
#endif
#ifdef SYS_symlinkat
#define CALL_symlinkat SYS_symlinkat
#else
#define CALL_symlinkat NO_CALL
#endif
#ifdef SYS_tgkill
#define CALL_tgkill SYS_tgkill
#else
#define CALL_tgkill NO_CALL
#endif
#ifdef SYS_tkill
#define CALL_tkill SYS_tkill
#else
#define CALL_tkill NO_CALL
#endif
#ifdef SYS_truncate
#define CALL_truncate SYS_truncate
#else
#define CALL_truncate NO_CALL
#endif
#ifdef SYS_truncate64
#define CALL_truncate64 SYS_truncate64
#else
#define CALL_truncate64 NO_CALL
#endif
#ifdef SYS_umount
#define CALL_umount SYS_umount
#else
#define CALL_umount NO_CALL
#endif
#ifdef SYS_umount2
#define CALL_umount2 SYS_umount2
#else
#define CALL_umount2 NO_CALL
#endif
#ifdef SYS_unlink
#define CALL_unlink SYS_unlink
#else
#define CALL_unlink NO_CALL
#endif
#ifdef SYS_unlinkat
#define CALL_unlinkat SYS_unlinkat
#else
#define CALL_unlinkat NO_CALL
#endif
#ifdef SYS_unshare
#define CALL_unshare SYS_unshare
#else
#define CALL_unshare NO_CALL
#endif
#ifdef SYS_userfaultfd
#define CALL_userfaultfd SYS_userfaultfd
#else
#define CALL_userfaultfd NO_CALL
#endif
#ifdef SYS_utime
#define CALL_utime SYS_utime
#else
#define CALL_utime NO_CALL
#endif
#ifdef SYS_utimensat
#define CALL_utimensat SYS_utimensat
#else
#define CALL_utimensat NO_CALL
#endif
#ifdef SYS_utimensat_time64
#define CALL_utimensat_time64 SYS_utimensat_time64
#else
#define CALL_utimensat_time64 NO_CALL
#endif
#ifdef SYS_utimes
#define CALL_utimes SYS_utimes
#else
#define CALL_utimes NO_CALL
#endif
#ifdef SYS_vfork
#define CALL_vfork SYS_vfork
#else
#define CALL_vfork NO_CALL
#endif
#ifdef SYS_vhangup
#define CALL_vhangup SYS_vhangup
#else
#define CALL_vhangup NO_CALL
#endif

#ifdef SYS_socketcall
#define CALL_socketcall SYS_socketcall
#else
#define CALL_socketcall NO_CALL
#endif
#ifdef SYS_ipc
#define CALL_ipc SYS_ipc
#else
#define CALL_ipc NO_CALL
#endif

#endif
