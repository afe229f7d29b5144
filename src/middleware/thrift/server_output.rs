use thrift::protocol::{TFieldIdentifier, TMessageIdentifier, TOutputProtocol, TStructIdentifier};

use crate::middleware::thrift::forward::{pass_plain_writes, pass_writes};
use crate::middleware::thrift::server_call::ServerCall;

/// The output protocol that a processor is given: it shows the answer to the call.
pub(super) struct ServerOutput<'c, 'p> {
    inner: &'c mut dyn TOutputProtocol,
    call: &'c ServerCall<'p>,
}

impl<'c, 'p> ServerOutput<'c, 'p> {
    pub(super) fn new(inner: &'c mut dyn TOutputProtocol, call: &'c ServerCall<'p>) -> Self {
        Self { inner, call }
    }

    fn pass<T>(
        &mut self,
        write: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<T>,
    ) -> thrift::Result<T> {
        write(self.inner)
    }
}

impl TOutputProtocol for ServerOutput<'_, '_> {
    fn write_message_begin(&mut self, message: &TMessageIdentifier) -> thrift::Result<()> {
        self.call.watch(|answer| answer.begin(message.message_type));
        self.inner.write_message_begin(message)
    }

    fn write_struct_begin(&mut self, identifier: &TStructIdentifier) -> thrift::Result<()> {
        self.call
            .watch(|answer| answer.begin_struct(Some(&identifier.name)));
        self.inner.write_struct_begin(identifier)
    }

    fn write_struct_end(&mut self) -> thrift::Result<()> {
        self.call.watch(|answer| answer.end_struct());
        self.inner.write_struct_end()
    }

    fn write_field_begin(&mut self, field: &TFieldIdentifier) -> thrift::Result<()> {
        self.call.watch(|answer| answer.begin_field(field));
        self.inner.write_field_begin(field)
    }

    fn write_i32(&mut self, value: i32) -> thrift::Result<()> {
        self.call.watch(|answer| answer.integer(value));
        self.inner.write_i32(value)
    }

    fn write_string(&mut self, value: &str) -> thrift::Result<()> {
        self.call.watch(|answer| answer.string(value));
        self.inner.write_string(value)
    }

    pass_writes! {
        write_field_stop(),
        flush(),
    }
    pass_plain_writes!();
}
