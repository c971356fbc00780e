//! What a candidate may do, and that no two lead at once whatever is delayed or lost.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;

use super::*;

const DURATION: Duration = Duration::from_secs(15);

fn wall(secs: i64) -> MicroTime {
    MicroTime(Timestamp::from_second(secs).unwrap())
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// As a server has it.
fn lease(version: u32, holder: &str, transitions: i32, renewed: i64) -> Lease {
    Lease {
        metadata: ObjectMeta { resource_version: Some(version.to_string()), ..ObjectMeta::default() },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            lease_transitions: Some(transitions),
            renew_time: Some(wall(renewed)),
            ..LeaseSpec::default()
        }),
    }
}

fn step(seen: &Seen, now: Instant) -> Step {
    seen.step("me", DURATION, now, wall(1000))
}

/// Holder, version and transitions of what is to be written.
fn written(step: Step) -> (String, Option<String>, Option<i32>) {
    let (version, spec) = match step {
        Step::Create(spec) => (None, spec),
        Step::Replace(lease) => (lease.metadata.resource_version, lease.spec.unwrap()),
        Step::Wait(_) => panic!("{step:?}"),
    };
    (spec.holder_identity.unwrap(), version, spec.lease_transitions)
}

#[test]
fn one_that_nobody_has_is_taken_at_once() {
    let now = Instant::now();
    let mut seen = Seen::default();
    seen.observe(None, now);
    assert_eq!(written(step(&seen, now)), ("me".to_owned(), None, Some(0)));
    seen.observe(Some(Lease { spec: None, ..lease(1, "", 0, 0) }), now);
    assert_eq!(written(step(&seen, now)), ("me".to_owned(), Some("1".to_owned()), Some(0)));
    seen.observe(Some(lease(7, "", 4, 0)), now);
    assert_eq!(written(step(&seen, now)), ("me".to_owned(), Some("7".to_owned()), Some(5)), "given back");
}

/// The dates are nonsense on purpose.
#[test]
fn anothers_is_taken_when_it_was_seen_unchanged_for_its_duration() {
    let now = Instant::now();
    let mut seen = Seen::default();
    seen.observe(Some(lease(1, "other", 2, 0)), now);
    assert_eq!(step(&seen, now), Step::Wait(now + DURATION));
    seen.observe(Some(lease(2, "other", 2, -50)), now + secs(10));
    seen.observe(Some(lease(3, "other", 2, -50)), now + secs(20));
    assert_eq!(step(&seen, now + secs(24)), Step::Wait(now + secs(25)), "a label is no renewal");
    assert_eq!(written(step(&seen, now + secs(25))), ("me".to_owned(), Some("3".to_owned()), Some(3)));
}

#[test]
fn the_holders_duration_counts_not_ones_own() {
    let now = Instant::now();
    let mut seen = Seen::default();
    seen.observe(Some(lease(1, "other", 0, 0)), now);
    assert_eq!(seen.step("me", secs(5), now, wall(0)), Step::Wait(now + secs(15)));
}

#[test]
fn ones_own_is_renewed_with_the_same_token_and_given_back() {
    let now = Instant::now();
    let mut seen = Seen::default();
    seen.observe(Some(lease(9, "me", 3, 0)), now);
    assert_eq!(written(step(&seen, now)), ("me".to_owned(), Some("9".to_owned()), Some(3)));
    assert_eq!(written(step(&seen, now + secs(60))).2, Some(3), "nobody took it meanwhile, or the write is refused");
    let released = seen.released("me", wall(1)).unwrap();
    assert_eq!(released.metadata.resource_version.as_deref(), Some("9"));
    assert_eq!(released.spec.unwrap().holder_identity.as_deref(), Some(""));
    assert_eq!(seen.released("another", wall(1)), None);
}

#[test]
fn one_that_was_deleted_stays_its_holders_until_it_would_have_ended() {
    let now = Instant::now();
    let mut seen = Seen::default();
    seen.observe(Some(lease(1, "other", 4, 0)), now);
    seen.observe(None, now + secs(5));
    assert_eq!(step(&seen, now + secs(5)), Step::Wait(now + secs(15)));
    assert_eq!(written(step(&seen, now + secs(15))), ("me".to_owned(), None, Some(5)));
}

/// One of several candidates, and what is on its way between it and the server.
#[derive(Default)]
struct Model {
    seen: Seen,
    read: Option<Option<Lease>>,
    sent: Option<(Instant, Lease)>,
    done: Option<(Instant, Lease)>,
    term: Option<(u32, Instant)>,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// The server reads for it.
    Read,
    /// What was read arrives.
    Arrive,
    /// It decides and sends.
    Send,
    /// What it sent reaches the server.
    Apply,
    /// The answer arrives.
    Answer,
    /// It shuts down.
    Release,
}

fn act() -> impl Strategy<Value = Act> {
    use Act::{Answer, Apply, Arrive, Read, Release, Send};
    prop_oneof![4 => Just(Read), 4 => Just(Arrive), 4 => Just(Send), 4 => Just(Apply), 4 => Just(Answer), 1 => Just(Release)]
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// The server: refuses what names a version that is not the last.
fn apply(server: &mut Option<Lease>, mut lease: Lease) -> Option<Lease> {
    let version = |lease: &Lease| lease.metadata.resource_version.clone();
    if server.as_ref().and_then(version) != version(&lease) {
        return None;
    }
    let next = version(&lease).map_or(1, |version| version.parse::<u32>().unwrap() + 1);
    lease.metadata.resource_version = Some(next.to_string());
    *server = Some(lease.clone());
    Some(lease)
}

impl Model {
    fn act(&mut self, act: Act, me: &str, server: &mut Option<Lease>, now: Instant, date: MicroTime) {
        match act {
            Act::Read => self.read = Some(server.clone()),
            Act::Arrive => {
                if let Some(lease) = self.read.take() {
                    self.seen.observe(lease, now);
                }
            }
            Act::Send => {
                let lease = match self.seen.step(me, DURATION, now, date) {
                    Step::Wait(_) => return,
                    Step::Create(spec) => Lease { metadata: ObjectMeta::default(), spec: Some(spec) },
                    Step::Replace(lease) => *lease,
                };
                self.sent = Some((now, lease));
            }
            Act::Apply => {
                self.done = self.sent.take().and_then(|(sent, lease)| apply(server, lease).map(|lease| (sent, lease)));
            }
            Act::Answer => {
                if let Some((sent, lease)) = self.done.take() {
                    self.seen.observe(Some(lease), now);
                    let mine = self.seen.holder() == Some(me);
                    self.term = mine.then(|| (self.seen.token(), sent + DURATION * 2 / 3));
                }
            }
            Act::Release => {
                (self.term, self.sent, self.done) = (None, None, None);
                if let Some(lease) = self.seen.released(me, date) {
                    self.sent = Some((now, lease));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_two_lead_at_once_and_tokens_only_grow(
        acts in proptest::collection::vec((0..NAMES.len(), act(), 0_u64..6000), 0..300),
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut server = None;
        let mut models: [Model; 3] = Default::default();
        let mut last = None;
        for (at, act, millis) in acts {
            // Most things follow one another at once.
            now += Duration::from_millis(millis.saturating_sub(4000));
            let date = wall(i64::try_from((now - start).as_millis()).unwrap());
            models[at].act(act, NAMES[at], &mut server, now, date);
            let leaders: Vec<(usize, u32)> = models
                .iter()
                .enumerate()
                .filter_map(|(at, model)| model.term.filter(|(_, until)| now < *until).map(|(token, _)| (at, token)))
                .collect();
            prop_assert!(leaders.len() <= 1, "{leaders:?} after {act:?}");
            if let Some(&(who, token)) = leaders.first() {
                let (before, least) = last.unwrap_or((who, token));
                prop_assert!(token > least || (who == before && token == least), "{who}: {token} after {before}: {least}");
                last = Some((who, token));
            }
        }
    }
}
