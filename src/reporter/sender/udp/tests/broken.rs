//! Sockets that cannot send any more.

use super::*;
use crate::reporter::sender::udp::failure::BAD_FILE;

/// When an address of this host goes away, the sockets that had it stay without a way, and new ones have one.
#[test]
fn a_socket_that_worked_is_replaced_and_the_datagram_arrives() {
    let system = System::default();
    let mut sender = system.sender(REMOTE);
    assert_eq!(send(&mut sender, 3), (SENT, None));
    let unreachable = || ErrorKind::NetworkUnreachable.into();
    system.prepare(|prepared| prepared.sends.extend([unreachable(), unreachable()]));
    assert_eq!(send(&mut sender, 4), (SENT, None));
    assert_eq!(system.opened().len(), 2);
    assert_eq!(send(&mut sender, 5), (SENT, None));
    assert_eq!((system.opened().len(), system.sent().len()), (2, 3));
}

#[test]
fn a_socket_that_never_worked_is_replaced_for_the_next_datagram() {
    let system = System::default();
    let mut sender = system.sender(REMOTE);
    system.prepare(|prepared| {
        let denied = ErrorKind::PermissionDenied.into();
        prepared.sends.push_back(denied);
    });
    assert_eq!(send(&mut sender, 3), (lost(DropCause::SendFailed), None));
    assert_eq!(system.opened().len(), 1);
    assert_eq!(send(&mut sender, 4), (SENT, None));
    assert_eq!(system.opened().len(), 2);
}

#[test]
fn sockets_that_keep_failing_are_replaced_once_a_second() {
    let system = System::default();
    let mut sender = system.sender(REMOTE);
    let denied = || io::Error::from(ErrorKind::PermissionDenied);
    system.prepare(|prepared| prepared.sends.extend((0..51).map(|_| denied())));
    for _ in 0..50 {
        assert_eq!(send(&mut sender, 3), (lost(DropCause::SendFailed), None));
    }
    // The clock may have moved on by a second or more on a busy machine.
    let opened = system.opened().len();
    assert!((2..20).contains(&opened), "{opened} sockets");
    sender.connector.replace_from = Some(instant_now());
    assert_eq!(send(&mut sender, 3), (lost(DropCause::SendFailed), None));
    assert_eq!(send(&mut sender, 4), (SENT, None));
    assert_eq!(system.opened().len(), opened + 1);
}

#[test]
fn a_replacement_that_cannot_be_opened_loses_the_datagram() {
    let system = System::default();
    let mut sender = system.sender(REMOTE);
    assert_eq!(send(&mut sender, 3), (SENT, None));
    let unreachable = || ErrorKind::NetworkUnreachable.into();
    system.prepare(|prepared| {
        prepared.sends.extend([unreachable(), unreachable()]);
        prepared.opens.push_back(unreachable());
    });
    assert_eq!(send(&mut sender, 4), (lost(DropCause::SendFailed), None));
    let line = sender.explain(DropCause::SendFailed);
    let expected = "no socket to 192.0.2.1:6831 can be opened (";
    assert!(line.starts_with(expected), "{line}");
    sender.connector.not_before = Some(instant_now());
    assert_eq!(send(&mut sender, 5), (SENT, None));
}

/// Its number may be that of another file, which closing it would close.
#[cfg(unix)]
#[test]
fn a_socket_that_the_program_has_closed_is_left_alone() {
    let system = System::default();
    let mut sender = system.sender(LOCAL);
    assert_eq!(send(&mut sender, 3), (SENT, None));
    let closed = || io::Error::from_raw_os_error(BAD_FILE);
    system.prepare(|prepared| prepared.sends.extend([closed(), closed()]));
    assert_eq!(send(&mut sender, 4), (SENT, None));
    drop(sender);
    let (this, forgotten) = (1, 1);
    assert_eq!(Arc::strong_count(&system.0), this + forgotten);
}
