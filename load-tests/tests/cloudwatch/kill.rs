//! `kill -9` at any moment: every point that was spooled arrives, and none twice but those of the one batch whose
//! acknowledgement was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use headroom_advisor::cloudwatch::{Flushed, Publisher};
use headroom_advisor::metrics::Metrics;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::cloud::{Cloud, Hold, file_config, round, sdk, today};

/// Points of a round: three batches.
const POINTS: u64 = 2500;
/// Rounds that a process publishes before it is killed, if it comes to that.
const ROUNDS: u64 = 6;
const DATA_PER_BATCH: u64 = 1000;
const URL: &str = "HEADROOM_TEST_CLOUDWATCH_URL";
const DIR: &str = "HEADROOM_TEST_SPOOL_DIR";
const FIRST: &str = "HEADROOM_TEST_FIRST_ROUND";
/// Begins a line that tells of a round in the spool.
const SPOOLED: &str = "spooled round ";

/// The process that is killed: this test binary, told so by its environment. In a usual run it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let variable = |name| std::env::var(name).ok();
    let (Some(url), Some(dir), Some(first)) = (variable(URL), variable(DIR), variable(FIRST)) else { return };
    let config = file_config(Path::new(&dir));
    let publisher = Publisher::new(&sdk(&url), &config, Duration::from_secs(60), Arc::new(Metrics::new())).unwrap();
    let publisher = Arc::new(publisher);
    let running = Arc::clone(&publisher);
    tokio::spawn(async move { running.run(today, std::future::pending()).await });
    let first: u64 = first.parse().unwrap();
    for number in first..first + ROUNDS {
        publisher.publish(today(), round(number, POINTS), today()).await;
        println!("{SPOOLED}{number}");
    }
    std::future::pending::<()>().await;
}

struct Victim {
    process: Child,
    /// Rounds that it has spooled.
    spooled: mpsc::UnboundedReceiver<u64>,
}

impl Victim {
    fn start(cloud: &Cloud, dir: &Path, first: u64) -> Victim {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--nocapture"])
            .env(URL, &cloud.url)
            .env(DIR, dir)
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (tell, spooled) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let number = line.split_once(SPOOLED).and_then(|(_, number)| number.parse().ok());
                if number.is_some_and(|number| tell.send(number).is_err()) {
                    return;
                }
            }
        });
        Victim { process, spooled }
    }

    /// SIGKILL; the rounds that it has told of.
    async fn kill(mut self) -> Vec<u64> {
        self.process.kill().await.unwrap();
        let mut rounds = Vec::new();
        while let Some(number) = self.spooled.recv().await {
            rounds.push(number);
        }
        rounds
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_point_is_lost_and_only_the_unacknowledged_batch_is_sent_again() {
    let cloud = Cloud::start().await;
    let dir = tempfile::tempdir().unwrap();
    let kills = [(Hold::After, 0), (Hold::Before, 1), (Hold::After, 2), (Hold::After, 7), (Hold::Before, 5)];
    let mut spooled = Vec::new();
    for (number, (how, after)) in (1..).zip(kills) {
        cloud.gate.hold(how, after);
        let victim = Victim::start(&cloud, dir.path(), number * 1_000_000);
        tokio::time::timeout(Duration::from_secs(60), cloud.gate.held.notified()).await.unwrap();
        spooled.extend(victim.kill().await);
    }
    drain(&cloud, dir.path()).await;
    let lost_answers = kills.iter().filter(|(how, _)| *how == Hold::After).count();
    assert_eq!(check(&cloud, &spooled), lost_answers, "one batch for each answer that was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_a_random_moment_repeats_one_batch_at_most() {
    const KILLS: usize = 8;
    let cloud = Cloud::start().await;
    let dir = tempfile::tempdir().unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut spooled = Vec::new();
    for number in (1..).take(KILLS) {
        let mut victim = Victim::start(&cloud, dir.path(), number * 1_000_000);
        for _ in 0..random.u32(1..4) {
            spooled.extend(tokio::time::timeout(Duration::from_secs(60), victim.spooled.recv()).await.unwrap());
        }
        tokio::time::sleep(Duration::from_micros(random.u64(0..60_000))).await;
        spooled.extend(victim.kill().await);
    }
    drain(&cloud, dir.path()).await;
    assert!(check(&cloud, &spooled) <= KILLS, "seed {seed}");
}

async fn drain(cloud: &Cloud, dir: &Path) {
    let publisher = cloud.publisher(&file_config(dir));
    assert_eq!(publisher.flush(today).await, Flushed::Empty);
}

/// That all of each round is there; how many batches are there once more than they should be.
fn check(cloud: &Cloud, spooled: &[u64]) -> usize {
    assert!(!spooled.is_empty(), "somebody was killed who had spooled something");
    let points = cloud.points();
    for round in spooled {
        assert!((0..POINTS).all(|point| points.contains_key(&(*round, point))), "round {round} is all there");
    }
    // A round that was not told of is there as a whole or not at all: it is spooled in one transaction.
    let rounds: BTreeSet<u64> = points.keys().map(|(round, _)| *round).collect();
    assert_eq!(points.len() as u64, rounds.len() as u64 * POINTS);
    let mut batches: BTreeMap<(u64, u64), BTreeSet<u32>> = BTreeMap::new();
    for ((round, point), times) in points {
        batches.entry((round, point / DATA_PER_BATCH)).or_default().insert(times);
    }
    let surplus = batches.values().map(|times| {
        assert_eq!(times.len(), 1, "a batch arrives as a whole: {times:?}");
        times.iter().map(|times| *times as usize - 1).sum::<usize>()
    });
    surplus.sum()
}
