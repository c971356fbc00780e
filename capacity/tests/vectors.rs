//! Replays what the CNI's own data store did, operation by operation, on [`Datastore`].
//!
//! The vectors and their format are from `capacity/oracle/vectors` (see `doc.go` there). A sample is committed;
//! `HEADROOM_VECTORS` names a larger file, which `capacity/oracle/check.sh` makes. Where the CNI chose among several
//! addresses or ENIs, its choice must be among those that the model allows, and is followed.
#![allow(clippy::unwrap_used, reason = "a vector that cannot be read may panic")]

use std::fmt::Display;
use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::budget::Mode;
use headroom_capacity::datastore::{Address, Block, Datastore, Eni, EniSpec, StoreError, WarmTargets};
use headroom_capacity::ids::{EniId, PodUid};
use headroom_capacity::instance::CNI_VERSION;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;

const SAMPLE: &str = include_str!("vectors/sample.txt");

#[test]
fn committed_sample() {
    let tally = replay(SAMPLE).unwrap_or_else(|mismatch| panic!("vectors/sample.txt: {mismatch}"));
    tally.report();
    assert!(tally.modes.iter().all(|mode| mode.histories >= 40), "{tally:?}");
    let release = SAMPLE.split_whitespace().nth(2).unwrap();
    assert_eq!(
        release.trim_end_matches(','),
        CNI_VERSION,
        "the sample and the limits table are of different CNI releases"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the file is too large to be committed, and a test takes no arguments")]
fn file_named_by_the_environment() {
    let Ok(path) = std::env::var("HEADROOM_VECTORS") else {
        println!("vectors: HEADROOM_VECTORS is not set, nothing more to replay");
        return;
    };
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("HEADROOM_VECTORS={path}: {error}"));
    let tally = replay(&text).unwrap_or_else(|mismatch| panic!("{path}: {mismatch}"));
    tally.report();
    assert!(tally.modes.iter().all(|mode| mode.histories >= 2000), "fewer than 2,000 histories of a mode: {tally:?}");
}

#[derive(Debug, Default)]
struct Tally {
    modes: [ModeTally; 2],
}

#[derive(Debug, Default)]
struct ModeTally {
    histories: u32,
    operations: u32,
}

impl Tally {
    fn report(&self) {
        for (name, mode) in ["secondary IP", "prefix"].iter().zip(&self.modes) {
            println!("vectors: {name}: {} histories, {} operations, 0 mismatches", mode.histories, mode.operations);
        }
    }
}

/// Replays a file; the error names history, line, operation, expected and got.
fn replay(text: &str) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut world = World::new("sip", "30");
    let mut history = "";
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix("h ") {
            history = header;
            let [_, mode, cooldown] = words(header);
            world = World::new(mode, cooldown);
            tally.modes[world.mode()].histories += 1;
            continue;
        }
        let (rest, stats) = line.split_once(" | ").map_or((line, None), |(rest, stats)| (rest, Some(stats)));
        let (operation, expected) = rest.split_once(" > ").unwrap_or((rest, ""));
        let got = world.apply(operation, expected);
        let fail = |what: &str, expected: &str, got: &str| {
            format!("history {history}, line {}, '{operation}': {what} expected {expected}, got {got}", at + 1)
        };
        if got != expected {
            return Err(fail("result", expected, &got));
        }
        if let Some(stats) = stats.filter(|stats| *stats != world.stats()) {
            return Err(fail("total, prefixes, assigned, cooling", stats, &world.stats()));
        }
        tally.modes[world.mode()].operations += 1;
    }
    Ok(tally)
}

/// One history's store and clock.
struct World {
    store: Datastore,
    now: Time,
}

impl World {
    fn new(mode: &str, cooldown_secs: &str) -> World {
        let mode = if mode == "pd" { Mode::Prefix } else { Mode::SecondaryIp };
        let cooldown = Duration::from_secs(cooldown_secs.parse().unwrap());
        World { store: Datastore::new(mode, cooldown), now: Time::ZERO }
    }

    fn mode(&self) -> usize {
        usize::from(self.store.mode() == Mode::Prefix)
    }

    /// Does one operation and returns its result in the notation of the vectors; `expected` is looked at only to follow
    /// a choice.
    fn apply(&mut self, operation: &str, expected: &str) -> String {
        let (code, args) = operation.split_once(' ').unwrap_or((operation, ""));
        match code {
            "t" => {
                self.now = self.now + Duration::from_millis(args.parse().unwrap());
                self.store.settle(self.now);
                String::new()
            }
            "E" | "X" | "R" | "C" | "D" => outcome(self.change(code, args)),
            "U" => self.remove_unused(args, expected),
            "a" => self.assign(&pod(args), expected),
            "r" => {
                self.store.release(&pod(args), self.now).map_or("unknown-pod".to_owned(), |freed| freed.ip.to_string())
            }
            _ => self.ask(code, args),
        }
    }

    fn change(&mut self, code: &str, args: &str) -> Result<(), StoreError> {
        match code {
            "E" => {
                let [id, device, flags] = words(args);
                self.store.add_eni(spec(id, device, flags), self.now)
            }
            "X" => {
                let [id, excluded] = words(args);
                self.store.set_excluded(&eni(id), excluded == "1")
            }
            "R" => {
                let [id, force] = words(args);
                self.store.remove_eni(&eni(id), force == "1")
            }
            "C" => {
                let [id, block] = words(args);
                self.store.add_cidr(&eni(id), Cidr::parse(block).unwrap())
            }
            _ => {
                let [id, block, force] = words(args);
                self.store.remove_cidr(&eni(id), Cidr::parse(block).unwrap(), force == "1")
            }
        }
    }

    fn assign(&mut self, pod: &PodUid, expected: &str) -> String {
        match expected.parse::<Ipv4Addr>() {
            Ok(ip) => {
                self.store.assign_exact(pod.clone(), ip, self.now).map_or_else(|e| e.to_string(), |()| ip.to_string())
            }
            Err(_) => {
                let assigned = self.store.assign(pod.clone(), self.now, &mut |_| 0);
                assigned.map_or("none".to_owned(), |ip| ip.to_string())
            }
        }
    }

    fn remove_unused(&mut self, args: &str, expected: &str) -> String {
        let [warm_ip, minimum_ip, warm_prefix] = words(args).map(|word| word.parse().unwrap());
        let targets = WarmTargets { warm_ip, minimum_ip, warm_prefix };
        let deletable = self.store.deletable_enis(targets, self.now);
        let choice = deletable.iter().position(|id| *id == eni(expected)).unwrap_or(0);
        let removed = self.store.remove_unused_eni(targets, self.now, &mut |_| choice);
        removed.map_or("none".to_owned(), |id| number(&id).to_owned())
    }

    fn ask(&self, code: &str, args: &str) -> String {
        match code {
            "f" => list(self.store.freeable_cidrs(&eni(args))),
            "g" => {
                let [slots, skip_primary] = words(args);
                let enis = self.store.allocatable_enis(slots.parse().unwrap(), skip_primary == "1");
                list(enis.map(|eni| number(&eni.spec().id)))
            }
            "c" => {
                let [id, block] = words(args);
                let (id, block) = (eni(id), Cidr::parse(block).unwrap());
                let candidates = self.store.candidates(self.now).into_iter();
                list(candidates.filter(|found| found.eni == id && found.block == block).map(|found| found.ip))
            }
            "q" => {
                let counters = self.store.counters();
                let freeable = u8::from(self.store.has_freeable_eni());
                format!("{} {freeable} {} {}", self.store.free_prefixes(), counters.total, counters.assigned)
            }
            "d" => list(self.store.enis().map(dump)),
            _ => panic!("unknown operation '{code}': the vectors are of another version"),
        }
    }

    fn stats(&self) -> String {
        let stats = self.store.stats(self.now);
        format!("{} {} {} {}", stats.total, stats.prefix_counter, stats.assigned, stats.cooling)
    }
}

fn outcome(result: Result<(), StoreError>) -> String {
    let text = match result {
        Ok(()) => "ok",
        Err(StoreError::DuplicateEni(_) | StoreError::DuplicateBlock(..)) => "duplicate",
        Err(StoreError::UnknownEni(_)) => "unknown-eni",
        Err(StoreError::UnknownBlock(..)) => "unknown-block",
        Err(StoreError::EniInUse(_) | StoreError::BlockInUse(..)) => "in-use",
    };
    text.to_owned()
}

fn spec(id: &str, device: &str, flags: &str) -> EniSpec {
    EniSpec {
        id: eni(id),
        device_index: device.parse().unwrap(),
        primary: flags.contains('p'),
        trunk: flags.contains('t'),
        efa: flags.contains('f'),
        subnet: "subnet-1".into(),
        excluded: false,
    }
}

fn dump(eni: &Eni) -> String {
    let blocks: Vec<String> = eni.blocks().map(dump_block).collect();
    format!("{}[{}]", number(&eni.spec().id), blocks.join(","))
}

fn dump_block(block: &Block) -> String {
    let records = block.records().map(|(ip, address)| match address {
        Address::Held(pod) => format!("{ip}=pod{}", pod.as_str().trim_start_matches("pod-")),
        Address::Released(at) => format!("{ip}=rel{}", at.as_millis()),
    });
    format!("{}{{{}}}", block.cidr(), records.collect::<Vec<_>>().join(","))
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if texts.is_empty() { "-".to_owned() } else { texts.join(",") }
}

fn words<const N: usize>(text: &str) -> [&str; N] {
    let words: Vec<&str> = text.split(' ').collect();
    words.try_into().unwrap_or_else(|_| panic!("'{text}' is not {N} words"))
}

fn eni(number: &str) -> EniId {
    format!("eni-{number}").into()
}

fn number(eni: &EniId) -> &str {
    eni.as_str().trim_start_matches("eni-")
}

fn pod(number: &str) -> PodUid {
    format!("pod-{number}").into()
}
