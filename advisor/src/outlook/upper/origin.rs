//! Whose pod it is, by the names that controllers give: they are there anyway, while owners would have to be kept with each pod.
//!
//! - ReplicaSets are `<deployment>-<hash>`, the hash of at most ten characters (k/k `pkg/controller/deployment/sync.go`,
//!   `getNewReplicaSet`), and their pods `<replicaset>-<five characters>`.
//! - StatefulSets' pods are `<set>-<ordinal>` (k/k `pkg/controller/statefulset`, `getPodName`).
//! - DaemonSets' pods are `<set>-<five characters>`.
//! - CronJobs' jobs are `<cronjob>-<minutes since the Unix epoch>` (k/k `pkg/controller/cronjob/utils.go`, `getJobName`), their pods
//!   `<job>-<five characters>`, with an index before these where the job is indexed.
//!
//! A name of more than 58 characters is cut before the five (apiserver `names/generate.go`), so that the workload of a very long name is
//! not found: its pods count as nobody's.

/// Characters of random suffixes and of hashes (apimachinery `util/rand`, `alphanums`).
const ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";
const RANDOM: usize = 5;
const LONGEST_HASH: usize = 10;
/// Minutes since 1970 have had eight digits since 1989.
const MINUTES: usize = 8;

/// How a workload names its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Naming {
    /// By a ReplicaSet.
    Hashed,
    /// By a number.
    Ordinal,
    /// By random characters alone.
    Random,
    /// By a CronJob's job.
    Run,
}

/// What may have made the pod, as `namespace/name` by naming.
pub(super) fn origins(pod: &str) -> impl Iterator<Item = (Naming, &str)> {
    let (base, last) = pod.rsplit_once('-').unwrap_or(("", pod));
    let ordinal = is_number(last).then_some((Naming::Ordinal, base));
    let made = is_random(last, RANDOM..=RANDOM).then_some(base);
    let (inner, middle) = made.and_then(|base| base.rsplit_once('-')).unwrap_or(("", ""));
    let hashed = is_random(middle, 1..=LONGEST_HASH).then_some((Naming::Hashed, inner));
    let run = is_run(middle).then_some((Naming::Run, inner));
    let indexed = inner.rsplit_once('-').filter(|(_, minutes)| is_number(middle) && is_run(minutes));
    let run = run.or(indexed.map(|(name, _)| (Naming::Run, name)));
    [ordinal, made.map(|base| (Naming::Random, base)), hashed, run].into_iter().flatten()
}

/// What its name begins with, the workload's name for those who know it.
pub(super) fn stem(pod: &str) -> &str {
    match pod.rsplit_once('-') {
        Some((base, last)) if is_random(last, RANDOM..=RANDOM) => base,
        _ => pod,
    }
}

fn is_random(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.chars().all(|char| ALPHABET.contains(char))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_run(text: &str) -> bool {
    text.len() == MINUTES && is_number(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pod: &str) -> Vec<(Naming, &str)> {
        origins(pod).collect()
    }

    #[test]
    fn a_pods_name_tells_what_may_have_made_it() {
        assert_eq!(
            of("shop/web-api-5d4f8c7b9-x2k4z"),
            [(Naming::Random, "shop/web-api-5d4f8c7b9"), (Naming::Hashed, "shop/web-api")]
        );
        assert_eq!(of("shop/db-0"), [(Naming::Ordinal, "shop/db")]);
        assert_eq!(of("ops/agent-zz2k4"), [(Naming::Random, "ops/agent")]);
        assert_eq!(
            of("ops/report-29384720-x2k4z"),
            [(Naming::Random, "ops/report-29384720"), (Naming::Run, "ops/report")]
        );
        assert!(of("ops/report-29384720-3-x2k4z").contains(&(Naming::Run, "ops/report")));
        assert_eq!(of("shop/by-hand"), []);
        assert_eq!(of("shop/single"), []);
    }

    #[test]
    fn a_daemon_set_with_a_longer_name_is_no_deployment_of_the_shorter() {
        assert!(
            !of("shop/web-agent-x2k4z").iter().any(|(naming, _)| *naming == Naming::Hashed),
            "vowels are in no hash"
        );
    }

    #[test]
    fn pods_of_unknown_workloads_go_by_what_their_names_share() {
        assert_eq!([stem("shop/ci-x2k4z"), stem("shop/by-hand")], ["shop/ci", "shop/by-hand"]);
    }
}
