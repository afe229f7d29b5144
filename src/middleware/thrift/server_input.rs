use thrift::protocol::{
    TFieldIdentifier, TInputProtocol, TMapIdentifier, TMessageIdentifier, TStructIdentifier, TType,
};
use thrift::{ProtocolErrorKind, new_protocol_error};

use crate::middleware::thrift::context_field::{self, Received};
use crate::middleware::thrift::forward::{pass_plain_reads, pass_reads};
use crate::middleware::thrift::server_call::ServerCall;

/// The input protocol that a processor is given: it takes the context out of the arguments, and starts the span after
/// them.
pub(super) struct ServerInput<'c, 'p> {
    inner: &'c mut dyn TInputProtocol,
    call: &'c ServerCall<'p>,
    /// The head of the message, which has been read already.
    message: Option<TMessageIdentifier>,
    received: Received,
    /// The number of structs that are open.
    depth: usize,
    /// A map that has been begun to see what it is, and is for the processor.
    map: Option<TMapIdentifier>,
    /// The part that has been read of a context in a struct inside of the arguments.
    nested: Nested,
}

/// A context field that is not taken away from the processor, because a struct of its own might have such a field. The
/// Java library puts the context into the first struct that ends, wherever that is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nested {
    Outside,
    /// In the field, before the map.
    Field,
    /// In the map.
    Map,
}

impl<'c, 'p> ServerInput<'c, 'p> {
    pub(super) fn new(
        inner: &'c mut dyn TInputProtocol,
        call: &'c ServerCall<'p>,
        message: TMessageIdentifier,
    ) -> Self {
        Self {
            inner,
            call,
            message: Some(message),
            received: Received::default(),
            depth: 0,
            map: None,
            nested: Nested::Outside,
        }
    }

    /// Returns the context that has been received.
    pub(super) fn into_received(self) -> Received {
        self.received
    }

    fn pass<T>(
        &mut self,
        read: impl FnOnce(&mut dyn TInputProtocol) -> thrift::Result<T>,
    ) -> thrift::Result<T> {
        read(self.inner)
    }
}

impl TInputProtocol for ServerInput<'_, '_> {
    fn read_message_begin(&mut self) -> thrift::Result<TMessageIdentifier> {
        self.message.take().ok_or_else(|| {
            let reason = "the head of the message has been read already";
            new_protocol_error(ProtocolErrorKind::Unknown, reason)
        })
    }

    fn read_struct_begin(&mut self) -> thrift::Result<Option<TStructIdentifier>> {
        self.depth = self.depth.saturating_add(1);
        self.inner.read_struct_begin()
    }

    fn read_struct_end(&mut self) -> thrift::Result<()> {
        self.inner.read_struct_end()?;
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 && !self.call.has_begun() {
            self.call.begin(&self.received);
        }
        Ok(())
    }

    fn read_field_begin(&mut self) -> thrift::Result<TFieldIdentifier> {
        // A field that was skipped has not been ended by `read_field_end`.
        self.nested = Nested::Outside;
        loop {
            let field = self.inner.read_field_begin()?;
            if self.call.has_begun() || !context_field::is_candidate(&field) {
                return Ok(field);
            }
            if self.depth != 1 {
                self.nested = Nested::Field;
                return Ok(field);
            }
            let map = self.inner.read_map_begin()?;
            if !self.received.begin(&map) {
                self.map = Some(map);
                return Ok(field);
            }
            self.received.read(self.inner, &map)?;
            self.inner.read_field_end()?;
        }
    }

    fn read_field_end(&mut self) -> thrift::Result<()> {
        self.nested = Nested::Outside;
        self.inner.read_field_end()
    }

    fn read_map_begin(&mut self) -> thrift::Result<TMapIdentifier> {
        if let Some(map) = self.map.take() {
            return Ok(map);
        }
        let map = self.inner.read_map_begin()?;
        if self.nested == Nested::Field && self.received.begin(&map) {
            self.nested = Nested::Map;
        }
        Ok(map)
    }

    fn read_map_end(&mut self) -> thrift::Result<()> {
        self.nested = Nested::Outside;
        self.inner.read_map_end()
    }

    fn read_bytes(&mut self) -> thrift::Result<Vec<u8>> {
        let bytes = self.inner.read_bytes()?;
        if self.nested == Nested::Map {
            self.received.push(&bytes);
        }
        Ok(bytes)
    }

    fn read_string(&mut self) -> thrift::Result<String> {
        let text = self.inner.read_string()?;
        if self.nested == Nested::Map {
            self.received.push(text.as_bytes());
        }
        Ok(text)
    }

    fn skip_binary(&mut self) -> thrift::Result<()> {
        if self.nested == Nested::Map && !self.received.is_full() {
            return self.read_bytes().map(drop);
        }
        self.inner.skip_binary()
    }

    fn min_serialized_size(&self, field_type: TType) -> usize {
        self.inner.min_serialized_size(field_type)
    }

    pass_reads! {
        read_message_end -> (),
        read_i32 -> i32,
    }
    pass_plain_reads!();
}
