use std::any::type_name;
use std::fmt::Debug;

use crate::middleware::bounded_debug::bounded_debug;
use crate::model::{field, tags};
use crate::panics::caught;
use crate::redact::data::data;
use crate::scope::active_span;

/// Records a message of a call on the active span, if the tracer records
/// [everything](crate::model::Recording::everything), which is for test environments. Otherwise it does nothing.
///
/// On the wire a message is bytes, which nothing can show without a schema. In a handler it is a value: its `Debug`
/// text becomes a log record, with the fields `event=message`, `message.type` (the name of the type) and `message`. At
/// most 4,096 bytes are read, and the values of fields whose names say that they are secrets (`password`, `api_key`)
/// are hidden.
///
/// In the handler of a server the active span is that of the call. On a client it is the span that makes the call.
///
/// ```
/// use tracehound::middleware::record_message;
///
/// #[derive(Debug)]
/// struct Order {
///     item: String,
/// }
///
/// fn place(order: Order) {
///     record_message(&order);
///     // …
/// }
/// # place(Order { item: String::new() });
/// ```
pub fn record_message<T: Debug + ?Sized>(message: &T) {
    let span = active_span();
    if !span.recorded_data().is_everything() {
        return;
    }
    // `Debug` is user code.
    let Some(text) = caught(|| bounded_debug(message, LONGEST)) else {
        return;
    };
    span.log([
        field(tags::EVENT, "message"),
        field("message.type", type_name::<T>()),
        field(tags::MESSAGE, &data(&text)),
    ]);
}

const LONGEST: usize = 4 * 1_024;
