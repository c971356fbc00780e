//! Candidates for one Lease against the lab's Kubernetes API: at no time do two lead. One of the tests needs the binaries of
//! `load-tests/control-plane/build.sh`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headroom_cluster::{Candidate, Client, Leadership, connect, elect};
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_load_tests::control_plane::ControlPlane;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Longer than the election needs on a machine that does other work at the same time.
const WITHIN: Duration = Duration::from_secs(40);
const DURATION: Duration = Duration::from_secs(4);

type Receiver = watch::Receiver<Leadership>;

/// Candidates of one API server, watched all the time.
struct Arena {
    client: Client,
    watched: Arc<Mutex<Vec<Receiver>>>,
    watcher: JoinHandle<()>,
    ended: Arc<AtomicBool>,
}

async fn lab() -> (Lab, Arena) {
    let scenario = Scenario::bundled("r4-c5-xlarge").unwrap().unwrap();
    let lab = Lab::start(scenario, Options::default()).await.unwrap();
    let client = connect(Some(lab.kubeconfig()), None).await.unwrap();
    (lab, Arena::new(client))
}

impl Arena {
    fn new(client: Client) -> Arena {
        let (watched, ended) = (Arc::<Mutex<Vec<Receiver>>>::default(), Arc::<AtomicBool>::default());
        let watcher = tokio::spawn(never_two(Arc::clone(&watched), Arc::clone(&ended)));
        Arena { client, watched, watcher, ended }
    }

    /// The election's future is left to the caller.
    fn candidate(&self, name: &str, duration: Duration) -> (Receiver, oneshot::Sender<()>, Running) {
        let candidate = Candidate {
            namespace: "kube-system".to_owned(),
            name: "advisor".to_owned(),
            identity: name.into(),
            duration,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let (leadership, running) = elect(&self.client, candidate, async { drop(stopped.await) });
        self.watched.lock().unwrap().push(leadership.clone());
        (leadership, stop, Box::pin(running))
    }

    async fn lease(&self) -> (String, i32) {
        let leases = Api::<Lease>::namespaced(self.client.clone(), "kube-system");
        let spec = leases.get("advisor").await.unwrap().spec.unwrap();
        (spec.holder_identity.unwrap(), spec.lease_transitions.unwrap())
    }

    async fn stop(self) {
        self.ended.store(true, Ordering::Relaxed);
        self.watcher.await.unwrap();
    }
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn never_two(watched: Arc<Mutex<Vec<Receiver>>>, ended: Arc<AtomicBool>) {
    while !ended.load(Ordering::Relaxed) {
        {
            let watched = watched.lock().unwrap();
            let told = || watched.iter().map(|leadership| leadership.borrow().clone()).collect::<Vec<_>>();
            // They cannot be asked all at once: who led before `now` and after it led then.
            let (before, now, after) = (told(), Instant::now(), told());
            let leads = |(before, after): &(&Leadership, &Leadership)| before.is_leader(now) && after.is_leader(now);
            assert!(before.iter().zip(&after).filter(leads).count() <= 1, "{before:?} {after:?}");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn told(leadership: &mut Receiver, what: &str, is: impl FnMut(&Leadership) -> bool) -> Leadership {
    let told = tokio::time::timeout(WITHIN, leadership.wait_for(is)).await;
    told.unwrap_or_else(|_| panic!("not told in time: {what}")).unwrap().clone()
}

/// Waits until it leads; its token.
async fn leads(leadership: &mut Receiver) -> u32 {
    let now = Instant::now();
    told(leadership, "leads", |told| told.is_leader(now)).await.token(now).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_takes_over_from_one_that_was_killed() {
    let (lab, arena) = lab().await;
    let (mut first, _stop, running) = arena.candidate("first", DURATION);
    let killed = tokio::spawn(running);
    assert_eq!(leads(&mut first).await, 0);
    let (mut second, _stop, running) = arena.candidate("second", DURATION);
    let task = tokio::spawn(running);
    told(&mut second, "holder", |told| told.holder() == Some("first")).await;
    tokio::time::sleep(DURATION * 4 / 3).await;
    assert!(first.borrow().is_leader(Instant::now()) && !second.borrow().is_leader(Instant::now()));
    killed.abort();
    assert_eq!(leads(&mut second).await, 1);
    assert_eq!(arena.lease().await, ("second".to_owned(), 1));
    task.abort();
    arena.stop().await;
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_shuts_down_hands_over_at_once() {
    let (lab, arena) = lab().await;
    hands_over(arena).await;
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_shuts_down_hands_over_at_once_on_the_real_apiserver() {
    if headroom_load_tests::control_plane::skip() {
        return;
    }
    let control_plane = ControlPlane::start().await.unwrap();
    let client = connect(Some(control_plane.kubeconfig()), None).await.unwrap();
    hands_over(Arena::new(client)).await;
}

/// The Lease would last for a minute.
async fn hands_over(arena: Arena) {
    let duration = Duration::from_secs(60);
    let (mut first, stop, running) = arena.candidate("first", duration);
    let ending = tokio::spawn(running);
    leads(&mut first).await;
    let (mut second, _stop, running) = arena.candidate("second", duration);
    let task = tokio::spawn(running);
    told(&mut second, "holder", |told| told.holder() == Some("first")).await;
    drop(stop);
    ending.await.unwrap();
    assert!(!first.borrow().is_leader(Instant::now()));
    assert_eq!(leads(&mut second).await, 1);
    task.abort();
    assert_eq!(arena.lease().await, ("second".to_owned(), 1));
    arena.stop().await;
}

/// As after SIGSTOP: nothing of it runs, and what it was told last is all that it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_paused_has_stepped_down_before_another_leads() {
    let (lab, arena) = lab().await;
    let (mut first, _stop, mut paused) = arena.candidate("first", DURATION);
    tokio::select! {
        _token = leads(&mut first) => {}
        () = &mut paused => panic!("it ended"),
    }
    let (mut second, _stop, running) = arena.candidate("second", DURATION);
    let task = tokio::spawn(running);
    assert_eq!(leads(&mut second).await, 1);
    assert!(!first.borrow().is_leader(Instant::now()));
    let resumed = tokio::spawn(paused);
    told(&mut first, "holder", |told| told.holder() == Some("second")).await;
    assert!(second.borrow().is_leader(Instant::now()));
    task.abort();
    resumed.abort();
    arena.stop().await;
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_renew_says_that_it_leads_no_more() {
    let (lab, arena) = lab().await;
    let (mut only, _stop, running) = arena.candidate("only", DURATION);
    let task = tokio::spawn(running);
    leads(&mut only).await;
    let led_at = Instant::now();
    arena.stop().await;
    lab.shutdown().await;
    told(&mut only, "leads no more", |told| !told.is_leader(led_at)).await;
    task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_start_together_one_leads() {
    let (lab, arena) = lab().await;
    let mut many: Vec<_> = (0..8).map(|n| arena.candidate(&format!("c{n}"), DURATION)).collect();
    let tasks: Vec<_> =
        many.iter_mut().map(|(_, _, running)| tokio::spawn(std::mem::replace(running, Box::pin(async {})))).collect();
    for (leadership, _, _) in &mut many {
        told(leadership, "holder", |told| told.holder().is_some()).await;
    }
    let (holder, transitions) = arena.lease().await;
    assert!(many.iter().all(|(leadership, _, _)| leadership.borrow().holder() == Some(&*holder)));
    assert_eq!(transitions, 0);
    tasks.iter().for_each(JoinHandle::abort);
    arena.stop().await;
    lab.shutdown().await;
}
