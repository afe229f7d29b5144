//! Closing tracers when a signal tells the process to end.
//!
//! ```text
//!  signal handler             one thread of the process
//!
//!  ARRIVED[i] = true
//!  write a byte ──► pipe ──►  close the tracers that are registered for the signal, each within its grace
//!                             the signal's default action: the process ends by the signal
//! ```
//!
//! A forked child inherits the handler, but not the thread, and its pipe leads to the parent. So there the handler
//! takes the default action at once, until the child registers a tracer and has a thread and a pipe of its own. The
//! byte that it may have written means nothing to the parent, where nothing has arrived.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::clock::{after, instant_now};
use crate::metrics::FlushReport;
use crate::panics::caught;
use crate::sync::{LEAVES_SIGNALS, PerProcess};

/// A signal that tells a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Terminate,
    Interrupt,
}

/// A tracer that can be closed.
pub(super) trait Close: Send + Sync {
    fn close(&self, timeout: Duration) -> FlushReport;
}

/// Closes a tracer when the signal arrives. A later call for the same tracer and signal replaces the grace.
pub(super) fn close_on(signal: Signal, tracer: Weak<dyn Close>, grace: Duration) -> io::Result<()> {
    let mut state = lock();
    if state.wake.is_none() {
        state.wake = Some(start_thread()?);
    }
    if !state.watched.contains(&signal) {
        watch(signal, state.wake.as_ref())?;
        state.watched.push(signal);
    }
    LEAVES_SIGNALS.store(false, Ordering::SeqCst);
    state.tracers.retain(|known| {
        let is_same = known.signal == signal && Weak::ptr_eq(&known.tracer, &tracer);
        !is_same && known.tracer.strong_count() > 0
    });
    state.tracers.push(Registered {
        signal,
        tracer,
        grace,
    });
    Ok(())
}

impl Signal {
    const ALL: [Self; 2] = [Self::Terminate, Self::Interrupt];

    fn number(self) -> i32 {
        match self {
            Self::Terminate => SIGTERM,
            Self::Interrupt => SIGINT,
        }
    }

    /// Returns what the handler sets.
    fn arrived(self) -> &'static AtomicBool {
        static TERMINATE: AtomicBool = AtomicBool::new(false);
        static INTERRUPT: AtomicBool = AtomicBool::new(false);
        match self {
            Self::Terminate => &TERMINATE,
            Self::Interrupt => &INTERRUPT,
        }
    }
}

struct Registered {
    signal: Signal,
    /// Weak, so that the tracer still closes when its last clone is dropped.
    tracer: Weak<dyn Close>,
    grace: Duration,
}

#[derive(Default)]
struct State {
    tracers: Vec<Registered>,
    watched: Vec<Signal>,
    /// The end of the thread's pipe to which the handlers write.
    wake: Option<UnixStream>,
}

fn lock() -> MutexGuard<'static, State> {
    static STATE: PerProcess<Mutex<State>> = PerProcess::of_first(Mutex::new(State {
        tracers: Vec::new(),
        watched: Vec::new(),
        wake: None,
    }));
    let state = STATE.get(|_| Mutex::default());
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread, and returns what wakes it.
fn start_thread() -> io::Result<UnixStream> {
    let (woken, wake) = UnixStream::pair()?;
    thread::Builder::new()
        .name("tracehound-signal".to_owned())
        .spawn(move || wait(woken))?;
    Ok(wake)
}

/// Sets the handler of a signal. What the program had set before is still called.
fn watch(signal: Signal, wake: Option<&UnixStream>) -> io::Result<()> {
    let number = signal.number();
    let Some(wake) = wake else { return Ok(()) };
    let wake = wake.try_clone()?;
    flag::register_conditional_default(number, &LEAVES_SIGNALS)?;
    // The thread looks for this after it has got the byte.
    flag::register(number, signal.arrived())?;
    low_level::pipe::register(number, wake).inspect_err(|_| {
        // A signal must not be lost.
        LEAVES_SIGNALS.store(true, Ordering::SeqCst);
    })?;
    Ok(())
}

/// Waits for the handler's bytes, and ends the process for the first signal that has arrived.
fn wait(mut woken: UnixStream) {
    let mut bytes = [0; 16];
    loop {
        match woken.read(&mut bytes) {
            // No handler can write any more.
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            _ => {}
        }
        for signal in Signal::ALL {
            if signal.arrived().load(Ordering::SeqCst) {
                // Parts of a tracer are user code.
                caught(|| close_all(signal));
                end_process(signal);
            }
        }
    }
}

/// Ends the process as the signal would have done.
fn end_process(signal: Signal) {
    let number = signal.number();
    if process::id() == FIRST_OF_CONTAINER {
        // The kernel keeps this process from ending by a signal of its own, so it exits with what a shell would report.
        low_level::exit(128 + number);
    }
    // If it cannot, it aborts.
    let _ = low_level::emulate_default_handler(number);
}

/// Closes the tracers of a signal at once, each within its grace.
fn close_all(signal: Signal) {
    let now = instant_now();
    let registered = std::mem::take(&mut lock().tracers).into_iter();
    let tracers: Vec<_> = registered
        .filter(|registered| registered.signal == signal)
        .filter_map(|it| Some((it.tracer.upgrade()?, after(now, it.grace))))
        .collect();
    let close = |(tracer, deadline): (Arc<dyn Close>, Instant)| {
        tracer.close(deadline.saturating_duration_since(instant_now()));
    };
    thread::scope(|scope| {
        let (first, others) = match tracers.split_first() {
            Some((first, others)) => (first, others),
            None => return,
        };
        for other in others {
            let for_thread = other.clone();
            let spawned = thread::Builder::new().spawn_scoped(scope, move || close(for_thread));
            if spawned.is_err() {
                close(other.clone());
            }
        }
        close(first.clone());
    });
}

/// The id of the first process of a container, or of a machine.
const FIRST_OF_CONTAINER: u32 = 1;
