use crate::propagation::{
    ExtractCarrier, HeaderScan, InjectCarrier, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
};

/// A wrapper that makes a list of names and bytes a carrier, as the clients of message queues have them for headers.
///
/// It is a text map: values stay as they are. Wrap a slice to read, and a `&mut Vec` to write and to read. Names may be
/// any text that can be made from `&str`, values anything that can be made from `Vec<u8>`.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::propagation::MessageHeaders;
/// use tracehound::reporter::NullReporter;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_span("send order");
/// let mut headers: Vec<(String, Vec<u8>)> = vec![("content-type".into(), b"text/plain".to_vec())];
/// tracer.inject(&span.context(), &mut MessageHeaders(&mut headers));
///
/// let parent = tracer.extract(&MessageHeaders(&headers[..]))?.expect("written above");
/// assert_eq!(parent, span.context());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHeaders<C>(pub C);

impl<K, V> TextMapWriter for MessageHeaders<&mut Vec<(K, V)>>
where
    K: AsRef<str> + for<'k> From<&'k str>,
    V: From<Vec<u8>>,
{
    fn set(&mut self, key: &str, value: &str) -> bool {
        self.0
            .retain(|(known, _)| !known.as_ref().eq_ignore_ascii_case(key));
        self.0.push((key.into(), value.as_bytes().to_vec().into()));
        true
    }

    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        self.0.retain(|(known, _)| !is_stale(known.as_ref()));
    }
}

impl<K, V> InjectCarrier for MessageHeaders<&mut Vec<(K, V)>>
where
    K: AsRef<str> + for<'k> From<&'k str>,
    V: From<Vec<u8>>,
{
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::TextMap(self)
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> TextMapReader for MessageHeaders<&[(K, V)]> {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        offer(self.0, scan);
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> ExtractCarrier for MessageHeaders<&[(K, V)]> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::TextMap(self)
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> TextMapReader for MessageHeaders<&mut Vec<(K, V)>> {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        offer(self.0, scan);
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> ExtractCarrier for MessageHeaders<&mut Vec<(K, V)>> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::TextMap(self)
    }
}

fn offer<'c, K: AsRef<str>, V: AsRef<[u8]>>(list: &'c [(K, V)], scan: &mut HeaderScan<'c, '_>) {
    for (name, value) in list {
        scan.offer(name.as_ref(), value.as_ref());
    }
}
