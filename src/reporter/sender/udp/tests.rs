mod broken;
mod waiting;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use super::connector::SHORTEST_PAUSE;
use super::failure::MESSAGE_SIZE;
use super::resolver::Resolver;
use super::socket::DatagramSocket;
use super::*;
use crate::clock::deadline_after;
use crate::reporter::sender::WITHOUT_BACKEND;

/// A fake system, which gives the prepared answers and then succeeds.
#[derive(Clone, Default)]
struct System(Arc<Mutex<Prepared>>);

#[derive(Default)]
struct Prepared {
    opens: VecDeque<io::Error>,
    sends: VecDeque<io::Error>,
    /// The answers of `take_error`, one to each call. `None` is no error.
    errors: VecDeque<Option<io::Error>>,
    opened: Vec<String>,
    sent: Vec<usize>,
    path_mtu: Option<usize>,
}

impl System {
    fn prepare(&self, prepare: impl FnOnce(&mut Prepared)) {
        prepare(&mut self.0.lock().expect("not poisoned"));
    }

    fn sent(&self) -> Vec<usize> {
        self.0.lock().expect("not poisoned").sent.clone()
    }

    fn opened(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").opened.clone()
    }

    fn sender(&self, agent: &str) -> UdpSender {
        let system = self.clone();
        let mut sender = UdpSender::new(agent.parse::<AgentAddress>().expect(agent));
        sender.connector.table = || Box::new(socket_table::Unknown);
        sender.connector.open = Box::new(move |address| {
            let mut prepared = system.0.lock().expect("not poisoned");
            prepared.opened.push(address.to_string());
            match prepared.opens.pop_front() {
                Some(error) => Err(error),
                None => Ok(Box::new(system.clone())),
            }
        });
        sender
    }
}

impl DatagramSocket for System {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut prepared = self.0.lock().expect("not poisoned");
        if let Some(error) = prepared.sends.pop_front() {
            return Err(error);
        }
        prepared.sent.push(bytes.len());
        Ok(bytes.len())
    }

    fn take_error(&self) -> Option<io::Error> {
        let mut prepared = self.0.lock().expect("not poisoned");
        prepared.errors.pop_front().flatten()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 49_152)))
    }

    fn path_mtu(&self) -> Option<usize> {
        self.0.lock().expect("not poisoned").path_mtu
    }
}

const REMOTE: &str = "192.0.2.1:6831";
const LOCAL: &str = "127.0.0.1:6831";

fn refused() -> io::Error {
    ErrorKind::ConnectionRefused.into()
}

fn later() -> Instant {
    deadline_after(Duration::from_secs(3_600))
}

fn send(sender: &mut UdpSender, spans: u64) -> (SendResult, Option<(DropCause, u64)>) {
    let outcome = sender.send(&Batch::new(&[0; 100], spans), later());
    (outcome.this, earlier(&outcome))
}

/// Returns the one cause of earlier losses.
fn earlier(outcome: &SendOutcome) -> Option<(DropCause, u64)> {
    let mut causes = outcome.earlier.iter();
    let cause = causes.next();
    assert_eq!(causes.next(), None);
    cause
}

const SENT: SendResult = SendResult::Sent;

fn lost(cause: DropCause) -> SendResult {
    SendResult::Lost(cause)
}

#[test]
fn on_this_host_a_refusal_concerns_the_datagram_itself() {
    let system = System::default();
    let mut sender = system.sender(LOCAL);
    for spans in [3, 4] {
        system.prepare(|prepared| prepared.errors.push_back(Some(refused())));
        assert_eq!(send(&mut sender, spans), (lost(DropCause::Refused), None));
    }
    assert_eq!(send(&mut sender, 5), (SENT, None));
    assert_eq!(
        system.opened(),
        [LOCAL],
        "the socket stays, because an agent may come back"
    );
}

#[test]
fn on_this_host_the_next_datagram_tells_of_a_refusal_after_one_that_arrived() {
    let system = System::default();
    let mut sender = system.sender(LOCAL);
    system.prepare(|prepared| prepared.errors.push_back(None));
    assert_eq!(send(&mut sender, 3), (SENT, None));
    let answers = [Some(refused()), None];
    system.prepare(|prepared| prepared.errors.extend(answers));
    assert_eq!(send(&mut sender, 4), (SENT, None), "not asked");
    // The agent goes away. The system tells so in place of sending the next datagram, and of that one when asked.
    system.prepare(|prepared| prepared.sends.push_back(refused()));
    let both = (lost(DropCause::Refused), Some((DropCause::Refused, 4)));
    assert_eq!(send(&mut sender, 5), both);
    assert_eq!(send(&mut sender, 6), (SENT, None), "asked, and all is well");
    system.prepare(|prepared| prepared.errors.push_back(Some(refused())));
    assert_eq!(earlier(&sender.poll()), Some((DropCause::Refused, 6)));
}

#[test]
fn from_another_host_a_refusal_concerns_the_datagram_before() {
    let system = System::default();
    let mut sender = system.sender(REMOTE);
    for spans in [3, 4] {
        assert_eq!(send(&mut sender, spans), (SENT, None));
    }
    system.prepare(|prepared| prepared.sends.push_back(refused()));
    assert_eq!(send(&mut sender, 5), (SENT, Some((DropCause::Refused, 4))));
    system.prepare(|prepared| prepared.errors.push_back(Some(refused())));
    assert_eq!(earlier(&sender.poll()), Some((DropCause::Refused, 5)));
    assert_eq!(earlier(&sender.poll()), None);
}

#[test]
fn after_a_refusal_from_another_host_the_next_address_is_used() {
    let system = System::default();
    let mut sender = system.sender("agent.example");
    sender.connector.addresses.resolver =
        resolver(|_, _| Ok(addresses(&["192.0.2.1:7", "192.0.2.2:7"])));
    assert_eq!(send(&mut sender, 3), (SENT, None));
    system.prepare(|prepared| prepared.sends.push_back(refused()));
    assert_eq!(send(&mut sender, 4), (SENT, Some((DropCause::Refused, 3))));
    assert_eq!(system.opened(), ["192.0.2.1:7", "192.0.2.2:7"]);
    assert_eq!(system.sent().len(), 2);
}

#[test]
fn a_datagram_that_an_older_refusal_held_up_is_sent_again() {
    let system = System::default();
    let mut sender = system.sender(REMOTE);
    system.prepare(|prepared| prepared.sends.push_back(refused()));
    assert_eq!(send(&mut sender, 4), (SENT, None));
    assert_eq!(system.sent().len(), 1);
}

#[test]
fn two_refusals_in_a_row_concern_both_datagrams() {
    let system = System::default();
    let mut sender = system.sender(REMOTE);
    assert_eq!(send(&mut sender, 3), (SENT, None));
    system.prepare(|prepared| prepared.sends.extend([refused(), refused()]));
    let both = (lost(DropCause::Refused), Some((DropCause::Refused, 3)));
    assert_eq!(send(&mut sender, 4), both);
    assert_eq!(system.sent().len(), 1);
}

#[test]
fn an_interrupted_call_is_repeated() {
    let system = System::default();
    let mut sender = system.sender(LOCAL);
    system.prepare(|prepared| {
        let interrupted = || io::Error::from(ErrorKind::Interrupted);
        prepared.sends.extend([interrupted(), interrupted()]);
    });
    assert_eq!(send(&mut sender, 3), (SENT, None));
}

#[test]
fn the_sender_learns_the_size_that_the_system_allows() {
    let too_large = || io::Error::from_raw_os_error(MESSAGE_SIZE);
    let system = System::default();
    let mut sender = system.sender(LOCAL);
    assert_eq!(sender.max_single_bytes(), 65_000);
    for (bytes, learnt) in [
        (40_000, 20_000),
        (16_000, 8_000),
        (3_000, 1_500),
        (1_500, 1_024),
    ] {
        system.prepare(|prepared| prepared.sends.push_back(too_large()));
        let outcome = sender.send(&Batch::new(&vec![0; bytes], 3), later());
        assert_eq!(outcome.this, SendResult::TooLarge);
        assert_eq!(sender.max_single_bytes(), learnt);
        assert_eq!(sender.max_bytes(), learnt.min(16_000));
    }
    assert!(system.sent().is_empty());
}

#[test]
fn an_error_about_an_earlier_datagram_teaches_no_size() {
    let system = System::default();
    let mut sender = system.sender(REMOTE);
    assert_eq!(send(&mut sender, 3), (SENT, None));
    system.prepare(|prepared| {
        let too_large = io::Error::from_raw_os_error(MESSAGE_SIZE);
        prepared.sends.push_back(too_large);
    });
    let outcome = (SENT, Some((DropCause::SendFailed, 3)));
    assert_eq!(send(&mut sender, 4), outcome);
    assert_eq!(sender.max_single_bytes(), 65_000);
}

#[test]
fn other_errors_lose_the_datagram_itself() {
    for kind in [ErrorKind::PermissionDenied, ErrorKind::NetworkUnreachable] {
        let system = System::default();
        let mut sender = system.sender(REMOTE);
        assert_eq!(send(&mut sender, 3), (SENT, None));
        let errors = [kind.into(), kind.into(), kind.into()];
        system.prepare(|prepared| prepared.sends.extend(errors));
        assert_eq!(send(&mut sender, 4), (lost(DropCause::SendFailed), None));
        let line = sender.explain(DropCause::SendFailed);
        assert!(
            line.starts_with("datagrams to 192.0.2.1:6831 cannot be sent ("),
            "{line}"
        );
        assert_eq!(send(&mut sender, 5), (SENT, None));
    }
}

#[test]
fn a_socket_that_cannot_be_opened_is_tried_again_later() {
    let no_files = || io::Error::from_raw_os_error(24);
    let system = System::default();
    let mut sender = system.sender(LOCAL);
    system.prepare(|prepared| prepared.opens.extend([no_files(), no_files()]));
    for _ in 0..100 {
        assert_eq!(send(&mut sender, 3), (lost(DropCause::SendFailed), None));
    }
    assert_eq!(system.opened().len(), 1);
    let line = sender.explain(DropCause::SendFailed);
    let expected = "no socket to 127.0.0.1:6831 can be opened (";
    assert!(line.starts_with(expected), "{line}");

    sender.connector.not_before = Some(instant_now());
    assert_eq!(send(&mut sender, 3), (lost(DropCause::SendFailed), None));
    assert_eq!(sender.connector.pause, SHORTEST_PAUSE * 2);
    sender.connector.not_before = Some(instant_now());
    assert_eq!(send(&mut sender, 3), (SENT, None));
    assert_eq!(system.opened().len(), 3);
}

/// Returns a resolver whose answer is waited for as long as a busy machine takes.
fn resolver(
    lookup: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
) -> Resolver {
    let mut resolver = Resolver::with(lookup);
    resolver.patience = Duration::from_secs(3_600);
    resolver
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().expect(text)).collect()
}

#[test]
fn a_name_without_an_address_is_looked_up_again_later() {
    let system = System::default();
    let mut sender = system.sender("agent.example:7");
    let answers = Mutex::new(vec![
        Ok(addresses(&["127.0.0.1:7"])),
        Ok(addresses(&[])),
        Err(io::Error::other("no such host")),
    ]);
    sender.connector.addresses.resolver = resolver(move |host, port| {
        assert_eq!((host, port), ("agent.example", 7));
        let mut answers = answers.lock().expect("not poisoned");
        answers.pop().expect("asked three times")
    });
    for reason in ["no such host", "none of the family that is asked for"] {
        sender.connector.not_before = None;
        for _ in 0..10 {
            assert_eq!(send(&mut sender, 3), (lost(DropCause::NoAddress), None));
        }
        assert_eq!(
            sender.explain(DropCause::NoAddress),
            format!(
                "agent.example:7 has no address ({reason}); look at the agent's host in the configuration"
            )
        );
    }
    sender.connector.not_before = None;
    assert_eq!(send(&mut sender, 3), (SENT, None));
    assert_eq!(sender.destination(), "agent.example:7 (127.0.0.1)");
}

#[test]
fn a_name_server_that_hangs_does_not_block_the_sender() {
    let system = System::default();
    let mut sender = system.sender("agent.example");
    let (answer, answers) = channel();
    let answers = Mutex::new(answers);
    sender.connector.addresses.resolver = resolver(move |_, _| {
        let answers = answers.lock().expect("not poisoned");
        Ok(answers.recv().expect("the test answers"))
    });
    let outcome = sender.send(&Batch::new(&[0], 3), instant_now());
    assert_eq!(outcome.this, lost(DropCause::NoAddress));
    let before = instant_now();
    for _ in 0..100 {
        assert_eq!(send(&mut sender, 3), (lost(DropCause::NoAddress), None));
    }
    assert!(instant_now().duration_since(before) < Duration::from_secs(10));
    answer
        .send(addresses(&[LOCAL]))
        .expect("the resolver waits");
    let deadline = deadline_after(Duration::from_secs(30));
    while send(&mut sender, 3).0 != SENT {
        assert!(instant_now() < deadline, "the answer never came");
        thread::yield_now();
    }
    assert_eq!(system.opened(), [LOCAL]);
}

#[test]
fn a_look_up_that_panics_finds_no_address() {
    let system = System::default();
    let mut sender = system.sender("agent.example");
    sender.connector.addresses.resolver = resolver(|_, _| panic!("look-up"));
    assert_eq!(send(&mut sender, 3), (lost(DropCause::NoAddress), None));
}

#[test]
fn ipv4_addresses_come_first_unless_the_user_sets_a_family() {
    let rows = [
        (SocketFamily::Any, "192.0.2.1:7"),
        (SocketFamily::V4, "192.0.2.1:7"),
        (SocketFamily::V6, "[2001:db8::1]:7"),
    ];
    for (family, expected) in rows {
        let system = System::default();
        let mut sender = system.sender("agent.example").family(family);
        sender.connector.addresses.resolver = resolver(|_, _| {
            Ok(addresses(&[
                "[2001:db8::1]:7",
                "192.0.2.1:7",
                "192.0.2.2:7",
            ]))
        });
        assert_eq!(send(&mut sender, 3), (SENT, None));
        assert_eq!(system.opened(), [expected]);
    }
    let mut sender = System::default().sender(LOCAL).family(SocketFamily::V6);
    assert_eq!(send(&mut sender, 3), (lost(DropCause::NoAddress), None));
}

#[test]
fn when_one_address_refuses_the_next_one_is_used() {
    let system = System::default();
    let mut sender = system.sender("localhost");
    sender.connector.addresses.resolver =
        resolver(|_, _| Ok(addresses(&["[::1]:7", "127.0.0.1:7"])));
    system.prepare(|prepared| prepared.errors.extend([Some(refused())]));
    assert_eq!(send(&mut sender, 3), (SENT, None));
    assert_eq!(system.opened(), ["127.0.0.1:7", "[::1]:7"]);
    assert_eq!(send(&mut sender, 3), (SENT, None));
    assert_eq!(system.opened().len(), 2);

    system.prepare(|prepared| {
        prepared.sends.push_back(refused());
        prepared.errors.push_back(Some(refused()));
    });
    let both = (lost(DropCause::Refused), Some((DropCause::Refused, 3)));
    assert_eq!(send(&mut sender, 4), both);
    assert_eq!(system.opened().len(), 3);
}

#[test]
fn an_address_without_a_route_is_skipped() {
    let system = System::default();
    let mut sender = system.sender("agent.example");
    sender.connector.addresses.resolver =
        resolver(|_, _| Ok(addresses(&["192.0.2.1:7", "192.0.2.2:7"])));
    system.prepare(|prepared| {
        let unreachable = ErrorKind::NetworkUnreachable.into();
        prepared.opens.push_back(unreachable);
    });
    assert_eq!(send(&mut sender, 3), (SENT, None));
    assert_eq!(system.opened(), ["192.0.2.1:7", "192.0.2.2:7"]);
}

#[test]
fn packets_are_smaller_if_the_path_carries_less() {
    for (mtu, packed) in [
        (None, 1_400),
        (Some(9_000), 1_400),
        (Some(1_280), 1_232),
        (Some(68), 1_024),
    ] {
        let system = System::default();
        system.prepare(|prepared| prepared.path_mtu = mtu);
        let mut sender = system.sender(REMOTE);
        assert_eq!(sender.max_bytes(), 1_400, "the path is not known yet");
        assert_eq!(send(&mut sender, 1), (SENT, None));
        assert_eq!(sender.max_bytes(), packed, "{mtu:?}");
        assert_eq!(sender.max_single_bytes(), 65_000);
    }
}

#[test]
fn packets_to_other_hosts_are_small_so_that_none_is_fragmented() {
    let rows = [
        ("127.0.0.1", 16_000, 65_000),
        ("127.9.9.9", 16_000, 65_000),
        ("::1", 16_000, 65_000),
        ("::ffff:127.0.0.1", 16_000, 65_000),
        ("localhost", 16_000, 65_000),
        ("192.0.2.1", 1_400, 65_000),
        ("2001:db8::1", 1_400, 65_000),
        ("agent.example", 1_400, 65_000),
    ];
    for (agent, packed, single) in rows {
        let sender = System::default().sender(agent);
        let sizes = (sender.max_bytes(), sender.max_single_bytes());
        assert_eq!(sizes, (packed, single), "{agent}");
        for (wanted, got) in [(512, 512), (65_000, 65_000), (70_000, 65_000)] {
            let sender = System::default().sender(agent).max_packet_bytes(wanted);
            let sizes = (sender.max_bytes(), sender.max_single_bytes());
            assert_eq!(sizes, (got, got), "{agent}");
        }
    }
}

#[test]
fn the_line_about_a_refusal_names_the_place_and_the_cure() {
    let system = System::default();
    let mut sender = system.sender(LOCAL);
    system.prepare(|prepared| prepared.errors.extend([Some(refused())]));
    assert_eq!(send(&mut sender, 3), (lost(DropCause::Refused), None));
    assert_eq!(
        sender.explain(DropCause::Refused),
        "nobody is listening on 127.0.0.1:6831 (connection refused); start Jaeger's agent, or send elsewhere: \
         JAEGER_ENDPOINT=http://localhost:14268/api/traces or \
         OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318; "
            .to_owned()
            + WITHOUT_BACKEND
    );
}
