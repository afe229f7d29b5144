//! Tests of the field that carries a context.

use std::collections::HashMap;

use thrift::protocol::{
    TFieldIdentifier, TInputProtocol, TListIdentifier, TMapIdentifier, TMessageIdentifier,
    TMessageType, TOutputProtocol, TStructIdentifier, TType,
};
use thrift::server::TProcessor;
use tracehound::TracerExt;
use tracehound::metrics::Counter;
use tracehound::middleware::{ThriftClient, ThriftProcessor, Trust};
use tracehound::model::{SpanId, TraceId};
use tracehound::propagation::Propagation;
use tracehound::reporter::OwnedSpan;
use tracehound::sampler::ConstSampler;

use super::stock::StockSyncProcessor;
use super::{Shop, Stock, Wire, Written, only, pair, request, serve};
use crate::support::{recording_builder, recording_tracer};

const ID: i16 = 3_333;

/// Writes a field `id` with the value that `write` writes.
fn field(
    output: &mut dyn TOutputProtocol,
    id: i16,
    kind: TType,
    write: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) {
    output
        .write_field_begin(&TFieldIdentifier::new("x", kind, id))
        .unwrap();
    write(output).unwrap();
    output.write_field_end().unwrap();
}

/// Writes a map of texts, with the number of entries that it says to have.
fn map(output: &mut dyn TOutputProtocol, says: i32, entries: &[(&[u8], &[u8])]) {
    field(output, ID, TType::Map, |output| {
        output.write_map_begin(&TMapIdentifier::new(TType::String, TType::String, says))?;
        for text in entries.iter().flat_map(|(key, value)| [key, value]) {
            output.write_bytes(text)?;
        }
        output.write_map_end()
    });
}

/// Writes a map of texts into a struct that is an argument.
fn in_order(output: &mut dyn TOutputProtocol, entries: &[(&[u8], &[u8])]) {
    field(output, 2, TType::Struct, |output| {
        output.write_struct_begin(&TStructIdentifier::new("Order"))?;
        map(output, entries.len() as i32, entries);
        output.write_field_stop()?;
        output.write_struct_end()
    });
}

/// Returns a call of `restock` with more fields than its argument.
fn call(wire: Wire, more: impl FnOnce(&mut dyn TOutputProtocol)) -> Vec<u8> {
    let sent = Written::default();
    let mut output = wire.output(sent.clone());
    let message = TMessageIdentifier::new("restock", TMessageType::OneWay, 1);
    output.write_message_begin(&message).unwrap();
    let args = TStructIdentifier::new("StockArgs");
    output.write_struct_begin(&args).unwrap();
    more(&mut output);
    field(&mut output, 1, TType::String, |output| {
        output.write_string("tea")
    });
    output.write_field_stop().unwrap();
    output.write_struct_end().unwrap();
    sent.take()
}

/// Returns the server's span of a call, and how many malformed contexts were counted.
fn served(wire: Wire, request: Vec<u8>) -> (OwnedSpan, u64) {
    let (tracer, spans) = recording_tracer();
    let processor = ThriftProcessor::new(tracer.clone(), StockSyncProcessor::new(Stock));
    serve(wire, &processor, request);
    let errors = tracer.metrics().get(Counter::DecodingErrors);
    (only(&spans), errors)
}

#[test]
fn a_context_is_written_as_java_writes_it() {
    let (builder, _) = recording_builder();
    let tracer = builder
        .propagation([Propagation::Jaeger])
        .id_source(|| 0xabc)
        .build()
        .unwrap();
    let sent = request(Wire::Binary, &ThriftClient::new(tracer), "tea");
    let mut expected = Vec::new();
    expected.extend(b"\x80\x01\x00\x04\x00\x00\x00\x07restock\x00\x00\x00\x01");
    expected.extend(b"\x0b\x00\x01\x00\x00\x00\x03tea");
    expected.extend(b"\x0d\x0d\x05\x0b\x0b\x00\x00\x00\x01\x00\x00\x00\x0duber-trace-id");
    expected.extend(b"\x00\x00\x00\x250000000000000abc:0000000000000abc:0:1\x00");
    assert_eq!(
        String::from_utf8_lossy(&sent),
        String::from_utf8_lossy(&expected)
    );
}

#[test]
fn a_trace_goes_on_with_its_decision_and_its_baggage() {
    for wire in Wire::BOTH {
        for is_sampled in [true, false] {
            let (builder, spans) = recording_builder();
            let builder = builder.sampler(ConstSampler::new(is_sampled));
            let tracer = builder.build().unwrap();
            let page = tracer.start_active_span("page");
            page.set_baggage_item("tenant", "Zoë & co");
            let sent = request(wire, &ThriftClient::new(tracer.clone()), "tea");
            page.finish();
            assert_eq!(spans.take().len(), if is_sampled { 2 } else { 0 });

            let (tracer, spans) = recording_tracer();
            let processor = ThriftProcessor::new(tracer, Baggage);
            serve(wire, &processor, sent);
            // The server's own sampler would keep each trace.
            let count = if is_sampled { 1 } else { 0 };
            assert_eq!(spans.spans().len(), count, "{wire:?} {is_sampled}");
            for span in spans.spans() {
                assert_eq!(span.tag_text("tenant"), "Zoë & co");
            }
        }
    }
}

/// A processor that looks at the baggage where a handler would.
struct Baggage;

impl TProcessor for Baggage {
    fn process(
        &self,
        input: &mut dyn TInputProtocol,
        _: &mut dyn TOutputProtocol,
    ) -> thrift::Result<()> {
        input.read_message_begin()?;
        input.skip(TType::Struct)?;
        let span = tracehound::scope::active_span();
        span.set_tag("tenant", span.baggage_item("tenant").as_deref());
        Ok(())
    }
}

#[test]
fn a_malformed_field_is_counted_or_skipped_and_the_call_goes_on() {
    let good: (&[u8], &[u8]) = (b"uber-trace-id", b"abc:def:0:1");
    // The entries of the field, and how many errors are counted.
    type Entries<'a> = &'a [(&'a [u8], &'a [u8])];
    let rows: [(Entries<'_>, u64); 8] = [
        (&[], 0),
        (&[(b"uber-trace-id", b"")], 1),
        (&[(b"uber-trace-id", b"abc:def:0")], 1),
        (&[(b"uber-trace-id", b"0:def:0:1")], 0),
        (&[(b"uber-trace-id", b"\xff\xfe:1:0:1")], 1),
        (&[(b"traceparent", b"00-zz-1-01")], 1),
        (&[(b"\xff\xfe", b"abc:def:0:1")], 0),
        (&[(b"x", b"\xff"), (b"", b"")], 0),
    ];
    for wire in Wire::BOTH {
        for (entries, errors) in rows {
            let says = entries.len() as i32;
            let (span, counted) = served(wire, call(wire, |output| map(output, says, entries)));
            assert_eq!(
                (span.parent_id, counted),
                (None, errors),
                "{wire:?} {entries:?}"
            );
            assert!(span.tag("error").is_none());
            assert_eq!(span.tag_text("item"), "tea");
        }
        let (span, _) = served(wire, call(wire, |output| map(output, 1, &[good])));
        assert_eq!(span.parent_id, SpanId::new(0xdef));
    }
}

#[test]
fn a_field_of_another_type_is_left_to_the_processor() {
    let rows: [fn(&mut dyn TOutputProtocol); 4] = [
        |output| field(output, ID, TType::I32, |output| output.write_i32(7)),
        |output| {
            field(output, ID, TType::String, |output| {
                output.write_string("a:b:0:1")
            })
        },
        |output| {
            field(output, ID, TType::List, |output| {
                output.write_list_begin(&TListIdentifier::new(TType::I32, 1))?;
                output.write_i32(7)
            });
        },
        |output| {
            field(output, ID, TType::Map, |output| {
                output.write_map_begin(&TMapIdentifier::new(TType::I32, TType::String, 1))?;
                output.write_i32(7)?;
                output.write_string("uber-trace-id")
            });
        },
    ];
    for wire in Wire::BOTH {
        for write in rows {
            let (span, errors) = served(wire, call(wire, write));
            assert_eq!((span.parent_id, errors), (None, 0), "{wire:?}");
            assert_eq!(span.tag_text("item"), "tea");
            assert!(span.tag("error").is_none());
        }
    }
}

#[test]
fn the_last_of_several_contexts_counts() {
    for wire in Wire::BOTH {
        let sent = call(wire, |output| {
            map(output, 1, &[(b"uber-trace-id", b"1:2:0:1")]);
            map(output, 1, &[(b"uber-trace-id", b"3:4:0:1")]);
        });
        let (span, _) = served(wire, sent);
        assert_eq!(span.parent_id, SpanId::new(4));
    }
}

#[test]
fn a_context_in_a_struct_inside_of_the_arguments_counts() {
    for wire in Wire::BOTH {
        let sent = call(wire, |output| {
            in_order(output, &[(b"uber-trace-id", b"1:2:0:1")]);
        });
        let (span, _) = served(wire, sent);
        assert_eq!(span.trace_id, TraceId::new(0, 1).unwrap());
        assert_eq!(span.parent_id, SpanId::new(2));
    }
}

/// A processor that keeps the ids of the fields of the arguments, and the texts of the maps in structs inside of them.
#[derive(Default)]
struct Keeper(std::cell::RefCell<(Vec<i16>, HashMap<String, String>)>);

impl TProcessor for Keeper {
    fn process(
        &self,
        input: &mut dyn TInputProtocol,
        _: &mut dyn TOutputProtocol,
    ) -> thrift::Result<()> {
        input.read_message_begin()?;
        let (ids, texts) = &mut *self.0.borrow_mut();
        input.read_struct_begin()?;
        loop {
            let field = input.read_field_begin()?;
            let Some(id) = field.id.filter(|_| field.field_type != TType::Stop) else {
                break;
            };
            ids.push(id);
            if field.field_type == TType::Struct {
                input.read_struct_begin()?;
                input.read_field_begin()?;
                for _ in 0..input.read_map_begin()?.size {
                    texts.insert(input.read_string()?, input.read_string()?);
                }
                input.read_map_end()?;
                input.read_field_end()?;
                input.read_field_begin()?;
                input.read_struct_end()?;
            } else {
                input.skip(field.field_type)?;
            }
            input.read_field_end()?;
        }
        input.read_struct_end()
    }
}

impl TProcessor for &Keeper {
    fn process(
        &self,
        input: &mut dyn TInputProtocol,
        output: &mut dyn TOutputProtocol,
    ) -> thrift::Result<()> {
        (**self).process(input, output)
    }
}

#[test]
fn the_processor_sees_a_field_of_its_own_but_not_that_of_the_call() {
    for wire in Wire::BOTH {
        let (tracer, spans) = recording_tracer();
        let keeper = Keeper::default();
        let processor = ThriftProcessor::new(tracer, &keeper);
        let sent = call(wire, |output| {
            in_order(output, &[(b"colour", b"blue")]);
            map(output, 1, &[(b"uber-trace-id", b"1:2:0:1")]);
        });
        serve(wire, &processor, sent);
        let (ids, texts) = keeper.0.take();
        assert_eq!(ids, [2, 1]);
        assert_eq!(texts["colour"], "blue");
        assert_eq!(only(&spans).parent_id, SpanId::new(2));
    }
}

#[test]
fn a_hostile_field_is_bounded() {
    for wire in Wire::BOTH {
        // A map that says to have more than there is.
        for says in [i32::MAX, 1_000_000, 2] {
            let sent = call(wire, |output| map(output, says, &[(b"k", b"v")]));
            let (span, errors) = served(wire, sent);
            assert_eq!((span.parent_id, errors), (None, 0), "{wire:?} {says}");
            assert_eq!(span.tag_text("error"), "true");
        }
        // More entries than are kept, and larger ones: those in front count.
        let many: Vec<_> = (0..100_000).map(|n| n.to_string()).collect();
        let mut entries: Vec<(&[u8], &[u8])> = vec![(b"uber-trace-id", b"1:2:0:1")];
        entries.extend(many.iter().map(|n| (n.as_bytes(), n.as_bytes())));
        let sent = call(wire, |output| map(output, entries.len() as i32, &entries));
        let (span, errors) = served(wire, sent);
        assert_eq!((span.parent_id, errors), (SpanId::new(2), 0), "{wire:?}");
        assert!(span.tag("error").is_none());

        let large = vec![b'x'; 1 << 20];
        let entries: [(&[u8], &[u8]); 3] = [
            (b"uber-trace-id", b"1:2:0:1"),
            (b"uberctx-a", &large),
            (b"uberctx-b", b"lost"),
        ];
        let (span, _) = served(wire, call(wire, |output| map(output, 3, &entries)));
        assert_eq!(span.parent_id, SpanId::new(2));
        assert_eq!(span.tag_text("item"), "tea");
    }
}

#[test]
fn a_caller_is_believed_as_far_as_it_is_trusted() {
    let (tracer, spans) = recording_tracer();
    let processor = ThriftProcessor::new(tracer, StockSyncProcessor::new(Stock));
    let processor = processor.trust(Trust::restart());
    let sent = call(Wire::Compact, |output| {
        map(output, 1, &[(b"uber-trace-id", b"1:2:0:1")]);
    });
    serve(Wire::Compact, &processor, sent);
    let span = only(&spans);
    assert_ne!(Some(span.trace_id), TraceId::new(0, 1));
    assert_eq!(span.parent_id, None);
    assert_eq!(Some(span.references[0].span_id), SpanId::new(2));
}

#[test]
fn peers_without_tracing_are_understood() {
    for wire in Wire::BOTH {
        let (tracer, spans) = recording_tracer();
        let plain = StockSyncProcessor::new(Stock);
        let client = ThriftClient::new(tracer);
        let answer = move |sent| serve(wire, &plain, sent);
        let (mut client, _) = super::client_of(wire, &client, answer);
        assert_eq!(client.count("teapot".into()).unwrap(), 7);
        assert!(only(&spans).tag("error").is_none());

        let mut shop = Shop::new(wire);
        assert_eq!(shop.client.count("teapot".into()).unwrap(), 7);
        pair(&shop.spans);
    }
}

#[test]
fn a_map_behind_a_skipped_field_is_no_context() {
    for wire in Wire::BOTH {
        let request = call(wire, |output| {
            field(output, 2, TType::Struct, |output| {
                output.write_struct_begin(&TStructIdentifier::new("Order"))?;
                field(output, ID, TType::Map, |output| {
                    output.write_map_begin(&TMapIdentifier::new(TType::I32, TType::I32, 1))?;
                    output.write_i32(7)?;
                    output.write_i32(8)?;
                    output.write_map_end()
                });
                // A map of the service's own, under another id.
                field(output, 5, TType::Map, |output| {
                    output.write_map_begin(&TMapIdentifier::new(
                        TType::String,
                        TType::String,
                        1,
                    ))?;
                    output.write_string("uber-trace-id")?;
                    output.write_string("abc:def:0:1")?;
                    output.write_map_end()
                });
                output.write_field_stop()?;
                output.write_struct_end()
            });
        });
        let (span, _) = served(wire, request);
        assert_eq!(span.parent_id, None, "{wire:?}");
    }
}
