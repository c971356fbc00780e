//! The system resolver.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout};

use crate::cause::Cause;
use crate::deadlines::Deadlines;
use crate::dns::{list, secs};
use crate::ladder::{Outcome, Step, Target};
use crate::stage::Stage;

/// Lookups that may hang at once. glibc waits for as long as 5 s x attempts x nameservers x names of the search list, on a thread that
/// cannot be stopped.
const MOST: usize = 8;

/// Looks a name up as the AWS SDK does.
pub trait Lookup: Send + Sync {
    /// The addresses of a host. [`io::ErrorKind::WouldBlock`] says that too many lookups hang already.
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// `getaddrinfo`. Clones share the bound on lookups that hang.
#[derive(Clone, Debug)]
pub struct SystemLookup(Arc<Semaphore>);

impl Default for SystemLookup {
    fn default() -> SystemLookup {
        SystemLookup(Arc::new(Semaphore::new(MOST)))
    }
}

impl SystemLookup {
    async fn run<T: Send + 'static>(&self, f: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let permit = Arc::clone(&self.0).try_acquire_owned();
        let permit = permit.map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))?;
        let (answer, answered) = oneshot::channel();
        // No thread of the runtime: its end would wait for this one.
        std::thread::Builder::new().name("getaddrinfo".to_owned()).spawn(move || {
            let result = f();
            drop(permit);
            // Who asked may have gone.
            answer.send(result).ok();
        })?;
        answered.await.unwrap_or_else(|_| Err(io::Error::other("the lookup's thread ended without an answer")))
    }
}

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        let work = self.run(move || Ok((host.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect()));
        Box::pin(work)
    }
}

/// The stage, and what was found.
pub(crate) async fn system(lookup: &dyn Lookup, host: &str, deadlines: &Deadlines) -> (Step, Vec<IpAddr>) {
    let started = Instant::now();
    let found = timeout(deadlines.system, lookup.lookup(host)).await;
    let took = started.elapsed();
    let (outcome, mut addresses) = match found {
        Err(_) => {
            (Outcome::failed(Cause::SystemTimeout, format!("timed out after {}", secs(deadlines.system))), Vec::new())
        }
        Ok(Err(error)) => (refused(&error), Vec::new()),
        Ok(Ok(addresses)) if addresses.is_empty() => {
            (Outcome::failed(Cause::SystemNotFound, "knows no address"), addresses)
        }
        Ok(Ok(addresses)) if took > deadlines.slow_dns => {
            (Outcome::failed(Cause::SystemSlow, format!("answers after {}", secs(took))), addresses)
        }
        Ok(Ok(addresses)) => (Outcome::passed(list(&addresses)), addresses),
    };
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    (Step { stage: Stage::SystemResolver, target: Target::SystemResolver, outcome, took }, addresses)
}

/// `getaddrinfo`'s own code is in the text only (`gai_strerror`; glibc, then musl).
fn refused(error: &io::Error) -> Outcome {
    const NOT_FOUND: [&str; 3] = ["not known", "No address associated", "does not resolve"];
    if error.kind() == io::ErrorKind::WouldBlock {
        return Outcome::failed(Cause::SystemStuck, format!("{MOST} lookups hang already"));
    }
    let text = error.to_string();
    let unknown = error.kind() == io::ErrorKind::NotFound || NOT_FOUND.iter().any(|part| text.contains(part));
    let text = text.trim_start_matches("failed to lookup address information: ").to_owned();
    Outcome::failed(if unknown { Cause::SystemNotFound } else { Cause::SystemLookupFailed }, text)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn this_machine_is_known_and_a_name_that_cannot_be_is_not() {
        let (step, addresses) = system(&SystemLookup::default(), "localhost", &Deadlines::default()).await;
        assert!(addresses.iter().any(IpAddr::is_loopback), "{step:?}");
        let (step, _) = system(&SystemLookup::default(), "no such name", &Deadlines::default()).await;
        assert!(matches!(step.outcome, Outcome::Failed { .. }), "{step:?}");
    }

    #[test]
    fn the_codes_of_getaddrinfo_are_told_apart() {
        for (text, cause) in [
            ("Name or service not known", Cause::SystemNotFound),
            ("Name does not resolve", Cause::SystemNotFound),
            ("Temporary failure in name resolution", Cause::SystemLookupFailed),
        ] {
            let error = io::Error::other(format!("failed to lookup address information: {text}"));
            assert_eq!(refused(&error), Outcome::failed(cause, text));
        }
    }

    #[tokio::test]
    async fn lookups_that_hang_are_bounded_and_make_room_when_they_return() {
        let lookup = SystemLookup::default();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(std::sync::Mutex::new(released));
        for _ in 0..MOST {
            let released = Arc::clone(&released);
            let hanging = lookup.run(move || {
                released.lock().unwrap().recv().ok();
                Ok(())
            });
            timeout(std::time::Duration::from_millis(10), hanging).await.unwrap_err();
        }
        let (step, _) = system(&lookup, "localhost", &Deadlines::default()).await;
        assert_eq!(step.outcome.cause(), Some(Cause::SystemStuck));
        drop(release);
        let free = Arc::clone(&lookup.0);
        drop(free.acquire_many(u32::try_from(MOST).unwrap()).await.unwrap());
        let (step, _) = system(&lookup, "localhost", &Deadlines::default()).await;
        assert_eq!(step.outcome.cause(), None);
    }
}
