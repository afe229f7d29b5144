use std::{
    collections::{BTreeMap, BTreeSet},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    Backend, Error,
    crossdock::{Alphabet, Answer, Downstream, Peer, Seen, Service, StartTrace, Transport, stored},
};

/// The result of a run: what services that call each other in a chain saw of one trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chain {
    /// Whether the first service was asked to sample.
    pub is_sampled: bool,
    /// The trace as each service saw it, in the order of the calls.
    pub seen: Vec<Seen>,
}

impl Chain {
    /// Lets the first service start a trace that goes through the others, which are called by `transport`.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if a call fails, a service is not called, or the first one does not start the trace that it
    /// was asked for; [`Error::Io`] if there is no service.
    pub fn drive(
        services: &[&Service],
        transport: Transport,
        is_sampled: bool,
        alphabet: Alphabet,
    ) -> Result<Self, Error> {
        let Some((first, others)) = services.split_first() else {
            let problem = std::io::Error::other("a chain without services");
            return Err(Error::io("driving the crossdock")(problem));
        };
        let baggage = new_baggage(alphabet);
        let request = StartTrace {
            server_role: "S1".to_owned(),
            sampled: is_sampled,
            baggage: baggage.clone(),
            items: BTreeMap::new(),
            downstream: downstream(others, transport),
        };
        let answer = first.ask("/start_trace", &[], &request)?;
        let seen = levels(&answer, services.len()).map_err(|problem| first.failed(problem))?;
        let started = &seen[0];
        if (started.is_sampled, &started.baggage) != (is_sampled, &baggage) || started.trace_id == 0
        {
            let asked = format!("asked for sampled {is_sampled}, baggage {baggage:?}");
            return Err(first.failed(format!("was {asked} and started {started:?}")));
        }
        Ok(Self { is_sampled, seen })
    }

    /// Returns what is wrong with what the services saw and with what they left in `jaeger`. All services of a chain
    /// should have seen one trace, one decision and the baggage, and stored one trace if it was sampled, and nothing
    /// otherwise.
    ///
    /// `peers` are the languages of the services, and `chains` all traces since the backend was started.
    ///
    /// # Errors
    ///
    /// Fails if Jaeger cannot be asked.
    pub fn wrong(chains: &[Self], peers: &[Peer], jaeger: &Backend) -> Result<Vec<String>, Error> {
        let peers: Vec<&Peer> = peers.iter().collect();
        let mut problems = Vec::new();
        let mut known = BTreeSet::new();
        for Self { seen, .. } in chains {
            for (peer, here) in peers.iter().zip(seen) {
                let started = &seen[0];
                if here != started {
                    problems.push(format!("{} saw {here:?} of {started:?}", peer.name));
                }
            }
            for (trace_id, expected) in stored::expected(seen, &peers) {
                known.insert(trace_id);
                let trace = jaeger.trace(trace_id, expected.len())?;
                let wrong = stored::wrong(&trace, &expected, &peers, jaeger.version());
                problems.extend(wrong);
            }
        }
        for peer in peers {
            let stored = jaeger.trace_ids(&peer.service_name())?;
            let unknown = stored.difference(&known);
            problems.extend(unknown.map(|id| format!("{} stored {id:x}", peer.name)));
        }
        Ok(problems)
    }
}

/// Returns the request to call the services, one after the other.
fn downstream(services: &[&Service], transport: Transport) -> Option<Box<Downstream>> {
    let mut next = None;
    for (place, service) in services.iter().enumerate().rev() {
        next = Some(Box::new(Downstream {
            service_name: service.peer().name.to_owned(),
            server_role: format!("S{}", place + 2),
            host: service.address().ip().to_string(),
            port: service.port(transport).to_string(),
            transport,
            downstream: next,
        }));
    }
    next
}

/// Returns what each of `number` services saw.
fn levels(answer: &Answer, number: usize) -> Result<Vec<Seen>, String> {
    let mut seen = Vec::new();
    let mut level = Some(answer);
    while let Some(here) = level {
        if seen.len() == number {
            return Err(format!("more than {number} services were called"));
        }
        let reason = &here.not_implemented_error;
        match &here.span {
            Some(span) if reason.is_empty() => seen.push(Seen {
                trace_id: u128::from_str_radix(&span.trace_id, 16)
                    .map_err(|error| format!("{:?} is no trace id: {error}", span.trace_id))?,
                is_sampled: span.sampled,
                baggage: span.baggage.clone(),
            }),
            _ => return Err(format!("a service was not called: {reason:?}")),
        }
        level = here.downstream.as_deref();
    }
    if seen.len() < number {
        return Err(format!("{} of {number} services were called", seen.len()));
    }
    Ok(seen)
}

/// Returns a value that no other run has.
fn new_baggage(alphabet: Alphabet) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}{:x}{number:08x}", alphabet.sample(), process::id())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    fn levels_of(answer: &serde_json::Value) -> Result<Vec<Seen>, String> {
        levels(
            &Answer::deserialize(answer).map_err(|error| error.to_string())?,
            3,
        )
    }

    fn level(trace_id: &str, downstream: &serde_json::Value) -> serde_json::Value {
        json!({"span": {"traceId": trace_id, "sampled": true, "baggage": "b"}, "downstream": downstream})
    }

    #[test]
    fn ids_are_compared_as_numbers() -> Result<(), String> {
        let json = level("0000abc", &level("abc", &level("ABC", &json!(null))));
        let seen = levels_of(&json)?;
        assert!(seen.iter().all(|seen| seen.trace_id == 0xabc), "{seen:?}");
        Ok(())
    }

    #[test]
    fn a_chain_of_another_length_is_a_failure() {
        let two = level("a", &level("a", &json!(null)));
        let four = level("a", &level("a", &level("a", &level("a", &json!(null)))));
        let dummy = level(
            "a",
            &level("a", &json!({"notImplementedError": "no such transport"})),
        );
        for (json, reason) in [
            (two, "2 of 3 services were called"),
            (four, "more than 3 services were called"),
            (dummy, "a service was not called: \"no such transport\""),
            (level("x", &json!(null)), "\"x\" is no trace id"),
        ] {
            let failed = levels_of(&json).expect_err(reason);
            assert!(failed.starts_with(reason), "{failed}");
        }
    }
}
