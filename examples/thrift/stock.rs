//! A service, as the Thrift compiler writes it (in fewer lines, and for one kind of argument):
//!
//! ```text
//! exception SoldOut { 1: string item }
//! service Stock {
//!   i32 count(1: string item) throws (1: SoldOut sold_out),
//!   oneway void restock(1: string item),
//! }
//! ```

use std::error::Error;
use std::fmt;

use thrift::protocol::{
    TFieldIdentifier, TInputProtocol, TMessageIdentifier, TMessageType, TOutputProtocol,
    TStructIdentifier, TType, verify_expected_message_type, verify_expected_sequence_number,
    verify_expected_service_call,
};
use thrift::server::{TProcessor, handle_process_result};
use thrift::{ApplicationError, ApplicationErrorKind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SoldOut {
    pub(crate) item: String,
}

impl Error for SoldOut {}

impl From<SoldOut> for thrift::Error {
    fn from(error: SoldOut) -> Self {
        Self::User(Box::new(error))
    }
}

impl fmt::Display for SoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("remote service threw SoldOut")
    }
}

pub(crate) struct StockSyncClient<I, O> {
    input: I,
    output: O,
    sequence_number: i32,
}

impl<I: TInputProtocol, O: TOutputProtocol> StockSyncClient<I, O> {
    pub(crate) fn new(input: I, output: O) -> Self {
        Self {
            input,
            output,
            sequence_number: 0,
        }
    }

    pub(crate) fn count(&mut self, item: String) -> thrift::Result<i32> {
        self.send("count", TMessageType::Call, &item)?;
        let message = self.input.read_message_begin()?;
        verify_expected_sequence_number(self.sequence_number, message.sequence_number)?;
        verify_expected_service_call("count", &message.name)?;
        if message.message_type == TMessageType::Exception {
            let error = thrift::Error::read_application_error_from_in_protocol(&mut self.input)?;
            self.input.read_message_end()?;
            return Err(error.into());
        }
        verify_expected_message_type(TMessageType::Reply, message.message_type)?;
        let mut result = Err(missing());
        read_struct(&mut self.input, |input, field| {
            result = match field.id {
                Some(0) => Ok(input.read_i32()?),
                Some(1) => Err(SoldOut {
                    item: read_item(input)?,
                }
                .into()),
                _ => return input.skip(field.field_type),
            };
            Ok(())
        })?;
        self.input.read_message_end()?;
        result
    }

    pub(crate) fn restock(&mut self, item: String) -> thrift::Result<()> {
        self.send("restock", TMessageType::OneWay, &item)
    }

    fn send(&mut self, method: &str, kind: TMessageType, item: &str) -> thrift::Result<()> {
        self.sequence_number += 1;
        let message = TMessageIdentifier::new(method, kind, self.sequence_number);
        self.output.write_message_begin(&message)?;
        write_item(&mut self.output, "StockArgs", item)?;
        self.output.write_message_end()?;
        self.output.flush()
    }
}

pub(crate) trait StockSyncHandler {
    fn handle_count(&self, item: String) -> thrift::Result<i32>;
    fn handle_restock(&self, item: String) -> thrift::Result<()>;
}

pub(crate) struct StockSyncProcessor<H> {
    handler: H,
}

impl<H: StockSyncHandler> StockSyncProcessor<H> {
    pub(crate) fn new(handler: H) -> Self {
        Self { handler }
    }

    fn process_count(
        &self,
        sequence_number: i32,
        input: &mut dyn TInputProtocol,
        output: &mut dyn TOutputProtocol,
    ) -> thrift::Result<()> {
        let result = self.handler.handle_count(read_item(input)?);
        let sold_out = match &result {
            Err(thrift::Error::User(error)) => error.downcast_ref::<SoldOut>(),
            _ => None,
        };
        let reply = TMessageIdentifier::new("count", TMessageType::Reply, sequence_number);
        match (&result, sold_out) {
            (Ok(count), _) => {
                output.write_message_begin(&reply)?;
                write_struct(output, "StockCountResult", |output| {
                    output.write_field_begin(&TFieldIdentifier::new("result", TType::I32, 0))?;
                    output.write_i32(*count)
                })?;
            }
            (Err(_), Some(SoldOut { item })) => {
                output.write_message_begin(&reply)?;
                write_struct(output, "StockCountResult", |output| {
                    output.write_field_begin(&TFieldIdentifier::new("err", TType::Struct, 1))?;
                    write_item(output, "SoldOut", item)
                })?;
            }
            (Err(error), None) => {
                let kind = TMessageType::Exception;
                output.write_message_begin(&TMessageIdentifier::new(
                    "count",
                    kind,
                    sequence_number,
                ))?;
                let error = match error {
                    thrift::Error::Application(error) => {
                        ApplicationError::new(error.kind, error.message.as_str())
                    }
                    error => {
                        ApplicationError::new(ApplicationErrorKind::Unknown, error.to_string())
                    }
                };
                thrift::Error::write_application_error_to_out_protocol(&error, output)?;
            }
        }
        output.write_message_end()?;
        output.flush()
    }
}

impl<H: StockSyncHandler> TProcessor for StockSyncProcessor<H> {
    fn process(
        &self,
        input: &mut dyn TInputProtocol,
        output: &mut dyn TOutputProtocol,
    ) -> thrift::Result<()> {
        let message = input.read_message_begin()?;
        let result = match &*message.name {
            "count" => self.process_count(message.sequence_number, input, output),
            "restock" => read_item(input).and_then(|item| self.handler.handle_restock(item)),
            method => Err(ApplicationError::new(
                ApplicationErrorKind::UnknownMethod,
                format!("unknown method {method}"),
            )
            .into()),
        };
        handle_process_result(&message, result, output)
    }
}

/// Reads the arguments of both methods, or a `SoldOut`: all have the one field.
fn read_item(input: &mut dyn TInputProtocol) -> thrift::Result<String> {
    let mut item = Err(missing());
    read_struct(input, |input, field| match field.id {
        Some(1) => {
            item = Ok(input.read_string()?);
            Ok(())
        }
        _ => input.skip(field.field_type),
    })?;
    item
}

fn write_item(output: &mut dyn TOutputProtocol, name: &str, item: &str) -> thrift::Result<()> {
    write_struct(output, name, |output| {
        output.write_field_begin(&TFieldIdentifier::new("item", TType::String, 1))?;
        output.write_string(item)
    })
}

fn read_struct(
    input: &mut dyn TInputProtocol,
    mut read: impl FnMut(&mut dyn TInputProtocol, &TFieldIdentifier) -> thrift::Result<()>,
) -> thrift::Result<()> {
    input.read_struct_begin()?;
    loop {
        let field = input.read_field_begin()?;
        if field.field_type == TType::Stop {
            return input.read_struct_end();
        }
        read(input, &field)?;
        input.read_field_end()?;
    }
}

fn write_struct(
    output: &mut dyn TOutputProtocol,
    name: &str,
    write_field: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) -> thrift::Result<()> {
    output.write_struct_begin(&TStructIdentifier::new(name))?;
    write_field(output)?;
    output.write_field_end()?;
    output.write_field_stop()?;
    output.write_struct_end()
}

fn missing() -> thrift::Error {
    ApplicationError::new(ApplicationErrorKind::MissingResult, "a field is missing").into()
}
