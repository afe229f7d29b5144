//! The inside of every sender that uploads.

use std::fmt;

use crate::metrics::DropCause;
use crate::reporter::sender::upload::Upload;
use crate::reporter::sender::upload::exchange::Exchange;
use crate::reporter::sender::upload::options::UploadOptions;
use crate::reporter::sender::{Batch, BatchFormat, SendOutcome, WITHOUT_BACKEND};

/// A kind of collector.
pub(in crate::reporter::sender) trait Protocol:
    Send + Sync + 'static
{
    /// Returns the encoding of the batches that it takes.
    fn format(&self) -> BatchFormat;

    /// Returns what sends a batch to it. Opens no connection.
    fn exchange(&'static self, options: UploadOptions) -> Box<dyn Exchange>;
}

/// The inside of a sender that uploads: a kind of collector, and its settings.
pub(in crate::reporter::sender) struct Uploader<P: Protocol> {
    protocol: &'static P,
    pub(in crate::reporter::sender) options: UploadOptions,
    /// Made for the first batch, when all options are set.
    upload: Option<Upload>,
}

impl<P: Protocol> Uploader<P> {
    pub(in crate::reporter::sender) fn with_options(
        protocol: &'static P,
        options: UploadOptions,
    ) -> Self {
        Self {
            protocol,
            options,
            upload: None,
        }
    }

    /// Returns a function that makes another one with the same settings, for a forked child.
    pub(in crate::reporter::sender) fn renewed(&self) -> impl Fn() -> Self + Send + Sync + use<P> {
        let (protocol, options) = (self.protocol, self.options.clone());
        move || Self::with_options(protocol, options.clone())
    }

    pub(in crate::reporter::sender) fn format(&self) -> BatchFormat {
        self.protocol.format()
    }

    pub(in crate::reporter::sender) fn max_bytes(&self) -> usize {
        self.upload
            .as_ref()
            .map_or(self.options.max_bytes, Upload::max_bytes)
    }

    pub(in crate::reporter::sender) fn send(&mut self, batch: &Batch<'_>) -> SendOutcome {
        let (protocol, options) = (self.protocol, &self.options);
        let upload = self.upload.get_or_insert_with(|| {
            Upload::new(
                protocol.exchange(options.clone()),
                options.endpoint.to_string(),
                options.timeout,
                options.max_bytes,
            )
        });
        upload.send(batch)
    }

    pub(in crate::reporter::sender) fn poll(&mut self) -> SendOutcome {
        let upload = self.upload.as_mut();
        upload.map_or_else(SendOutcome::default, Upload::poll)
    }

    pub(in crate::reporter::sender) fn explain(&self, cause: DropCause) -> String {
        let endpoint = &self.options.endpoint;
        let line = match &self.upload {
            Some(upload) => upload.explain(cause),
            None => format!("spans do not reach {endpoint}: {cause}"),
        };
        if cause == DropCause::Refused && endpoint.is_on_this_host() {
            return format!("{line}; {WITHOUT_BACKEND}");
        }
        line
    }

    pub(in crate::reporter::sender) fn explain_wait(&self) -> Option<String> {
        self.upload.as_ref()?.explain_wait()
    }
}

impl<P: Protocol> fmt::Debug for Uploader<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

/// Implements `Sender` and `Debug` for a `$sender` around an [`Uploader`].
macro_rules! upload_sender {
    ($sender:ident) => {
        impl $crate::reporter::sender::Sender for $sender {
            fn format(&self) -> $crate::reporter::sender::BatchFormat {
                self.0.format()
            }

            fn max_bytes(&self) -> usize {
                self.0.max_bytes()
            }

            /// Copies the batch for the upload's thread, or has it wait if one waits already.
            fn send(
                &mut self,
                batch: &$crate::reporter::sender::Batch<'_>,
                _deadline: std::time::Instant,
            ) -> $crate::reporter::sender::SendOutcome {
                self.0.send(batch)
            }

            fn poll(&mut self) -> $crate::reporter::sender::SendOutcome {
                self.0.poll()
            }

            /// Returns the endpoint without credentials and query.
            fn destination(&self) -> String {
                self.0.options.endpoint.to_string()
            }

            fn explain(&self, cause: $crate::metrics::DropCause) -> String {
                self.0.explain(cause)
            }

            fn explain_wait(&self) -> Option<String> {
                self.0.explain_wait()
            }

            fn after_fork(&self) -> Option<$crate::reporter::sender::MakeSender> {
                let renewed = self.0.renewed();
                Some(Box::new(move || Box::new(Self(renewed()))))
            }
        }

        impl std::fmt::Debug for $sender {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($sender)).field(&self.0).finish()
            }
        }
    };
}

pub(in crate::reporter::sender) use upload_sender;
