//! Places that are switched on and off while the program runs. Each test has modules of its own.

use std::cell::Cell;

use tracehound::prelude::*;
use tracehound::traced;
use tracehound::traced::{places, set_enabled};

use crate::block_on::block_on;
use crate::support::recording_tracer;

mod shop {
    use std::future::Future;
    use std::pin::Pin;

    use tracehound::prelude::*;
    use tracehound::traced;

    #[traced(tracer = tracer)]
    pub(super) fn open(tracer: &JaegerTracer) {
        db::load(tracer);
        db::store(tracer);
    }

    pub(super) mod db {
        use super::*;

        #[traced(tracer = tracer)]
        pub(in super::super) fn load(tracer: &JaegerTracer) {}

        #[traced(tracer = tracer)]
        pub(in super::super) fn store(tracer: &JaegerTracer) {}
    }

    pub(super) mod waiting {
        use super::*;

        #[traced(tracer = tracer)]
        pub(in super::super) async fn function(tracer: &JaegerTracer) -> Span {
            active_span()
        }

        #[traced(tracer = tracer)]
        pub(in super::super) fn boxed(
            tracer: &JaegerTracer,
        ) -> Pin<Box<dyn Future<Output = Span>>> {
            let span = std::future::ready(());
            Box::pin(async move {
                span.await;
                active_span()
            })
        }
    }
}

/// The path of this file's module.
const HERE: &str = module_path!();

#[test]
fn a_module_or_a_function_is_switched_off_and_on() {
    let (tracer, spans) = recording_tracer();
    let seen = |path: &str, is_enabled| {
        assert!(set_enabled(&format!("{HERE}::{path}"), is_enabled));
        shop::open(&tracer);
        let tree = spans.tree();
        spans.clear();
        tree
    };
    // Before the first call of any.
    assert_eq!(seen("shop::db", false), "open");
    assert_eq!(seen("shop::db::load", true), "open\n  load");
    assert_eq!(seen("shop::open", false), "load");
    assert_eq!(seen("sho", true), "load");
    assert_eq!(seen("shop::db::loa", false), "load");
    assert_eq!(seen("shop", false), "");
    assert_eq!(seen("shop", true), "open\n  load\n  store");
}

#[test]
fn futures_of_a_place_that_is_off_are_left_alone() {
    let (tracer, spans) = recording_tracer();
    let path = format!("{HERE}::shop::waiting");
    assert!(set_enabled(&path, false));
    let outer = tracer.start_active_span("outer");
    assert_eq!(
        block_on(shop::waiting::function(&tracer)).context(),
        outer.context()
    );
    assert_eq!(
        block_on(shop::waiting::boxed(&tracer)).context(),
        outer.context()
    );
    drop(outer);
    assert_eq!(spans.tree(), "outer");
    spans.clear();
    assert!(set_enabled(&path, true));
    let _span = block_on(shop::waiting::function(&tracer));
    let _span = block_on(shop::waiting::boxed(&tracer));
    assert_eq!(spans.tree(), "function\nboxed");
}

#[traced(tracer = { asked.set(asked.get() + 1); tracer }, tags(n = asked.get()))]
fn asking(tracer: &JaegerTracer, asked: &Cell<u32>) {}

#[test]
fn a_place_that_is_off_evaluates_no_option() {
    let (tracer, _) = recording_tracer();
    let asked = Cell::new(0);
    asking(&tracer, &asked);
    assert_eq!(asked.get(), 1);
    assert!(set_enabled(&format!("{HERE}::asking"), false));
    asking(&tracer, &asked);
    assert_eq!(asked.get(), 1);
}

struct Listed;

#[traced]
impl Listed {
    fn method(&self) {}
}

#[traced(name = "another name")]
fn listed() {}

#[test]
fn places_are_listed_once_they_were_called() {
    let find = |function: &str| {
        let mut places = places().into_iter();
        places.find(|place| place.module() == HERE && place.function() == function)
    };
    assert!(find("listed").is_none());
    listed();
    listed();
    Listed.method();
    let place = find("listed").unwrap();
    assert_eq!(place.name(), "another name");
    assert_eq!(place.to_string(), format!("{HERE}::listed"));
    assert_eq!(place.file(), file!());
    let source = include_str!("switches.rs");
    let line = source.lines().nth(place.line() as usize - 1).unwrap();
    assert_eq!(line, "fn listed() {}");
    let all = places();
    assert_eq!(
        all.iter()
            .filter(|other| std::ptr::eq(**other, place))
            .count(),
        1
    );

    place.set_enabled(false);
    assert!(!place.is_enabled());
    assert!(find("Listed::method").unwrap().is_enabled());
    assert!(set_enabled(&format!("{HERE}::Listed"), false));
    assert!(!find("Listed::method").unwrap().is_enabled());
}
