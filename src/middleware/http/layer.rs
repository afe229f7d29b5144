/// Makes a type with a field `settings: Arc<HttpSettings>` a layer, and defines the service that it wraps around
/// others.
///
/// The service implements the `Service` traits of tower and of hyper. `$begin` starts the span of a request.
macro_rules! layer {
    (
        $layer:ident, $begin:path,
        $(#[$doc:meta])*
        pub struct $service:ident;
    ) => {
        impl $layer {
            /// Wraps a service of tower or of hyper.
            pub fn wrap<S>(&self, inner: S) -> $service<S> {
                $service {
                    inner,
                    settings: self.settings.clone(),
                }
            }
        }

        impl<S> tower_layer::Layer<S> for $layer {
            type Service = $service<S>;

            fn layer(&self, inner: S) -> $service<S> {
                self.wrap(inner)
            }
        }

        $(#[$doc])*
        #[derive(Clone)]
        pub struct $service<S> {
            inner: S,
            settings: std::sync::Arc<$crate::middleware::http::settings::HttpSettings>,
        }

        impl<S, B, R> tower_service::Service<http::Request<B>> for $service<S>
        where
            S: tower_service::Service<
                    http::Request<B>,
                    Response = http::Response<R>,
                    Error: std::fmt::Display + 'static,
                >,
            B: 'static,
            R: http_body::Body,
        {
            type Response = http::Response<$crate::middleware::TracedBody<R>>;
            type Error = S::Error;
            type Future = $crate::middleware::TracedFuture<S::Future>;

            fn poll_ready(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Result<(), S::Error>> {
                self.inner.poll_ready(cx)
            }

            fn call(&mut self, request: http::Request<B>) -> Self::Future {
                $crate::middleware::TracedFuture::call(
                    &self.settings,
                    request,
                    |request| $begin(&self.settings, "tower", request),
                    |request| self.inner.call(request),
                )
            }
        }

        #[cfg(feature = "hyper")]
        impl<S, B, R> hyper::service::Service<http::Request<B>> for $service<S>
        where
            S: hyper::service::Service<
                    http::Request<B>,
                    Response = http::Response<R>,
                    Error: std::fmt::Display + 'static,
                >,
            B: 'static,
            R: http_body::Body,
        {
            type Response = http::Response<$crate::middleware::TracedBody<R>>;
            type Error = S::Error;
            type Future = $crate::middleware::TracedFuture<S::Future>;

            fn call(&self, request: http::Request<B>) -> Self::Future {
                $crate::middleware::TracedFuture::call(
                    &self.settings,
                    request,
                    |request| $begin(&self.settings, "hyper", request),
                    |request| self.inner.call(request),
                )
            }
        }

        impl<S: std::fmt::Debug> std::fmt::Debug for $service<S> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($service))
                    .field("inner", &self.inner)
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(super) use layer;
