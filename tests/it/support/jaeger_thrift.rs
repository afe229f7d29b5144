//! Reads `emitBatch` messages with the `thrift` crate, so that our own writer is checked by other code.
//!
//! It is as strict as the IDL allows: every required field must be there, a tag must have the value that its type
//! announces, and unknown fields or bytes after the message are errors. Doubles are kept as bits.

use std::io::Cursor;

use thrift::protocol::{
    TBinaryInputProtocol, TCompactInputProtocol, TFieldIdentifier, TInputProtocol, TMessageType,
    TType,
};
use tracehound::reporter::sender::BatchFormat;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) kind: TMessageType,
    pub(crate) seqid: i32,
    pub(crate) batch: Batch,
    /// Optional lists that are there but empty.
    pub(crate) empty_lists: usize,
    /// Values of tags beside the one that the type announces: the Node client always writes all five.
    pub(crate) spare_values: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Batch {
    pub(crate) process: Process,
    pub(crate) spans: Vec<Span>,
    pub(crate) seq_no: Option<i64>,
    pub(crate) stats: Option<[i64; 3]>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Process {
    pub(crate) service_name: String,
    pub(crate) tags: Vec<Tag>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace_id_low: i64,
    pub(crate) trace_id_high: i64,
    pub(crate) span_id: i64,
    pub(crate) parent_span_id: i64,
    pub(crate) operation_name: String,
    pub(crate) references: Vec<Reference>,
    pub(crate) flags: i32,
    pub(crate) start_time: i64,
    pub(crate) duration: i64,
    pub(crate) tags: Vec<Tag>,
    pub(crate) logs: Vec<Log>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reference {
    pub(crate) kind: i32,
    pub(crate) trace_id_low: i64,
    pub(crate) trace_id_high: i64,
    pub(crate) span_id: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Log {
    pub(crate) timestamp: i64,
    pub(crate) fields: Vec<Tag>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    String(String),
    Double(u64),
    Bool(bool),
    Long(i64),
    Binary(Vec<u8>),
}

/// Reads the one message in `bytes`; more bytes are an error.
pub(crate) fn decode(format: BatchFormat, bytes: &[u8]) -> thrift::Result<Message> {
    let mut cursor = Cursor::new(bytes);
    let message = match format {
        BatchFormat::Compact => Decoder::of(TCompactInputProtocol::new(&mut cursor)).message(),
        BatchFormat::Binary => Decoder::of(TBinaryInputProtocol::new(&mut cursor, true)).message(),
        _ => return Err("a format without a decoder".into()),
    }?;
    if cursor.position() == bytes.len() as u64 {
        Ok(message)
    } else {
        Err("bytes behind the message".into())
    }
}

/// Reads the bare `Batch` struct in `bytes`; more bytes are an error.
#[cfg(feature = "collector")]
pub(crate) fn decode_batch(bytes: &[u8]) -> thrift::Result<Batch> {
    let mut cursor = Cursor::new(bytes);
    let batch = Decoder::of(TBinaryInputProtocol::new(&mut cursor, true)).batch()?;
    match cursor.position() == bytes.len() as u64 {
        true => Ok(batch),
        false => Err("bytes behind the batch".into()),
    }
}

struct Decoder<P> {
    input: P,
    empty_lists: usize,
    spare_values: usize,
}

impl<P: TInputProtocol> Decoder<P> {
    fn of(input: P) -> Self {
        Self {
            input,
            empty_lists: 0,
            spare_values: 0,
        }
    }

    fn message(mut self) -> thrift::Result<Message> {
        let head = self.input.read_message_begin()?;
        let mut batch = None;
        self.fields(|this, field| {
            field.expect(1, TType::Struct)?;
            batch = Some(this.batch()?);
            Ok(())
        })?;
        self.input.read_message_end()?;
        Ok(Message {
            name: head.name,
            kind: head.message_type,
            seqid: head.sequence_number,
            batch: batch.ok_or("no batch")?,
            empty_lists: self.empty_lists,
            spare_values: self.spare_values,
        })
    }

    fn batch(&mut self) -> thrift::Result<Batch> {
        let mut process = None;
        let mut spans = None;
        let mut batch = Batch::default();
        self.fields(|this, field| {
            match field.id {
                Some(1) => {
                    field.expect(1, TType::Struct)?;
                    process = Some(this.process()?);
                }
                Some(2) => spans = Some(this.list(field, 2, Self::span)?),
                Some(3) => batch.seq_no = Some(this.long(field)?),
                _ => {
                    field.expect(4, TType::Struct)?;
                    batch.stats = Some(this.stats()?);
                }
            }
            Ok(())
        })?;
        batch.process = process.ok_or("no process")?;
        batch.spans = spans.ok_or("no spans")?;
        Ok(batch)
    }

    fn stats(&mut self) -> thrift::Result<[i64; 3]> {
        let mut stats = [None; 3];
        self.fields(|this, field| {
            let place = field.id.and_then(|id| stats.get_mut(id as usize - 1));
            *place.ok_or("an unknown counter")? = Some(this.long(field)?);
            Ok(())
        })?;
        match stats {
            [Some(full_queue), Some(too_large), Some(failed)] => {
                Ok([full_queue, too_large, failed])
            }
            _ => Err("a counter is missing".into()),
        }
    }

    fn process(&mut self) -> thrift::Result<Process> {
        let mut process = Process::default();
        self.fields(|this, field| {
            match field.id {
                Some(1) => process.service_name = this.text(field)?,
                _ => process.tags = this.optional_list(field, 2, Self::tag)?,
            }
            Ok(())
        })?;
        Ok(process)
    }

    fn span(&mut self) -> thrift::Result<Span> {
        let mut span = Span::default();
        let mut seen = Vec::new();
        self.fields(|this, field| {
            seen.extend(field.id);
            match field.id {
                Some(1) => span.trace_id_low = this.long(field)?,
                Some(2) => span.trace_id_high = this.long(field)?,
                Some(3) => span.span_id = this.long(field)?,
                Some(4) => span.parent_span_id = this.long(field)?,
                Some(5) => span.operation_name = this.text(field)?,
                Some(6) => span.references = this.optional_list(field, 6, Self::reference)?,
                Some(7) => span.flags = this.int(field)?,
                Some(8) => span.start_time = this.long(field)?,
                Some(9) => span.duration = this.long(field)?,
                Some(10) => span.tags = this.optional_list(field, 10, Self::tag)?,
                _ => span.logs = this.optional_list(field, 11, Self::log)?,
            }
            Ok(())
        })?;
        if [1, 2, 3, 4, 5, 7, 8, 9].iter().all(|id| seen.contains(id)) {
            Ok(span)
        } else {
            Err("a field of a span is missing".into())
        }
    }

    fn reference(&mut self) -> thrift::Result<Reference> {
        let mut reference = Reference::default();
        self.fields(|this, field| {
            match field.id {
                Some(1) => reference.kind = this.int(field)?,
                Some(2) => reference.trace_id_low = this.long(field)?,
                Some(3) => reference.trace_id_high = this.long(field)?,
                Some(4) => reference.span_id = this.long(field)?,
                _ => return Err("an unknown field of a reference".into()),
            }
            Ok(())
        })?;
        Ok(reference)
    }

    fn log(&mut self) -> thrift::Result<Log> {
        let mut log = Log::default();
        self.fields(|this, field| {
            match field.id {
                Some(1) => log.timestamp = this.long(field)?,
                _ => log.fields = this.list(field, 2, Self::tag)?,
            }
            Ok(())
        })?;
        Ok(log)
    }

    fn tag(&mut self) -> thrift::Result<Tag> {
        let (mut key, mut kind) = (None, None);
        let mut values = Vec::new();
        self.fields(|this, field| {
            match field.id {
                Some(1) => key = Some(this.text(field)?),
                Some(2) => kind = Some(this.int(field)?),
                Some(3) => values.push(Value::String(this.text(field)?)),
                Some(4) => {
                    field.expect(4, TType::Double)?;
                    values.push(Value::Double(this.input.read_double()?.to_bits()));
                }
                Some(5) => {
                    field.expect(5, TType::Bool)?;
                    values.push(Value::Bool(this.input.read_bool()?));
                }
                Some(6) => values.push(Value::Long(this.long(field)?)),
                _ => {
                    field.expect(7, TType::String)?;
                    values.push(Value::Binary(this.input.read_bytes()?));
                }
            }
            Ok(())
        })?;
        self.spare_values += values.len().saturating_sub(1);
        values.retain(|value| values_type(value) == kind);
        match values.pop() {
            Some(value) if values.is_empty() => Ok(Tag {
                key: key.ok_or("a tag without a key")?,
                value,
            }),
            _ => Err("a tag whose value and type do not agree".into()),
        }
    }

    /// Reads a struct, field by field.
    fn fields(
        &mut self,
        mut read: impl FnMut(&mut Self, &TFieldIdentifier) -> thrift::Result<()>,
    ) -> thrift::Result<()> {
        self.input.read_struct_begin()?;
        loop {
            let field = self.input.read_field_begin()?;
            if field.field_type == TType::Stop {
                return self.input.read_struct_end();
            }
            read(self, &field)?;
            self.input.read_field_end()?;
        }
    }

    fn optional_list<T>(
        &mut self,
        field: &TFieldIdentifier,
        id: i16,
        read: impl Fn(&mut Self) -> thrift::Result<T>,
    ) -> thrift::Result<Vec<T>> {
        let list = self.list(field, id, read)?;
        self.empty_lists += usize::from(list.is_empty());
        Ok(list)
    }

    fn list<T>(
        &mut self,
        field: &TFieldIdentifier,
        id: i16,
        read: impl Fn(&mut Self) -> thrift::Result<T>,
    ) -> thrift::Result<Vec<T>> {
        field.expect(id, TType::List)?;
        let list = self.input.read_list_begin()?;
        let items = (0..list.size).map(|_| read(self)).collect();
        self.input.read_list_end()?;
        items
    }

    fn text(&mut self, field: &TFieldIdentifier) -> thrift::Result<String> {
        field.expect(field.id.unwrap_or(0), TType::String)?;
        self.input.read_string()
    }

    fn int(&mut self, field: &TFieldIdentifier) -> thrift::Result<i32> {
        field.expect(field.id.unwrap_or(0), TType::I32)?;
        self.input.read_i32()
    }

    fn long(&mut self, field: &TFieldIdentifier) -> thrift::Result<i64> {
        field.expect(field.id.unwrap_or(0), TType::I64)?;
        self.input.read_i64()
    }
}

fn values_type(value: &Value) -> Option<i32> {
    Some(match value {
        Value::String(_) => 0,
        Value::Double(_) => 1,
        Value::Bool(_) => 2,
        Value::Long(_) => 3,
        Value::Binary(_) => 4,
    })
}

trait Expect {
    fn expect(&self, id: i16, kind: TType) -> thrift::Result<()>;
}

impl Expect for TFieldIdentifier {
    fn expect(&self, id: i16, kind: TType) -> thrift::Result<()> {
        if self.id == Some(id) && self.field_type == kind {
            Ok(())
        } else {
            Err(format!("expected field {id} ({kind:?}), found {self:?}").into())
        }
    }
}
