//! Golden bodies, as Go's encoding/json writes k8s.io/kube-scheduler `extender/v1`.

use headroom_capacity::verdict::{Demand, Reason};
use proptest::prelude::*;

use crate::filter::on_any_node;

use super::{
    Names, RequestError, decode, failed, no_priorities, passed, passed_all, priorities, rejected, rejected_all,
};

const REQUEST: &str = r#"{"Pod":{"metadata":{"name":"web-0","namespace":"default","uid":"5f1c9a52-7a53-4b5e-9c2e-0d6f7e1c2b3a","resourceVersion":"4711","creationTimestamp":"2026-01-02T03:04:05Z","labels":{"app":"web"},"annotations":{"note":"a \u003cb\u003e \u0026 c"}},"spec":{"containers":[{"name":"c","image":"nginx","resources":{"limits":{"cpu":"1"},"requests":{"cpu":"500m"}},"imagePullPolicy":"Always"}],"restartPolicy":"Always","schedulerName":"default-scheduler","priority":100,"enableServiceLinks":true},"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/2 nodes are available","lastProbeTime":null,"lastTransitionTime":"2026-01-02T03:04:06Z"}],"qosClass":"Burstable"}},"Nodes":null,"NodeNames":["ip-10-0-1-17.ec2.internal","ip-10-0-1-23.ec2.internal"]}"#;

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap()
}

#[test]
fn reads_what_kube_scheduler_sends() {
    let args = decode(REQUEST.as_bytes()).unwrap();
    assert!(matches!(args.names, Names::Plain { .. }));
    assert_eq!(*args.names.list(), ["ip-10-0-1-17.ec2.internal", "ip-10-0-1-23.ec2.internal"]);
    assert_eq!(args.pod.uid, "5f1c9a52-7a53-4b5e-9c2e-0d6f7e1c2b3a");
    assert_eq!((args.pod.resource_version, args.pod.priority, args.pod.demand), (4711, 100, Demand::PodIp));
    let fingerprint = headroom_cluster::failure_fingerprint("Unschedulable", "0/2 nodes are available");
    assert_eq!(args.pod.failure, Some(fingerprint));
}

#[test]
fn tells_pods_that_say_where_they_would_rather_be() {
    let prefers = |spec: &str| {
        let body = format!(r#"{{"Pod":{{"metadata":{{"uid":"u"}},"spec":{spec}}},"Nodes":null,"NodeNames":["n"]}}"#);
        decode(body.as_bytes()).unwrap().pod.prefers
    };
    let rule = r#"{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1}]}"#;
    for kind in ["nodeAffinity", "podAffinity", "podAntiAffinity"] {
        assert!(prefers(&format!(r#"{{"affinity":{{"{kind}":{rule}}}}}"#)), "{kind}");
    }
    assert!(prefers(r#"{"topologySpreadConstraints":[{"whenUnsatisfiable":"ScheduleAnyway"}]}"#));
    // Hard rules are kept by kube-scheduler's own filters, before it asks.
    let hard = r#"{"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{}],"preferredDuringSchedulingIgnoredDuringExecution":[]}},"topologySpreadConstraints":[{"whenUnsatisfiable":"DoNotSchedule"}]}"#;
    assert!(!prefers(hard) && !prefers("{}") && !prefers("null"));
}

#[test]
fn tolerates_any_case_null_lists_unknown_keys_and_escapes() {
    let body = r#"{"future":[{}],"nodenames":["n\u0031"],"POD":{"metadata":{"uid":"u"},"spec":{"containers":null,"initContainers":null,"hostNetwork":true},"status":null}}"#;
    let args = decode(body.as_bytes()).unwrap();
    assert_eq!(*args.names.list(), ["n1"]);
    assert_eq!(args.pod.demand, Demand::None);
}

#[test]
fn refuses_what_cannot_be_answered_and_says_what_to_set() {
    let error = |body: &str| decode(body.as_bytes()).unwrap_err();
    let nodes = r#"{"Pod":{"metadata":{"uid":"u"}},"Nodes":{"metadata":{},"items":[]},"NodeNames":null}"#;
    assert_eq!(error(nodes), RequestError::NodesInsteadOfNames);
    assert!(error(nodes).to_string().contains("nodeCacheCapable: true"));
    assert_eq!(error(r#"{"Pod":{"metadata":{"uid":"u"}},"Nodes":null,"NodeNames":null}"#), RequestError::NoNames);
    assert_eq!(error(r#"{"Pod":{},"NodeNames":[]}"#), RequestError::NoUid);
    for body in ["", "null", "[]", "{", r#"{"Pod":null,"NodeNames":[]}"#, r#"{"NodeNames":[1]}"#, "\u{fffd}"] {
        assert!(matches!(error(body), RequestError::Malformed(_)), "{body}");
    }
}

#[test]
fn a_cut_off_body_is_malformed_at_every_length() {
    for end in 0..REQUEST.len() {
        let cut = decode(&REQUEST.as_bytes()[..end]);
        assert!(matches!(cut, Err(RequestError::Malformed(_))), "{end}");
    }
}

/// A request for these names, as Go writes it and with a space that no short cut expects.
fn requests(names: &str) -> [String; 2] {
    ["", " "].map(|space| format!(r#"{{"Pod":{{"metadata":{{"uid":"u"}}}},"Nodes":null,"NodeNames":{space}{names}}}"#))
}

#[test]
fn only_arrays_of_plain_strings_take_the_short_cut() {
    for (names, expected) in [
        (r#"[]"#, Some(&[][..])),
        (r#"[""]"#, Some(&[""][..])),
        (r#"["a","é"]"#, Some(&["a", "é"][..])),
        (r#"["a,b"]"#, None),
        (r#"["a"]]"#, None),
        (r#"["\u0061"]"#, None),
        (r#"["a", "b"]"#, None),
        (r#"["a",]"#, None),
        (r#"["a"b"]"#, None),
        (r#"[","]"#, None),
        (r#"[,]"#, None),
        (r#"["]"#, None),
        (r#"[a]"#, None),
        ("[\"a\u{1f}\"]", None),
        (r#"null"#, None),
    ] {
        let [body, _] = requests(names);
        let found = super::scan::scan(body.as_bytes());
        assert_eq!(found.as_ref().map(|args| args.names.list().into_owned()).as_deref(), expected, "{names}");
    }
}

#[test]
fn replies_are_golden() {
    for body in requests(r#"["a","b"]"#) {
        let names = decode(body.as_bytes()).unwrap().names;
        let both =
            r#"{"Nodes":null,"NodeNames":["a","b"],"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":""}"#;
        assert_eq!(text(passed_all(&names)), both);
        assert_eq!(text(passed(&names, [0, 1].into_iter())), both);
        assert_eq!(
            text(passed(&names, [1].into_iter())),
            r#"{"Nodes":null,"NodeNames":["b"],"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":""}"#
        );
        assert_eq!(
            text(rejected(&names, [Reason::CoolingDown, Reason::InstanceIpLimit].into_iter())),
            concat!(
                r#"{"Nodes":null,"NodeNames":[],"FailedNodes":{},"FailedAndUnresolvableNodes":{"#,
                r#""a":"no pod IP left: released IPs are cooling down","#,
                r#""b":"no pod IP left: instance type's ENI and IP limit reached"},"Error":""}"#
            )
        );
        assert_eq!(
            text(rejected_all(&names, Reason::CoolingDown)),
            concat!(
                r#"{"Nodes":null,"NodeNames":[],"FailedNodes":{},"FailedAndUnresolvableNodes":{"#,
                r#""a":"no pod IP left on any node asked: released IPs are cooling down"},"Error":""}"#
            )
        );
        let scores = priorities(&names, [10, 0].into_iter());
        assert_eq!(text(scores), r#"[{"Host":"a","Score":10},{"Host":"b","Score":0}]"#);
    }
    assert_eq!(
        text(failed(&RequestError::NoUid)),
        concat!(
            r#"{"Nodes":null,"NodeNames":null,"FailedNodes":{},"FailedAndUnresolvableNodes":{},"#,
            r#""Error":"headroom: the request's pod has no metadata.uid"}"#
        )
    );
    assert_eq!(text(no_priorities()), "[]");
}

#[test]
fn names_that_need_escapes_go_back_escaped() {
    let body = r#"{"Pod":{"metadata":{"uid":"u"}},"Nodes":null,"NodeNames":["a\"\\\n","\u00e9"]}"#;
    let names = decode(body.as_bytes()).unwrap().names;
    assert_eq!(*names.list(), ["a\"\\\n", "é"]);
    assert!(text(passed_all(&names)).contains(r#""NodeNames":["a\"\\\n","é"]"#));
}

/// They are written as they are.
#[test]
fn no_reason_needs_an_escape() {
    for text in Reason::ALL.into_iter().flat_map(|reason| [reason.as_str().to_owned(), on_any_node(reason)]) {
        assert_eq!(serde_json::to_string(&text).unwrap(), format!("\"{text}\""));
    }
}

#[test]
fn every_error_has_a_registered_label() {
    let all = [
        RequestError::Malformed(String::new()),
        RequestError::NodesInsteadOfNames,
        RequestError::NoNames,
        RequestError::NoUid,
        RequestError::TooLarge,
        RequestError::CutOff,
        RequestError::Overloaded,
        RequestError::NotReady,
        RequestError::Stale,
    ];
    assert_eq!(all.map(|error| error.label()), RequestError::LABELS);
}

proptest! {
    #[test]
    fn no_input_makes_the_decoder_panic(at in 0..REQUEST.len(), byte: u8, garbage in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut flipped = REQUEST.as_bytes().to_vec();
        flipped[at] = byte;
        for body in [&flipped, &garbage] {
            if let Err(error) = decode(body) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

#[test]
fn a_malformed_request_is_not_sent_back_whole() {
    let body = format!(r#"{{"Pod":"{}"}}"#, "\u{e9}".repeat(100_000));
    let error = decode(body.as_bytes()).unwrap_err();
    let reply = text(failed(&error));
    assert!(reply.contains("invalid type: string") && reply.contains("at line 1 column"), "{reply}");
    assert!(reply.chars().count() < 500, "{reply}");
}
