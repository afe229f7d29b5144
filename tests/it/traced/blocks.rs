//! The attribute on `impl` blocks and traits.

use std::fmt;

use tracehound::prelude::*;
use tracehound::traced;

use crate::block_on::block_on;
use crate::support::recording_tracer;

struct Cart {
    tracer: JaegerTracer,
    items: Vec<u32>,
}

#[traced(tracer = self.tracer, err)]
impl Cart {
    #[traced(skip)]
    fn new(tracer: &JaegerTracer) -> Self {
        Self {
            tracer: tracer.clone(),
            items: Vec::new(),
        }
    }

    #[traced(tags(item))]
    fn add(&mut self, item: u32) -> usize {
        self.items.push(item);
        self.len()
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    #[traced(name = "pay", kind = "client", tags(cents))]
    async fn pay(&self, cents: u32) -> fmt::Result {
        match cents {
            0 => Err(fmt::Error),
            _ => Ok(()),
        }
    }

    const LIMIT: usize = 10;
}

#[test]
fn the_functions_of_an_impl_block_are_named_after_their_type() {
    let (tracer, spans) = recording_tracer();
    let mut cart = Cart::new(&tracer);
    assert!(cart.add(7) <= Cart::LIMIT);
    assert!(block_on(cart.pay(0)).is_err());
    assert_eq!(spans.tree(), "Cart::add\n  Cart::len\npay !");
    assert_eq!(spans.find("Cart::add").unwrap().tag_text("item"), "7");
    let pay = spans.find("pay").unwrap();
    assert_eq!(pay.tag_text("span.kind"), "client");
    assert_eq!(pay.tag_text("cents"), "0");
}

trait Store<T> {
    fn tracer(&self) -> &JaegerTracer;

    fn load(&self) -> T;
}

#[traced(tracer = &self.0)]
impl<T: Default> Store<T> for (JaegerTracer, T) {
    #[traced(skip)]
    fn tracer(&self) -> &JaegerTracer {
        &self.0
    }

    fn load(&self) -> T {
        T::default()
    }
}

struct Disk<T>(JaegerTracer, T);

#[traced(tracer = self.0)]
impl<T> Store<T> for &Disk<T>
where
    T: Clone,
{
    #[traced(skip)]
    fn tracer(&self) -> &JaegerTracer {
        &self.0
    }

    fn load(&self) -> T {
        self.1.clone()
    }
}

#[traced(tracer = Store::<u8>::tracer(self))]
trait Reader: Store<u8> {
    fn read(&self) -> u8 {
        self.load()
    }

    #[traced(skip)]
    fn quietly(&self) -> u8 {
        self.load()
    }

    fn required(&self);
}

impl Reader for &Disk<u8> {
    fn required(&self) {}
}

#[test]
fn an_impl_of_a_trait_and_default_methods_are_traced() {
    let (tracer, spans) = recording_tracer();
    assert_eq!((tracer.clone(), 5_u8).load(), 0);
    let disk = &Disk(tracer, 5_u8);
    assert_eq!(disk.read(), 5);
    assert_eq!(disk.quietly(), 5);
    disk.required();
    assert_eq!(spans.tree(), "load\nReader::read\n  Disk::load\nDisk::load");
}

#[async_trait::async_trait]
trait Queue {
    async fn push(&self, text: String) -> Result<usize, fmt::Error>;
}

struct Inside(JaegerTracer);
struct Outside(JaegerTracer);

#[async_trait::async_trait]
#[traced(tracer = self.0, err)]
impl Queue for Inside {
    async fn push(&self, text: String) -> Result<usize, fmt::Error> {
        Ok(text.len())
    }
}

#[traced(tracer = self.0, err)]
#[async_trait::async_trait]
impl Queue for Outside {
    async fn push(&self, text: String) -> Result<usize, fmt::Error> {
        Err(fmt::Error).or_else(|error| if text.is_empty() { Ok(0) } else { Err(error) })
    }
}

#[test]
fn async_trait_may_stand_on_either_side() {
    let (tracer, spans) = recording_tracer();
    let queues: [Box<dyn Queue>; 2] = [Box::new(Inside(tracer.clone())), Box::new(Outside(tracer))];
    for queue in queues {
        let _ = block_on(queue.push("text".to_owned()));
    }
    assert_eq!(spans.tree(), "Inside::push\nOutside::push !");
}
