//! Places where the attribute cannot stand.
use tracehound::traced;

#[traced]
struct Cart;

#[traced]
const fn compiled() -> u32 {
    1
}

#[traced(skip)]
fn skipped_by_nobody() {}

#[traced]
impl Cart {
    const fn compiled() -> u32 {
        1
    }
}

#[traced]
impl Cart {
    const LIMIT: u32 = 1;
}

#[traced(name = "x", tags(id))]
impl Cart {
    fn load(&self) {}
}

#[traced]
trait Store {
    fn load(&self);
}

trait Other {
    #[traced]
    fn load(&self);
}

#[traced]
impl Cart {
    #[traced(kind = "x")]
    fn one(&self) {}

    #[traced(skip)]
    fn two(&self) {}

    #[traced(nane = "x")]
    fn three(&self) {}
}

fn main() {
    Cart.one();
    Cart.two();
}
