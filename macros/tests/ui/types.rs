//! Options of another type.
use tracehound::traced;

struct Order;

#[traced(tags(order, id = order))]
fn no_display(order: Order) {
    let _ = order;
}

#[traced(tags(?order))]
fn no_debug(order: Order) {
    let _ = order;
}

#[traced(name = String::from("x"))]
fn no_constant() {}

#[traced(tags(size = order.number_of_items()))]
fn no_method(order: Order) {
    let _ = order;
}

fn main() {}
