use headroom_capacity::units::Ips;

use super::*;
use crate::inventory::{Attachment, EniTags};

const NOW: Time = Time::from_secs(10_000);
const MIN_AGE: Duration = Duration::from_secs(900);

fn policy() -> Policy {
    Policy { cluster: "prod".into(), leak_min_age: MIN_AGE, in_flight_deadline: MIN_AGE }
}

fn left_behind(id: &str, age_secs: u64) -> Eni {
    Eni {
        id: id.into(),
        subnet: "subnet-1".into(),
        available: true,
        kind: EniKind::Interface,
        primary_ip: Some(Ipv4Addr::new(10, 0, 0, 10)),
        secondary_ips: vec![Ipv4Addr::new(10, 0, 0, 11)],
        prefixes: Vec::new(),
        attachment: None,
        requester_managed: false,
        described_for: Some("i-1".into()),
        tags: EniTags {
            instance: Some("i-1".into()),
            created_at: Some(NOW - Duration::from_secs(age_secs)),
            cluster: Some("prod".into()),
            ..EniTags::default()
        },
    }
}

fn leak(id: &str) -> Leak {
    let eni = left_behind(id, 5000);
    Leak {
        eni: eni.id,
        subnet: eni.subnet,
        instance: eni.tags.instance,
        reason: LeakReason::InstanceGone,
        of_cluster: true,
        created_at: eni.tags.created_at,
        ips: Ips(2),
    }
}

fn config(action: LeakAction) -> Leaks {
    Leaks { action, max_per_hour: 3, ..Leaks::default() }
}

#[test]
fn only_what_the_cni_made_and_nobody_attached_for_long_is_leaked() {
    let reasons = |eni: &Eni| [true, false].map(|lives| reason(eni, lives, &policy(), NOW));
    let both = [Some(LeakReason::NeverAttached), Some(LeakReason::InstanceGone)];
    assert_eq!(reasons(&left_behind("eni-1", 901)), both);
    assert_eq!(reasons(&left_behind("eni-1", 900)), [None; 2]);
    let mut untimed = left_behind("eni-1", 901);
    untimed.tags.created_at = None;
    assert_eq!(reasons(&untimed), [None, Some(LeakReason::InstanceGone)]);
    let mut from_the_future = left_behind("eni-1", 901);
    from_the_future.tags.created_at = Some(NOW + MIN_AGE + MIN_AGE);
    assert_eq!(reasons(&from_the_future), [None; 2]);

    type Change = fn(&mut Eni);
    let changes: [(&str, Change); 8] = [
        ("in use", |eni| eni.available = false),
        ("attached", |eni| {
            eni.attachment = Some(Attachment { instance: Some("i-1".into()), device_index: 1, network_card: 0 });
        }),
        ("a service's", |eni| eni.requester_managed = true),
        ("another cluster's", |eni| eni.tags.cluster = Some("test".into())),
        ("to be left alone", |eni| eni.tags.no_manage = true),
        ("described otherwise", |eni| eni.described_for = None),
        ("without the instance's tag", |eni| eni.tags.instance = None),
        ("a trunk", |eni| eni.kind = EniKind::Trunk),
    ];
    for (what, change) in changes {
        let mut eni = left_behind("eni-1", 901);
        change(&mut eni);
        assert_eq!(reasons(&eni), [None; 2], "{what}");
    }
}

#[test]
fn one_at_a_time_and_no_more_than_the_hours_share() {
    let leaks = ["eni-1", "eni-2", "eni-3", "eni-4"].map(leak);
    let next = |history: &History, action, now| {
        next_deletion(&leaks, history, &config(action), now).map(|leak| leak.eni.to_string())
    };
    let mut history = History::default();
    assert_eq!(next(&history, LeakAction::Report, NOW), None);
    for (nth, expected) in ["eni-1", "eni-2", "eni-3"].into_iter().enumerate() {
        let now = NOW + Duration::from_secs(nth as u64);
        assert_eq!(next(&history, LeakAction::DryRun, now).as_deref(), Some(expected), "each is tried once");
        history.begin(expected.into(), now);
        assert_eq!(next(&history, LeakAction::Delete, now), None, "one is being deleted");
        history.end();
    }
    assert_eq!(next(&history, LeakAction::Delete, NOW + Duration::from_secs(3599)), None, "three in the hour");
    assert_eq!(next(&history, LeakAction::Delete, NOW + HOUR).as_deref(), Some("eni-1"));
}

#[test]
fn what_may_be_anothers_is_never_chosen() {
    let mut untagged = leak("eni-1");
    untagged.of_cluster = false;
    let mut untimed = leak("eni-2");
    untimed.created_at = None;
    let leaks = [untagged, untimed];
    assert_eq!(next_deletion(&leaks, &History::default(), &config(LeakAction::Delete), NOW), None);
}

#[test]
fn whatever_has_changed_since_spares_it() {
    let check =
        |fresh: &Eni, pod: Option<Ipv4Addr>| still_leaked(&leak("eni-1"), fresh, |ip| Some(ip) == pod, &policy(), NOW);
    let same = left_behind("eni-1", 5000);
    assert_eq!(check(&same, None), Ok(()));
    let ip = Ipv4Addr::new(10, 0, 0, 11);
    assert_eq!(check(&same, Some(ip)), Err(Spared::PodHas { eni: "eni-1".into(), ip }));
    let other = Spared::AnotherEni { wanted: "eni-1".into(), shown: "eni-2".into() };
    assert_eq!(check(&left_behind("eni-2", 5000), None), Err(other));
    assert_eq!(check(&left_behind("eni-1", 5001), None), Err(Spared::OtherTags("eni-1".into())));
    let mut attached = same.clone();
    attached.available = false;
    assert_eq!(check(&attached, None), Err(Spared::InUse("eni-1".into())));
    let longer = Policy { leak_min_age: Duration::from_secs(6000), ..policy() };
    assert_eq!(still_leaked(&leak("eni-1"), &same, |_| false, &longer, NOW), Err(Spared::Young("eni-1".into())));
}
