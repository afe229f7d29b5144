use log::kv::{self, Key, Source, Value, VisitSource};
use log::{Log, Metadata, Record};

use crate::bridge::LogKeys;
use crate::bridge::log_ids::LogIds;
use crate::scope::trace_ids;

/// A logger of the crate [`log`](::log) that adds the ids of the trace to each record, and hands it on to another one.
///
/// [`new`](Self::new) adds them as key-values, which structured loggers print by themselves, and `env_logger` with its
/// feature `kv`. For a logger that prints no key-values there is [`in_message`](Self::in_message). The ids are those of
/// the span or context that is active where the line is logged: [`scope::trace_ids`](trace_ids). Outside of a trace a
/// record stays as it is. Unsampled traces have ids as well. [`LogKeys`] sets other names.
///
/// ```
/// use log::info;
/// use tracehound::bridge::LogWithTraceIds;
///
/// let logger = env_logger::Builder::new().filter_level(log::LevelFilter::Info).build();
/// log::set_max_level(logger.filter());
/// log::set_boxed_logger(Box::new(LogWithTraceIds::new(logger)))?;
///
/// info!("paid"); // in a span: `[… INFO  shop] paid trace_id=… span_id=… sampled=…`
/// # Ok::<(), log::SetLoggerError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LogWithTraceIds<L> {
    logger: L,
    place: Place,
    keys: LogKeys,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    KeyValues,
    Message,
}

impl<L: Log> LogWithTraceIds<L> {
    /// Returns a logger that adds the ids as key-values: two texts, and whether the trace is sampled as a `bool`. A
    /// key-value of the same name that the record has already stays as it is.
    pub fn new(logger: L) -> Self {
        Self::of(logger, Place::KeyValues)
    }

    /// Returns a logger that puts the ids before the message, as `trace_id=… span_id=… sampled=… message`.
    ///
    /// ```
    /// use log::Log;
    /// use tracehound::bridge::{LogKeys, LogWithTraceIds};
    ///
    /// let plain = env_logger::Builder::new().build();
    /// let logger = LogWithTraceIds::in_message(plain).keys(LogKeys::new().sampled(None));
    /// logger.log(&log::Record::builder().args(format_args!("paid")).build());
    /// ```
    pub fn in_message(logger: L) -> Self {
        Self::of(logger, Place::Message)
    }

    fn of(logger: L, place: Place) -> Self {
        Self {
            logger,
            place,
            keys: LogKeys::new(),
        }
    }

    /// Sets the names and the form of the ids.
    #[must_use]
    pub fn keys(mut self, keys: LogKeys) -> Self {
        self.keys = keys;
        self
    }
}

impl<L: Log> Log for LogWithTraceIds<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let Some(ids) = self.keys.name(trace_ids()) else {
            return self.logger.log(record);
        };
        let mut builder = record.to_builder();
        match self.place {
            Place::KeyValues => {
                let source = WithIds {
                    key_values: record.key_values(),
                    ids,
                };
                self.logger.log(&builder.key_values(&source).build());
            }
            Place::Message => {
                let message = record.args();
                self.logger
                    .log(&builder.args(format_args!("{ids} {message}")).build());
            }
        }
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

/// The key-values of a record, and after them the ids.
struct WithIds<'a> {
    key_values: &'a dyn Source,
    ids: LogIds,
}

impl Source for WithIds<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        self.key_values.visit(visitor)?;
        for (key, id) in [&self.ids.trace_id, &self.ids.span_id] {
            self.visit_new(visitor, key, Value::from(id.as_str()))?;
        }
        match self.ids.sampled {
            Some((key, is_sampled)) => self.visit_new(visitor, key, Value::from(is_sampled)),
            None => Ok(()),
        }
    }
}

impl WithIds<'_> {
    /// Visits a key-value, unless the record has one of this name.
    fn visit_new<'kvs>(
        &'kvs self,
        visitor: &mut dyn VisitSource<'kvs>,
        key: &'static str,
        value: Value<'kvs>,
    ) -> Result<(), kv::Error> {
        if self.key_values.get(Key::from_str(key)).is_some() {
            return Ok(());
        }
        visitor.visit_pair(Key::from_str(key), value)
    }
}
