//! The codec of messages that are JSON already.

use bytes::{Buf, BufMut, Bytes};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// A codec of messages that are text already.
pub(super) struct Json;

impl Codec for Json {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Json {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, text: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(text);
        Ok(())
    }
}

impl Decoder for Json {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
