use crate::middleware::{ClientLayer, GrpcDetails, ServerLayer};

impl ServerLayer {
    /// Sets that the spans of gRPC calls tell details beyond the status: messages each way, the deadline, and who ended
    /// a call early. See [gRPC](crate::middleware#what-is-different-for-grpc).
    ///
    /// The messages of a request are counted if its body is the `Body` of tonic or of axum, as it is on a server of
    /// tonic. The layer then puts a body around it that passes the bytes on, at the cost of a few allocations a call.
    ///
    /// Defaults to none: a call costs no more than its status.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{GrpcDetails, ServerLayer};
    ///
    /// let layer = ServerLayer::new(NoopTracer).grpc(GrpcDetails::new());
    /// ```
    #[must_use]
    pub fn grpc(mut self, details: GrpcDetails) -> Self {
        self.hooks_mut().grpc = Some(details);
        self
    }
}

impl ClientLayer {
    /// Sets that the spans of gRPC calls tell details beyond the status. The remarks on [`ServerLayer::grpc`] apply.
    ///
    /// Defaults to none: a call costs no more than its status.
    ///
    /// ```
    /// use tonic::transport::Endpoint;
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{ClientLayer, GrpcDetails};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let channel = Endpoint::from_static("http://stock:50051").connect_lazy();
    /// let channel = ClientLayer::new(NoopTracer).grpc(GrpcDetails::new()).wrap(channel);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn grpc(mut self, details: GrpcDetails) -> Self {
        self.hooks_mut().grpc = Some(details);
        self
    }
}
