//! Asking a nameserver: which code it answers with, how it is reached, and how long that takes is the point, so that neither a cache nor a
//! choice among nameservers may come between.

mod exchange;

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use tokio::time::{Instant, timeout_at};

use crate::cause::Cause;
use crate::deadlines::Deadlines;
use crate::ladder::{Outcome, Step, Target, Transport};
use crate::network::Nameserver;
use crate::resolv::ResolvConf;
use crate::stage::Stage;
use exchange::{Reply, exchange};

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) cause: Cause,
    pub(crate) detail: String,
}

impl Trouble {
    pub(crate) fn new(cause: Cause, detail: impl Into<String>) -> Trouble {
        Trouble { cause, detail: detail.into() }
    }
}

/// Addresses of a name, with what is to be seen to all the same.
#[derive(Debug)]
struct Found {
    addresses: Vec<IpAddr>,
    trouble: Option<Trouble>,
}

/// A step at a nameserver with the addresses that it gave.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) step: Step,
    pub(crate) addresses: Vec<IpAddr>,
}

/// Asks for `host`: itself, or by way of `search`, as the system resolver does for a name without a final dot.
pub(crate) async fn ask(
    nameserver: Nameserver,
    transport: Transport,
    host: &str,
    search: Option<&ResolvConf>,
    deadlines: &Deadlines,
) -> Asked {
    let started = Instant::now();
    let names = search.map_or_else(|| vec![format!("{host}.")], |conf| conf.candidates(host));
    let found = walk(nameserver, transport, &names, started + deadlines.dns, deadlines.dns).await;
    let took = started.elapsed();
    let slow = if search.is_some() { Cause::SearchListSlow } else { Cause::DnsSlow };
    let (outcome, addresses) = match found {
        // Over TCP there is more of it.
        Err(Trouble { cause: Cause::DnsTruncated, detail }) => {
            (Outcome::warning(Cause::DnsTruncated, detail), Vec::new())
        }
        Err(Trouble { cause, detail }) => (Outcome::failed(cause, detail), Vec::new()),
        Ok(Found { addresses, .. }) if took > deadlines.slow_dns => {
            (Outcome::failed(slow, format!("answers after {}", secs(took))), addresses)
        }
        Ok(Found { addresses, trouble: Some(trouble) }) => (Outcome::warning(trouble.cause, trouble.detail), addresses),
        Ok(Found { addresses, trouble: None }) => (Outcome::passed(list(&addresses)), addresses),
    };
    let target = Target::Nameserver { nameserver, transport, searched: search.is_some() };
    Asked { step: Step { stage: Stage::Nameserver, target, outcome, took }, addresses }
}

/// Goes through the names until one has an address. A nameserver that answers nothing for one of them would hold the system resolver
/// up there too.
async fn walk(
    nameserver: Nameserver,
    transport: Transport,
    names: &[String],
    deadline: Instant,
    given: Duration,
) -> Result<Found, Trouble> {
    let mut last = Trouble::new(Cause::DnsNoAddress, "was asked for nothing");
    for text in names {
        let name = Name::from_ascii(text).map_err(|error| Trouble::new(Cause::DnsMalformed, error.to_string()))?;
        match both(nameserver, transport, &name, deadline, given).await {
            Ok(found) => return Ok(found),
            Err(trouble) if matches!(trouble.cause, Cause::DnsNxdomain | Cause::DnsNoAddress) => last = trouble,
            Err(trouble) => return Err(trouble),
        }
    }
    Err(last)
}

/// A and AAAA side by side, as glibc asks. One that is not answered holds the other up there.
async fn both(
    nameserver: Nameserver,
    transport: Transport,
    name: &Name,
    deadline: Instant,
    given: Duration,
) -> Result<Found, Trouble> {
    let one = async |kind| match timeout_at(deadline, exchange(nameserver.address, transport, name, kind)).await {
        Ok(reply) => reply,
        Err(_) => Err(Trouble::new(Cause::DnsTimeout, format!("timed out after {}", secs(given)))),
    };
    let (a, aaaa) = tokio::join!(one(RecordType::A), one(RecordType::AAAA));
    merge(a, aaaa, name)
}

fn merge(a: Result<Reply, Trouble>, aaaa: Result<Reply, Trouble>, name: &Name) -> Result<Found, Trouble> {
    let mut found = Found { addresses: Vec::new(), trouble: None };
    let mut truncated = false;
    for (reply, kind) in [(a, "A"), (aaaa, "AAAA")] {
        match reply {
            Ok(reply) => {
                truncated |= reply.truncated;
                found.addresses.extend(reply.addresses);
            }
            Err(trouble) if found.trouble.is_none() => {
                let detail = format!("{kind}: {}", trouble.detail);
                found.trouble = Some(Trouble { detail, ..trouble });
            }
            Err(_) => {}
        }
    }
    if truncated && found.trouble.is_none() {
        found.trouble = Some(Trouble::new(Cause::DnsTruncated, "answers over UDP with less than all of it"));
    }
    match found {
        Found { addresses, trouble: Some(mut trouble) } if addresses.is_empty() => {
            if let Some(detail) = trouble.detail.strip_prefix("A: ") {
                trouble.detail = detail.to_owned();
            }
            Err(trouble)
        }
        Found { addresses, .. } if addresses.is_empty() => {
            Err(Trouble::new(Cause::DnsNoAddress, format!("knows no address of {}", without_dot(name))))
        }
        found => Ok(found),
    }
}

fn without_dot(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}

/// Addresses as text, few enough to read.
pub(crate) fn list(addresses: &[IpAddr]) -> String {
    const SHOWN: usize = 4;
    let mut text = addresses.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if addresses.len() > SHOWN {
        text.push_str(&format!(" and {} more", addresses.len() - SHOWN));
    }
    text
}

/// A duration for people: `1.5 s`.
pub(crate) fn secs(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 { format!("{millis} ms") } else { format!("{} s", (duration.as_secs_f64() * 10.0).round() / 10.0) }
}
