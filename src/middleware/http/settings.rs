//! The settings of a layer, and the methods that set them.

use std::panic::Location;
use std::sync::Arc;

use http::{request, response};

use crate::middleware::grpc::Methods;
use crate::middleware::http::hooks::Hooks;
use crate::tracer::Tracer;

/// The settings of a layer that sees requests and responses in the types of the crate `http`.
pub(super) type HttpSettings = Settings<request::Parts, response::Parts>;

/// The settings of a layer.
pub(super) struct Settings<Req, Res> {
    pub(super) tracer: Arc<dyn Tracer>,
    /// The methods that have answered on a server.
    pub(super) methods: Arc<Methods>,
    pub(super) hooks: Hooks<Req, Res>,
}

impl<Req, Res> Settings<Req, Res> {
    #[track_caller]
    pub(super) fn new(tracer: impl Tracer + 'static) -> Self {
        Self {
            tracer: Arc::new(tracer),
            methods: Arc::default(),
            hooks: Hooks {
                place: Some(Location::caller()),
                ..Hooks::DEFAULT
            },
        }
    }
}

impl<Req, Res> Clone for Settings<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            tracer: self.tracer.clone(),
            methods: self.methods.clone(),
            hooks: self.hooks.clone(),
        }
    }
}

/// Implements the constructor and the setters of a layer, which is a type with a field `settings: Arc<Settings<..>>`.
/// Its other fields, which are named last, begin with their defaults.
macro_rules! settings {
    ($layer:ident, $request:ty, $response:ty $(, $field:ident)*) => {
        impl $layer {
            /// Makes a layer that starts spans with `tracer`. All settings have their defaults. Observers see this call
            /// as the place where the spans start.
            #[track_caller]
            pub fn new(tracer: impl $crate::Tracer + 'static) -> Self {
                Self {
                    settings: std::sync::Arc::new(
                        $crate::middleware::http::settings::Settings::new(tracer),
                    ),
                    $($field: Default::default(),)*
                }
            }

            /// Sets how spans are named: `name` returns the operation name for a request.
            ///
            /// A name stands for a class of requests, so it should have no ids and no raw paths in it.
            ///
            /// Defaults to `GET /users/{id}` if a router has told the route, else to `HTTP GET`. A call of a
            /// [known](crate::middleware#what-is-different-for-grpc) gRPC method is named `/package.Service/Method`.
            #[must_use]
            pub fn operation_name(
                mut self,
                name: impl Fn(&$request) -> std::borrow::Cow<'static, str> + Send + Sync + 'static,
            ) -> Self {
                self.hooks_mut().operation_name = Some(std::sync::Arc::new(name));
                self
            }

            /// Sets which requests get a span. Others pass unchanged.
            ///
            /// A client injects nothing into a request without a span. On a server the caller's context is still active
            /// in the handler.
            ///
            /// Defaults to all requests.
            #[must_use]
            pub fn filter(
                mut self,
                keep: impl Fn(&$request) -> bool + Send + Sync + 'static,
            ) -> Self {
                self.hooks_mut().filter = Some(std::sync::Arc::new(keep));
                self
            }

            /// Sets how a span tells the URL: `url` returns the value of the `http.url` tag, or `None` for no tag.
            ///
            /// Defaults to the URL without user name, password and the values of its parameters:
            /// `http://shop/cart?id=`.
            #[must_use]
            pub fn url(
                mut self,
                url: impl Fn(&$request) -> Option<String> + Send + Sync + 'static,
            ) -> Self {
                self.hooks_mut().url = Some(std::sync::Arc::new(url));
                self
            }

            /// Sets the value of the `component` tag.
            ///
            /// Defaults to the library or the protocol: `tower`, `hyper`, `reqwest` or `gRPC`.
            #[must_use]
            pub fn component(
                mut self,
                component: impl Into<std::borrow::Cow<'static, str>>,
            ) -> Self {
                self.hooks_mut().component = Some(component.into());
                self
            }

            /// Sets the request headers to record, as tags `http.header.{name}`.
            ///
            /// If a header occurs several times, its values are joined by `, `. Headers that hold secrets are never
            /// recorded: `authorization`, `proxy-authorization`, `cookie`, `set-cookie`, `x-api-key`, names that end in
            /// `-token` or `-secret`, and values that are marked as sensitive. The metadata of a gRPC call are headers
            /// too; those in binary (`-bin`) are never recorded.
            ///
            /// Defaults to none.
            #[must_use]
            pub fn request_headers(
                mut self,
                names: impl IntoIterator<Item = http::HeaderName>,
            ) -> Self {
                let headers = &mut self.hooks_mut().request_headers;
                headers.add("http.header.", names);
                self
            }

            /// Sets the response headers to record, as tags `http.response.header.{name}`.
            ///
            /// Trailers of a gRPC call count as headers. The exceptions of [`request_headers`](Self::request_headers)
            /// apply. Defaults to none.
            #[must_use]
            pub fn response_headers(
                mut self,
                names: impl IntoIterator<Item = http::HeaderName>,
            ) -> Self {
                let headers = &mut self.hooks_mut().response_headers;
                headers.add("http.response.header.", names);
                self
            }

            /// Sets which HTTP statuses are errors.
            ///
            /// Defaults to those from 500, as in the Go client. A Jaeger 2 backend marks a client's 4xx as errors in
            /// any case. A gRPC status has [rules of its own](crate::middleware#what-is-different-for-grpc).
            #[must_use]
            pub fn error_status(
                mut self,
                is_error: impl Fn(http::StatusCode) -> bool + Send + Sync + 'static,
            ) -> Self {
                self.hooks_mut().error_status = Some(std::sync::Arc::new(is_error));
                self
            }

            /// Adds a hook that runs on each span after its first tags are set and before its context is injected.
            #[must_use]
            pub fn decorate(
                mut self,
                tag: impl Fn(&$crate::Span, &$request) + Send + Sync + 'static,
            ) -> Self {
                self.hooks_mut().decorate.push(std::sync::Arc::new(tag));
                self
            }

            /// Adds a hook that runs when the head of the response has come, to set tags of your own.
            #[must_use]
            pub fn decorate_response(
                mut self,
                tag: impl Fn(&$crate::Span, &$response) + Send + Sync + 'static,
            ) -> Self {
                let hooks = &mut self.hooks_mut().decorate_response;
                hooks.push(std::sync::Arc::new(tag));
                self
            }

            /// Sets when the span ends. Defaults to [`SpanEnd::Body`](crate::middleware::SpanEnd::Body).
            #[must_use]
            pub fn span_end(mut self, end: $crate::middleware::SpanEnd) -> Self {
                self.hooks_mut().span_end = end;
                self
            }

            pub(super) fn hooks_mut(
                &mut self,
            ) -> &mut $crate::middleware::http::hooks::Hooks<$request, $response> {
                &mut std::sync::Arc::make_mut(&mut self.settings).hooks
            }
        }

        impl std::fmt::Debug for $layer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($layer)).finish_non_exhaustive()
            }
        }
    };
}
pub(super) use settings;
