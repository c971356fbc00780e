//! What goes wrong with AWS, and what is left of it in the inventory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use headroom_advisor::aws::{Connection, ErrorClass, Observer, Operation, Part, Round};
use headroom_lab::aws::{FaultKind, NewEni};

use crate::setup::{config, tagged};

fn classes(round: &Round) -> Vec<(Operation, ErrorClass)> {
    round.errors.iter().map(|error| (error.operation, error.class)).collect()
}

#[tokio::test]
async fn throttled_calls_are_tried_again() {
    let lab = tagged().await;
    let mut config = config();
    // Parts are read beside each other: one call may be every second one several times in a row.
    config.aws.max_attempts = 10;
    let mut observer = lab.observer(&config).await;
    lab.fault(None, FaultKind::Throttle, 2);
    let round = lab.round(&mut observer).await;
    assert_eq!((&round.errors[..], round.read.len()), (&[][..], Part::ALL.len()));
}

#[tokio::test]
async fn a_part_that_fails_stays_as_it_was_and_the_others_go_on() {
    let lab = tagged().await;
    let mut config = config();
    config.aws.max_attempts = 1;
    let mut observer = lab.observer(&config).await;
    let first = lab.round(&mut observer).await;
    let now = lab.clock.now();
    let subnet = lab.vpc().subnets(now).next().unwrap().id;
    for _ in 0..10 {
        lab.vpc().create_eni(NewEni::in_subnet(subnet.clone()), now).unwrap();
    }
    lab.clock.advance(Duration::from_secs(60));
    // The listing fails on its second page.
    lab.fault(Some("DescribeNetworkInterfaces"), FaultKind::ShortPages, 1);
    lab.fault(Some("DescribeNetworkInterfaces"), FaultKind::Unavailable, 2);
    let round = lab.round(&mut observer).await;
    assert_eq!(classes(&round), [(Operation::DescribeNetworkInterfaces, ErrorClass::Service)]);
    assert!(round.errors[0].is_retryable() && round.errors[0].code.as_deref() == Some("Unavailable"));
    assert_eq!(round.counts()[&Operation::DescribeNetworkInterfaces], 2);
    assert_eq!(round.inventory.enis, first.inventory.enis);
    assert_eq!(round.inventory.read_at.enis, first.inventory.read_at.enis);
    assert_eq!(round.inventory.read_at.subnets, Some(lab.clock.now()));
    let soon = observer.next_due().since(lab.clock.now());
    assert!(soon <= Duration::from_secs(5), "{soon:?}");
    lab.clock.advance(Duration::from_secs(61));
    let round = lab.round(&mut observer).await;
    assert_eq!((round.errors.len(), round.inventory.enis.len()), (0, first.inventory.enis.len() + 10));
}

#[tokio::test]
async fn a_call_without_an_answer_ends_at_its_deadline() {
    let lab = tagged().await;
    let mut config = config();
    (config.aws.attempt_timeout_ms, config.aws.call_timeout_ms) = (500, 1000);
    let mut observer = lab.observer(&config).await;
    lab.fault(Some("DescribeInstances"), FaultKind::Drop, 1);
    lab.fault(Some("DescribeAutoScalingGroups"), FaultKind::Drop, 1);
    let round = lab.round(&mut observer).await;
    let timeouts = [Operation::DescribeInstances, Operation::DescribeAutoScalingGroups];
    assert_eq!(classes(&round), timeouts.map(|operation| (operation, ErrorClass::Timeout)));
}

#[tokio::test]
async fn nobody_at_the_endpoint() {
    let lab = tagged().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut config = config();
    config.aws.max_attempts = 1;
    let credentials = Credentials::new("AKID", "secret", None, None, "test");
    let connection = Connection::at(&config.aws, &url, credentials).await.unwrap();
    let round = lab.round(&mut Observer::new(connection, &config, fastrand::Rng::with_seed(7))).await;
    assert_eq!(classes(&round)[0], (Operation::DescribeInstances, ErrorClass::Connect));
    assert_eq!(round.calls[0].outcome(), "connect");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_known_and_made_up_for() {
    let lab = tagged().await;
    lab.fault(None, FaultKind::ClockAhead(Duration::from_secs(20 * 60)), 1);
    let round = lab.round(&mut lab.observer(&config()).await).await;
    assert_eq!((&round.errors[..], round.read.len()), (&[][..], Part::ALL.len()));
    let mut config = config();
    config.aws.max_attempts = 1;
    let mut observer = lab.observer(&config).await;
    let round = lab.round(&mut observer).await;
    let wrong = [Operation::DescribeInstances, Operation::DescribeAutoScalingGroups];
    assert_eq!(classes(&round), wrong.map(|operation| (operation, ErrorClass::ClockSkew)));
    lab.clock.advance(Duration::from_secs(6));
    let round = lab.round(&mut observer).await;
    // The offers were not due any more: the first refusal of EC2 had told how wrong the clock is.
    assert_eq!((&round.errors[..], round.read.len()), (&[][..], Part::ALL.len() - 1));
}

/// Credentials that never say when they expire.
#[derive(Clone, Debug, Default)]
struct Counting {
    asked: Arc<AtomicU32>,
    broken: bool,
}

impl ProvideCredentials for Counting {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.asked.fetch_add(1, Ordering::SeqCst);
        future::ProvideCredentials::ready(if self.broken {
            Err(CredentialsError::provider_error("STS does not answer"))
        } else {
            Ok(Credentials::new("AKID", "secret", Some("session".to_owned()), None, "test"))
        })
    }
}

#[tokio::test]
async fn expired_credentials_are_asked_for_anew() {
    let (lab, config, provider) = (tagged().await, config(), Counting::default());
    let connection = Connection::at(&config.aws, &lab.url, provider.clone()).await.unwrap();
    let mut observer = Observer::new(connection, &config, fastrand::Rng::with_seed(7));
    let asked = async |observer: &mut Observer| {
        let before = provider.asked.load(Ordering::SeqCst);
        let round = lab.round(observer).await;
        (classes(&round), provider.asked.load(Ordering::SeqCst) - before)
    };
    assert_eq!(asked(&mut observer).await, (vec![], 1));
    lab.clock.advance(Duration::from_secs(60));
    lab.fault(Some("DescribeInstances"), FaultKind::ExpiredToken, 1);
    let expired = (Operation::DescribeInstances, ErrorClass::ExpiredCredentials);
    assert_eq!(asked(&mut observer).await, (vec![expired], 1), "the first call had the old ones");
    lab.clock.advance(Duration::from_secs(60));
    assert_eq!(asked(&mut observer).await, (vec![], 0), "the new ones are kept");
}

#[tokio::test]
async fn credentials_that_cannot_be_had_are_no_other_trouble() {
    let (lab, config) = (tagged().await, config());
    let provider = Counting { broken: true, ..Counting::default() };
    let connection = Connection::at(&config.aws, &lab.url, provider).await.unwrap();
    let mut observer = Observer::new(connection, &config, fastrand::Rng::with_seed(7));
    let round = lab.round(&mut observer).await;
    assert_eq!(classes(&round)[0], (Operation::DescribeInstances, ErrorClass::NoCredentials));
    assert!(round.errors[0].to_string().contains("STS does not answer"), "{}", round.errors[0]);
}
