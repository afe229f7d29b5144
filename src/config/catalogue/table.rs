//! The settings, in the order of an [`Explanation`](crate::config::Explanation).

use crate::config::catalogue::setting_info::{SettingInfo, setting};

pub(super) static SETTINGS: [SettingInfo; 50] = [
    setting("disabled", "whether tracing is off; read before all others")
        .takes(BOOLEAN, "false")
        .read_from(&["JAEGER_DISABLED", "OTEL_SDK_DISABLED"]),
    setting(
        "service_name",
        "the service under which Jaeger shows the spans",
    )
    .takes("text", "required")
    .read_from(&[
        "JAEGER_SERVICE_NAME",
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
    ]),
    setting("dev", "whether the embedded agent takes the spans")
        .takes(BOOLEAN, "false")
        .read_from(&["TRACEHOUND_DEV"])
        .needs("dev"),
    setting(
        "dev_strategies_file",
        "the file of strategies by which the embedded agent samples",
    )
    .takes("path", "none: every trace")
    .read_from(&["TRACEHOUND_DEV_STRATEGIES_FILE"])
    .needs("dev"),
    setting("sampler", "which traces to keep")
        .takes(
            "`const`, `probabilistic`, `ratelimiting`, `remote`",
            "remote 0.001",
        )
        .read_from(&["JAEGER_SAMPLER_TYPE", "OTEL_TRACES_SAMPLER"]),
    setting("sampler_param", "the parameter of the sampler")
        .takes("number, by the sampler", "by the sampler")
        .read_from(&["JAEGER_SAMPLER_PARAM", "OTEL_TRACES_SAMPLER_ARG"]),
    setting(
        "sampling_endpoint",
        "where the remote sampler asks for strategies",
    )
    .takes("URL", "http://127.0.0.1:5778/sampling")
    .read_from(&[
        "JAEGER_SAMPLING_ENDPOINT",
        "JAEGER_SAMPLER_MANAGER_HOST_PORT",
        "OTEL_TRACES_SAMPLER_ARG",
        "JAEGER_SAMPLER_HOST",
        "JAEGER_SAMPLER_PORT",
        "JAEGER_SAMPLER_SAMPLING_PATH",
    ])
    .needs("remote-sampler"),
    setting(
        "sampler_refresh_interval",
        "how often the remote sampler asks",
    )
    .takes(DURATION, "60s")
    .read_from(&["JAEGER_SAMPLER_REFRESH_INTERVAL", "OTEL_TRACES_SAMPLER_ARG"])
    .needs("remote-sampler"),
    setting(
        "sampler_max_operations",
        "how many operations the remote sampler samples by strategies of their own",
    )
    .takes("operations, above 0", "2000")
    .read_from(&["JAEGER_SAMPLER_MAX_OPERATIONS"])
    .needs("remote-sampler"),
    setting(
        "strategy_file",
        "where the remote sampler keeps the last strategies",
    )
    .takes("path", "none")
    .needs("remote-sampler"),
    setting("reporter", "what takes the spans, if the code gives it").takes("reporter", "none"),
    setting("sender", "where spans go")
        .takes(
            "a list of `otlp`, `zipkin`, `jaeger`, `console`; or `none`",
            "agent",
        )
        .read_from(&["OTEL_TRACES_EXPORTER"]),
    setting("agent_host", "the host of the agent")
        .takes("name or address", "localhost")
        .read_from(&["JAEGER_AGENT_HOST", "OTEL_EXPORTER_JAEGER_AGENT_HOST"])
        .needs("udp"),
    setting(
        "agent_port",
        "the UDP port of the agent, 6832 for the binary protocol",
    )
    .takes("1 to 65535", "6831")
    .read_from(&["JAEGER_AGENT_PORT", "OTEL_EXPORTER_JAEGER_AGENT_PORT"])
    .needs("udp"),
    setting("agent_family", "which addresses of the agent are used")
        .takes("`udp4`, `udp6`", "any")
        .read_from(&["JAEGER_AGENT_SOCKET_TYPE"])
        .needs("udp"),
    setting("agent_protocol", "how batches are encoded for the agent")
        .takes("`udp/thrift.compact`, `udp/thrift.binary`", "compact")
        .read_from(&["OTEL_EXPORTER_JAEGER_PROTOCOL"]),
    setting(
        "agent_lookup_interval",
        "how often the name of the agent's host is looked up again",
    )
    .takes("duration; boolean for never", "30s")
    .read_from(&[
        "JAEGER_REPORTER_ATTEMPT_RECONNECTING_DISABLED",
        "JAEGER_REPORTER_ATTEMPT_RECONNECT_INTERVAL",
    ])
    .needs("udp"),
    setting("collector_endpoint", "the collector that takes the spans")
        .takes("URL", "http://localhost:14268/api/traces")
        .read_from(&["JAEGER_ENDPOINT", "OTEL_EXPORTER_JAEGER_ENDPOINT"])
        .needs("collector"),
    setting("collector_protocol", "how spans are sent to the collector")
        .takes("`http/thrift.binary`, `grpc`", "http/thrift.binary")
        .read_from(&["OTEL_EXPORTER_JAEGER_PROTOCOL"])
        .needs("collector"),
    setting("collector_user", "the user name for the collector")
        .takes("text", "none")
        .read_from(&["JAEGER_USER", "OTEL_EXPORTER_JAEGER_USER"])
        .needs("collector"),
    setting("collector_password", "the password for the collector")
        .takes("text", "none")
        .read_from(&["JAEGER_PASSWORD", "OTEL_EXPORTER_JAEGER_PASSWORD"])
        .needs("collector"),
    setting(
        "collector_token",
        "the bearer token for the collector, if there is no user",
    )
    .takes("text", "none")
    .read_from(&["JAEGER_AUTH_TOKEN"])
    .needs("collector"),
    setting(
        "collector_timeout",
        "how long sending a batch to the collector may take",
    )
    .takes(DURATION, "5s")
    .read_from(&[
        "JAEGER_REPORTER_TIMEOUT",
        "OTEL_EXPORTER_JAEGER_TIMEOUT",
        "OTEL_BSP_EXPORT_TIMEOUT",
    ])
    .needs("collector"),
    setting("otlp_endpoint", "the receiver of OTLP that takes the spans")
        .takes("URL", "http://localhost:4318/v1/traces")
        .read_from(&[
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ])
        .needs("otlp"),
    setting("otlp_protocol", "how spans are encoded for it")
        .takes("`http/protobuf`, `grpc`", "http/protobuf")
        .read_from(&[
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ])
        .needs("otlp"),
    setting(
        "otlp_insecure",
        "whether gRPC is not encrypted at an endpoint without a scheme",
    )
    .takes(BOOLEAN, "false")
    .read_from(&[
        "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
        "OTEL_EXPORTER_OTLP_INSECURE",
    ])
    .needs("otlp"),
    setting(
        "otlp_headers",
        "headers of each request to it; only names are shown",
    )
    .takes("`name=value,name=value`", "none")
    .read_from(&[
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "OTEL_EXPORTER_OTLP_HEADERS",
    ])
    .needs("otlp"),
    setting("otlp_timeout", "how long sending a batch to it may take")
        .takes(DURATION, "5s")
        .read_from(&[
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "OTEL_BSP_EXPORT_TIMEOUT",
        ])
        .needs("otlp"),
    setting("otlp_compression", "how batches for it are compressed")
        .takes("`gzip`, `none`", "none")
        .read_from(&[
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
            "OTEL_EXPORTER_OTLP_COMPRESSION",
        ])
        .needs("otlp"),
    setting(
        "otlp_certificate",
        "root certificates to trust it by, in PEM",
    )
    .takes("path", "none")
    .read_from(&[
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
    ])
    .needs("otlp"),
    setting(
        "otlp_client_certificate",
        "the certificate to show it, in PEM",
    )
    .takes("path", "none")
    .read_from(&[
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    ])
    .needs("otlp"),
    setting(
        "otlp_client_key",
        "the private key of that certificate, in PEM",
    )
    .takes("path", "none")
    .read_from(&[
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    ])
    .needs("otlp"),
    setting("zipkin_endpoint", "the Zipkin that takes the spans")
        .takes("URL", "http://localhost:9411/api/v2/spans")
        .read_from(&["OTEL_EXPORTER_ZIPKIN_ENDPOINT"])
        .needs("zipkin"),
    setting(
        "zipkin_timeout",
        "how long sending a batch to Zipkin may take",
    )
    .takes(DURATION, "5s")
    .read_from(&["OTEL_EXPORTER_ZIPKIN_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT"])
    .needs("zipkin"),
    setting("throttler", "how many debug traces callers may force").takes("throttler", "none"),
    setting("baggage_restrictions", "which baggage the program may set")
        .takes("restrictions", "none"),
    setting(
        "log_spans",
        "whether a line is written for each span as well",
    )
    .takes(BOOLEAN, "false")
    .read_from(&["JAEGER_REPORTER_LOG_SPANS"]),
    setting(
        "queue_size",
        "how many finished spans may wait, at 512 bytes a span",
    )
    .takes("spans, above 0", "16384")
    .read_from(&["JAEGER_REPORTER_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"]),
    setting("flush_interval", "how long a finished span waits at most")
        .takes(DURATION, "1s")
        .read_from(&["JAEGER_REPORTER_FLUSH_INTERVAL", "OTEL_BSP_SCHEDULE_DELAY"]),
    setting(
        "trace_id_128bit",
        "whether the ids of new traces have 128 bits",
    )
    .takes(BOOLEAN, "false")
    .read_from(&["JAEGER_TRACEID_128BIT"]),
    setting("propagation", "the formats in which contexts travel")
        .takes(
            "a list of `jaeger`, `b3`, `b3single`, `w3c`, `tracecontext`, `baggage`; or `none`",
            "jaeger,w3c",
        )
        .read_from(&["JAEGER_PROPAGATION", "OTEL_PROPAGATORS"]),
    setting(
        "header_names",
        "the names of Jaeger's headers, shown if they are custom",
    )
    .takes("names", "none"),
    setting("tag_value_bytes", "how long the text of a tag may be")
        .takes("bytes, above 0", "1024")
        .read_from(&[
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        ]),
    setting("logs", "how many log records a span may hold")
        .takes("records, above 0", "128")
        .read_from(&["OTEL_SPAN_EVENT_COUNT_LIMIT"]),
    setting(
        "recording",
        "how much of the program's data spans show; `everything` is for tests",
    )
    .takes("`metadata`, `statements`, `everything`", "metadata")
    .read_from(&["TRACEHOUND_RECORD"]),
    setting(
        "tag_names",
        "the vocabulary in which the middleware names tags",
    )
    .takes("`opentracing`, `opentelemetry`, `both`", "opentracing")
    .read_from(&["TRACEHOUND_TAG_NAMES", "OTEL_SEMCONV_STABILITY_OPT_IN"]),
    setting(
        "rpc_metrics",
        "whether answered calls are counted and timed, by the names of the Go client",
    )
    .takes(BOOLEAN, "false")
    .read_from(&["JAEGER_RPC_METRICS"]),
    setting(
        "max_open_spans",
        "how many spans may be open at once and record",
    )
    .takes("spans, above 0", "1000000")
    .read_from(&["TRACEHOUND_MAX_OPEN_SPANS"]),
    setting(
        "open_span_limit",
        "how long a span may be open before a line says so",
    )
    .takes(DURATION, "none")
    .read_from(&["TRACEHOUND_OPEN_SPAN_LIMIT"]),
    setting("tag", "tags of the process, which every span has")
        .takes("`key=value,key=a-${VAR}-${VAR:default}`", "none")
        .read_from(&["JAEGER_TAGS", "OTEL_RESOURCE_ATTRIBUTES"]),
];

const BOOLEAN: &str = "boolean";
const DURATION: &str = "duration";
