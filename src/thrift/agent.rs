use ::thrift::protocol::{TInputProtocol, TMessageType, TType};

use crate::thrift::{Batch, DecodeError, read_struct};

/// The message `emitBatch` of `agent.thrift`, the only one that clients send.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EmitBatch {
    /// The number that the client gives the message: from 1 upwards, or always 0.
    pub(crate) sequence_number: i32,
    /// Whether it is ONEWAY. The Go client sends a CALL; agents reply to neither.
    pub(crate) is_oneway: bool,
    /// The spans.
    pub(crate) batch: Batch,
}

impl EmitBatch {
    pub(crate) fn read<P: TInputProtocol>(protocol: &mut P) -> Result<Self, DecodeError> {
        let message = protocol.read_message_begin()?;
        let is_oneway = match message.message_type {
            TMessageType::OneWay => true,
            TMessageType::Call => false,
            TMessageType::Reply | TMessageType::Exception => return Err(DecodeError::NotACall),
        };
        if message.name != "emitBatch" {
            return Err(DecodeError::UnknownMethod);
        }
        let mut batch = None;
        read_struct(protocol, |protocol, id, kind| {
            match (id, kind) {
                (1, TType::Struct) => batch = Some(Batch::read(protocol)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        protocol.read_message_end()?;
        Ok(Self {
            sequence_number: message.sequence_number,
            is_oneway,
            batch: batch.ok_or(DecodeError::Missing("emitBatch.batch"))?,
        })
    }
}
