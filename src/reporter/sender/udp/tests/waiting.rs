//! Datagrams that wait: for the system, for the agent, for the pace.

use super::super::connection::LONGEST_NO_ROOM;
use super::super::failure::NO_BUFFERS;
use super::super::socket_table::{AgentSocket, SocketTable};
use super::*;

#[test]
fn while_the_system_has_no_room_a_datagram_waits_longer_and_longer() {
    let system = System::default();
    let mut sender = system.sender(LOCAL);
    system.prepare(|prepared| {
        for _ in 0..4 {
            prepared.sends.push_back(ErrorKind::WouldBlock.into());
            let no_buffers = io::Error::from_raw_os_error(NO_BUFFERS);
            prepared.sends.push_back(no_buffers);
        }
    });
    for millis in [1, 2, 4, 8, 16, 32, 64, 64] {
        let before = instant_now();
        let (this, earlier) = send(&mut sender, 3);
        let SendResult::Later(at) = this else {
            unreachable!("{this:?}");
        };
        let wait = Duration::from_millis(millis);
        assert!(at >= before + wait && at <= instant_now() + wait);
        assert_eq!(earlier, None);
    }
    let line = sender.explain_wait().expect("it waits");
    assert!(line.starts_with("the system has no room"), "{line}");
    assert_eq!(send(&mut sender, 3), (SENT, None));
    assert_eq!(sender.explain_wait(), None);
}

#[test]
fn a_datagram_is_lost_after_seconds_without_room() {
    let system = System::default();
    let mut sender = system.sender(LOCAL);
    let no_room = || {
        let no_room = ErrorKind::WouldBlock.into();
        system.prepare(|prepared| prepared.sends.push_back(no_room));
    };
    no_room();
    assert!(matches!(send(&mut sender, 3).0, SendResult::Later(_)));
    let connection = sender.connection.as_mut().expect("open");
    connection.no_room.since = connection
        .no_room
        .since
        .map(|since| since - LONGEST_NO_ROOM);
    for _ in 0..2 {
        no_room();
        assert_eq!(send(&mut sender, 3), (lost(DropCause::NetBuffer), None));
    }
    let line = sender.explain(DropCause::NetBuffer);
    assert!(line.starts_with("the system has no room"), "{line}");
    assert_eq!(send(&mut sender, 3), (SENT, None));
    no_room();
    assert!(matches!(send(&mut sender, 3).0, SendResult::Later(_)));
}

#[test]
fn datagrams_to_an_agent_that_cannot_be_watched_keep_the_pace() {
    for agent in [LOCAL, REMOTE] {
        let mut sender = System::default().sender(agent);
        let bytes = vec![0; 15_000];
        let (mut sent, start) = (0, instant_now());
        while sent < 30 {
            let outcome = sender.send(&Batch::new(&bytes, 1), later());
            match outcome.this {
                SendResult::Sent => sent += 1,
                SendResult::Later(at) => {
                    assert!(sent >= 3, "a burst goes at once");
                    // 16,640 bytes of the receiver's memory, at 20,000,000 a second.
                    let left = at.saturating_duration_since(instant_now());
                    assert!(left <= Duration::from_micros(833), "{left:?}");
                    while instant_now() < at {
                        thread::yield_now();
                    }
                }
                other => unreachable!("{other:?}"),
            }
        }
        let least = (30 * 16_640 - BLIND_BURST) * 1_000_000 / BYTES_PER_SECOND;
        assert!(start.elapsed() >= Duration::from_micros(least));
        let line = sender.explain_wait();
        assert!(line.is_none_or(|line| line.starts_with("spans come faster than")));
    }
}

#[test]
fn a_full_receive_buffer_makes_datagrams_wait_and_dropped_ones_are_earlier_losses() {
    thread_local! {
        static SOCKET: std::cell::Cell<AgentSocket> = const { std::cell::Cell::new(AgentSocket {
            id: 1,
            unread: 0,
            room: 212_992,
            dropped: 5,
        }) };
    }
    struct Local;
    impl SocketTable for Local {
        fn look(&mut self, _: SocketAddr, _: SocketAddr) -> io::Result<Option<AgentSocket>> {
            Ok(Some(SOCKET.get()))
        }
    }
    let change = |change: fn(&mut AgentSocket)| {
        let mut socket = SOCKET.get();
        change(&mut socket);
        SOCKET.set(socket);
    };
    let mut sender = System::default().sender(LOCAL);
    sender.connector.table = || Box::new(Local);
    assert_eq!(send(&mut sender, 3), (SENT, None));
    change(|socket| socket.dropped += 1);
    let lost = Some((DropCause::AgentKernelDrops, 3));
    assert_eq!(earlier(&sender.poll()), lost);
    assert_eq!(earlier(&sender.poll()), None);
    assert!(
        sender
            .explain(DropCause::AgentKernelDrops)
            .starts_with("the kernel dropped datagrams at the socket of 127.0.0.1:6831"),
    );
    assert_eq!(send(&mut sender, 4), (SENT, None));
    change(|socket| (socket.dropped, socket.unread) = (7, 200_000));
    // The sender looks again only when its last look is old enough.
    let outcome = loop {
        let outcome = send(&mut sender, 5);
        if matches!(outcome.0, SendResult::Later(_)) && outcome.1.is_some() {
            break outcome;
        }
        thread::yield_now();
    };
    assert!(matches!(outcome.1, Some((DropCause::AgentKernelDrops, spans)) if spans >= 4));
    let line = sender.explain_wait().expect("it waits");
    assert!(line.contains("200000 of the 212992 bytes"), "{line}");
    assert!(line.contains("net.core.rmem"), "{line}");
}

#[test]
fn drops_at_an_address_that_was_left_are_told_with_the_next_datagram() {
    struct OneMoreEachTime(u32);
    impl SocketTable for OneMoreEachTime {
        fn look(&mut self, _: SocketAddr, _: SocketAddr) -> io::Result<Option<AgentSocket>> {
            self.0 += 1;
            Ok(Some(AgentSocket {
                id: 1,
                unread: 0,
                room: 212_992,
                dropped: self.0,
            }))
        }
    }
    let mut sender = System::default().sender("localhost");
    sender.connector.table = || Box::new(OneMoreEachTime(0));
    sender.connector.addresses.resolver =
        resolver(|_, _| Ok(addresses(&["127.0.0.1:7", "127.0.0.2:7"])));
    assert_eq!(send(&mut sender, 3), (SENT, None));
    assert!(sender.turn_to_next_address());
    let dropped = Some((DropCause::AgentKernelDrops, 3));
    assert_eq!(send(&mut sender, 4), (SENT, dropped));
}
