//! The sizes of the spans on the wire.

use std::{
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use tracehound_interop::{Error, Load, LoadProgram, SpanSize, is_required, skipped};

use crate::{Result, produce, scene::alone};

#[test]
fn spans_of_a_load_have_their_stated_size() -> Result {
    have_their_stated_size(|load| Ok(produce::run(load)?.sent))
}

#[test]
fn spans_of_the_go_program_are_as_large_as_ours() -> Result {
    let program = match LoadProgram::go() {
        Err(error @ Error::NoGo) if !is_required() => {
            skipped(error.to_string());
            return Ok(());
        }
        program => program?,
    };
    have_their_stated_size(|load| Ok(program.run(load)?.sent))
}

fn have_their_stated_size(send: impl Fn(&Load) -> Result<u64>) -> Result {
    let _alone = alone();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    for size in SpanSize::ALL {
        let load = Load::new("load", socket.local_addr()?, size).burst(SPANS);
        assert_eq!(send(&load)?, SPANS);
        // All spans fit into the buffer together.
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

/// Fewer spans than the Go client's queue holds.
const SPANS: u64 = 50;
