//! The published driver of the Go client's crossdock calls our service.

use tracehound_interop::{
    Backend, Error, Version,
    crossdock::{Alphabet, Format, GO_DRIVER, Peer, Service, Setup},
};

use crate::OWN;

#[test]
fn the_published_driver_of_go_accepts_our_service() -> Result<(), Error> {
    let Some(jaeger) = Backend::start_or_skip(Version::V1)? else {
        return Ok(());
    };
    if !GO_DRIVER.is_there_or_skipped()? {
        return Ok(());
    }
    let setup = Setup {
        format: Format::Jaeger,
        trace_id_bits: 64,
        alphabet: Alphabet::Digits,
    };
    let peers = [Peer::own(OWN), Peer::own(OWN), Peer::own(OWN), GO_DRIVER];
    let services = Service::start_on_one_port(&peers, setup, jaeger.endpoints())?;
    let [s1, s2, s3, driver] = [0, 1, 2, 3].map(|place| &services[place]);
    let host = |service: &Service| service.address().ip().to_string();
    for (order, transports, is_sampled, expected) in [
        ([s1, s2, s3], ["http", "http"], true, "passed"),
        ([s1, s2, s3], ["http", "http"], false, "passed"),
        ([s1, s1, s1], ["http", "http"], true, "passed"),
        ([s1, s2, s3], ["dummy", "http"], true, "skipped"),
        ([s1, s2, s3], ["http", "dummy"], true, "skipped"),
    ] {
        let [h1, h2, h3] = order.map(host);
        let [t2, t3] = transports;
        let names = format!("s1name={h1}&s2name={h2}&s3name={h3}");
        let transports = format!("s2transport={t2}&s3transport={t3}");
        let query = format!("behavior=trace&sampled={is_sampled}&{names}&{transports}");
        let answer = driver.get(&format!("/?{query}"))?;
        let outcomes: Vec<_> = answer.as_array().into_iter().flatten().collect();
        let passes = outcomes.iter().all(|outcome| outcome["status"] == expected);
        assert!(
            passes && outcomes.len() == 1,
            "expected {expected}: {answer}"
        );
    }
    for service in services {
        service.stop()?;
    }
    Ok(())
}
