//! Forks.

use std::io::{self, Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A running forked child.
pub(crate) struct Child {
    id: libc::pid_t,
    /// The output of the child.
    output: io::PipeReader,
}

/// Runs `work` in a forked child. The child ends right after it, without exit handlers and destructors of this program.
pub(crate) fn fork(work: impl FnOnce(&mut io::PipeWriter)) -> Child {
    let (output, mut input) = io::pipe().expect("a pipe");
    // SAFETY: the child runs the given work and ends. It may call more than async-signal-safe functions: this is what
    // scenes test, and the allocator and threads of the C library support it.
    #[expect(unsafe_code, reason = "there is no safe fork")]
    let id = unsafe { libc::fork() };
    assert!(id >= 0, "{}", io::Error::last_os_error());
    if id > 0 {
        return Child { id, output };
    }
    drop(output);
    die_after(CHILDS_PATIENCE);
    let result = catch_unwind(AssertUnwindSafe(|| work(&mut input)));
    drop(input);
    // SAFETY: the call ends the process.
    #[expect(unsafe_code, reason = "without the parent's exit handlers")]
    unsafe {
        libc::_exit(if result.is_ok() { 0 } else { 101 })
    }
}

impl Child {
    #[cfg(feature = "signals")]
    pub(crate) fn id(&self) -> libc::pid_t {
        self.id
    }

    /// Waits for the end of the child, and returns the signal that has ended it.
    #[cfg(feature = "signals")]
    pub(crate) fn wait_for_signal(self) -> Option<libc::c_int> {
        let mut status = 0;
        // SAFETY: the pointer is to a local.
        #[expect(unsafe_code, reason = "there is no safe wait for a bare id")]
        let id = unsafe { libc::waitpid(self.id, &raw mut status, 0) };
        assert_eq!(id, self.id, "{}", io::Error::last_os_error());
        libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status))
    }

    pub(crate) fn output(&mut self) -> &mut io::PipeReader {
        &mut self.output
    }

    /// Waits for the end of the child, fails if it is not a success, and returns the output.
    pub(crate) fn wait(mut self) -> Vec<u8> {
        let mut said = Vec::new();
        self.output.read_to_end(&mut said).expect("a pipe");
        let mut status = 0;
        // SAFETY: the pointer is to a local.
        #[expect(unsafe_code, reason = "there is no safe wait for a bare id")]
        let id = unsafe { libc::waitpid(self.id, &raw mut status, 0) };
        assert_eq!(id, self.id, "{}", io::Error::last_os_error());
        let is_well = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        assert!(is_well, "the child ended with status {status:#x}");
        said
    }
}

/// Runs `work` in a forked child and waits for its successful end.
pub(crate) fn in_child(work: impl FnOnce()) {
    fork(|_| work()).wait();
}

/// Forks, and continues in both processes.
pub(crate) fn fork_here() {
    // SAFETY: as in `fork`; the child runs what its caller would have run.
    #[expect(unsafe_code, reason = "there is no safe fork")]
    let id = unsafe { libc::fork() };
    assert!(id >= 0, "{}", io::Error::last_os_error());
    if id == 0 {
        die_after(CHILDS_PATIENCE);
    }
}

/// Writes a number.
pub(crate) fn say(output: &mut io::PipeWriter, number: u64) {
    output.write_all(&number.to_le_bytes()).expect("heard");
}

/// Returns the numbers in an output.
pub(crate) fn numbers(said: &[u8]) -> Vec<u64> {
    let numbers = said.as_chunks().0.iter();
    numbers.map(|bytes| u64::from_le_bytes(*bytes)).collect()
}

/// Lets the system end this process after a while, in case it hangs.
pub(crate) fn die_after(time: Duration) {
    let seconds = u32::try_from(time.as_secs()).expect("some minutes");
    // SAFETY: it sets a timer of the system.
    #[expect(unsafe_code, reason = "no thread can watch over a child that has one")]
    unsafe {
        libc::alarm(seconds);
    }
}

/// The longest time of a scene.
pub(crate) const SCENES_PATIENCE: Duration = Duration::from_secs(600);
/// The longest time of a forked child, more than it needs on a busy machine.
const CHILDS_PATIENCE: Duration = Duration::from_secs(200);
