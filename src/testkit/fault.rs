use std::fmt;
use std::time::Duration;

/// A mock's treatment of a message that it does not just take.
///
/// A [`MockAgent`](crate::testkit::MockAgent) meets a datagram with it, a
/// [`MockCollector`](crate::testkit::MockCollector) a request. Only [`delay`](Self::delay),
/// [`slow_reader`](Self::slow_reader) and [`partial_success`](Self::partial_success) still take spans. An agent has no
/// replies, so it takes a datagram whatever a fault says about the reply.
///
/// | fault | agent | collector |
/// |---|---|---|
/// | [`drop`](Self::drop) | reads the datagram and forgets it | reads the request and never replies |
/// | [`delay`](Self::delay) | takes the datagram later, and the ones behind it, too | takes the request and replies later |
/// | [`slow_reader`](Self::slow_reader) | reads the next datagram later | reads the body slowly |
/// | [`hang_up`](Self::hang_up), [`reset`](Self::reset) | – | ends the connection in place of a reply |
/// | [`status`](Self::status), [`partial_success`](Self::partial_success) | – | a reply that is well-formed |
/// | [`garbage`](Self::garbage), [`stall`](Self::stall), [`drip`](Self::drip), [`endless`](Self::endless) | – | a reply that is not |
///
/// For an agent or a collector that is not there, see [`MockAgent::stop`](crate::testkit::MockAgent::stop) and
/// [`MockCollector::stop`](crate::testkit::MockCollector::stop).
///
/// ```
/// use tracehound::testkit::{Fault, MockCollector};
///
/// let collector = MockCollector::start()?;
/// // Two faults, and then all is well again.
/// collector.next_faults([Fault::status(503).header("Retry-After", "1"), Fault::reset()]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Fault(pub(super) Kind);

/// The kinds of faults.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    None,
    Drop,
    Delay(Duration),
    SlowReader(u64),
    HangUp,
    Reset(Vec<u8>),
    Reply(Reply),
    PartialSuccess { rejected: u64, message: String },
    Garbage(Vec<u8>),
    Stall(Vec<u8>),
    Drip(Vec<u8>, Duration),
    Endless(Vec<u8>, Vec<u8>),
}

/// A well-formed reply.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Fault {
    /// Takes the message as usual: no fault, for the middle of a script.
    ///
    /// ```
    /// use tracehound::testkit::Fault;
    ///
    /// let every_other = [Fault::none(), Fault::status(500)];
    /// # let _ = every_other;
    /// ```
    pub fn none() -> Self {
        Self(Kind::None)
    }

    /// Forgets the message. A collector never replies.
    ///
    /// ```
    /// use tracehound::testkit::{Fault, MockAgent};
    ///
    /// let agent = MockAgent::start()?;
    /// agent.always(Fault::drop()); // as if the network lost every datagram
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn drop() -> Self {
        Self(Kind::Drop)
    }

    /// Waits before the message is taken.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::testkit::Fault;
    ///
    /// let slow = Fault::delay(Duration::from_millis(200));
    /// # let _ = slow;
    /// ```
    pub fn delay(time: Duration) -> Self {
        Self(Kind::Delay(time))
    }

    /// Reads so many bytes a second, at least 1: a receiver whose buffers fill.
    ///
    /// ```
    /// use tracehound::testkit::{Fault, MockAgent};
    ///
    /// let agent = MockAgent::start()?;
    /// agent.always(Fault::slow_reader(1_000_000));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn slow_reader(bytes_per_second: u64) -> Self {
        Self(Kind::SlowReader(bytes_per_second.max(1)))
    }

    /// Closes the connection in place of a reply.
    ///
    /// ```
    /// use tracehound::testkit::{Fault, MockCollector};
    ///
    /// let collector = MockCollector::start()?;
    /// collector.next_faults([Fault::hang_up()]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn hang_up() -> Self {
        Self(Kind::HangUp)
    }

    /// Resets the connection in place of a reply. On systems other than Linux it is only closed.
    ///
    /// ```
    /// use tracehound::testkit::{Fault, MockCollector};
    ///
    /// let collector = MockCollector::start()?;
    /// collector.next_faults([Fault::reset()]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reset() -> Self {
        Self::reset_after([])
    }

    /// Sends these bytes of a reply, and resets the connection. On systems other than Linux it is only closed.
    ///
    /// ```
    /// use tracehound::testkit::Fault;
    ///
    /// let half = Fault::reset_after("HTTP/1.1 200 OK\r\nContent-Le");
    /// # let _ = half;
    /// ```
    pub fn reset_after(bytes: impl AsRef<[u8]>) -> Self {
        Self(Kind::Reset(bytes.as_ref().to_vec()))
    }

    /// Replies with this status and takes no spans. [`header`](Self::header) and [`body`](Self::body) add to the reply.
    ///
    /// ```
    /// use tracehound::testkit::Fault;
    ///
    /// let busy = Fault::status(429).header("Retry-After", "2").body("too many spans");
    /// # let _ = busy;
    /// ```
    pub fn status(status: u16) -> Self {
        Self(Kind::Reply(Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }))
    }

    /// Adds a header to the reply of [`status`](Self::status). Other faults have none and stay as they are.
    ///
    /// ```
    /// use tracehound::testkit::Fault;
    ///
    /// let elsewhere = Fault::status(302).header("Location", "http://127.0.0.1:1/");
    /// # let _ = elsewhere;
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let Kind::Reply(reply) = &mut self.0 {
            reply.headers.push((name.into(), value.into()));
        }
        self
    }

    /// Sets the body of the reply of [`status`](Self::status). Other faults stay as they are.
    ///
    /// ```
    /// use tracehound::testkit::Fault;
    ///
    /// let refused = Fault::status(400).body("unknown tenant");
    /// # let _ = refused;
    /// ```
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        if let Kind::Reply(reply) = &mut self.0 {
            reply.body = body.as_ref().to_vec();
        }
        self
    }

    /// Takes all spans but the last `rejected`, and says so in an OTLP reply (`partial_success`). The formats other
    /// than OTLP have no words for that, so there the reply is an ordinary one.
    ///
    /// ```
    /// use tracehound::testkit::{Fault, MockCollector};
    ///
    /// let collector = MockCollector::start()?;
    /// collector.next_faults([Fault::partial_success(2, "quota exceeded")]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn partial_success(rejected: u64, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Kind::PartialSuccess { rejected, message })
    }

    /// Replies with these bytes as they are, and closes the connection: no HTTP, a reply that is cut short, a length
    /// that is wrong.
    ///
    /// ```
    /// use tracehound::testkit::Fault;
    ///
    /// let mail_server = Fault::garbage("220 mail.example.com ESMTP\r\n");
    /// # let _ = mail_server;
    /// ```
    pub fn garbage(bytes: impl AsRef<[u8]>) -> Self {
        Self(Kind::Garbage(bytes.as_ref().to_vec()))
    }

    /// Replies with these bytes, and then holds the connection without a word.
    ///
    /// ```
    /// use tracehound::testkit::Fault;
    ///
    /// let half_a_head = Fault::stall("HTTP/1.1 200 OK\r\n");
    /// # let _ = half_a_head;
    /// ```
    pub fn stall(bytes: impl AsRef<[u8]>) -> Self {
        Self(Kind::Stall(bytes.as_ref().to_vec()))
    }

    /// Replies with these bytes one at a time, with a pause before each, and closes the connection.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::testkit::Fault;
    ///
    /// let reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    /// let slow = Fault::drip(reply, Duration::from_millis(10));
    /// # let _ = slow;
    /// ```
    pub fn drip(bytes: impl AsRef<[u8]>, pause: Duration) -> Self {
        Self(Kind::Drip(bytes.as_ref().to_vec(), pause))
    }

    /// Replies with the first bytes, and then with the second ones over and over, until the client leaves.
    ///
    /// ```
    /// use tracehound::testkit::Fault;
    ///
    /// let endless = Fault::endless("HTTP/1.1 200 OK\r\n\r\n", "and so on ");
    /// # let _ = endless;
    /// ```
    pub fn endless(first: impl AsRef<[u8]>, again: impl AsRef<[u8]>) -> Self {
        let (first, again) = (first.as_ref().to_vec(), again.as_ref().to_vec());
        Self(Kind::Endless(first, again))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({:?})", self.0)
    }
}
