use std::fmt;

use redis::{Cmd, ConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult, Value, aio};

use crate::middleware::Database;
use crate::middleware::database::DatabaseSpan;
use crate::middleware::database::redis::command::Command;
use crate::middleware::database::redis::packed::{Parts, take_command};
use crate::middleware::database::vocabulary;
use crate::tracer::Tracer;

/// A connection of the crate `redis` whose commands have spans. It is a connection itself, async or blocking, whichever
/// the one in it is.
///
/// A span is named after the command, such as `MGET`, and tells how many keys it has. Keys, values and other arguments
/// are data, and are not recorded, unless the tracer [records](crate::model::Recording) everything. A pipeline is one
/// span, with the number of its commands.
///
/// ```no_run
/// use redis::AsyncCommands;
/// use tracehound::middleware::{Database, TracedRedis};
/// use tracehound::NoopTracer;
///
/// # async fn example(connection: redis::aio::MultiplexedConnection) -> redis::RedisResult<()> {
/// let client = redis::Client::open("redis://cache:6379/0")?;
/// let cache = Database::redis(NoopTracer, client.get_connection_info());
/// # #[cfg(any())]
/// let connection = client.get_multiplexed_async_connection().await?;
/// let mut connection = TracedRedis::new(connection, cache);
/// let name: Option<String> = connection.get("user:7").await?; // span: `GET`
/// # Ok(()) }
/// ```
///
/// # What a span records
///
/// | tag | value |
/// |---|---|
/// | `redis.keys` | how many keys the command names, if its form tells |
/// | `redis.commands` | how many commands a pipeline has |
/// | `db.error_code` | the code of an error, such as `WRONGTYPE` |
/// | `db.statement` | on [request](Database::statements): the command with `?` for each argument, as in `SET ? ?` |
///
/// Commands that are not known are named `Command`. A pipeline is named `PIPELINE`, or `MULTI` if it is a transaction.
/// `AUTH`, `HELLO`, `ACL`, `CONFIG` and `MIGRATE` may hold passwords, so they never show arguments.
#[derive(Clone)]
pub struct TracedRedis<C> {
    connection: C,
    database: Database,
}

impl Database {
    /// Names a Redis by what a client knows of it: its address, the number of the database, and the user.
    ///
    /// ```
    /// use tracehound::middleware::Database;
    /// use tracehound::NoopTracer;
    ///
    /// let client = redis::Client::open("redis://cache:6379/2")?;
    /// let cache = Database::redis(NoopTracer, client.get_connection_info()).peer_service("cache");
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn redis(tracer: impl Tracer + 'static, connection: &ConnectionInfo) -> Self {
        let settings = connection.redis_settings();
        let database = Self::new(tracer, "redis")
            .peer_address(connection.addr().to_string())
            .instance(settings.db().to_string());
        match settings.username() {
            Some(user) => database.user(user.to_owned()),
            None => database,
        }
    }
}

impl<C> TracedRedis<C> {
    /// Gives the commands of a connection spans of this database.
    pub fn new(connection: C, database: Database) -> Self {
        Self {
            connection,
            database,
        }
    }

    /// Returns the connection.
    pub fn get_ref(&self) -> &C {
        &self.connection
    }

    /// Returns the connection, for commands without spans.
    pub fn get_mut(&mut self) -> &mut C {
        &mut self.connection
    }

    /// Returns the connection and gives up the spans.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{Database, TracedRedis};
    ///
    /// let client = redis::Client::open("redis://cache:6379")?;
    /// let cache = Database::redis(NoopTracer, client.get_connection_info());
    /// let mut traced = TracedRedis::new(client, cache);
    /// let _address = traced.get_ref().get_connection_info();
    /// let _untraced: &mut redis::Client = traced.get_mut();
    /// let _client: redis::Client = traced.into_inner();
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn into_inner(self) -> C {
        self.connection
    }

    /// Starts the span of a command, unless it would be a no-op.
    fn start<'c, I>(&self, command: &Command<I>) -> Option<DatabaseSpan>
    where
        I: Iterator<Item = &'c [u8]> + Clone,
    {
        let call = self.database.operation(command.name).start();
        let span = call.span();
        if span.is_noop() {
            return None;
        }
        if span.is_recording() {
            span.set_tag("redis.keys", command.keys());
            let call = call.of_secret(|| command.is_secret());
            call.show_statement(|| command.shape(), |bytes| command.text(bytes));
            return Some(call);
        }
        Some(call)
    }

    /// Starts the span of a pipeline, unless it would be a no-op.
    fn start_pipeline<'c, I, P>(
        &self,
        length: usize,
        is_transaction: bool,
        commands: impl Fn() -> P,
    ) -> Option<DatabaseSpan>
    where
        P: Iterator<Item = Command<I>>,
        I: Iterator<Item = &'c [u8]> + Clone,
    {
        let name = if is_transaction { "MULTI" } else { "PIPELINE" };
        let call = self.database.operation(name).start();
        let span = call.span();
        if span.is_noop() {
            return None;
        }
        if !span.is_recording() {
            return Some(call);
        }
        vocabulary::set_batch_size(span, length);
        let call = call.of_secret(|| commands().any(|command| command.is_secret()));
        call.show_statement(
            || joined(commands(), usize::MAX, |command, _| command.shape()),
            |bytes| joined(commands(), bytes, Command::text),
        );
        Some(call)
    }
}

/// Joins the texts of the first commands of a pipeline: `GET ?; SET ? ?`.
fn joined<C>(
    commands: impl Iterator<Item = C>,
    max_bytes: usize,
    text: impl Fn(&C, usize) -> String,
) -> String {
    let mut joined = String::new();
    for (n, command) in commands.enumerate() {
        if n == SHOWN_COMMANDS || joined.len() > max_bytes {
            joined.push_str("; …");
            break;
        }
        if n > 0 {
            joined.push_str("; ");
        }
        joined.push_str(&text(&command, max_bytes));
    }
    joined
}

/// The number of commands of a pipeline that are shown.
const SHOWN_COMMANDS: usize = 16;

impl<C: aio::ConnectionLike> aio::ConnectionLike for TracedRedis<C> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let call = self.start(&of_cmd(cmd));
        let sent = self.connection.req_packed_command(cmd);
        match call {
            Some(call) => Box::pin(call.run_to_end(
                sent,
                |_| true,
                |call, result| end(call, result, std::slice::from_ref),
            )),
            None => sent,
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let commands = || pipeline.cmd_iter().map(of_cmd);
        let call = self.start_pipeline(pipeline.len(), pipeline.is_transaction(), commands);
        let sent = self.connection.req_packed_commands(pipeline, offset, count);
        match call {
            Some(call) => Box::pin(call.run_to_end(
                sent,
                |_| true,
                |call, result| end(call, result, Vec::as_slice),
            )),
            None => sent,
        }
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

impl<C: redis::ConnectionLike> redis::ConnectionLike for TracedRedis<C> {
    fn req_packed_command(&mut self, cmd: &[u8]) -> RedisResult<Value> {
        let parts = take_command(&mut &*cmd).unwrap_or_default();
        let call = self.start(&Command::new(parts));
        self.traced(call, |connection| connection.req_packed_command(cmd))
    }

    fn req_packed_commands(
        &mut self,
        cmd: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        // A transaction is sent between MULTI and EXEC, and only the reply of the latter is read as its own.
        let is_transaction = offset > 0;
        let length = if is_transaction { offset - 1 } else { count };
        let skipped = usize::from(is_transaction);
        let commands = || Packed(cmd).skip(skipped).take(length).map(Command::new);
        let call = self.start_pipeline(length, is_transaction, commands);
        let Some(call) = call else {
            return self.connection.req_packed_commands(cmd, offset, count);
        };
        let connection = &mut self.connection;
        let result = call.run_blocking(|| connection.req_packed_commands(cmd, offset, count));
        end(call, &result, Vec::as_slice);
        result
    }

    fn req_command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        let call = self.start(&of_cmd(cmd));
        self.traced(call, |connection| connection.req_command(cmd))
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }

    fn supports_pipelining(&self) -> bool {
        self.connection.supports_pipelining()
    }

    fn check_connection(&mut self) -> bool {
        self.connection.check_connection()
    }

    fn is_open(&self) -> bool {
        self.connection.is_open()
    }
}

impl<C> TracedRedis<C> {
    fn traced(
        &mut self,
        call: Option<DatabaseSpan>,
        send: impl FnOnce(&mut C) -> RedisResult<Value>,
    ) -> RedisResult<Value> {
        let Some(call) = call else {
            return send(&mut self.connection);
        };
        let result = call.run_blocking(|| send(&mut self.connection));
        end(call, &result, std::slice::from_ref);
        result
    }
}

/// Records the replies and finishes the span.
fn end<T: fmt::Debug>(call: DatabaseSpan, result: &RedisResult<T>, replies: fn(&T) -> &[Value]) {
    match result {
        Ok(value) => {
            if let Some(error) = replies(value).iter().find_map(failure) {
                call.fail(&error);
                record_code(&call, &error);
            }
            call.debug_result(value);
        }
        // Its text is recorded already.
        Err(error) => record_code(&call, error),
    }
    call.finish();
}

/// Records the code of an error. A script may make up any code, so only known ones are recorded.
fn record_code(call: &DatabaseSpan, error: &RedisError) {
    if let Some(code) = error.code().filter(|code| CODES.contains(code)) {
        call.error_code(code);
    }
}

const CODES: [&str; 26] = [
    "ASK",
    "BUSY",
    "BUSYGROUP",
    "BUSYKEY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "ERR",
    "EXECABORT",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOGROUP",
    "NOPERM",
    "NOPROTO",
    "NOREPLICAS",
    "NOSCRIPT",
    "NOTBUSY",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "UNKILLABLE",
    "UNBLOCKED",
    "WRONGPASS",
    "WRONGTYPE",
];

/// Returns the error in a reply, or in the replies of a transaction.
fn failure(reply: &Value) -> Option<RedisError> {
    match reply {
        Value::ServerError(error) => Some(error.clone().into()),
        Value::Array(replies) => replies.iter().find_map(|reply| match reply {
            Value::ServerError(error) => Some(error.clone().into()),
            _ => None,
        }),
        _ => None,
    }
}

/// Returns a command that is not packed yet.
fn of_cmd(cmd: &Cmd) -> Command<impl Iterator<Item = &[u8]> + Clone> {
    Command::new(cmd.args_iter().map(|arg| match arg {
        redis::Arg::Simple(bytes) => bytes,
        // The cursor of a scan begins here.
        _ => b"0",
    }))
}

/// The commands in packed bytes.
#[derive(Clone)]
struct Packed<'b>(&'b [u8]);

impl<'b> Iterator for Packed<'b> {
    type Item = Parts<'b>;

    fn next(&mut self) -> Option<Parts<'b>> {
        take_command(&mut self.0)
    }
}

impl<C> fmt::Debug for TracedRedis<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedRedis")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}
