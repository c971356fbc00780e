//! Running the stages.

mod resolve;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use tokio::time::{Instant, timeout};

use crate::address::AddressClass;
use crate::cause::Cause;
use crate::deadlines::Deadlines;
use crate::diagnose::diagnose;
use crate::dns::{Trouble, secs};
use crate::endpoint::{Endpoint, Scheme};
use crate::http::{Answer, clock, get};
use crate::ladder::{Ladder, Outcome, Skip, Step, Target};
use crate::network::Network;
use crate::signed::{Signed, SignedRead, outcomes};
use crate::stage::Stage;
use crate::system::Lookup;
use crate::tcp::connect;
use crate::tls::{Roots, handshake};
use resolve::{classes, resolve};

/// Addresses that are tried; AWS's endpoints have up to three, one in each zone.
const MOST_ADDRESSES: usize = 8;

/// What a ladder stands on.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The system resolver.
    pub lookup: &'a dyn Lookup,
    /// The CAs that are trusted.
    pub roots: &'a Roots,
    /// The signed read.
    pub signed: &'a dyn Signed,
    /// This machine's clock.
    pub now: &'a (dyn Fn() -> SystemTime + Send + Sync),
}

impl std::fmt::Debug for Means<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Means").field("roots", self.roots).finish_non_exhaustive()
    }
}

/// Climbs the ladder of one endpoint. It takes no longer than [`Deadlines::longest`], whatever hangs, and leaves nothing running but a
/// lookup of the operating system that cannot be stopped.
pub async fn climb(endpoint: &Endpoint, network: &Network, deadlines: &Deadlines, means: &Means<'_>) -> Ladder {
    let (mut steps, signed) =
        tokio::join!(path(endpoint, network, deadlines, means), signed_read(endpoint, deadlines, means.signed));
    steps.extend(signed);
    steps.sort_by_key(|step| step.stage);
    let ladder = Ladder { endpoint: endpoint.clone(), steps };
    debug_assert_eq!(ladder.passed(), diagnose(&ladder).is_none(), "what does not pass has a cause: {ladder:#?}");
    ladder
}

async fn signed_read(endpoint: &Endpoint, deadlines: &Deadlines, signed: &dyn Signed) -> Vec<Step> {
    let started = Instant::now();
    let read = timeout(deadlines.signed, signed.read(endpoint)).await;
    let late = |_| SignedRead::NoAnswer { message: format!("no answer within {}", secs(deadlines.signed)) };
    let (read, policy) = outcomes(read.unwrap_or_else(late));
    // The signature's time is refused where the clock is wrong: that is the clock's stage.
    let stage = read.cause().map_or(Stage::SignedRead, Cause::stage);
    let step = |stage, outcome, took| Step { stage, target: Target::Api, outcome, took };
    let mut steps = vec![step(stage, read, started.elapsed()), step(Stage::EndpointPolicy, policy, Duration::ZERO)];
    if stage != Stage::SignedRead {
        steps.push(skip(Stage::SignedRead, Target::Api, Skip::NoAnswer));
    }
    steps
}

/// All stages but those of the signed read.
async fn path(endpoint: &Endpoint, network: &Network, deadlines: &Deadlines, means: &Means<'_>) -> Vec<Step> {
    let (mut steps, mut addresses) = match endpoint.address() {
        Some(address) => {
            let skipped = [
                (Stage::ResolverConfig, Target::ResolverConfig),
                (Stage::Nameserver, Target::SystemResolver),
                (Stage::SystemResolver, Target::SystemResolver),
            ];
            let mut steps = skipped.map(|(stage, target)| skip(stage, target, Skip::AddressGiven)).to_vec();
            steps.push(classes(&[], &[address], network));
            (steps, vec![address])
        }
        None => resolve(endpoint, network, deadlines, means).await,
    };
    // A connection to none at all is one to this machine.
    addresses.retain(|address| !address.is_unspecified());
    if addresses.is_empty() {
        let rest = [Stage::Tcp, Stage::Tls, Stage::Http, Stage::Clock];
        steps.extend(rest.map(|stage| skip(stage, Target::Addresses, Skip::NoAddress)));
        return steps;
    }
    let connections = addresses.iter().take(MOST_ADDRESSES).map(|address| {
        let class = AddressClass::of(*address, network);
        reach(SocketAddr::new(*address, endpoint.port), class, endpoint, deadlines, means)
    });
    let mut rungs: Vec<Step> = join_all(connections).await.into_iter().flatten().collect();
    spare_ipv6(&mut rungs);
    steps.extend(rungs);
    steps
}

/// A name with IPv6 addresses too is none the worse for a machine without IPv6.
fn spare_ipv6(rungs: &mut [Step]) {
    let connects = |step: &Step| step.stage == Stage::Tcp && matches!(step.outcome, Outcome::Passed { .. });
    if !rungs.iter().any(connects) {
        return;
    }
    for step in rungs {
        let ipv6 = matches!(step.target, Target::Address { address, .. } if address.is_ipv6());
        if ipv6 && step.outcome.cause() == Some(Cause::TcpUnreachable) {
            step.outcome = Outcome::skipped(Skip::NoIpv6);
        }
    }
}

fn skip(stage: Stage, target: Target, why: Skip) -> Step {
    Step { stage, target, outcome: Outcome::skipped(why), took: Duration::ZERO }
}

/// TCP, TLS, HTTP and the clock at one address.
async fn reach(
    address: SocketAddr,
    class: AddressClass,
    endpoint: &Endpoint,
    deadlines: &Deadlines,
    means: &Means<'_>,
) -> Vec<Step> {
    let mut rungs = Rungs { target: Target::Address { address, class }, steps: Vec::new() };
    let started = Instant::now();
    let stream = match connect(address, deadlines.tcp).await {
        Ok(stream) => stream,
        Err(trouble) => {
            rungs.push(Stage::Tcp, started, failed(trouble));
            return rungs.end([Stage::Tls, Stage::Http, Stage::Clock], Skip::NoConnection);
        }
    };
    rungs.push(Stage::Tcp, started, Outcome::passed("connects"));
    let authority = endpoint.authority();
    let (started, answer) = match endpoint.scheme {
        Scheme::Http => {
            rungs.push(Stage::Tls, Instant::now(), Outcome::skipped(Skip::Plain));
            (Instant::now(), get(stream, &authority, deadlines.http).await)
        }
        Scheme::Https => {
            let started = Instant::now();
            let (stream, verdict) = handshake(stream, &endpoint.host, means.roots, deadlines.tls).await;
            rungs.push(Stage::Tls, started, verdict.map_or_else(failed, Outcome::passed));
            let Some(stream) = stream else { return rungs.end([Stage::Http, Stage::Clock], Skip::NoConnection) };
            (Instant::now(), get(stream, &authority, deadlines.http).await)
        }
    };
    match answer {
        Ok(answer) => {
            let Answer { status, .. } = answer;
            rungs.push(Stage::Http, started, Outcome::passed(format!("answers with status {status}")));
            rungs.push(Stage::Clock, Instant::now(), clock(&answer, (means.now)()));
            rungs.steps
        }
        Err(trouble) => {
            rungs.push(Stage::Http, started, failed(trouble));
            rungs.end([Stage::Clock], Skip::NoAnswer)
        }
    }
}

fn failed(trouble: Trouble) -> Outcome {
    Outcome::failed(trouble.cause, trouble.detail)
}

/// The steps at one address.
struct Rungs {
    target: Target,
    steps: Vec<Step>,
}

impl Rungs {
    fn push(&mut self, stage: Stage, started: Instant, outcome: Outcome) {
        self.steps.push(Step { stage, target: self.target, outcome, took: started.elapsed() });
    }

    fn end<const N: usize>(mut self, stages: [Stage; N], why: Skip) -> Vec<Step> {
        self.steps.extend(stages.map(|stage| skip(stage, self.target, why)));
        self.steps
    }
}
