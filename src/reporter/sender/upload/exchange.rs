//! A request and its answer.

use std::time::{Duration, Instant};

use crate::metrics::DropCause;

/// A client of a collector that makes one request at a time. Only the upload thread calls [`exchange`](Self::exchange).
pub(in crate::reporter::sender) trait Exchange: Send {
    /// Sends one batch and waits for the answer, until `deadline` at most.
    fn exchange(&mut self, body: &[u8], spans: u64, deadline: Instant) -> Answer;

    /// Returns another one with the same settings and without a connection.
    fn renewed(&self) -> Box<dyn Exchange>;

    /// Returns a function that ends the request that runs, and every later one. Any thread may call it.
    fn interrupter(&self) -> Box<dyn Fn() + Send + Sync>;
}

/// The fate of one request. Each `reason` is a part of a line to the user, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reporter::sender) enum Answer {
    /// The collector has taken the batch.
    Accepted,
    /// The collector has taken the batch but for some spans. At most all of them count.
    Partial { rejected: u64, reason: String },
    /// The batch has not arrived and may be tried again, after the time that the collector asks for.
    Retry {
        after: Option<Duration>,
        /// The cause of the loss if it is not tried again.
        cause: DropCause,
        reason: String,
    },
    /// The collector does not take so large a batch.
    TooLarge { reason: String },
    /// The batch is lost, and would be lost again.
    Lost { cause: DropCause, reason: String },
}

impl Answer {
    /// Returns the fate of a batch for which no encrypted connection could be made.
    pub(in crate::reporter::sender) fn not_encrypted(error: &str) -> Self {
        // The error of rustls about a first answer that is no TLS.
        let cure = if error.contains("InvalidContentType") {
            "its port does not encrypt: begin the endpoint with http instead of https, or grpc instead of grpcs"
        } else {
            "look at its certificate, and trust an authority of your own by root_certificates"
        };
        Self::Lost {
            cause: DropCause::Tls,
            reason: format!("no encrypted connection ({error}); {cure}"),
        }
    }
}
