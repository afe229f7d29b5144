use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::middleware::database::DatabaseCall;
use crate::middleware::database::repeats::Repeats;
use crate::middleware::database::settings::Settings;
use crate::redact;
use crate::tracer::Tracer;

/// A database that a program calls, as the spans of its calls name it.
///
/// It works with every driver, async or blocking: make one beside the pool or the connection, start a call from it, and
/// run the driver's future or code in that call. Cheap to clone.
///
/// ```
/// use tracehound::middleware::Database;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// # async fn driver(_: &str) -> Result<Vec<u8>, std::io::Error> { Ok(vec![7]) }
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let orders = Database::new(tracer, "postgresql").instance("shop").peer_address("db:5432");
///
/// let sql = "SELECT id FROM orders WHERE customer = $1";
/// let rows = orders.statement(sql).run(driver(sql)).await?;
/// assert_eq!(rows, [7]);
///
/// let span = &spans.spans()[0];
/// assert_eq!(span.operation_name, "SELECT");
/// assert_eq!(span.tag_text("db.instance"), "shop");
/// assert!(span.tag("db.statement").is_none()); // unless it is asked for
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What a span records
///
/// | tag | value |
/// |---|---|
/// | `span.kind` | `client` |
/// | `db.type`, `component` | the kind of database |
/// | `db.instance`, `db.user`, `peer.address`, `peer.service` | as they are set here |
/// | `db.statement` | the [statement](Self::statements), if asked for |
/// | `db.rows_returned`, `db.rows_affected` | how many rows came or changed, if the call says it |
/// | `db.parameters`, `db.result` | only at [`Recording::everything`](crate::model::Recording::everything) |
/// | `error` | true, if the driver returned an error; its text is logged without the values that it quotes |
///
/// The name of a span is the first word of the statement, such as `SELECT`, or a name that the caller gives. It is
/// never data. A call that is dropped before its end has a log record `event=cancelled`, and one that panics has
/// `error=true` and `event=panic`.
#[derive(Clone)]
pub struct Database {
    settings: Arc<Settings>,
}

impl Database {
    /// Names a database by its kind, which is the tag `db.type`: `postgresql`, `mysql`, `sqlite`, `redis`.
    pub fn new(tracer: impl Tracer + 'static, system: impl Into<Cow<'static, str>>) -> Self {
        Self {
            settings: Arc::new(Settings::new(tracer, system.into())),
        }
    }

    /// Sets the name of the database on its server, which is the tag `db.instance`. Defaults to none.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<Cow<'static, str>>) -> Self {
        self.settings_mut().instance = Some(instance.into());
        self
    }

    /// Sets the user as whom the program calls, which is the tag `db.user`. Defaults to none.
    #[must_use]
    pub fn user(mut self, user: impl Into<Cow<'static, str>>) -> Self {
        self.settings_mut().user = Some(user.into());
        self
    }

    /// Sets the address of the server, such as `db:5432`, which is the tag `peer.address`. Defaults to none.
    ///
    /// A user name and a password in it are hidden.
    #[must_use]
    pub fn peer_address(mut self, address: impl Into<Cow<'static, str>>) -> Self {
        let address: Cow<'static, str> = address.into();
        let hidden = redact::value(&address).into_owned();
        self.settings_mut().peer_address = Some(hidden.into());
        self
    }

    /// Sets the name under which a backend shows the server, which is the tag `peer.service`. Defaults to none.
    #[must_use]
    pub fn peer_service(mut self, service: impl Into<Cow<'static, str>>) -> Self {
        self.settings_mut().peer_service = Some(service.into());
        self
    }

    /// Sets the value of the tag `component`, which names the driver. Defaults to the kind of database.
    #[must_use]
    pub fn component(mut self, component: impl Into<Cow<'static, str>>) -> Self {
        self.settings_mut().component = Some(component.into());
        self
    }

    /// Sets whether spans show statements, as the tag `db.statement`.
    ///
    /// Each literal is replaced by `?`, comments are left out, and the text is cut to the
    /// [limit](crate::span::Limits::tag_value_bytes()) of a tag. It is read without regard to the server: where it is
    /// not certain what is data, the rest is hidden. With `postgresql` as the kind, names in double quotes are shown.
    ///
    /// Defaults to what the tracer [records](crate::model::Recording): no statements, unless it is told to. At
    /// [`Recording::everything`](crate::model::Recording::everything) statements keep their literals, unless they name
    /// a password, a token or the like. False hides statements at any level.
    ///
    /// ```
    /// use tracehound::middleware::Database;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let users = Database::new(tracer, "mysql").statements(true);
    /// users.statement("SELECT id FROM users WHERE mail IN ('a@b.c', 'd@e.f')").start().finish();
    /// assert_eq!(
    ///     spans.spans()[0].tag_text("db.statement"),
    ///     "SELECT id FROM users WHERE mail IN (?)"
    /// );
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[must_use]
    pub fn statements(mut self, shows_statements: bool) -> Self {
        self.settings_mut().statements = Some(shows_statements);
        self
    }

    /// Sets whether only calls within a trace get a span: without an active span and without a parent there is none.
    /// Defaults to false, so such a call begins a trace.
    #[must_use]
    pub fn only_in_traces(mut self, only_in_traces: bool) -> Self {
        self.settings_mut().only_in_traces = only_in_traces;
        self
    }

    /// Marks a span under which one statement runs more than `limit` times: often a loop that should be one statement
    /// (the problem *N + 1*).
    ///
    /// The mark is the tag `db.repeated=true` and a log record `event=repeated_statement` with the name of the call,
    /// the statement if it is shown, and the limit. Its place is the active span under which the calls run, or, if
    /// their parent is given in another way, the call that exceeds the limit. Statements that differ only in literals
    /// count as one.
    ///
    /// The memory for it is bounded (8 KiB): under many spans at once some repeats may go unseen. Defaults to off, and
    /// then costs nothing.
    ///
    /// ```
    /// use tracehound::middleware::Database;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let users = Database::new(tracer.clone(), "mysql").repeats(2);
    /// let page = tracer.start_active_span("page");
    /// for id in 0..3 {
    ///     users.statement(&format!("SELECT * FROM users WHERE id = {id}")).start().finish();
    /// }
    /// page.finish();
    /// assert_eq!(spans.spans()[3].tag_text("db.repeated"), "true");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[must_use]
    pub fn repeats(mut self, limit: u32) -> Self {
        self.settings_mut().repeats = Some(Arc::new(Repeats::new(limit)));
        self
    }

    /// Begins a call that runs a statement. Its span is named after the statement's first word.
    ///
    /// If the word is not one of SQL, the name is `Query`.
    pub fn statement<'a>(&'a self, statement: &'a str) -> DatabaseCall<'a> {
        DatabaseCall::new(&self.settings, None, Some(statement))
    }

    /// Begins a call of another kind, under a name that stands for a class of calls: `ping`, `load_user`.
    ///
    /// ```
    /// use tracehound::middleware::Database;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let cache = Database::new(tracer.clone(), "memcached")
    ///     .component("memcache-rs")
    ///     .only_in_traces(true);
    /// cache.operation("ping").start().finish(); // outside of a trace, so without a span
    /// tracer.start_span("checkout").in_scope(|| cache.operation("get").start().finish());
    /// assert_eq!(spans.tree(), "checkout\n  get");
    /// assert_eq!(spans.find("get").expect("called").tag_text("component"), "memcache-rs");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn operation(&self, name: impl Into<Cow<'static, str>>) -> DatabaseCall<'_> {
        DatabaseCall::new(&self.settings, Some(name.into()), None)
    }

    /// Begins a call for the wait for a connection of a pool. Its span is named `AcquireConnection`.
    ///
    /// ```
    /// use tracehound::middleware::Database;
    /// use tracehound::NoopTracer;
    ///
    /// # async fn pool() -> Result<(), std::io::Error> { Ok(()) }
    /// # async fn example() -> Result<(), std::io::Error> {
    /// let users = Database::new(NoopTracer, "mysql");
    /// let connection = users.acquire().run(pool()).await?;
    /// # Ok(()) }
    /// ```
    pub fn acquire(&self) -> DatabaseCall<'_> {
        self.operation("AcquireConnection")
    }

    #[cfg(feature = "redis")]
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("system", &self.settings.system)
            .finish_non_exhaustive()
    }
}
