//! Tables of the variables that say where spans go, in the form of the other [tables](super::tables), by what the build
//! has.

pub(super) const READ_OF_SENDER: &str = r#"
OTEL_TRACES_EXPORTER | none | sender | none
OTEL_TRACES_EXPORTER | console | sender | console
OTEL_TRACES_EXPORTER | Jaeger, console,jaeger | sender | agent,console
"#;

#[cfg(feature = "collector")]
pub(super) const READ_OF_COLLECTOR: &str = r#"
JAEGER_ENDPOINT | http://c:14268/api/traces | sender | collector
JAEGER_ENDPOINT | http://c:14268/api/traces | collector_endpoint | "http://c:14268/api/traces"
OTEL_EXPORTER_JAEGER_ENDPOINT | http://c:14268/api/traces | collector_endpoint | "http://c:14268/api/traces"
OTEL_EXPORTER_JAEGER_PROTOCOL | http/thrift.binary | sender | collector
"#;
#[cfg(not(feature = "collector"))]
pub(super) const READ_OF_COLLECTOR: &str = "";

#[cfg(all(feature = "collector", feature = "grpc"))]
pub(super) const READ_OF_COLLECTOR_BY_GRPC: &str = r#"
JAEGER_ENDPOINT | grpc://c:14250 | collector_endpoint | "grpc://c:14250"
JAEGER_ENDPOINT | grpc://c:14250 | collector_protocol | grpc
JAEGER_ENDPOINT | http://c:14250 | collector_protocol | http/thrift.binary
OTEL_EXPORTER_JAEGER_ENDPOINT | http://c:14250 | collector_protocol | grpc
OTEL_EXPORTER_JAEGER_ENDPOINT | http://c:14268 | collector_protocol | http/thrift.binary
OTEL_EXPORTER_JAEGER_PROTOCOL | grpc | collector_protocol | grpc
"#;
#[cfg(not(all(feature = "collector", feature = "grpc")))]
pub(super) const READ_OF_COLLECTOR_BY_GRPC: &str = "";

#[cfg(feature = "otlp")]
pub(super) const READ_OF_OTLP: &str = r#"
OTEL_TRACES_EXPORTER | otlp | sender | otlp
OTEL_EXPORTER_OTLP_ENDPOINT | http://c:4318 | sender | otlp
OTEL_EXPORTER_OTLP_ENDPOINT | http://c:4318 | otlp_endpoint | "http://c:4318/v1/traces"
OTEL_EXPORTER_OTLP_ENDPOINT | http://c:4318/x/ | otlp_endpoint | "http://c:4318/x/v1/traces"
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT | http://c:4318/x | otlp_endpoint | "http://c:4318/x"
"#;
#[cfg(not(feature = "otlp"))]
pub(super) const READ_OF_OTLP: &str = "";

#[cfg(feature = "zipkin")]
pub(super) const READ_OF_ZIPKIN: &str = r#"
OTEL_TRACES_EXPORTER | zipkin | sender | zipkin
OTEL_EXPORTER_ZIPKIN_ENDPOINT | http://z:9411/api/v2/spans | sender | zipkin
OTEL_EXPORTER_ZIPKIN_ENDPOINT | http://z:9411/api/v2/spans | zipkin_endpoint | "http://z:9411/api/v2/spans"
"#;
#[cfg(not(feature = "zipkin"))]
pub(super) const READ_OF_ZIPKIN: &str = "";

#[cfg(feature = "collector")]
pub(super) const REFUSED_OF_COLLECTOR: &str = r#"
JAEGER_ENDPOINT | collector:14268 | a URL such as http://jaeger:14268/api/traces
JAEGER_ENDPOINT | /api/traces | a URL such as
JAEGER_ENDPOINT | ftp://collector/ | a URL such as
JAEGER_ENDPOINT | http://collector:65536/ | a URL such as
JAEGER_REPORTER_TIMEOUT | 0 | a duration above zero
"#;
#[cfg(not(feature = "grpc"))]
pub(super) const REFUSED_OF_GRPC: &str = r#"
JAEGER_ENDPOINT | grpc://collector:14250 | the feature `
"#;
#[cfg(feature = "grpc")]
pub(super) const REFUSED_OF_GRPC: &str = "";

#[cfg(not(feature = "collector"))]
pub(super) const REFUSED_OF_COLLECTOR: &str = r#"
JAEGER_ENDPOINT | http://collector:14268/api/traces | the feature `collector`
JAEGER_USER | canary | the feature `collector`
JAEGER_PASSWORD | canary | the feature `collector`
JAEGER_AUTH_TOKEN | canary | the feature `collector`
JAEGER_REPORTER_TIMEOUT | 5s | the feature `collector`
"#;

pub(super) const PASSED_OVER_OF_SENDER: &str = r#"
OTEL_TRACES_EXPORTER | prometheus
OTEL_TRACES_EXPORTER | otlp none
OTEL_EXPORTER_JAEGER_PROTOCOL | tcp
OTEL_EXPORTER_JAEGER_ENDPOINT | collector:14268
OTEL_EXPORTER_JAEGER_USER | canary
OTEL_EXPORTER_JAEGER_PASSWORD | canary
OTEL_EXPORTER_OTLP_ENDPOINT | canary:canary@collector:4318
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT | grpc:canary@collector
OTEL_EXPORTER_OTLP_PROTOCOL | http/json
OTEL_EXPORTER_OTLP_TRACES_PROTOCOL | udp
OTEL_EXPORTER_OTLP_HEADERS | canary
OTEL_EXPORTER_OTLP_HEADERS | a=%canary
OTEL_EXPORTER_OTLP_TRACES_HEADERS | a b=canary
OTEL_EXPORTER_OTLP_TRACES_HEADERS | content-length=canary
OTEL_EXPORTER_OTLP_INSECURE | 1
OTEL_EXPORTER_OTLP_TRACES_INSECURE | yes
OTEL_EXPORTER_OTLP_COMPRESSION | zstd
OTEL_EXPORTER_OTLP_TRACES_COMPRESSION | on
OTEL_EXPORTER_OTLP_TIMEOUT | 0
OTEL_EXPORTER_OTLP_TRACES_TIMEOUT | soon
OTEL_EXPORTER_ZIPKIN_ENDPOINT | zipkin:9411
OTEL_EXPORTER_ZIPKIN_TIMEOUT | never
"#;

#[cfg(not(all(feature = "collector", feature = "grpc")))]
pub(super) const PASSED_OVER_OF_GRPC: &str = r#"
OTEL_EXPORTER_JAEGER_PROTOCOL | grpc
"#;
#[cfg(all(feature = "collector", feature = "grpc"))]
pub(super) const PASSED_OVER_OF_GRPC: &str = "";

#[cfg(not(feature = "otlp"))]
pub(super) const PASSED_OVER_OF_OTLP: &str = r#"
OTEL_TRACES_EXPORTER | otlp
OTEL_EXPORTER_OTLP_ENDPOINT | http://collector:4318
"#;
#[cfg(feature = "otlp")]
pub(super) const PASSED_OVER_OF_OTLP: &str = "";

#[cfg(not(feature = "zipkin"))]
pub(super) const PASSED_OVER_OF_ZIPKIN: &str = r#"
OTEL_TRACES_EXPORTER | zipkin
OTEL_EXPORTER_ZIPKIN_ENDPOINT | http://zipkin:9411/api/v2/spans
"#;
#[cfg(feature = "zipkin")]
pub(super) const PASSED_OVER_OF_ZIPKIN: &str = "";
