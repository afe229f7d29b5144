//! How large the spans are on the wire.

use std::{
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use tracehound_interop::{Error, Load, LoadProgram, SpanSize, is_required, skipped};

use crate::{Result, produce, scene::alone};

#[test]
fn the_spans_of_a_load_are_as_large_as_they_are_said_to_be() -> Result {
    are_as_large_as_said(|load| Ok(produce::run(load)?.sent))
}

#[test]
fn the_spans_of_the_go_program_are_as_large_as_ours() -> Result {
    let program = match LoadProgram::go() {
        Err(error @ Error::NoGo) if !is_required() => {
            skipped(error.to_string());
            return Ok(());
        }
        program => program?,
    };
    are_as_large_as_said(|load| Ok(program.run(load)?.sent))
}

fn are_as_large_as_said(send: impl Fn(&Load) -> Result<u64>) -> Result {
    let _alone = alone();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    for size in SpanSize::ALL {
        let load = Load::new("load", socket.local_addr()?, size).burst(SPANS);
        assert_eq!(send(&load)?, SPANS);
        // All of it waits in the buffer, as few as they are.
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let mut datagram = vec![0; 1 << 16];
        let mut bytes = 0;
        while let Ok(len) = socket.recv(&mut datagram) {
            bytes += len as u64;
        }
        let each = bytes / SPANS;
        let wanted = size.bytes();
        assert!(
            each.abs_diff(wanted) <= wanted / 10,
            "{size:?}: {each} bytes each"
        );
    }
    Ok(())
}

/// Fewer than the Go client's queue holds.
const SPANS: u64 = 50;
