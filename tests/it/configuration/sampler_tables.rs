//! Tables of the variables of samplers, in the form of the other [tables](super::tables), by what the build has.

#[cfg(feature = "remote-sampler")]
pub(super) const DEFAULTS_OF_SAMPLER: &str = r#"
sampler | remote 0.001
sampling_endpoint | "http://127.0.0.1:5778/sampling"
sampler_refresh_interval | 60s
sampler_max_operations | 2000
strategy_file | none
"#;
#[cfg(not(feature = "remote-sampler"))]
pub(super) const DEFAULTS_OF_SAMPLER: &str = r#"
sampler | probabilistic 0.001
"#;

#[cfg(feature = "remote-sampler")]
pub(super) const READ_OF_SAMPLER: &str = r#"
JAEGER_SAMPLER_TYPE | remote | sampler | remote 0.001
JAEGER_SAMPLER_TYPE | Remote | sampler | remote 0.001
JAEGER_SAMPLER_PARAM | 0.25 | sampler | remote 0.25
JAEGER_SAMPLER_PARAM | 1e-3 | sampler | remote 0.001
JAEGER_SAMPLER_PARAM | 0 | sampler | remote 0
OTEL_TRACES_SAMPLER | jaeger_remote | sampler | remote 0.001
OTEL_TRACES_SAMPLER | ParentBased_Jaeger_Remote | sampler | remote 0.001
JAEGER_SAMPLING_ENDPOINT | http://jaeger:5778/sampling | sampling_endpoint | "http://jaeger:5778/sampling"
JAEGER_SAMPLING_ENDPOINT | HTTP://[::1]:5778 | sampling_endpoint | "HTTP://[::1]:5778"
# The default of the Go client.
JAEGER_SAMPLING_ENDPOINT | http://127.0.0.1:5778/sampling | sampling_endpoint | "http://127.0.0.1:5778/sampling"
JAEGER_SAMPLER_MANAGER_HOST_PORT | jaeger:1 | sampling_endpoint | "http://jaeger:1/sampling"
JAEGER_SAMPLER_MANAGER_HOST_PORT | jaeger | sampling_endpoint | "http://jaeger:5778/sampling"
JAEGER_SAMPLER_MANAGER_HOST_PORT | [::1]:1 | sampling_endpoint | "http://[::1]:1/sampling"
JAEGER_SAMPLER_MANAGER_HOST_PORT | ::1 | sampling_endpoint | "http://[::1]:5778/sampling"
JAEGER_SAMPLER_MANAGER_HOST_PORT | http://jaeger:1/x | sampling_endpoint | "http://jaeger:1/x"
JAEGER_SAMPLER_HOST | jaeger | sampling_endpoint | "http://jaeger:5778/sampling"
JAEGER_SAMPLER_HOST | [::1] | sampling_endpoint | "http://[::1]:5778/sampling"
JAEGER_SAMPLER_PORT | 1 | sampling_endpoint | "http://127.0.0.1:1/sampling"
JAEGER_SAMPLER_SAMPLING_PATH | /s/t | sampling_endpoint | "http://127.0.0.1:5778/s/t"
JAEGER_SAMPLER_MAX_OPERATIONS | 7 | sampler_max_operations | 7
JAEGER_SAMPLER_REFRESH_INTERVAL | 5s | sampler_refresh_interval | 5s
# Milliseconds, as in the Node client.
JAEGER_SAMPLER_REFRESH_INTERVAL | 5000 | sampler_refresh_interval | 5s
"#;
#[cfg(not(feature = "remote-sampler"))]
pub(super) const READ_OF_SAMPLER: &str = r#"
JAEGER_SAMPLER_PARAM | 0.25 | sampler | probabilistic 0.25
JAEGER_SAMPLER_PARAM | 1e-3 | sampler | probabilistic 0.001
JAEGER_SAMPLER_PARAM | 0 | sampler | probabilistic 0
"#;

#[cfg(all(feature = "remote-sampler", feature = "udp"))]
pub(super) const READ_OF_AGENT_AND_SAMPLER: &str = r#"
JAEGER_AGENT_HOST | jaeger | sampling_endpoint | "http://jaeger:5778/sampling"
JAEGER_AGENT_HOST | ::1 | sampling_endpoint | "http://[::1]:5778/sampling"
OTEL_EXPORTER_JAEGER_AGENT_HOST | 10.1.2.3 | sampling_endpoint | "http://10.1.2.3:5778/sampling"
"#;
#[cfg(not(all(feature = "remote-sampler", feature = "udp")))]
pub(super) const READ_OF_AGENT_AND_SAMPLER: &str = "";

#[cfg(feature = "grpc")]
pub(super) const READ_OF_GRPC: &str = r#"
JAEGER_SAMPLING_ENDPOINT | grpc://jaeger:5779 | sampling_endpoint | "grpc://jaeger:5779"
JAEGER_SAMPLING_ENDPOINT | Grpc://[::1]:14250/ | sampling_endpoint | "Grpc://[::1]:14250/"
"#;
#[cfg(not(feature = "grpc"))]
pub(super) const READ_OF_GRPC: &str = "";

#[cfg(all(feature = "remote-sampler", feature = "tls"))]
pub(super) const READ_OF_TLS: &str = r#"
JAEGER_SAMPLING_ENDPOINT | https://jaeger/sampling | sampling_endpoint | "https://jaeger/sampling"
"#;
#[cfg(not(all(feature = "remote-sampler", feature = "tls")))]
pub(super) const READ_OF_TLS: &str = "";

#[cfg(all(feature = "grpc", feature = "tls"))]
pub(super) const READ_OF_GRPC_AND_TLS: &str = r#"
JAEGER_SAMPLING_ENDPOINT | grpcs://jaeger:5779 | sampling_endpoint | "grpcs://jaeger:5779"
"#;
#[cfg(not(all(feature = "grpc", feature = "tls")))]
pub(super) const READ_OF_GRPC_AND_TLS: &str = "";

#[cfg(feature = "remote-sampler")]
pub(super) const REFUSED_OF_SAMPLER: &str = r#"
JAEGER_SAMPLING_ENDPOINT | jaeger:5778 | a URL such as
JAEGER_SAMPLING_ENDPOINT | /sampling | a URL such as
JAEGER_SAMPLING_ENDPOINT | ftp://jaeger/sampling | a URL such as
JAEGER_SAMPLING_ENDPOINT | http:// | a URL such as
JAEGER_SAMPLING_ENDPOINT | http://jaeger:65536/ | a URL such as
JAEGER_SAMPLER_MANAGER_HOST_PORT | jaeger:x | a host with or without a port
JAEGER_SAMPLER_MANAGER_HOST_PORT | jaeger:1/sampling | a host with or without a port
JAEGER_SAMPLER_MANAGER_HOST_PORT | udp://jaeger | a URL such as
JAEGER_SAMPLER_HOST | jaeger:1 | a host name or an IP address
JAEGER_SAMPLER_PORT | 0 | a port from 1 to 65535
JAEGER_SAMPLER_SAMPLING_PATH | sampling | a path such as /sampling
JAEGER_SAMPLER_SAMPLING_PATH | /a b | a path such as /sampling
JAEGER_SAMPLER_SAMPLING_PATH | /a#b | a path such as /sampling
JAEGER_SAMPLER_MAX_OPERATIONS | 0 | a whole number above 0
JAEGER_SAMPLER_REFRESH_INTERVAL | 0 | a duration above zero
"#;
#[cfg(not(feature = "remote-sampler"))]
pub(super) const REFUSED_OF_SAMPLER: &str = "";

#[cfg(not(feature = "remote-sampler"))]
pub(super) const UNSUPPORTED_OF_SAMPLER: &str = r#"
JAEGER_SAMPLER_TYPE | remote | `remote-sampler`
JAEGER_SAMPLING_ENDPOINT | http://agent:5778/sampling | `remote-sampler`
JAEGER_SAMPLER_MANAGER_HOST_PORT | agent:5778 | `remote-sampler`
JAEGER_SAMPLER_HOST | agent | `remote-sampler`
JAEGER_SAMPLER_PORT | 5778 | `remote-sampler`
JAEGER_SAMPLER_SAMPLING_PATH | /sampling | `remote-sampler`
JAEGER_SAMPLER_MAX_OPERATIONS | 2000 | `remote-sampler`
JAEGER_SAMPLER_REFRESH_INTERVAL | 60s | `remote-sampler`
"#;
#[cfg(feature = "remote-sampler")]
pub(super) const UNSUPPORTED_OF_SAMPLER: &str = "";

#[cfg(all(feature = "remote-sampler", not(feature = "grpc")))]
pub(super) const UNSUPPORTED_OF_GRPC: &str = r#"
JAEGER_SAMPLING_ENDPOINT | grpc://jaeger:5779 | `grpc`
JAEGER_SAMPLING_ENDPOINT | grpcs://jaeger:5779 | `grpc`
"#;
#[cfg(not(all(feature = "remote-sampler", not(feature = "grpc"))))]
pub(super) const UNSUPPORTED_OF_GRPC: &str = "";

#[cfg(all(feature = "remote-sampler", feature = "grpc", not(feature = "tls")))]
pub(super) const UNSUPPORTED_OF_TLS: &str = r#"
JAEGER_SAMPLING_ENDPOINT | https://jaeger/sampling | `tls`
JAEGER_SAMPLING_ENDPOINT | grpcs://jaeger:5779 | `tls`
"#;
#[cfg(all(
    feature = "remote-sampler",
    not(feature = "grpc"),
    not(feature = "tls")
))]
pub(super) const UNSUPPORTED_OF_TLS: &str = r#"
JAEGER_SAMPLING_ENDPOINT | https://jaeger/sampling | `tls`
"#;
#[cfg(not(all(feature = "remote-sampler", not(feature = "tls"))))]
pub(super) const UNSUPPORTED_OF_TLS: &str = "";

#[cfg(not(feature = "remote-sampler"))]
pub(super) const PASSED_OVER_OF_SAMPLER: &str = r#"
OTEL_TRACES_SAMPLER | jaeger_remote
OTEL_TRACES_SAMPLER | parentbased_jaeger_remote
"#;
#[cfg(feature = "remote-sampler")]
pub(super) const PASSED_OVER_OF_SAMPLER: &str = "";
