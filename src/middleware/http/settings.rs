//! What users set on a layer, and the setters.

use std::sync::Arc;

use http::{request, response};

use crate::middleware::grpc::KnownMethods;
use crate::middleware::http::hooks::Hooks;
use crate::tracer::Tracer;

/// The settings of layers that see requests and responses as the crate `http` has them.
pub(super) type HttpSettings = Settings<request::Parts, response::Parts>;

/// What a layer was told.
pub(super) struct Settings<Req, Res> {
    pub(super) tracer: Arc<dyn Tracer>,
    /// The gRPC methods that a server is known to have.
    pub(super) methods: Arc<KnownMethods>,
    pub(super) hooks: Hooks<Req, Res>,
}

impl<Req, Res> Settings<Req, Res> {
    pub(super) fn new(tracer: impl Tracer + 'static) -> Self {
        Self {
            tracer: Arc::new(tracer),
            methods: Arc::default(),
            hooks: Hooks::DEFAULT,
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

/// Defines the constructor and the setters that all layers share, for a type with a field `settings: Arc<Settings<..>>`.
macro_rules! settings {
    ($layer:ident, $request:ty, $response:ty) => {
        impl $layer {
            /// Spans by `tracer`; all hooks at their defaults.
            pub fn new(tracer: impl $crate::Tracer + 'static) -> Self {
                Self {
                    settings: std::sync::Arc::new(
                        $crate::middleware::http::settings::Settings::new(tracer),
                    ),
                }
            }

            /// Names the spans. A name stands for a class of requests: no ids, no paths as they came.
            ///
            /// Defaults to the route where the router has told it (`GET /users/{id}`), to `HTTP GET` where it has not, and to
            /// `/package.Service/Method` for a gRPC method that is [known](crate::middleware).
            #[must_use]
            pub fn operation_name(
                mut self,
                name: impl Fn(&$request) -> std::borrow::Cow<'static, str> + Send + Sync + 'static,
            ) -> Self {
                self.hooks_mut().operation_name = Some(std::sync::Arc::new(name));
                self
            }

            /// Decides which requests get a span. One that gets none is passed on as it is: a client injects nothing into it. On a
            /// server the context of the caller is active in the handler all the same.
            ///
            /// Defaults to all.
            #[must_use]
            pub fn filter(
                mut self,
                keep: impl Fn(&$request) -> bool + Send + Sync + 'static,
            ) -> Self {
                self.hooks_mut().filter = Some(std::sync::Arc::new(keep));
                self
            }

            /// Makes the text of the `http.url` tag; `None` leaves the tag out.
            ///
            /// Defaults to the URL without user name and password and without the values of its parameters:
            /// `http://shop/cart?id=`.
            #[must_use]
            pub fn url(
                mut self,
                url: impl Fn(&$request) -> Option<String> + Send + Sync + 'static,
            ) -> Self {
                self.hooks_mut().url = Some(std::sync::Arc::new(url));
                self
            }

            /// The value of the `component` tag.
            ///
            /// Defaults to the name of the library that is traced: `tower`, `hyper`, `reqwest`, `gRPC`.
            #[must_use]
            pub fn component(
                mut self,
                component: impl Into<std::borrow::Cow<'static, str>>,
            ) -> Self {
                self.hooks_mut().component = Some(component.into());
                self
            }

            /// Records these headers of requests, as `http.header.{name}`. The values of one that comes several times are
            /// joined by `, `.
            ///
            /// Those that hold secrets are left out all the same: `authorization`, `proxy-authorization`, `cookie`,
            /// `set-cookie`, `x-api-key`, names that end in `-token` or `-secret`, and values marked as sensitive.
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

            /// Records these headers of responses, as `http.response.header.{name}`, with the same exceptions as
            /// [`request_headers`](Self::request_headers). Defaults to none.
            #[must_use]
            pub fn response_headers(
                mut self,
                names: impl IntoIterator<Item = http::HeaderName>,
            ) -> Self {
                let headers = &mut self.hooks_mut().response_headers;
                headers.add("http.response.header.", names);
                self
            }

            /// Says which HTTP status is an error.
            ///
            /// Defaults to those from 500, as in the Go client. A Jaeger v2 backend marks the 4xx of a client as errors by itself. The
            /// status of gRPC has its own rules.
            #[must_use]
            pub fn error_status(
                mut self,
                is_error: impl Fn(http::StatusCode) -> bool + Send + Sync + 'static,
            ) -> Self {
                self.hooks_mut().error_status = Some(std::sync::Arc::new(is_error));
                self
            }

            /// Runs on each span once it has its own tags, and before anything is injected. May be set several times.
            #[must_use]
            pub fn decorate(
                mut self,
                tag: impl Fn(&$crate::Span, &$request) + Send + Sync + 'static,
            ) -> Self {
                self.hooks_mut().decorate.push(std::sync::Arc::new(tag));
                self
            }

            /// Runs when the head of the response is there. May be set several times.
            #[must_use]
            pub fn decorate_response(
                mut self,
                tag: impl Fn(&$crate::Span, &$response) + Send + Sync + 'static,
            ) -> Self {
                let hooks = &mut self.hooks_mut().decorate_response;
                hooks.push(std::sync::Arc::new(tag));
                self
            }

            /// When the span ends. Defaults to [`SpanEnd::Body`](crate::middleware::SpanEnd::Body).
            #[must_use]
            pub fn span_end(mut self, end: $crate::middleware::SpanEnd) -> Self {
                self.hooks_mut().span_end = end;
                self
            }

            fn hooks_mut(
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
