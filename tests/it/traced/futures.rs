//! Functions whose body runs in a future.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tracehound::prelude::*;
use tracehound::traced;

use crate::block_on::block_on;
use crate::support::{log_texts, recording_tracer};

/// A future that is pending once, so that the code behind it runs in another poll.
async fn later() {
    let mut is_later = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut is_later, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[traced(tracer = tracer)]
async fn outer(tracer: &JaegerTracer, n: u32) -> u32 {
    later().await;
    let name = active_span();
    let n = inner(tracer, n).await;
    assert_eq!(active_span().context(), name.context());
    n + 1
}

#[traced(tracer = tracer)]
async fn inner(tracer: &JaegerTracer, n: u32) -> u32 {
    later().await;
    n * 2
}

#[test]
fn an_async_function_is_a_span_that_is_active_in_each_poll() {
    let (tracer, spans) = recording_tracer();
    let future = outer(&tracer, 3);
    assert_eq!(spans.tree(), "", "nothing runs before the first poll");
    assert_eq!(block_on(future), 7);
    assert_eq!(spans.tree(), "outer\n  inner");
}

#[test]
fn traced_futures_go_to_other_threads() {
    fn must_be_send<T: Send>(_: &T) {}
    let (tracer, _) = recording_tracer();
    must_be_send(&outer(&tracer, 1));
    must_be_send(&returned(&tracer, "x".to_owned()));
    must_be_send(&boxed(&tracer, "x"));
}

#[expect(clippy::manual_async_fn, reason = "the form under test")]
#[traced(tracer = tracer)]
fn block(tracer: &JaegerTracer, text: String) -> impl Future<Output = usize> {
    async move {
        later().await;
        assert!(!active_span().is_noop());
        text.len()
    }
}

#[expect(clippy::manual_async_fn, reason = "the form under test")]
#[traced(tracer = tracer, tags(text))]
fn block_that_borrows<'a>(
    tracer: &'a JaegerTracer,
    text: &'a str,
) -> impl Future<Output = usize> + 'a {
    async { text.len() }
}

#[traced(tracer = tracer, tags(text))]
fn boxed<'a>(
    tracer: &'a JaegerTracer,
    text: &'a str,
) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
    Box::pin(async move {
        later().await;
        assert!(!active_span().is_noop());
        text.len()
    })
}

#[traced(tracer = tracer, tags(text))]
fn returned(tracer: &JaegerTracer, text: String) -> impl Future<Output = usize> + Send + 'static {
    let here = active_span().context();
    if text.is_empty() {
        return measure(text, here);
    }
    measure(text, here)
}

async fn measure(text: String, span: tracehound::SpanContext) -> usize {
    later().await;
    assert_eq!(active_span().context(), span);
    text.len()
}

#[traced(tracer = tracer)]
fn returned_in_a_box<'a>(
    tracer: &'a JaegerTracer,
    text: &'a mut String,
) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
    let here = active_span().context();
    let future = async move {
        later().await;
        assert_eq!(active_span().context(), here);
        text.push('!');
        text.len()
    };
    if tracer.is_noop() {
        return Box::pin(async { 0 });
    }
    Box::pin(future)
}

#[test]
fn a_function_that_returns_a_future_is_a_span_until_the_future_ends() {
    let (tracer, spans) = recording_tracer();
    let mut text = "abc".to_owned();
    assert_eq!(block_on(block(&tracer, text.clone())), 3);
    assert_eq!(block_on(block_that_borrows(&tracer, &text)), 3);
    assert_eq!(block_on(boxed(&tracer, &text)), 3);
    assert_eq!(block_on(returned(&tracer, text.clone())), 3);
    assert_eq!(block_on(returned_in_a_box(&tracer, &mut text)), 4);
    assert_eq!(
        spans.tree(),
        "block\nblock_that_borrows\nboxed\nreturned\nreturned_in_a_box"
    );
}

#[test]
fn a_span_begins_when_the_body_begins() {
    let (tracer, spans) = recording_tracer();
    let call = tracer.start_active_span("call");
    let lazy = [
        boxed(&tracer, "abc"),
        Box::pin(block(&tracer, "abc".to_owned())),
    ];
    let eager = returned(&tracer, "abc".to_owned());
    drop(call);
    let poll = tracer.start_active_span("poll");
    block_on(eager);
    for future in lazy {
        block_on(future);
    }
    drop(poll);
    assert_eq!(spans.tree(), "call\n  returned\npoll\n  boxed\n  block");
}

#[async_trait::async_trait]
trait Store: Sync {
    async fn load(&self, id: u64) -> Result<String, Box<dyn Error + Send + Sync>>;

    #[traced(tracer = self.tracer(), tags(id), err)]
    async fn find(&self, id: u64) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        Ok(Some(self.load(id).await?))
    }

    fn tracer(&self) -> &JaegerTracer;
}

struct Disk(JaegerTracer);

#[async_trait::async_trait]
impl Store for Disk {
    #[traced(tracer = self.0, tags(id), err)]
    async fn load(&self, id: u64) -> Result<String, Box<dyn Error + Send + Sync>> {
        later().await;
        if id == 0 {
            Err("no such order")?;
        }
        Ok(format!("order {id}"))
    }

    fn tracer(&self) -> &JaegerTracer {
        &self.0
    }
}

#[test]
fn methods_of_async_trait_are_traced() {
    let (tracer, spans) = recording_tracer();
    let store: &dyn Store = &Disk(tracer);
    assert_eq!(block_on(store.find(7)).unwrap().as_deref(), Some("order 7"));
    assert_eq!(spans.tree(), "find\n  load");
    assert_eq!(spans.take()[0].tag_text("id"), "7");
    assert!(block_on(store.find(0)).is_err());
    assert_eq!(spans.tree(), "find !\n  load !");
}

trait Native {
    fn tracer(&self) -> &JaegerTracer;

    #[traced(tracer = self.tracer())]
    async fn twice(&self, n: u32) -> u32 {
        later().await;
        n * 2
    }

    #[traced(tracer = self.tracer())]
    fn thrice(&self, n: u32) -> impl Future<Output = u32> + Send {
        let _here = active_span();
        async move { n * 3 }
    }
}

impl Native for JaegerTracer {
    fn tracer(&self) -> &JaegerTracer {
        self
    }
}

#[test]
fn default_methods_of_a_trait_may_be_async() {
    let (tracer, spans) = recording_tracer();
    assert_eq!(block_on(tracer.twice(2)), 4);
    assert_eq!(block_on(tracer.thrice(2)), 6);
    assert_eq!(spans.tree(), "twice\nthrice");
}

/// Uses of the type annotation of the block: conversions by `?`, coercions, and types that only the signature tells.
#[traced(tracer = tracer, err)]
async fn converted(
    tracer: &JaegerTracer,
    text: &str,
) -> Result<Box<dyn Fn() -> u8>, Box<dyn Error>> {
    if text.is_empty() {
        return Ok(Box::new(|| 0));
    }
    let number: u8 = text.parse()?;
    Ok(Box::new(move || number))
}

#[traced(tracer = tracer)]
async fn opaque(tracer: &JaegerTracer) -> impl Iterator<Item = u8> {
    [1, 2].into_iter()
}

#[traced(tracer = tracer)]
async fn empty(tracer: &JaegerTracer) {}

#[traced(tracer = tracer)]
async fn impossible(tracer: &JaegerTracer, fails: bool) -> Result<Infallible, u8> {
    if fails {
        return Err(1);
    }
    pending().await
}

#[traced(tracer = tracer)]
async fn never(tracer: &JaegerTracer) -> ! {
    later().await;
    panic!("on purpose")
}

#[traced(tracer = tracer)]
async fn countdown(tracer: &JaegerTracer, left: u32) {
    if left > 0 {
        Box::pin(countdown(tracer, left - 1)).await;
    }
}

#[traced(tracer = tracer)]
async fn consumed(tracer: JaegerTracer, mut line: String) -> String {
    later().await;
    line.push('!');
    line
}

#[test]
fn async_functions_of_every_kind_are_traced() {
    let (tracer, spans) = recording_tracer();
    assert_eq!(block_on(converted(&tracer, "")).unwrap()(), 0);
    assert_eq!(block_on(converted(&tracer, "7")).unwrap()(), 7);
    assert!(block_on(converted(&tracer, "x")).is_err());
    assert_eq!(block_on(opaque(&tracer)).sum::<u8>(), 3);
    block_on(empty(&tracer));
    assert!(block_on(impossible(&tracer, true)).is_err());
    block_on(countdown(&tracer, 1));
    assert_eq!(block_on(consumed(tracer, "a".to_owned())), "a!");
    assert_eq!(
        spans.tree(),
        "converted\nconverted\nconverted !\nopaque\nempty\nimpossible\ncountdown\n  countdown\nconsumed"
    );
}

fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_future_that_is_dropped_before_its_end_is_cancelled() {
    let (tracer, spans) = recording_tracer();
    assert!(poll_once(outer(&tracer, 1)).is_pending());
    assert!(poll_once(boxed(&tracer, "abc")).is_pending());
    assert!(poll_once(returned(&tracer, "abc".to_owned())).is_pending());
    drop(outer(&tracer, 1));
    let spans = spans.spans();
    assert_eq!(spans.len(), 3, "one was never polled");
    for span in spans {
        assert_eq!(
            log_texts(&span.logs[0]),
            ["event=cancelled"],
            "{}",
            span.operation_name
        );
        assert!(!span.is_error());
    }
}

#[test]
fn a_panic_marks_the_span_of_an_async_function() {
    let (tracer, spans) = recording_tracer();
    let result = catch_unwind(AssertUnwindSafe(|| block_on(never(&tracer))));
    assert!(result.is_err());
    assert_eq!(spans.tree(), "never !");
    assert_eq!(log_texts(&spans.spans()[0].logs[0])[0], "event=panic");
    assert!(active_span().is_noop());
}
