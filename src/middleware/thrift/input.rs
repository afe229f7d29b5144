use std::fmt;
use std::sync::Arc;

use thrift::protocol::{
    TFieldIdentifier, TInputProtocol, TMapIdentifier, TMessageIdentifier, TStructIdentifier, TType,
};

use crate::middleware::thrift::answer::Answer;
use crate::middleware::thrift::calls::Calls;
use crate::middleware::thrift::forward::{pass_plain_reads, pass_reads};

/// An input protocol of a client that ends the span of each call, made by
/// [`ThriftClient::wrap`](crate::middleware::ThriftClient::wrap).
///
/// ```
/// use thrift::protocol::{TCompactInputProtocol, TCompactOutputProtocol};
/// use thrift::transport::{ReadHalf, TBufferChannel, TIoChannel, WriteHalf};
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ThriftClient, ThriftInput, ThriftOutput};
///
/// type Input = TCompactInputProtocol<ReadHalf<TBufferChannel>>;
/// type Output = TCompactOutputProtocol<WriteHalf<TBufferChannel>>;
///
/// /// The protocols of a generated client, as the fields of a struct name them.
/// struct Stock {
///     input: ThriftInput<Input>,
///     output: ThriftOutput<Output>,
/// }
///
/// let (reader, writer) = TBufferChannel::with_capacity(1_024, 1_024).split()?;
/// let (input, output) = ThriftClient::new(NoopTracer)
///     .wrap(TCompactInputProtocol::new(reader), TCompactOutputProtocol::new(writer));
/// let stock = Stock { input, output };
/// # drop(stock);
/// # Ok::<(), thrift::Error>(())
/// ```
pub struct ThriftInput<I> {
    inner: I,
    calls: Arc<Calls>,
    answer: Answer,
}

impl<I: TInputProtocol> ThriftInput<I> {
    pub(super) fn new(inner: I, calls: Arc<Calls>) -> Self {
        Self {
            inner,
            calls,
            answer: Answer::default(),
        }
    }

    fn pass<T>(&mut self, read: impl FnOnce(&mut I) -> thrift::Result<T>) -> thrift::Result<T> {
        read(&mut self.inner).inspect_err(|error| self.calls.fail(error))
    }
}

impl<I: TInputProtocol> TInputProtocol for ThriftInput<I> {
    fn read_message_begin(&mut self) -> thrift::Result<TMessageIdentifier> {
        let message = self.pass(|inner| inner.read_message_begin())?;
        self.answer.begin(message.message_type);
        self.calls.check(&message);
        Ok(message)
    }

    fn read_message_end(&mut self) -> thrift::Result<()> {
        self.pass(|inner| inner.read_message_end())?;
        self.calls.answered(&self.answer);
        Ok(())
    }

    fn read_struct_begin(&mut self) -> thrift::Result<Option<TStructIdentifier>> {
        let identifier = self.pass(|inner| inner.read_struct_begin())?;
        let name = identifier.as_ref().map(|identifier| &*identifier.name);
        self.answer.begin_struct(name);
        Ok(identifier)
    }

    fn read_struct_end(&mut self) -> thrift::Result<()> {
        self.answer.end_struct();
        self.pass(|inner| inner.read_struct_end())
    }

    fn read_field_begin(&mut self) -> thrift::Result<TFieldIdentifier> {
        let field = self.pass(|inner| inner.read_field_begin())?;
        self.answer.begin_field(&field);
        Ok(field)
    }

    fn read_i32(&mut self) -> thrift::Result<i32> {
        let value = self.pass(|inner| inner.read_i32())?;
        self.answer.integer(value);
        Ok(value)
    }

    fn read_string(&mut self) -> thrift::Result<String> {
        let value = self.pass(|inner| inner.read_string())?;
        self.answer.string(&value);
        Ok(value)
    }

    fn min_serialized_size(&self, field_type: TType) -> usize {
        self.inner.min_serialized_size(field_type)
    }

    pass_reads! {
        read_field_end -> (),
        read_bytes -> Vec<u8>,
        read_map_begin -> TMapIdentifier,
        read_map_end -> (),
        skip_binary -> (),
    }
    pass_plain_reads!();
}

impl<I> fmt::Debug for ThriftInput<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThriftInput").finish_non_exhaustive()
    }
}
