//! What each tool answers.

use serde_json::{Value, json};
use tracehound::view::Trace;

use super::{CHARGE, CHECKOUT, READ, TRACE, call, span, with_order};

#[test]
fn services_and_span_names_are_listed() {
    let server = with_order();
    let services = |arguments| call(&server, "get_services", arguments)["services"].take();
    assert_eq!(services(json!({})), json!(["cart", "pay", "shop"]));
    assert_eq!(services(json!({"pattern": "^.a"})), json!(["cart", "pay"]));
    assert_eq!(services(json!({"limit": 1})), json!(["cart"]));
    assert_eq!(
        services(json!({"limit": -1, "pattern": null}))
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let names = |arguments| call(&server, "get_span_names", arguments)["span_names"].take();
    let charge = json!([{"name": "charge", "span_kind": "client"}]);
    assert_eq!(names(json!({"service_name": "pay"})), charge);
    assert_eq!(
        names(json!({"service_name": "pay", "span_kind": "CLIENT", "pattern": "ar"})),
        charge
    );
    assert_eq!(
        names(json!({"service_name": "pay", "span_kind": "SERVER"})),
        json!([])
    );
    assert_eq!(
        names(json!({"service_name": "cart"})),
        json!([{"name": "read"}])
    );
    assert_eq!(names(json!({"service_name": "mail"})), json!([]));
}

#[test]
fn traces_are_found_by_what_they_have() {
    let server = with_order();
    let found = |more: Value| {
        let mut arguments = json!({"service_name": "shop"});
        arguments
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        call(&server, "search_traces", arguments)["traces"].take()
    };
    let expected = json!([{
        "trace_id": TRACE,
        "root_service": "shop",
        "root_span_name": "checkout",
        "start_time": "2023-11-14T22:13:20.000000Z",
        "duration_us": 5_000,
        "span_count": 3,
        "service_count": 3,
        "services": ["cart", "pay", "shop"],
        "has_errors": true,
    }]);
    assert_eq!(found(json!({})), expected);
    for (arguments, is_found) in [
        (json!({"span_name": "checkout"}), true),
        (json!({"span_name": "charge"}), false),
        (json!({"attributes": {"items": "3", "host": "box"}}), true),
        (json!({"attributes": {"items": "4"}}), false),
        (json!({"with_errors": true}), true),
        (json!({"duration_min": "5ms", "duration_max": "5ms"}), true),
        (json!({"duration_min": "5001us"}), false),
        (json!({"start_time_min": "2023-11-14T22:13:20Z"}), true),
        (json!({"start_time_min": "-1h"}), false),
        (json!({"start_time_max": "2023-11-14T22:13:19Z"}), false),
        (json!({"search_depth": 100_000}), true),
    ] {
        let found = found(arguments.clone());
        assert_eq!(
            found.as_array().unwrap().len(),
            usize::from(is_found),
            "{arguments}"
        );
    }
}

#[test]
fn the_topology_names_the_way_to_each_span() {
    let server = with_order();
    let spans = |depth| {
        let arguments = json!({"trace_id": TRACE, "depth": depth});
        let topology = call(&server, "get_trace_topology", arguments);
        assert_eq!(topology["trace_id"], TRACE);
        topology["spans"].as_array().unwrap().clone()
    };
    let charge = json!({
        "path": format!("{CHECKOUT}/{CHARGE}"),
        "service": "pay",
        "span_name": "charge",
        "start_time": "2023-11-14T22:13:20.001000Z",
        "duration_us": 3_000,
        "status": "Error",
    });
    let all = spans(json!(0));
    assert_eq!((all.len(), &all[1]), (3, &charge));
    assert_eq!(all[2]["path"], json!(format!("{CHECKOUT}/{CHARGE}/{READ}")));
    assert_eq!(all, spans(Value::Null));
    let two = spans(json!(2));
    assert_eq!((two.len(), &two[1]["truncated_children"]), (2, &json!(1)));
    server.add(Trace::of([span(5, "lost", "orphan", 1, 0xff, (0, 1))]));
    let orphan = call(&server, "get_trace_topology", json!({"trace_id": "5"}));
    assert_eq!(
        orphan["spans"][0]["path"],
        "00000000000000ff/0000000000000001"
    );
}

#[test]
fn the_critical_path_has_the_stretches_that_the_trace_waited_for() {
    let server = with_order();
    let path = call(&server, "get_critical_path", json!({"trace_id": TRACE}));
    let segment = |id, service, name, from: i64, to: i64| {
        json!({
            "span_id": id, "service": service, "span_name": name,
            "self_time_us": to - from, "start_offset_us": from, "end_offset_us": to,
        })
    };
    let expected = json!({
        "trace_id": TRACE,
        "total_duration_us": 5_000,
        "critical_path_duration_us": 5_000,
        "segments": [
            segment(CHECKOUT, "shop", "checkout", 0, 1_000),
            segment(CHARGE, "pay", "charge", 1_000, 1_500),
            segment(READ, "cart", "read", 1_500, 2_000),
            segment(CHARGE, "pay", "charge", 2_000, 4_000),
            segment(CHECKOUT, "shop", "checkout", 4_000, 5_000),
        ],
    });
    assert_eq!(path, expected);
}

#[test]
fn details_have_all_of_a_span_and_errors_are_found() {
    let server = with_order();
    let charge = json!({
        "span_id": CHARGE,
        "trace_id": TRACE,
        "parent_span_id": CHECKOUT,
        "service": "pay",
        "span_name": "charge",
        "start_time": "2023-11-14T22:13:20.001000Z",
        "duration_us": 3_000,
        "status": {"code": "Error", "message": "declined"},
        "attributes": {"span.kind": "client", "error": true, "rate": "NaN"},
        "events": [{
            "name": "error",
            "timestamp": "2023-11-14T22:13:20.003000Z",
            "attributes": {"message": "declined"},
        }],
        "links": [{"trace_id": format!("{:0>32}", 9), "span_id": format!("{:0>16}", 8)}],
    });
    let ids = json!([CHARGE, "0000000000000abc"]);
    let details = call(
        &server,
        "get_span_details",
        json!({"trace_id": TRACE, "span_ids": ids}),
    );
    let missing = "spans not found: 0000000000000abc";
    assert_eq!(
        details,
        json!({"trace_id": TRACE, "spans": [charge], "error": missing})
    );
    let errors = call(&server, "get_trace_errors", json!({"trace_id": TRACE}));
    assert_eq!(
        errors,
        json!({"trace_id": TRACE, "total_error_count": 1, "spans": [charge]})
    );
}

#[test]
fn dependencies_count_calls_within_an_interval() {
    let server = with_order();
    let ask =
        |arguments| call(&server, "get_service_dependencies", arguments)["dependencies"].take();
    let calls = |caller, callee| json!({"caller": caller, "callee": callee, "call_count": 1});
    assert_eq!(
        ask(json!({})),
        json!([calls("pay", "cart"), calls("shop", "pay")])
    );
    assert_eq!(
        ask(json!({"end_time": "2023-11-14T22:13:20.5Z"}))
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(ask(json!({"start_time": "-24h"})), json!([]));
}
