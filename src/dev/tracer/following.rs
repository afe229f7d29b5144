//! Samplers that follow the strategies of an embedded agent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::dev::strategies::ServedStrategies;
use crate::sampler::remote::{
    FetchError, HttpStrategyFetcher, MakeFetcher, RemoteSampler, Strategy, StrategyFetcher,
};
use crate::sampler::{
    ConstSampler, PerOperationSampler, ProbabilisticSampler, RateLimitingSampler, Sampler,
};

/// Returns a sampler that follows the strategies of this program's own agent, which other programs ask at `address`.
/// It decides by them from the first trace on.
pub(crate) fn following_own(
    served: &Arc<ServedStrategies>,
    address: SocketAddr,
    service: &str,
) -> Box<dyn Sampler> {
    let (Ok(strategy), Ok(in_child)) = (strategy(served, service), fetcher(address)) else {
        return keep_everything();
    };
    let fetcher = OwnStrategies {
        served: served.clone(),
        in_child,
    };
    let sampler = RemoteSampler::new(fetcher).initial(by(strategy));
    Box::new(sampler.refresh_interval(REFRESH))
}

/// Returns a sampler that asks the agent of another program. It keeps every trace until that has answered, a few
/// milliseconds after the tracer is built.
pub(crate) fn following_peer(address: SocketAddr) -> Box<dyn Sampler> {
    let Ok(fetcher) = fetcher(address) else {
        return keep_everything();
    };
    let sampler = RemoteSampler::new(fetcher).initial(ConstSampler::new(true));
    Box::new(sampler.refresh_interval(REFRESH))
}

/// Returns the sampler of an agent without strategies.
pub(crate) fn keep_everything() -> Box<dyn Sampler> {
    Box::new(ConstSampler::new(true))
}

/// The strategies of this program's own agent. The program asks itself for nothing over HTTP, because such a request
/// would fail at the end, if the agent ends before the sampler.
struct OwnStrategies {
    served: Arc<ServedStrategies>,
    /// For a forked child, to which the agent is that of another program.
    in_child: HttpStrategyFetcher,
}

impl StrategyFetcher for OwnStrategies {
    fn fetch(&mut self, service: &str) -> Result<Strategy, FetchError> {
        strategy(&self.served, service)
    }

    fn description(&self) -> String {
        self.served.origin()
    }

    fn after_fork(&self) -> Option<MakeFetcher> {
        self.in_child.after_fork()
    }
}

fn strategy(served: &ServedStrategies, service: &str) -> Result<Strategy, FetchError> {
    Ok(Strategy::from_json(served.answer(service).as_bytes())?)
}

fn fetcher(address: SocketAddr) -> Result<HttpStrategyFetcher, FetchError> {
    let url = format!("http://{address}/sampling");
    HttpStrategyFetcher::new(&url).map_err(FetchError::failed)
}

/// Returns a sampler that decides by a strategy which never changes.
fn by(strategy: Strategy) -> Box<dyn Sampler> {
    match strategy {
        Strategy::Probabilistic(rate) => Box::new(ProbabilisticSampler::new(rate)),
        Strategy::RateLimiting(limit) => Box::new(RateLimitingSampler::new(limit)),
        Strategy::PerOperation(strategies) => Box::new(PerOperationSampler::new(strategies)),
    }
}

/// A developer who has changed the file looks for the effect at once.
const REFRESH: Duration = Duration::from_millis(500);
