//! Random faults and kills on the lab, schedule after schedule.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use headroom_load_tests::scaling::config;
use headroom_load_tests::schedules::{Outcome, Program, draw, run};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// From one word on standard error to the next.
const TELL_EVERY: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Schedules {
    /// How many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Seed of the first; the others have the numbers that follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many at once, each with a lab and one or two advisors; on a machine that is too slow for it schedules fail for that.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    at_once: u16,
    /// Where the advisors' logs of schedules that fail are left; without it, nowhere.
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
}

pub(crate) async fn run_all(args: Schedules) -> Result<()> {
    let program = Arc::new(Program { path: std::env::current_exe()?, argument: super::ADVISOR });
    let temporary = tempfile::tempdir()?;
    let logs = args.logs.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&logs).with_context(|| format!("failed to make {}", logs.display()))?;
    let (places, started) = (Arc::new(Semaphore::new(args.at_once.into())), Instant::now());
    let mut runs = JoinSet::new();
    for seed in (args.seed..).take(usize::try_from(args.count)?) {
        let (program, places) = (Arc::clone(&program), Arc::clone(&places));
        let log = logs.join(format!("{seed}.log"));
        runs.spawn(async move {
            let _place = places.acquire().await;
            let schedule = draw(seed);
            let outcome = run(&program, &schedule, config(), &log).await;
            if outcome.is_ok() {
                std::fs::remove_file(&log).ok();
            }
            (schedule, outcome)
        });
    }
    let (mut outcomes, mut failed) = (Vec::new(), 0_usize);
    while let Some(done) = runs.join_next().await {
        match done? {
            (_, Ok(outcome)) => outcomes.push(outcome),
            (schedule, Err(error)) => {
                failed += 1;
                println!("seed {}: {error:#}\n  {schedule:?}", schedule.seed);
                println!("  again: headroom-bench schedules --count 1 --seed {} --logs DIR", schedule.seed);
            }
        }
        let over = outcomes.len() + failed;
        if over.is_multiple_of(TELL_EVERY) {
            eprintln!("{over} over, {failed} of them failed, after {} s", started.elapsed().as_secs());
        }
    }
    print!("{}", table(&outcomes, failed));
    ensure!(failed == 0, "{failed} schedules failed");
    Ok(())
}

fn table(outcomes: &[Outcome], failed: usize) -> String {
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
    let (begun, gone) = (sum(|one| one.begun), sum(|one| one.gone));
    let mut rested: Vec<u64> = outcomes.iter().map(|one| one.rested_after.as_secs()).collect();
    rested.sort_unstable();
    let rank = |share: usize| rested.get((rested.len() * share / 100).min(rested.len().saturating_sub(1)));
    let secs = |share| rank(share).map_or("-".to_owned(), |secs| format!("{secs} s"));
    let rows = [
        ("schedules that held", outcomes.len().to_string()),
        ("schedules that did not", failed.to_string()),
        ("faults", sum(|one| one.faults).to_string()),
        ("in the middle of a scale-in", sum(|one| one.faults_in_the_middle).to_string()),
        ("advisors killed", sum(|one| one.kills).to_string()),
        ("in the middle of a scale-in", sum(|one| one.kills_in_the_middle).to_string()),
        ("scale-ins begun", begun.to_string()),
        ("given back", (begun - gone).to_string()),
        ("ended with the node gone", gone.to_string()),
        ("from the last fault to rest, of the lab's time: half of them within", secs(50)),
        ("99 % of them within", secs(99)),
    ];
    rows.iter().map(|(what, figure)| format!("| {what} | {figure} |\n")).collect()
}
