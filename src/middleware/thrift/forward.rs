//! The methods of protocols in which a wrapper takes no interest.

/// Writes methods of `TInputProtocol` that hand on to the wrapped protocol by `self.pass`.
macro_rules! pass_reads {
    ($($name:ident -> $read:ty),* $(,)?) => {
        $(
            fn $name(&mut self) -> thrift::Result<$read> {
                self.pass(|inner| inner.$name())
            }
        )*
    };
}

/// Writes methods of `TOutputProtocol` that hand on to the wrapped protocol by `self.pass`.
macro_rules! pass_writes {
    ($($name:ident($($value:ident: $written:ty)?)),* $(,)?) => {
        $(
            fn $name(&mut self, $($value: $written)?) -> thrift::Result<()> {
                self.pass(|inner| inner.$name($($value)?))
            }
        )*
    };
}

/// The reads in which no wrapper takes an interest.
macro_rules! pass_plain_reads {
    () => {
        $crate::middleware::thrift::forward::pass_reads! {
            read_bool -> bool,
            read_i8 -> i8,
            read_i16 -> i16,
            read_i64 -> i64,
            read_double -> f64,
            read_uuid -> uuid::Uuid,
            read_list_begin -> thrift::protocol::TListIdentifier,
            read_list_end -> (),
            read_set_begin -> thrift::protocol::TSetIdentifier,
            read_set_end -> (),
            read_byte -> u8,
        }
    };
}

/// The writes in which no wrapper takes an interest.
macro_rules! pass_plain_writes {
    () => {
        $crate::middleware::thrift::forward::pass_writes! {
            write_message_end(),
            write_field_end(),
            write_bool(value: bool),
            write_bytes(value: &[u8]),
            write_i8(value: i8),
            write_i16(value: i16),
            write_i64(value: i64),
            write_double(value: f64),
            write_uuid(value: &uuid::Uuid),
            write_list_begin(value: &thrift::protocol::TListIdentifier),
            write_list_end(),
            write_set_begin(value: &thrift::protocol::TSetIdentifier),
            write_set_end(),
            write_map_begin(value: &thrift::protocol::TMapIdentifier),
            write_map_end(),
            write_byte(value: u8),
        }
    };
}

pub(super) use {pass_plain_reads, pass_plain_writes, pass_reads, pass_writes};
