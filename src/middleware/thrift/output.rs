use std::fmt;
use std::sync::Arc;

use thrift::protocol::{
    TFieldIdentifier, TMessageIdentifier, TMessageType, TOutputProtocol, TStructIdentifier,
};

use crate::middleware::thrift::calls::Calls;
use crate::middleware::thrift::context_field;
use crate::middleware::thrift::forward::{pass_plain_writes, pass_writes};

/// An output protocol of a client that starts a span for each call, made by
/// [`ThriftClient::wrap`](crate::middleware::ThriftClient::wrap).
///
/// The example of [`ThriftInput`](crate::middleware::ThriftInput) names both types.
pub struct ThriftOutput<O> {
    inner: O,
    calls: Arc<Calls>,
    /// The headers that the arguments of the call still have to carry.
    headers: Option<Vec<(String, String)>>,
    /// The number of structs that are open.
    depth: usize,
}

impl<O: TOutputProtocol> ThriftOutput<O> {
    pub(super) fn new(inner: O, calls: Arc<Calls>) -> Self {
        Self {
            inner,
            calls,
            headers: None,
            depth: 0,
        }
    }

    fn pass<T>(&mut self, write: impl FnOnce(&mut O) -> thrift::Result<T>) -> thrift::Result<T> {
        write(&mut self.inner).inspect_err(|error| self.calls.fail(error))
    }
}

impl<O: TOutputProtocol> TOutputProtocol for ThriftOutput<O> {
    fn write_message_begin(&mut self, message: &TMessageIdentifier) -> thrift::Result<()> {
        let is_call = matches!(
            message.message_type,
            TMessageType::Call | TMessageType::OneWay
        );
        let is_traced = is_call && !self.calls.is_off();
        self.depth = 0;
        self.headers = is_traced.then(|| self.calls.begin(message));
        self.pass(|inner| inner.write_message_begin(message))
    }

    fn write_struct_begin(&mut self, identifier: &TStructIdentifier) -> thrift::Result<()> {
        self.depth = self.depth.saturating_add(1);
        self.pass(|inner| inner.write_struct_begin(identifier))
    }

    fn write_struct_end(&mut self) -> thrift::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        self.pass(|inner| inner.write_struct_end())
    }

    fn write_field_stop(&mut self) -> thrift::Result<()> {
        if self.depth == 1
            && let Some(headers) = self.headers.take()
            && !headers.is_empty()
        {
            self.pass(|inner| context_field::write(inner, &headers))?;
        }
        self.pass(|inner| inner.write_field_stop())
    }

    fn flush(&mut self) -> thrift::Result<()> {
        self.pass(|inner| inner.flush())?;
        self.calls.sent();
        Ok(())
    }

    pass_writes! {
        write_field_begin(value: &TFieldIdentifier),
        write_i32(value: i32),
        write_string(value: &str),
    }
    pass_plain_writes!();
}

impl<O> fmt::Debug for ThriftOutput<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThriftOutput").finish_non_exhaustive()
    }
}
