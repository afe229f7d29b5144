//! The services of the example `quickstart` in real backends, and the calls between them.

use std::collections::BTreeSet;

use tracehound_interop::{Backend, Dependency, Example, StoredSpan, Tag, Value, Version};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[test]
fn v1_shows_the_orders_and_calls_of_the_quickstart() -> Result {
    shows_orders(Version::V1)
}

#[test]
fn v2_shows_the_orders_and_calls_of_the_quickstart() -> Result {
    shows_orders(Version::V2)
}

fn shows_orders(version: Version) -> Result {
    let Some(jaeger) = Backend::start_or_skip(version)? else {
        return Ok(());
    };
    let agent = jaeger.compact_addr();
    let printed = Example::build("quickstart")?.run(&[
        ("JAEGER_AGENT_HOST", &agent.ip().to_string()),
        ("JAEGER_AGENT_PORT", &agent.port().to_string()),
    ])?;
    let sent = sent(&printed).ok_or_else(|| format!("not all spans were sent: {printed}"))?;
    let received = jaeger.received_when(|received| received.spans >= sent)?;
    assert_eq!(received.spans, sent, "{printed}");

    let [fine, failed, slow] = traces(&printed)[..] else {
        return Err(format!("not three traces: {printed}").into());
    };
    // The three orders make the same calls.
    let [fine, failed, slow] = [fine, failed, slow].map(|it| jaeger.trace(it, sent as usize / 3));
    let [fine, failed, slow] = [fine?.spans, failed?.spans, slow?.spans];
    assert_eq!(
        (fine.len() + failed.len() + slow.len()) as u64,
        sent,
        "{printed}"
    );
    for trace in [&fine, &failed, &slow] {
        is_one_tree_of_three_services(trace)?;
    }
    assert_eq!(failing_services(&fine), BTreeSet::new());
    assert_eq!(failing_services(&failed), BTreeSet::from(["pay", "shop"]));
    assert_eq!(failing_services(&slow), BTreeSet::new());
    let longest = slow
        .iter()
        .filter(|it| it.service == "cart")
        .map(|it| it.duration_us);
    assert!(longest.max() >= Some(300_000), "{slow:#?}");

    let calls = ["cart", "pay"].map(|child| Dependency {
        parent: "shop".to_owned(),
        child: child.to_owned(),
        call_count: 3,
    });
    // Only v2 counts calls within one service.
    let between = |mut edges: BTreeSet<Dependency>| {
        edges.retain(|edge| edge.parent != edge.child);
        edges
    };
    let calls = BTreeSet::from(calls);
    let seen = jaeger.dependencies_when(|edges| between(edges.clone()) == calls)?;
    assert_eq!(between(seen), calls);
    Ok(())
}

/// Checks that the only root is the shop's, and that every other span's parent is there.
fn is_one_tree_of_three_services(spans: &[StoredSpan]) -> Result {
    let services: BTreeSet<&str> = spans.iter().map(|span| &*span.service).collect();
    assert_eq!(services, BTreeSet::from(["cart", "pay", "shop"]));
    let (roots, children): (Vec<_>, Vec<_>) =
        spans.iter().partition(|span| span.references.is_empty());
    let [root] = roots[..] else {
        return Err(format!("not one root: {roots:#?}").into());
    };
    assert_eq!(root.service, "shop");
    assert_eq!(find(&root.tags, "span.kind"), Some(&"server".into()));
    for span in children {
        let parent = span.references[0];
        let is_there = spans.iter().any(|it| it.span_id == parent.span_id);
        assert!(is_there && parent.trace_id == span.trace_id, "{span:#?}");
    }
    Ok(())
}

fn failing_services(spans: &[StoredSpan]) -> BTreeSet<&str> {
    let failing = spans
        .iter()
        .filter(|span| find(&span.tags, "error") == Some(&true.into()));
    failing.map(|span| &*span.service).collect()
}

/// Reads the ids from the lines `trace 5af7183fb1d4cf5f`.
fn traces(printed: &str) -> Vec<u128> {
    let ids = printed
        .lines()
        .filter_map(|line| line.strip_prefix("trace "));
    ids.filter_map(|id| u128::from_str_radix(id, 16).ok())
        .collect()
}

/// Reads the count from the line `spans: sent 24, dropped 0`, if none was dropped.
fn sent(printed: &str) -> Option<u64> {
    let ledger = printed
        .lines()
        .find_map(|line| line.strip_prefix("spans: sent "))?;
    ledger.strip_suffix(", dropped 0")?.parse().ok()
}

fn find<'a>(tags: &'a [Tag], key: &str) -> Option<&'a Value> {
    tags.iter().find(|tag| tag.key == key).map(|tag| &tag.value)
}
