use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Error,
    crossdock::{Alphabet, Answer, Downstream, Service, StartTrace, Transport},
};

/// One trace through three services, and what each of them saw.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The services in the roles S1, S2 and S3, as places in the list of services.
    pub order: [usize; 3],
    /// Whether S1 was asked to sample.
    pub is_sampled: bool,
    /// What the services saw.
    pub seen: [Seen; 3],
}

/// What a service saw of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// The trace id; a shorter one has zeros in front.
    pub trace_id: u128,
    /// The sampling decision.
    pub is_sampled: bool,
    /// The value of the baggage item, or empty.
    pub baggage: String,
}

impl Run {
    /// Lets the first service start a trace that goes through the others.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if a call fails, a service is not called, or the first one does not start the
    /// trace that it was asked for.
    pub fn drive(
        services: &[Service],
        order: [usize; 3],
        is_sampled: bool,
        alphabet: Alphabet,
    ) -> Result<Self, Error> {
        let [s1, s2, s3] = order.map(|place| &services[place]);
        let baggage = new_baggage(alphabet);
        let request = StartTrace {
            server_role: "S1".to_owned(),
            sampled: is_sampled,
            baggage: baggage.clone(),
            downstream: Some(to(s2, "S2", Some(to(s3, "S3", None)))),
        };
        let answer = s1.ask("/start_trace", &[], &request)?;
        let seen = chain(&answer).map_err(|problem| s1.failed(problem))?;
        let first = &seen[0];
        if (first.is_sampled, &first.baggage) != (is_sampled, &baggage) || first.trace_id == 0 {
            let asked = format!("asked for sampled {is_sampled}, baggage {baggage:?}");
            return Err(s1.failed(format!("was {asked} and started {first:?}")));
        }
        Ok(Self {
            order,
            is_sampled,
            seen,
        })
    }
}

impl Service {
    /// Posts a request of the protocol and returns the answer.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] if the service fails or answers otherwise.
    pub fn ask(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        request: &impl Serialize,
    ) -> Result<Answer, Error> {
        let json = self.post(path, headers, &json!(request).to_string())?;
        Answer::deserialize(&json).map_err(|error| self.failed(format!("answers {json}: {error}")))
    }
}

/// Returns the request to call the service.
fn to(service: &Service, role: &str, downstream: Option<Box<Downstream>>) -> Box<Downstream> {
    Box::new(Downstream {
        service_name: service.peer().name.to_owned(),
        server_role: role.to_owned(),
        host: service.address().ip().to_string(),
        port: service.address().port().to_string(),
        transport: Transport::Http,
        downstream,
    })
}

/// Returns what the three services saw.
fn chain(answer: &Answer) -> Result<[Seen; 3], String> {
    let mut level = Some(answer);
    let mut next = || -> Result<Seen, String> {
        let here = level.ok_or("a service was not called")?;
        level = here.downstream.as_deref();
        let reason = &here.not_implemented_error;
        match &here.span {
            Some(span) if reason.is_empty() => Ok(Seen {
                trace_id: u128::from_str_radix(&span.trace_id, 16)
                    .map_err(|error| format!("{:?} is no trace id: {error}", span.trace_id))?,
                is_sampled: span.sampled,
                baggage: span.baggage.clone(),
            }),
            _ => Err(format!("a service was not called: {reason:?}")),
        }
    };
    let seen = [next()?, next()?, next()?];
    match level {
        None => Ok(seen),
        Some(_) => Err("a fourth service was called".to_owned()),
    }
}

/// Returns a value that no other run has.
fn new_baggage(alphabet: Alphabet) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}{:x}{number:08x}", alphabet.sample(), process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain_of(answer: &serde_json::Value) -> Result<[Seen; 3], String> {
        chain(&Answer::deserialize(answer).map_err(|error| error.to_string())?)
    }

    fn level(trace_id: &str, downstream: &serde_json::Value) -> serde_json::Value {
        json!({"span": {"traceId": trace_id, "sampled": true, "baggage": "b"}, "downstream": downstream})
    }

    #[test]
    fn ids_are_compared_as_numbers() -> Result<(), String> {
        let json = level("0000abc", &level("abc", &level("ABC", &json!(null))));
        let seen = chain_of(&json)?;
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
            (two, "a service was not called"),
            (four, "a fourth service was called"),
            (dummy, "a service was not called: \"no such transport\""),
            (level("x", &json!(null)), "\"x\" is no trace id"),
        ] {
            let failed = chain_of(&json).expect_err(reason);
            assert!(failed.starts_with(reason), "{failed}");
        }
    }
}
