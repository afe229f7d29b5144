use crate::reporter::sender::BatchFormat;

/// The traits of one kind of collector.
pub(in crate::reporter::sender) struct GrpcProtocol {
    pub(super) format: BatchFormat,
    /// The path of the method.
    pub(super) path: &'static str,
    /// A reply is an `ExportTraceServiceResponse`.
    pub(super) is_otlp: bool,
    /// A collector without room may be asked again even if it does not say when.
    pub(super) retries_exhausted: bool,
    /// The cure if no program listens.
    pub(super) if_refused: &'static str,
    /// The cure if the server wants credentials, or does not accept those that it got.
    pub(super) if_unauthorized: &'static str,
    /// The cure if the server does not know the method.
    pub(super) if_unimplemented: &'static str,
}
