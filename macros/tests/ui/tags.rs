//! Tags that do not exist.
use tracehound::traced;

#[traced(tags(order))]
fn unknown_argument(order_id: u64) {
    let _ = order_id;
}

#[traced(tags(user.id))]
fn no_value(user: &str) {
    let _ = user;
}

#[traced(tags(id, "id" = id + 1))]
fn twice(id: u64) {
    let _ = id;
}

#[traced(tags(sampling.priority = 1))]
fn too_late() {}

fn main() {}
