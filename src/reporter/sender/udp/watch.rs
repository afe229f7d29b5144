//! Flow control for an agent on this host: how much fits into its receive buffer, and what was dropped there.
//!
//! UDP has none, but the kernel tells how much lies unread in a socket of this host, how much may, and how many
//! datagrams it has dropped there. So a datagram goes when there is room for it, and a dropped one is not counted as
//! sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::clock::{after, instant_now};
use crate::reporter::sender::udp::socket_table::{AgentSocket, SocketTable};

/// The state of one agent's socket as of the last look, and the datagrams that went to it since then.
pub(super) struct Watch {
    table: Box<dyn SocketTable>,
    ours: SocketAddr,
    agent: SocketAddr,
    /// As of the last look. `None` if there is no such socket or the system does not tell.
    seen: Option<AgentSocket>,
    looked_at: Option<Instant>,
    /// The earliest time of the next look.
    next_look: Option<Instant>,
    /// How long the last look took.
    took: Duration,
    /// How many bytes may still go before the next look.
    credit: u64,
    /// How long the last wait for room was.
    wait: Duration,
    /// How many spans were in each datagram that went since the last look.
    spans: VecDeque<u64>,
}

/// The answer whether an agent's buffer has room for a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Nothing is known of the agent's socket.
    Unknown,
    Enough,
    NotBefore(Instant),
}

impl Watch {
    pub(super) fn new(table: Box<dyn SocketTable>, ours: SocketAddr, agent: SocketAddr) -> Self {
        Self {
            table,
            ours,
            agent,
            seen: None,
            looked_at: None,
            next_look: None,
            took: Duration::ZERO,
            credit: 0,
            wait: Duration::ZERO,
            spans: VecDeque::new(),
        }
    }

    /// Returns whether the receive buffer has room for `bytes` more, and sets them aside if it has.
    ///
    /// Adds to `lost` the spans that a look finds to be dropped.
    pub(super) fn room_for(&mut self, bytes: u64, now: Instant, lost: &mut u64) -> Room {
        let age = self.looked_at.map(|at| now.saturating_duration_since(at));
        let is_fresh = age.is_some_and(|age| age < FRESH);
        if !is_fresh || (self.seen.is_some() && self.credit < bytes) {
            match self.next_look {
                Some(at) if now < at && self.seen.is_some() => return Room::NotBefore(at),
                Some(at) if now < at => return Room::Unknown,
                _ => *lost += self.look(now),
            }
        }
        let Some(seen) = self.seen else {
            return Room::Unknown;
        };
        // A fresh look allows one datagram more, up to half of the buffer, and one of any size into an empty buffer.
        let fits = seen.unread == 0 || seen.unread + bytes <= seen.room / 2;
        if self.credit < bytes && !(fits && self.spans.is_empty()) {
            self.wait = (self.wait * 2).clamp(SHORTEST_WAIT, LONGEST_WAIT);
            return Room::NotBefore(after(now, self.wait));
        }
        self.credit = self.credit.saturating_sub(bytes);
        self.wait = Duration::ZERO;
        Room::Enough
    }

    /// Notes that a datagram with this number of spans has gone.
    pub(super) fn sent(&mut self, spans: u64) {
        if self.seen.is_some() {
            self.spans.push_back(spans);
        }
    }

    /// Forgets the last datagram, because the system has told of its loss.
    pub(super) fn take_back(&mut self) {
        self.spans.pop_back();
    }

    /// Looks if a datagram has gone since the last look. Returns the spans that were dropped.
    pub(super) fn settle(&mut self, now: Instant) -> u64 {
        if self.spans.is_empty() {
            return 0;
        }
        self.look(now)
    }

    /// Returns the socket as of the last look.
    pub(super) fn seen(&self) -> Option<AgentSocket> {
        self.seen
    }

    /// Looks at the socket. Returns the spans of the datagrams that were dropped since the last look.
    ///
    /// The kernel counts the datagrams of all senders. Each sender takes as many of them on itself as it has sent since
    /// its last look, the latest first, because a buffer is full at the end of a burst. So senders that share a full
    /// buffer may together count more losses than there were, and none counts a lost datagram as sent.
    fn look(&mut self, now: Instant) -> u64 {
        let before = instant_now();
        let found = self.table.look(self.ours, self.agent);
        let took = instant_now().saturating_duration_since(before);
        self.looked_at = Some(now);
        // About a fiftieth of the time goes to looks, so slow ones are few. The faster of the last two counts, because
        // another thread may have held one up.
        let usual = took.min(std::mem::replace(&mut self.took, took));
        let pause = if found.is_ok() {
            usual.saturating_mul(50)
        } else {
            BETWEEN_ERRORS
        };
        self.next_look = Some(after(now, pause));
        let found = found.ok().flatten();
        let dropped = match (self.seen, found) {
            (Some(seen), Some(found)) if seen.id == found.id => {
                found.dropped.wrapping_sub(seen.dropped)
            }
            // The agent has restarted, and its socket counts from zero.
            (Some(_), Some(found)) => found.dropped,
            _ => 0,
        };
        let lost = self.spans.iter().rev().take(dropped as usize).sum();
        self.spans.clear();
        self.credit = found.map_or(0, |it| (it.room / 2).saturating_sub(it.unread) / 2);
        self.credit = self.credit.min(MAX_CREDIT);
        self.seen = found;
        lost
    }
}

/// Returns how much memory of the receive buffer Linux charges for a datagram on the loopback interface.
pub(super) fn memory_of(bytes: usize) -> u64 {
    let with_overhead = bytes + 384;
    let memory = if with_overhead <= 16 * 1024 {
        with_overhead.next_power_of_two() + 256
    } else {
        bytes + 832
    };
    memory as u64
}

/// How long a look is good for, because other senders fill the buffer too.
const FRESH: Duration = Duration::from_millis(10);
/// The number of bytes that may go after one look. Several senders may look at once and see the same room.
const MAX_CREDIT: u64 = 4 * 1024 * 1024;
/// Bounds of the wait for room.
const SHORTEST_WAIT: Duration = Duration::from_micros(500);
const LONGEST_WAIT: Duration = Duration::from_millis(8);
/// When to ask a system again that did not tell: a process that had no file descriptor left may have one later.
const BETWEEN_ERRORS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A socket that the test fills and empties.
    #[derive(Clone)]
    struct Fake(Arc<Mutex<io::Result<Option<AgentSocket>>>>);

    impl SocketTable for Fake {
        fn look(&mut self, _: SocketAddr, _: SocketAddr) -> io::Result<Option<AgentSocket>> {
            match &*self.0.lock().expect("not poisoned") {
                Ok(socket) => Ok(*socket),
                Err(error) => Err(error.kind().into()),
            }
        }
    }

    impl Fake {
        fn change(&self, change: impl FnOnce(&mut AgentSocket)) {
            if let Ok(Some(socket)) = &mut *self.0.lock().expect("not poisoned") {
                change(socket);
            }
        }

        fn set(&self, found: io::Result<Option<AgentSocket>>) {
            *self.0.lock().expect("not poisoned") = found;
        }
    }

    fn socket(id: u64) -> AgentSocket {
        AgentSocket {
            id,
            unread: 0,
            room: 200_000,
            dropped: 7,
        }
    }

    fn watch() -> (Watch, Fake, Instant) {
        let fake = Fake(Arc::new(Mutex::new(Ok(Some(socket(1))))));
        let address: SocketAddr = "127.0.0.1:6831".parse().expect("one");
        let watch = Watch::new(Box::new(fake.clone()), address, address);
        (watch, fake, instant_now())
    }

    /// Sends while there is room. Returns how many datagrams went.
    fn fill(watch: &mut Watch, fake: &Fake, now: &mut Instant, bytes: u64) -> u64 {
        let (mut sent, mut lost) = (0, 0);
        loop {
            *now += Duration::from_millis(1);
            match watch.room_for(bytes, *now, &mut lost) {
                Room::Enough => {
                    watch.sent(1);
                    fake.change(|socket| socket.unread += bytes);
                    sent += 1;
                }
                Room::NotBefore(at) => {
                    assert!(at > *now && at <= *now + LONGEST_WAIT);
                    assert_eq!(lost, 0);
                    return sent;
                }
                Room::Unknown => unreachable!("it is known"),
            }
        }
    }

    #[test]
    fn an_agent_that_stands_still_gets_half_of_its_buffer_and_then_as_much_as_it_reads() {
        let (mut watch, fake, mut now) = watch();
        let sent = fill(&mut watch, &fake, &mut now, 10_000);
        assert!((6..=10).contains(&sent), "{sent}");
        assert_eq!(fill(&mut watch, &fake, &mut now, 10_000), 0);
        fake.change(|socket| socket.unread -= 40_000);
        assert!((1..=4).contains(&fill(&mut watch, &fake, &mut now, 10_000)));
        fake.change(|socket| socket.unread = 0);
        now += FRESH;
        assert_eq!(fill(&mut watch, &fake, &mut now, 10_000), sent);
    }

    #[test]
    fn a_buffer_smaller_than_a_datagram_gets_one_at_a_time() {
        let (mut watch, fake, mut now) = watch();
        fake.change(|socket| socket.room = 2_304);
        assert_eq!(fill(&mut watch, &fake, &mut now, 16_640), 1);
        assert_eq!(fill(&mut watch, &fake, &mut now, 16_640), 0);
        fake.change(|socket| socket.unread = 0);
        now += LONGEST_WAIT;
        assert_eq!(fill(&mut watch, &fake, &mut now, 16_640), 1);
    }

    #[test]
    fn a_sender_counts_no_more_dropped_datagrams_than_it_has_sent() {
        let (mut watch, fake, now) = watch();
        let mut lost = 0;
        let send = |watch: &mut Watch, spans: u64| {
            let mut lost = 0;
            assert_eq!(watch.room_for(1, now, &mut lost), Room::Enough);
            watch.sent(spans);
            lost
        };
        for spans in [1, 2, 3, 4] {
            lost += send(&mut watch, spans);
        }
        assert_eq!(lost, 0, "drops from before are not ours");
        fake.change(|socket| socket.dropped += 2);
        assert_eq!(watch.settle(now), 3 + 4);
        assert_eq!(watch.settle(now), 0);
        fake.change(|socket| socket.dropped += 1_000);
        assert_eq!(watch.settle(now), 0, "no datagram has gone since");
        send(&mut watch, 5);
        fake.change(|socket| socket.dropped = socket.dropped.wrapping_add(u32::MAX));
        assert_eq!(watch.settle(now), 5, "no more than have gone");
        send(&mut watch, 6);
        send(&mut watch, 7);
        watch.take_back();
        fake.change(|socket| socket.dropped = socket.dropped.wrapping_add(3));
        assert_eq!(watch.settle(now), 6, "the last one was accounted for");
    }

    #[test]
    fn a_new_socket_at_the_address_starts_its_count_from_zero() {
        let (mut watch, fake, now) = watch();
        let mut lost = 0;
        assert_eq!(watch.room_for(1, now, &mut lost), Room::Enough);
        watch.sent(5);
        fake.set(Ok(Some(AgentSocket {
            dropped: 0,
            ..socket(2)
        })));
        assert_eq!(watch.settle(now), 0);
        assert_eq!(watch.room_for(1, now, &mut lost), Room::Enough);
        watch.sent(6);
        fake.set(Ok(Some(AgentSocket {
            dropped: 1,
            ..socket(3)
        })));
        assert_eq!(watch.settle(now), 6);
        assert_eq!(lost, 0);
    }

    #[test]
    fn an_agent_is_found_when_it_comes_and_a_system_that_does_not_tell_is_asked_seldom() {
        let (mut watch, fake, mut now) = watch();
        let mut lost = 0;
        fake.set(Ok(None));
        assert_eq!(watch.room_for(1, now, &mut lost), Room::Unknown);
        watch.sent(5);
        fake.set(Ok(Some(socket(1))));
        assert_eq!(
            watch.room_for(1, now, &mut lost),
            Room::Unknown,
            "just looked"
        );
        now += FRESH;
        assert_eq!(watch.room_for(1, now, &mut lost), Room::Enough);
        fake.set(Err(io::ErrorKind::PermissionDenied.into()));
        now += FRESH;
        assert_eq!(watch.room_for(1, now, &mut lost), Room::Unknown);
        fake.set(Ok(Some(socket(1))));
        now += BETWEEN_ERRORS - FRESH;
        assert_eq!(watch.room_for(1, now, &mut lost), Room::Unknown);
        now += FRESH;
        assert_eq!(watch.room_for(1, now, &mut lost), Room::Enough);
        assert_eq!(lost, 0);
    }
}
