//! OpenTelemetry's names of tags: those of its semantic conventions 1.33 that are stable, for HTTP and databases.
//!
//! The middleware sets them if [`TagNames`](crate::model::TagNames) says so. A program with tags of its own beside them
//! can use the constants, or ask for one by its text in a test:
//!
//! ```
//! use tracehound::JaegerTracer;
//! use tracehound::model::{TagNames, otel_tags};
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .tag_names(TagNames::OpenTelemetry)
//!     .build()?;
//! let query = tracer.start_span("SELECT carts");
//! query.set_tag(otel_tags::DB_SYSTEM_NAME, "postgresql");
//! query.set_tag(otel_tags::DB_QUERY_SUMMARY, "SELECT carts");
//! query.finish();
//! assert_eq!(spans.spans()[0].tag_text("db.system.name"), "postgresql");
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```

/// Address of the caller, without a port.
pub const CLIENT_ADDRESS: &str = "client.address";
/// Name of the database within its server.
pub const DB_NAMESPACE: &str = "db.namespace";
/// Number of operations of a batch, if they are two or more.
pub const DB_OPERATION_BATCH_SIZE: &str = "db.operation.batch.size";
/// Name of the operation, if the call is not a statement.
pub const DB_OPERATION_NAME: &str = "db.operation.name";
/// Operations and tables of a statement: `INSERT orders SELECT carts`.
pub const DB_QUERY_SUMMARY: &str = "db.query.summary";
/// Text of the statement.
pub const DB_QUERY_TEXT: &str = "db.query.text";
/// Code with which the database refuses a call.
pub const DB_RESPONSE_STATUS_CODE: &str = "db.response.status_code";
/// Product of the database.
pub const DB_SYSTEM_NAME: &str = "db.system.name";
/// Class of the error: a status, a code of a database, or a type.
pub const ERROR_TYPE: &str = "error.type";
/// Method of the request, or [`OTHER`].
pub const HTTP_REQUEST_METHOD: &str = "http.request.method";
/// Method of a request whose method is not known.
pub const HTTP_REQUEST_METHOD_ORIGINAL: &str = "http.request.method_original";
/// Number of times that the request was sent before, if it was.
pub const HTTP_REQUEST_RESEND_COUNT: &str = "http.request.resend_count";
/// Status of the response, a number.
pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
/// Route template: `/users/{id}`.
pub const HTTP_ROUTE: &str = "http.route";
/// Address at the other end of the connection.
pub const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
/// Port at the other end of the connection, a number.
pub const NETWORK_PEER_PORT: &str = "network.peer.port";
/// Version of the protocol, such as `1.1` or `2`.
pub const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
/// Host that the client asks.
pub const SERVER_ADDRESS: &str = "server.address";
/// Port that the client asks, a number.
pub const SERVER_PORT: &str = "server.port";
/// Whole URL of a client's request.
pub const URL_FULL: &str = "url.full";
/// Path of the URL.
pub const URL_PATH: &str = "url.path";
/// Query of the URL, without the question mark.
pub const URL_QUERY: &str = "url.query";
/// Scheme of the URL.
pub const URL_SCHEME: &str = "url.scheme";
/// Text of the header `user-agent`.
pub const USER_AGENT_ORIGINAL: &str = "user_agent.original";

/// Value of [`HTTP_REQUEST_METHOD`] and [`ERROR_TYPE`] for all that has no name of its own.
pub const OTHER: &str = "_OTHER";
