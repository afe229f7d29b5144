//! The work of opentelemetry's exporter of OTLP before it sends, for any version of opentelemetry.

/// Defines `Encoder`, an exporter that counts the bytes of its requests, and `resource`, which names the service.
macro_rules! encoder {
    ($sdk:ident, $proto:ident) => {
        use prost::Message as _;

        use $proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
        use $proto::transform::common::tonic::ResourceAttributesWithSchema;
        use $proto::transform::trace::tonic::group_spans_by_resource_and_scope;
        use $sdk::Resource;
        use $sdk::error::OTelSdkResult;
        use $sdk::trace::{SpanData, SpanExporter};

        /// The work of opentelemetry's exporter of OTLP before it sends.
        #[derive(Debug)]
        pub(crate) struct Encoder {
            resource: ResourceAttributesWithSchema,
            totals: Arc<Totals>,
        }

        impl Encoder {
            pub(crate) fn new(totals: Arc<Totals>) -> Self {
                let resource = ResourceAttributesWithSchema::from(&resource());
                Self { resource, totals }
            }
        }

        impl SpanExporter for Encoder {
            async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
                let spans = batch.len();
                let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
                let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
                self.totals.add(spans, &request);
                Ok(())
            }
        }

        pub(crate) fn resource() -> Resource {
            Resource::builder_empty()
                .with_service_name("compare")
                .build()
        }
    };
}
