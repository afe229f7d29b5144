//! A system that lets no thread start.

use std::io;
use std::sync::mpsc;
use std::thread;

use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::DropCause;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;

use crate::support::{LONG, builder, until};

/// Makes the system refuse every new thread that this thread asks for, as at a limit of threads, until the process
/// ends. Other threads may start new ones.
fn refuse_threads() {
    let step = |code: u32, k: u32, (jt, jf): (u8, u8)| libc::sock_filter {
        code: u16::try_from(code).expect("a code"),
        jt,
        jf,
        k,
    };
    let number = |call: libc::c_long| u32::try_from(call).expect("a number of a call");
    let (load, equals, answer) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    );
    let refused = libc::SECCOMP_RET_ERRNO | libc::EAGAIN.unsigned_abs();
    // Loads the number of the system call, which comes first, and refuses the two that start a thread.
    let mut filter = [
        step(load, 0, (0, 0)),
        step(equals, number(libc::SYS_clone3), (1, 0)),
        step(equals, number(libc::SYS_clone), (0, 1)),
        step(answer, refused, (0, 0)),
        step(answer, libc::SECCOMP_RET_ALLOW, (0, 0)),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).expect("few"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the calls take numbers and a pointer to a program that lives until they return.
    #[expect(unsafe_code, reason = "there is no safe filter of system calls")]
    let results = unsafe {
        [
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ),
        ]
    };
    assert_eq!(results, [0, 0], "{}", io::Error::last_os_error());
    let refused = thread::Builder::new().spawn(|| {});
    assert_eq!(
        refused.map(drop).map_err(|error| error.kind()),
        Err(io::ErrorKind::WouldBlock)
    );
}

pub(super) fn a_tracer_that_gets_no_thread_is_built_and_gets_one_later() {
    let (hand_over, taken) = mpsc::channel::<tracehound::JaegerTracer>();
    thread::scope(|scope| {
        let unlimited = scope.spawn(move || {
            let tracer = taken.recv().expect("a tracer");
            // The second span and all others find a vacant slot, and nothing to do on the slow path but to ask for a
            // worker. They are not kept, so that they do not fill the queue, which would ask, too.
            until("a worker", || {
                let span = tracer.build_span("later").tag("sampling.priority", 0);
                span.start().finish();
                tracer.report().sent > 0
            });
        });
        refuse_threads();
        let (say, lines) = mpsc::channel();
        let spans = InMemoryReporter::new();
        let tracer = builder(spans.clone())
            .diagnostics(Diagnostics::with_handler(move |line| {
                let _ = say.send(line.to_owned());
            }))
            .build()
            .expect("a tracer without a worker");
        for _ in 0..3 {
            tracer.start_span("first").finish();
        }
        let report = tracer.flush(LONG);
        assert_eq!((report.finished, report.queued), (3, 3), "{report}");
        hand_over.send(tracer.clone()).expect("it waits");
        unlimited.join().expect("no panic");
        let report = tracer.close(LONG);
        assert!(report.is_complete() && report.finished == 3, "{report}");
        let lines: Vec<_> = lines.try_iter().collect();
        assert!(
            lines[0].starts_with("no thread could be started"),
            "{lines:?}"
        );
        assert!(lines[1].starts_with("there is a thread again"), "{lines:?}");
    });
}

pub(super) fn spans_of_a_tracer_that_never_gets_a_thread_are_counted() {
    refuse_threads();
    let tracer = builder(InMemoryReporter::new()).build().expect("named");
    for _ in 0..3 {
        tracer.start_span("s").finish();
    }
    let report = tracer.close(LONG);
    assert_eq!(report.dropped.get(DropCause::NoWorker), 3, "{report}");
    assert_eq!((report.finished, report.queued), (3, 0), "{report}");
    tracer.start_span("late").finish();
    let report = tracer.report();
    assert_eq!(report.dropped.get(DropCause::AfterShutdown), 1, "{report}");
}
