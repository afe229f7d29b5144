//! The SDK of OpenTelemetry behind the crate `tracing`, in the two versions that the libraries use.

macro_rules! open_telemetry {
    ($name:ident, $api:ident, $sdk:ident, $proto:ident, $bridge:ident) => {
        pub mod $name {
            use std::any::Any;
            use std::sync::Arc;

            use tracing::info_span;
            use tracing_subscriber::prelude::*;
            use $api::global;
            use $api::propagation::Extractor;
            use $api::trace::TracerProvider as _;
            use $bridge::OpenTelemetrySpanExt;
            use $sdk::propagation::TraceContextPropagator;
            use $sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};

            use crate::pipeline::{Pipeline, QUEUE};
            use crate::totals::Totals;

            encoder!($sdk, $proto);

            /// Subscribes to the spans of `tracing`, and encodes those of traces that the caller keeps.
            pub fn start() -> Pipeline {
                let totals = Arc::<Totals>::default();
                let processor = BatchSpanProcessor::builder(Encoder::new(totals.clone()))
                    .with_batch_config(
                        BatchConfigBuilder::default()
                            .with_max_queue_size(QUEUE)
                            .build(),
                    )
                    .build();
                let provider = SdkTracerProvider::builder()
                    .with_resource(resource())
                    .with_span_processor(processor)
                    .build();
                let layer = $bridge::layer()
                    .with_tracer(provider.tracer("compare"))
                    .with_location(false)
                    .with_threads(false)
                    .with_target(false);
                tracing_subscriber::registry().with(layer).init();
                global::set_text_map_propagator(TraceContextPropagator::new());
                let flush = move || provider.force_flush().expect("it is open");
                Pipeline::new(flush, totals)
            }

            /// Enters a span whose parent is the caller. It ends with what is returned.
            pub fn caller(traceparent: &str) -> Box<dyn Any> {
                let span = info_span!("get_account");
                let context = global::get_text_map_propagator(|propagator| {
                    propagator.extract(&TraceParent(traceparent))
                });
                let _ = span.set_parent(context);
                Box::new(span.entered())
            }

            /// A carrier of one header.
            struct TraceParent<'a>(&'a str);

            impl Extractor for TraceParent<'_> {
                fn get(&self, key: &str) -> Option<&str> {
                    (key == "traceparent").then_some(self.0)
                }

                fn keys(&self) -> Vec<&str> {
                    vec!["traceparent"]
                }
            }
        }
    };
}

open_telemetry!(
    newest,
    opentelemetry,
    opentelemetry_sdk,
    opentelemetry_proto,
    tracing_opentelemetry
);
open_telemetry!(
    before,
    opentelemetry_032,
    opentelemetry_sdk_032,
    opentelemetry_proto_032,
    tracing_opentelemetry_033
);
