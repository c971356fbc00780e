use super::*;
use crate::bundle::Section;
use crate::fixtures::{Spoil, bundle};

fn report(more: Option<u32>, spoil: impl FnOnce(&mut Bundle)) -> NodeReport {
    let mut bundle = bundle();
    bundle.pool_mut().waiting = 0;
    spoil(&mut bundle);
    let bundle: Bundle = bundle.to_json().unwrap().parse().unwrap();
    diagnose(&bundle, "n1", more)
}

fn causes(report: &NodeReport) -> Vec<(Cause, Level)> {
    report.report.findings.iter().map(|finding| (finding.cause, finding.level)).collect()
}

#[test]
fn a_node_with_the_pods_that_it_is_meant_for_is_full_and_in_order() {
    let full = report(None, |_| {});
    assert_eq!((causes(&full), full.report.exit_code()), (Vec::new(), 0), "{full}");
    assert!(full.report.fine.contains(&"it is full: 58 pods of max-pods 58".to_owned()), "{full}");
    let figures = full.figures.unwrap();
    assert_eq!((figures.ceiling, figures.recommended_max_pods, figures.more_pods), (56, Some(58), 0));
}

#[test]
fn max_pods_is_held_against_what_the_node_has_addresses_for() {
    let audited = |max_pods: u32, env: &'static str| {
        let report = report(None, |bundle| {
            bundle.half_full();
            bundle.node_mut().max_pods = max_pods;
            env.split_once('=').into_iter().for_each(|(name, value)| bundle.env(name, value));
        });
        let of_pods = |(cause, _): &(Cause, Level)| matches!(cause, Cause::MaxPodsTooHigh | Cause::MaxPodsTooLow);
        (causes(&report).into_iter().find(of_pods), report.figures.unwrap().recommended_max_pods.unwrap())
    };
    let (high, low) = (Some((Cause::MaxPodsTooHigh, Level::Warning)), Some((Cause::MaxPodsTooLow, Level::Warning)));
    assert_eq!(audited(58, ""), (None, 58));
    assert_eq!(audited(110, ""), (high, 58));
    assert_eq!(audited(30, ""), (low, 58));
    // The primary ENI gives none under custom networking: the image's table does not know.
    assert_eq!(audited(58, "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG=true"), (high, 44));
    assert_eq!(audited(58, "ENABLE_POD_ENI=true"), (high, 44));
    assert_eq!(audited(58, "MAX_ENI=2"), (high, 30));
    // 56 prefixes are 896 addresses; EKS's cap for 4 vCPUs is 110.
    assert_eq!(audited(58, "ENABLE_PREFIX_DELEGATION=true"), (low, 110));
    assert_eq!(audited(110, "ENABLE_PREFIX_DELEGATION=true"), (None, 110));
    assert_eq!(audited(250, "ENABLE_PREFIX_DELEGATION=true"), (None, 110));
}

#[test]
fn more_daemons_on_the_hosts_network_leave_addresses_over() {
    let report = report(None, |bundle| {
        bundle.half_full();
        (bundle.node_mut().max_pods, bundle.node_mut().host_pods) = (62, 6);
    });
    assert_eq!(causes(&report), [], "{report}");
}

#[test]
fn waiting_pods_make_the_limit_a_fault() {
    let report = report(None, |bundle| {
        bundle.pool_mut().waiting = 4;
        (bundle.node_mut().max_pods, bundle.node_mut().pods) = (110, 62);
    });
    assert_eq!(
        causes(&report),
        [(Cause::InstanceLimit, Level::Fault), (Cause::MaxPodsTooHigh, Level::Fault)],
        "{report}"
    );
}

#[test]
fn what_is_wrong_with_the_node_itself_comes_first() {
    let report = report(None, |bundle| {
        bundle.half_full();
        bundle.subnet_mut().free = 0;
        bundle.env("WARM_ENI_TARGET", "many");
        bundle.node_mut().ready = false;
        bundle.node_mut().agent = Section::Read(crate::bundle::Agent::default());
    });
    let expected = [
        (Cause::CniDown, Level::Fault),
        (Cause::NodeNotReady, Level::Fault),
        (Cause::SettingNotTaken, Level::Warning),
        (Cause::SubnetEmpty, Level::Warning),
    ];
    assert_eq!(causes(&report), expected, "{report}");
}

#[test]
fn what_more_pods_need_is_counted() {
    let asked = |pods: u32, spoil: fn(&mut Bundle)| report(Some(pods), spoil).more.unwrap();
    let half = |bundle: &mut Bundle| {
        bundle.half_full().assigned = 20;
    };
    let more = asked(5, half);
    assert_eq!((more.at_once, more.soon, more.new_enis, more.lacking, more.why), (5, 0, 0, 0, None));
    let more = asked(20, half);
    assert_eq!((more.at_once, more.soon, more.new_enis, more.lacking), (8, 12, 1, 0));
    let more = asked(40, half);
    assert_eq!((more.at_once + more.soon, more.lacking, more.why, more.nodes), (28, 12, Some("max_pods"), 1), "{more}");
    let more = asked(20, |bundle| {
        bundle.half_full().assigned = 20;
        bundle.subnet_mut().free = 0;
    });
    assert_eq!((more.at_once, more.soon, more.why), (8, 0, Some("subnet_exhausted")), "{more}");
    assert_eq!((more.subnets_lack, more.nodes), (12, 1), "{more}");
    let more = asked(70, |bundle| {
        bundle.half_full();
        bundle.node_mut().max_pods = 110;
        bundle.subnet_mut().free = 250;
    });
    assert_eq!((more.at_once, more.soon, more.lacking, more.why), (0, 28, 42, Some("instance_ip_limit")), "{more}");
    assert_eq!((more.new_enis, more.nodes), (2, 1), "{more}");
}

#[test]
fn nodes_of_others_and_what_was_not_read_are_told() {
    let fargate = report(None, |bundle| bundle.node_mut().kind = Kind::Fargate);
    assert_eq!((causes(&fargate), fargate.figures), (Vec::new(), None));
    let unread = report(None, |bundle| bundle.node_mut().pool = Section::NotRead("no credentials".to_owned()));
    assert_eq!((causes(&unread), unread.report.exit_code()), (vec![(Cause::NotRead, Level::Unknown)], 3));
    let unknown = report(None, |bundle| bundle.node_mut().instance_type = Some("zz9.large".to_owned()));
    assert_eq!((causes(&unknown)[0], unknown.report.exit_code()), ((Cause::UnknownInstanceType, Level::Unknown), 3));
    let mut empty = bundle();
    empty.nodes = Section::Read(Vec::new());
    assert_eq!(diagnose(&empty, "n1", None).report.exit_code(), 3);
}

#[test]
fn the_text_has_the_figures_below_the_findings() {
    let report = report(Some(20), |bundle| {
        bundle.half_full().assigned = 20;
    });
    let text = "node n1: nothing is wrong
  fine: it is ready
  fine: 8 more pods can get an address
  fine: max-pods 58 is right for 56 addresses
  fine: subnet-a (us-west-2a) has 100 of 251 addresses free
  limits     c5.xlarge: 4 ENIs × 14 addresses = 56 for pods, by the table of CNI v1.23.2
  max-pods   58, recommended 58; 30 pods run
  addresses  28 attached on 2 ENIs, 20 with pods, 0 cooling; pods that wait: 0; more that can come: 8
  subnet     subnet-a (us-west-2a) has 100 of 251 addresses free; 0 free slots on its ENIs, and new ENIs
  20 more pods: 8 at once, 12 when ipamd has attached more (new ENIs: 1); all fit
";
    assert_eq!(report.to_string(), text);
}
