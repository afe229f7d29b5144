//! OpenTelemetry's tracing API on top of tracehound.
