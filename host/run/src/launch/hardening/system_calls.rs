//! Which system calls a worker process can make, by seccomp: those that a worker never needs fail.
//!
//! A list of what is refused rather than of what is allowed, because the C library, the allocator and the runtime change
//! what they call from one version to the next, and a worker must not die of that. Files and addresses are not its
//! matter: filters can't look behind a pointer.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};

/// By system call, the conditions of which one must hold for it to be refused; none refuses it always.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Refused whatever the arguments.
const REFUSED: &[i64] = &[
    // Other processes: to start, to look into, to signal.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    // Other views of the file system, and ways into it past its paths.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    // Who the process is.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_setrlimit,
    libc::SYS_personality,
    // Parts of the kernel that no worker uses, and that have been ways into it.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // The machine as a whole.
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// The families of sockets that a worker has to do with.
const FAMILIES: [i32; 3] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];

/// Requests of a terminal that type in it, as if its user did.
const TYPING: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

/// Puts the filters in force for this process.
pub fn restrict() -> Result<(), String> {
    let programs = programs().map_err(|error| error.to_string())?;
    programs.iter().try_for_each(|program| apply_filter_all_threads(program)).map_err(|error| error.to_string())
}

fn programs() -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    // Its flags are behind a pointer. The C library takes this error to mean an older kernel, and uses `clone`.
    let without_clone3 = program([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS)?;
    Ok([program(rules()?, libc::EPERM)?, without_clone3])
}

fn program(rules: Rules, errno: i32) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = std::env::consts::ARCH.try_into()?;
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

fn rules() -> Result<Rules, seccompiler::BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    let when = |conditions: Vec<SeccompCondition>| SeccompRule::new(conditions);
    let mut rules: Rules = REFUSED.iter().chain(REFUSED_HERE).map(|&call| (call, Vec::new())).collect();
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let no_thread = SeccompCondition::new(0, Dword, SeccompCmpOp::MaskedEq(thread), 0)?;
    rules.insert(libc::SYS_clone, vec![when(vec![no_thread])?]);
    let new_limits = SeccompCondition::new(2, Qword, SeccompCmpOp::Ne, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![when(vec![new_limits])?]);
    let not_itself = SeccompCondition::new(0, Dword, SeccompCmpOp::Ne, u64::from(std::process::id()))?;
    rules.insert(libc::SYS_tgkill, vec![when(vec![not_itself])?]);
    let family = |family: &i32| SeccompCondition::new(0, Dword, SeccompCmpOp::Ne, u64::from(family.unsigned_abs()));
    rules.insert(libc::SYS_socket, vec![when(FAMILIES.iter().map(family).collect::<Result<_, _>>()?)?]);
    let typing = |request: &u64| when(vec![SeccompCondition::new(1, Dword, SeccompCmpOp::Eq, *request)?]);
    rules.insert(libc::SYS_ioctl, TYPING.iter().map(typing).collect::<Result<_, _>>()?);
    #[cfg(target_arch = "x86_64")]
    refuse_x32(&mut rules);
    Ok(rules)
}

/// Refuses under their numbers of the x32 interface too what is refused on x86_64; some have other numbers there.
#[cfg(target_arch = "x86_64")]
fn refuse_x32(rules: &mut Rules) {
    const X32: i64 = 0x4000_0000;
    // ioctl, execve, ptrace, rt_sigqueueinfo, rt_tgsigqueueinfo, process_vm_readv, process_vm_writev, execveat.
    const MOVED: [i64; 8] = [514, 520, 521, 524, 536, 539, 540, 545];
    let same: Rules = rules.iter().map(|(call, conditions)| (call | X32, conditions.clone())).collect();
    rules.extend(same);
    rules.extend(MOVED.map(|call| (call | X32, Vec::new())));
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    use super::*;

    /// What `attempt` comes to in a thread that is filtered.
    fn filtered<T: Send + 'static>(attempt: impl FnOnce() -> T + Send + 'static) -> T {
        let thread = std::thread::spawn(|| {
            let programs = programs().expect("the filters can be made");
            programs.iter().for_each(|program| seccompiler::apply_filter(program).expect("the kernel takes them"));
            attempt()
        });
        thread.join().expect("no panic")
    }

    #[test]
    fn a_filtered_thread_starts_threads_and_no_processes() {
        let started = filtered(|| std::thread::spawn(|| 7).join().expect("no panic"));
        assert_eq!(started, 7);
        let refused = filtered(|| Command::new("/proc/self/exe").arg("--list").output().map(drop));
        assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::PermissionDenied));
    }

    #[test]
    fn a_filtered_thread_signals_nobody_and_has_the_sockets_of_a_worker() {
        let parent = rustix::process::getppid().expect("a test has a parent");
        let signalled = filtered(move || rustix::process::test_kill_process(parent));
        assert_eq!(signalled, Err(rustix::io::Errno::PERM));
        filtered(|| UnixStream::pair().map(drop)).expect("workers talk over these");
        filtered(|| UdpSocket::bind("127.0.0.1:0").map(drop)).expect("nodes may be granted these");
        filtered(|| TcpListener::bind("127.0.0.1:0").map(drop)).expect("nodes may be granted these");
    }
}
