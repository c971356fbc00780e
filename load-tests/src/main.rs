//! `headroom-demo`: the same pods on the same nodes, without and with Headroom.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use headroom_extender::config::Policy;
use headroom_lab::scenario::Scenario;
use headroom_lab::world::Report;
use headroom_load_tests::demo::{self, Comparison, Mode, Options, Outcome, Running};

/// Fills the nodes of a lab with pods twice, first with plain scheduling and then with the Headroom extender in the path, and
/// shows how many pods end up bound to a node that has no IP for them.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 the demo ran, 1 it failed, 2 wrong usage.\nThe lab listens on 127.0.0.1 only and needs no AWS account and no cluster."
)]
struct Args {
    /// A bundled scenario's name or a scenario file; `headroom-lab list` names the bundled ones.
    #[arg(long, default_value = "r4-c5-xlarge")]
    scenario: String,
    /// Lab seconds per real second; without it, the scenario's.
    #[arg(long, value_parser = speed)]
    speed: Option<f64>,
    /// Which nodes the extender offers: only those with an IP at hand, or also those that will have one within seconds.
    #[arg(long, value_enum, default_value_t = PolicyArg::Soon)]
    policy: PolicyArg,
    /// Let the extender go by Kubernetes alone, without an advisor that tells it what EC2 shows.
    #[arg(long)]
    without_advisor: bool,
    /// Lab seconds after which a run ends even if its figures still move.
    #[arg(long, default_value_t = 290)]
    time_limit_secs: u64,
    /// Keep the lab with Headroom in the path running after the summary, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// `json` prints one object on standard output at the end; progress goes to standard error in any case.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PolicyArg {
    Now,
    Soon,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.1..=100.0).contains(&speed) => Ok(speed),
        _ => Err("allowed: 0.1 to 100".to_owned()),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into()))
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Runtime::new().context("failed to start the runtime");
    match runtime.and_then(|runtime| runtime.block_on(run(&args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headroom-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<()> {
    let scenario = load(&args.scenario)?;
    let policy = match args.policy {
        PolicyArg::Now => Policy::Now,
        PolicyArg::Soon => Policy::Soon,
    };
    let rate = args.speed.unwrap_or(scenario.clock.rate);
    let time_limit = Duration::from_secs(args.time_limit_secs);
    let options = Options { rate, policy, advisor: !args.without_advisor, scaling: None, time_limit };
    eprintln!("{}\nclock: {rate} lab seconds a second\n", scenario.description.trim());

    eprintln!("1. plain scheduling: the scheduler knows CPU, memory and max-pods, not IPs");
    let (running, plain) = watch(demo::start(scenario.clone(), Mode::Plain, &options).await?).await?;
    running.shutdown().await?;
    let what = if args.without_advisor { "extender in the path" } else { "extender in the path, fed by the advisor" };
    eprintln!("\n2. the same with the Headroom {what}");
    let (running, headroom) = watch(demo::start(scenario, Mode::Headroom, &options).await?).await?;

    let comparison = Comparison::of(&plain, &headroom);
    match args.output {
        Output::Table => print!("{}", verdict(&plain, &headroom)),
        Output::Json => println!("{}", serde_json::to_string(&comparison)?),
    }
    if args.keep {
        keep(&running).await?;
    }
    running.shutdown().await
}

fn load(name: &str) -> Result<Scenario> {
    if let Some(bundled) = Scenario::bundled(name) {
        return Ok(bundled?);
    }
    Ok(Scenario::load(Path::new(name))?)
}

/// Draws the run until it is over.
async fn watch(mut running: Running) -> Result<(Running, Outcome)> {
    let mut screen = Screen::default();
    loop {
        let (report, outcome) = running.progress().await?;
        match outcome {
            None => screen.draw(running.mode(), &report),
            Some(outcome) => {
                screen.replace(&demo::summary(&outcome));
                return Ok((running, outcome));
            }
        }
    }
}

fn verdict(plain: &Outcome, headroom: &Outcome) -> String {
    let (without, with) = (plain.report.totals, headroom.report.totals);
    format!(
        "\nplain:    {} pods bound, {} of them hang in ContainerCreating without an IP ({} failed CNI ADDs)\n\
         headroom: {} pods bound, {} of them hang; {} wait as unschedulable with a reason ({} failed CNI ADDs)\n",
        without.bound, without.hanging, without.failed_adds, with.bound, with.hanging, with.unbound, with.failed_adds,
    )
}

async fn keep(running: &Running) -> Result<()> {
    let lab = running.lab();
    eprintln!("\n# serving on until Ctrl-C; for another shell:");
    eprint!("{}", lab.exports());
    if let Some(url) = running.advisor_url() {
        eprintln!("# advisor {url}/metrics");
    }
    if let Some(url) = running.extender_url() {
        eprintln!("# extender {url}/filter");
    }
    headroom_lab::stop_signal().await.context("failed to wait for a signal")
}

/// Redraws a table in place on a terminal; elsewhere prints a line every two seconds.
#[derive(Debug, Default)]
struct Screen {
    lines: usize,
    printed: Option<Instant>,
}

impl Screen {
    fn draw(&mut self, mode: Mode, report: &Report) {
        if std::io::stderr().is_terminal() {
            self.replace(&demo::frame(mode, report));
        } else if self.printed.is_none_or(|at| at.elapsed() >= Duration::from_secs(2)) {
            eprint!("{}", demo::progress(mode, report));
            self.printed = Some(Instant::now());
        }
    }

    fn replace(&mut self, text: &str) {
        if self.lines > 0 {
            // Up to the first line of the last table, and clear from there.
            eprint!("\x1b[{}A\x1b[J", self.lines);
        }
        eprint!("{text}");
        self.lines = text.lines().count();
    }
}
