//! Functions with `#[traced]`.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tracehound::prelude::*;
use tracehound::traced;
use tracehound::traced::set_enabled;

use crate::{allocations, null_tracer, tenths_of_allocations};

#[traced(tracer = tracer)]
fn plain(tracer: &JaegerTracer, n: u32) -> u32 {
    n + u32::from(tracer.is_noop())
}

#[traced(tracer = tracer, kind = "client", tags(n, url, twice = n * 2), err)]
fn with_options(tracer: &JaegerTracer, n: u32, url: &String) -> Result<u32, std::fmt::Error> {
    match url.is_empty() {
        true => Err(std::fmt::Error),
        false => Ok(plain(tracer, n)),
    }
}

mod off {
    use super::*;

    #[traced(tracer = tracer, kind = "client", tags(n, text = n.to_string()), err)]
    pub(super) fn with_options(tracer: &JaegerTracer, n: u32) -> Result<u32, std::fmt::Error> {
        Ok(n + u32::from(tracer.is_noop()))
    }

    #[traced(tracer = tracer)]
    pub(super) async fn later(tracer: &JaegerTracer, n: u32) -> u32 {
        n + u32::from(tracer.is_noop())
    }
}

#[test]
fn a_traced_function_allocates_nothing_more_than_its_span() {
    let tracer = null_tracer(true);
    let url = "http://shop.example.com/orders?id=17".to_owned();
    let rows: [(&str, &dyn Fn()); 2] = [
        ("plain", &|| assert_eq!(plain(&tracer, 1), 1)),
        ("with options", &|| {
            assert_eq!(with_options(&tracer, 1, &url), Ok(1));
        }),
    ];
    for (name, work) in rows {
        assert_eq!(tenths_of_allocations(work), 0, "{name}");
    }
}

#[test]
fn a_function_that_is_switched_off_allocates_nothing_at_all() {
    assert!(set_enabled(concat!(module_path!(), "::off"), false));
    let tracer = null_tracer(true);
    let sync = || assert_eq!(off::with_options(&tracer, 1), Ok(1));
    assert_eq!(allocations(10_000, sync), 0);
    let later = || {
        let future = pin!(off::later(&tracer, 1));
        let poll = future.poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(poll, Poll::Ready(1));
    };
    assert_eq!(allocations(10_000, later), 0);
}
