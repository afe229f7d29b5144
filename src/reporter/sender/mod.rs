//! Senders: how batches of spans leave the process.
//!
//! A [`RemoteReporter`](crate::reporter::RemoteReporter) packs spans into [batches](Batch), splits and counts them. Its
//! [`Sender`] moves the bytes of one batch at a time and tells what became of them.
//!
//! # Which sender do I want?
//!
//! ```
//! # #[cfg(feature = "otlp")] {
//! use tracehound::JaegerTracer;
//! use tracehound::reporter::RemoteReporter;
//! use tracehound::reporter::sender::{OtlpSender, Sender};
//!
//! let sender = OtlpSender::new("http://jaeger:4318")?.gzip(true);
//! assert_eq!(sender.destination(), "http://jaeger:4318/v1/traces");
//! let tracer = JaegerTracer::builder("shop").reporter(RemoteReporter::new(sender)).build()?;
//! # drop(tracer);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | receiver | sender | feature |
//! |---|---|---|
//! | a Jaeger agent on this host | [`UdpSender`]: Thrift over UDP | `udp` (default) |
//! | a Jaeger or another receiver of OTLP, port 4318 | [`OtlpSender`]: OTLP over HTTP | `otlp` (default) |
//! | a receiver of OTLP over gRPC alone, port 4317 | [`OtlpGrpcSender`] | `otlp` and `grpc` |
//! | a Jaeger collector, port 14268 | [`HttpSender`]: Thrift over HTTP | `collector` (default) |
//! | a Jaeger collector, port 14250 | [`GrpcSender`]: Jaeger's protobuf over gRPC | `collector` and `grpc` |
//! | a Zipkin, port 9411 | [`ZipkinSender`]: JSON over HTTP | `zipkin` |
//!
//! A datagram costs little and tells nothing: whoever reads it may lose it. A request has an answer, so `sent` means
//! that the collector has the span. Prefer a request if the receiver is not on this host. Jaeger from version 2 takes
//! each of these requests and has no agent; what else takes spans takes OTLP.
//!
//! # How are batches sent in requests?
//!
//! A thread of the sender, which starts with the first batch, sends one request at a time over a connection that it
//! keeps. So a slow collector does not stop the worker: one batch waits behind the request, then spans wait in the
//! queue. A flush waits for the answers.
//!
//! | event | what becomes of the batch |
//! |---|---|
//! | the answer has a status from 200 to 299 | it has arrived |
//! | such a status with a page of HTML (`Content-Type: text/html`, and a body that begins with `<`) | it is lost as `rejected`: a login page or a default page, no receiver, answers so |
//! | no connection, or 429, 502, 503 or 504 | it is tried again after 0.1 s and 0.4 s, then lost as `refused`, `no_address` or `send_failed` |
//! | such a status with `Retry-After` | up to ten seconds, all batches wait; for longer pauses, five minutes at most, they are lost as `backoff` |
//! | 413 | it is lost as `too_large`, and further batches have at most half its size, or 4 KiB if that is more |
//! | 500 to an `HttpSender` or `ZipkinSender` | as 503, because a full queue may answer so |
//! | another status | it is lost as `rejected` (3xx and 4xx) or `send_failed` |
//! | no answer to a whole request | it is lost as `unknown`, because the collector may have it |
//! | the connection cannot be encrypted | it is lost as `tls` |
//!
//! The senders over gRPC do so by the codes of gRPC, as their pages tell.
//!
//! Everything together may take the sender's `timeout`, which is five seconds by default; a pause that the collector
//! asks for does not count. A request that hangs ends with the sender.
//!
//! * Redirects are not followed, because credentials would follow them.
//! * Proxies of the environment are not used; set one if it is wanted.
//! * 64 KiB of a reply are read.
//! * Over `http`, passwords and tokens go to this host only.
//! * `https` needs the feature `tls`, and a certificate that is valid. No setting skips that. The process's default
//!   `CryptoProvider` of rustls is used if there is one, and ring else.
//! * A line names the first loss of each cause and how to mend it, without secrets.
//!
//! # How do I write a sender?
//!
//! The worker calls a sender, and no span starts on its thread meanwhile: a traced client in a sender makes no-op spans,
//! because a span about sending spans would have to be sent, too. Work that the sender hands to other threads or to a
//! runtime starts spans as usual: use a client without tracing there.
//!
//! A sender says which [format](BatchFormat) it takes and how large a batch may be, and it sends. This one passes
//! batches to another thread of the program:
//!
//! ```
//! use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
//! use std::time::{Duration, Instant};
//! use tracehound::JaegerTracer;
//! use tracehound::metrics::DropCause;
//! use tracehound::prelude::*;
//! use tracehound::reporter::RemoteReporter;
//! use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, SendResult, Sender};
//! use tracehound::sampler::ConstSampler;
//!
//! struct ChannelSender(SyncSender<Vec<u8>>);
//!
//! impl Sender for ChannelSender {
//!     fn format(&self) -> BatchFormat {
//!         BatchFormat::Compact
//!     }
//!
//!     fn max_bytes(&self) -> usize {
//!         65_000
//!     }
//!
//!     fn send(&mut self, batch: &Batch<'_>, _deadline: Instant) -> SendOutcome {
//!         SendOutcome::new(match self.0.try_send(batch.bytes.to_vec()) {
//!             Ok(()) => SendResult::Sent,
//!             // The batch waits in the reporter, and further spans wait in the queue.
//!             Err(TrySendError::Full(_)) => {
//!                 SendResult::Later(Instant::now() + Duration::from_millis(5))
//!             }
//!             Err(TrySendError::Disconnected(_)) => SendResult::Lost(DropCause::Refused),
//!         })
//!     }
//!
//!     fn destination(&self) -> String {
//!         "the uploading thread".to_owned()
//!     }
//! }
//!
//! let (sender, batches) = sync_channel(4);
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(RemoteReporter::new(ChannelSender(sender)))
//!     .build()?;
//! tracer.start_span("checkout").finish();
//! assert_eq!(tracer.flush(Duration::from_secs(1)).sent, 1);
//! assert!(!batches.recv()?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Here `Sent` means that the other thread has the batch. If an answer tells whether it arrives, return
//! [`SendResult::InFlight`] instead, and tell its fate by [`with_arrival`](SendOutcome::with_arrival) and
//! [`with_failure`](SendOutcome::with_failure) in the answer to a later [`send`](Sender::send) or
//! [`poll`](Sender::poll). A flush then waits for it.
//!
//! The other methods have defaults that suit most senders. Write [`poll`](Sender::poll) if losses become known later,
//! [`explain`](Sender::explain) to tell the user how to mend one, and [`after_fork`](Sender::after_fork) if forked
//! children should send too.

#[cfg(any(feature = "udp", feature = "remote-sampler"))]
#[cfg_attr(
    not(feature = "udp"),
    expect(
        dead_code,
        unreachable_pub,
        unused_imports,
        reason = "the sampler reads a host and a port alone"
    )
)]
mod agent_address;
mod batch;
mod batch_format;
#[cfg(all(feature = "grpc", any(feature = "collector", feature = "otlp")))]
mod grpc;
#[cfg(feature = "collector")]
mod http;
#[cfg(feature = "otlp")]
mod otlp;
mod send_outcome;
#[cfg(feature = "udp")]
mod udp;
#[cfg(feature = "_upload")]
mod upload;
#[cfg(feature = "zipkin")]
mod zipkin;

use std::time::{Duration, Instant};

#[cfg(all(feature = "remote-sampler", not(feature = "udp")))]
pub(crate) use agent_address::AgentAddress;
#[cfg(feature = "udp")]
pub use agent_address::{AddressError, AgentAddress};
pub use batch::Batch;
pub use batch_format::BatchFormat;
#[cfg(all(feature = "grpc", feature = "collector"))]
pub use grpc::GrpcSender;
#[cfg(all(feature = "grpc", feature = "otlp"))]
pub use grpc::OtlpGrpcSender;
#[cfg(feature = "collector")]
pub use http::HttpSender;
#[cfg(feature = "otlp")]
pub use otlp::OtlpSender;
#[cfg(all(tracehound_fuzz, feature = "otlp"))]
#[doc(hidden)]
pub use otlp::ReplyRead;
pub use send_outcome::{SendOutcome, SendResult};
#[cfg(feature = "udp")]
pub use udp::{AgentProtocol, SocketFamily, UdpSender};
#[cfg(feature = "zipkin")]
pub use zipkin::ZipkinSender;

#[cfg(all(feature = "tls", feature = "_upload"))]
pub use crate::http_client::InvalidCertificates;
#[cfg(feature = "_upload")]
#[cfg_attr(
    docsrs,
    doc(cfg(any(feature = "collector", feature = "otlp", feature = "zipkin")))
)]
pub use crate::http_client::{InvalidEndpoint, InvalidHeader};
use crate::metrics::DropCause;
use crate::services::Services;

/// The end of a line about a receiver on this host where nobody listens.
#[cfg(any(feature = "udp", feature = "_upload"))]
const WITHOUT_BACKEND: &str = if cfg!(feature = "dev") {
    "or see traces without Jaeger: TRACEHOUND_DEV=1, or tracehound::dev in code"
} else {
    "or see traces without Jaeger: tracehound::dev, feature \"dev\""
};

/// A way for batches to leave the process, one at a time.
///
/// The worker calls it, never a thread of the program, and catches its panics. The
/// [module's page](crate::reporter::sender) shows how to write one.
///
/// ```
/// use std::fs::{File, OpenOptions};
/// use std::io::Write;
/// use std::path::PathBuf;
/// use std::time::{Duration, Instant};
/// use tracehound::diagnostics::Diagnostics;
/// use tracehound::metrics::DropCause;
/// use tracehound::reporter::sender::{
///     Batch, BatchFormat, MakeSender, SendOutcome, SendResult, Sender,
/// };
/// use tracehound::services::Services;
///
/// /// Appends batches of JSON to a file, a line for each.
/// struct FileSender {
///     path: PathBuf,
///     file: Option<File>,
///     diagnostics: Option<Diagnostics>,
/// }
///
/// impl FileSender {
///     fn new(path: PathBuf) -> Self {
///         Self { path, file: None, diagnostics: None }
///     }
/// }
///
/// impl Sender for FileSender {
///     fn attach(&mut self, services: &Services) {
///         self.diagnostics = Some(services.diagnostics().clone());
///     }
///
///     fn format(&self) -> BatchFormat {
///         BatchFormat::ZipkinJson
///     }
///
///     fn reads_spans(&self) -> bool {
///         false // the bytes are enough
///     }
///
///     fn max_bytes(&self) -> usize {
///         65_536
///     }
///
///     fn max_single_bytes(&self) -> usize {
///         1 << 20 // one large span is better than one with missing parts
///     }
///
///     fn send(&mut self, batch: &Batch<'_>, _deadline: Instant) -> SendOutcome {
///         if self.file.is_none() {
///             self.file = OpenOptions::new().create(true).append(true).open(&self.path).ok();
///         }
///         let line = batch.bytes.escape_ascii();
///         let written = self.file.as_mut().map(|file| writeln!(file, "{line}"));
///         SendOutcome::new(match written {
///             Some(Ok(())) => SendResult::Sent,
///             _ => SendResult::Lost(DropCause::SendFailed),
///         })
///     }
///
///     fn poll(&mut self) -> SendOutcome {
///         SendOutcome::default() // no news: a write is final
///     }
///
///     fn retry_after(&self) -> Duration {
///         Duration::from_secs(10)
///     }
///
///     fn destination(&self) -> String {
///         self.path.display().to_string()
///     }
///
///     fn explain(&self, cause: DropCause) -> String {
///         format!("{}: {}; is the disk full?", self.destination(), cause.name())
///     }
///
///     fn explain_wait(&self) -> Option<String> {
///         None // it never waits
///     }
///
///     fn after_fork(&self) -> Option<MakeSender> {
///         let path = self.path.clone();
///         Some(Box::new(move || Box::new(FileSender::new(path.clone()))))
///     }
/// }
///
/// let mut sender = FileSender::new("/no such folder/spans".into());
/// let outcome = sender.send(&Batch::new(b"[]", 1), Instant::now());
/// assert_eq!(outcome.this, SendResult::Lost(DropCause::SendFailed));
/// let line = sender.explain(DropCause::SendFailed);
/// assert_eq!(line, "/no such folder/spans: send_failed; is the disk full?");
/// ```
pub trait Sender: Send {
    /// Takes the tracer's services: where to count and to warn, and the clock.
    ///
    /// A [`RemoteReporter`](crate::reporter::RemoteReporter) calls it once, before the first batch, and again for the
    /// sender of a forked child. By default it does nothing.
    fn attach(&mut self, _services: &Services) {}

    /// Returns the encoding of the batches that it takes. The reporter asks once.
    fn format(&self) -> BatchFormat;

    /// Returns whether it reads the spans of a [batch](Batch::spans) beside the bytes. The reporter asks once.
    ///
    /// Spans are copied for such a sender. By default it does not.
    fn reads_spans(&self) -> bool {
        false
    }

    /// Returns up to how many bytes spans are packed into one batch.
    ///
    /// The reporter asks before each batch, because a sender may learn that less is possible.
    fn max_bytes(&self) -> usize;

    /// Returns the size of the largest batch with a single span, in bytes. A larger span is made smaller.
    ///
    /// Defaults to [`Sender::max_bytes`]. It may be more if a large batch is worse than several, but better than a span
    /// with missing parts: a datagram that has to be fragmented is such a batch.
    fn max_single_bytes(&self) -> usize {
        self.max_bytes()
    }

    /// Sends one batch. Returns what became of it and of earlier ones. Blocks until `deadline` at most.
    ///
    /// A sender that has to wait for the receiver should not block, because no span leaves the queue meanwhile. If
    /// there is no room for the batch it returns [`SendResult::Later`]: the batch then waits in the reporter, and spans
    /// behind it wait in the queue. If an answer is to come, it copies the batch and returns [`SendResult::InFlight`].
    fn send(&mut self, batch: &Batch<'_>, deadline: Instant) -> SendOutcome;

    /// Returns news of batches that were sent or are in flight. The reporter asks at the end of each flush, and again
    /// every millisecond or so while a caller waits for batches in flight. By default there are none.
    fn poll(&mut self) -> SendOutcome {
        SendOutcome::default()
    }

    /// Returns how long to drop full batches without trying, after a refusal, a failed look-up or a failed send.
    ///
    /// A flush tries even then. Defaults to one second.
    fn retry_after(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Returns where batches go, for lines to the user, such as `127.0.0.1:6831`.
    ///
    /// Defaults to `the collector`.
    fn destination(&self) -> String {
        "the collector".to_owned()
    }

    /// Returns a line to the user about a loss that this sender has just told of: what is wrong, and how to mend it.
    ///
    /// By default the line names the destination and the cause.
    fn explain(&self, cause: DropCause) -> String {
        format!("spans do not reach {}: {cause}", self.destination())
    }

    /// Returns a line to the user about batches that wait because of [`SendResult::Later`]: what is slow, and how to
    /// mend it. By default there is none.
    fn explain_wait(&self) -> Option<String> {
        None
    }

    /// Returns a function that makes the sender of a forked child process, with sockets of its own: see
    /// [`Reporter::after_fork`](crate::reporter::Reporter::after_fork). By default there is none.
    fn after_fork(&self) -> Option<MakeSender> {
        None
    }
}

/// Makes the sender of a forked child process: see [`Sender::after_fork`].
///
/// The example of [`Sender`] returns one.
pub type MakeSender = Box<dyn Fn() -> Box<dyn Sender> + Send + Sync>;

impl Sender for Box<dyn Sender> {
    fn attach(&mut self, services: &Services) {
        (**self).attach(services);
    }

    fn format(&self) -> BatchFormat {
        (**self).format()
    }

    fn reads_spans(&self) -> bool {
        (**self).reads_spans()
    }

    fn max_bytes(&self) -> usize {
        (**self).max_bytes()
    }

    fn max_single_bytes(&self) -> usize {
        (**self).max_single_bytes()
    }

    fn send(&mut self, batch: &Batch<'_>, deadline: Instant) -> SendOutcome {
        (**self).send(batch, deadline)
    }

    fn poll(&mut self) -> SendOutcome {
        (**self).poll()
    }

    fn retry_after(&self) -> Duration {
        (**self).retry_after()
    }

    fn destination(&self) -> String {
        (**self).destination()
    }

    fn explain(&self, cause: DropCause) -> String {
        (**self).explain(cause)
    }

    fn explain_wait(&self) -> Option<String> {
        (**self).explain_wait()
    }

    fn after_fork(&self) -> Option<MakeSender> {
        (**self).after_fork()
    }
}
