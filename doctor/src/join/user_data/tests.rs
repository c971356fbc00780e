use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

fn read(text: &str) -> UserData {
    UserData::read(&STANDARD.encode(text))
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn only(data: UserData) -> Bootstrap {
    assert_eq!(data.bootstraps.len(), 1, "{data:?}");
    data.bootstraps.into_iter().next().unwrap()
}

const SCRIPT: &str = "#!/bin/bash\n/etc/eks/bootstrap.sh prod\n";

#[test]
fn the_same_in_every_wrapping() {
    let multipart = format!(
        "Content-Type: multipart/mixed; boundary=\"==X==\"\nMIME-Version: 1.0\n\n--==X==\nContent-Type: text/cloud-config\n\npackages: [jq]\n\
         --==X==\r\nContent-Type: text/x-shellscript; charset=\"us-ascii\"\nContent-Transfer-Encoding: base64\n\n{}\n--==X==--\n",
        STANDARD.encode(SCRIPT)
    );
    let nested = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=outer\n\n--outer\n{}\n--outer--\n",
        multipart.replace('\r', "")
    );
    for data in [
        read(SCRIPT),
        UserData::read(&STANDARD.encode(gzip(SCRIPT))),
        UserData::read(&STANDARD.encode(STANDARD.encode(gzip(SCRIPT)))),
        read(&multipart),
        read(&nested),
        read("#cloud-config\nruncmd:\n  - [ /etc/eks/bootstrap.sh, prod ]\n"),
        read("#cloud-config\nruncmd:\n  - /etc/eks/bootstrap.sh prod\n"),
    ] {
        let found = only(data);
        assert_eq!((found.kind, found.cluster), (Kind::BootstrapSh, Given::Is("prod".to_owned())));
    }
}

#[test]
fn quotes_ends_of_lines_and_what_only_a_shell_can_tell() {
    let is = |name: &str| Given::Is(name.to_owned());
    for (call, cluster, flags) in [
        ("prod", is("prod"), vec![]),
        ("'prod' --use-max-pods false", is("prod"), vec![]),
        ("--use-max-pods false \"prod\" && echo done", is("prod"), vec![]),
        (
            "--kubelet-extra-args \"--v=2 --node-labels 'a=b'\" prod > /var/log/x",
            is("prod"),
            vec!["--v", "--node-labels"],
        ),
        ("\\\n  --kubelet-extra-args '--max-pods=5\n--v=2' \\\n  prod", is("prod"), vec!["--max-pods", "--v"]),
        ("$(curl http://x/name)", Given::Computed, vec![]),
        ("$NAME", Given::Computed, vec![]),
        ("${NAME}-suffix", Given::Computed, vec![]),
        ("--use-max-pods true # prod", Given::Missing, vec![]),
        ("", Given::Missing, vec![]),
    ] {
        let script = format!("#!/bin/bash\n/etc/eks/bootstrap.sh {call}\n");
        let found = read(&script).bootstraps.into_iter().next();
        let found = found.map(|one| (one.cluster, one.kubelet.flags)).unwrap_or_default();
        assert_eq!(found, (cluster, flags.into_iter().map(str::to_owned).collect()), "{call}");
    }
    let twice = "NAME=a\nif x; then NAME=b; fi\nNAME=b\n/etc/eks/bootstrap.sh $NAME\n";
    assert_eq!(only(read(twice)).cluster, Given::Computed);
}

#[test]
fn parameters_of_windows() {
    let script = "<powershell>\n$Name = \"prod\"\n& $File -EKSClusterName $Name `\n -APIServerEndpoint 'https://x' -Base64ClusterCA 'Y2E=' \
                  -KubeletExtraArgs '--node-labels=a=b' 3>&1\n</powershell>";
    let found = only(read(script));
    assert_eq!(
        (found.kind, found.cluster, found.endpoint),
        (Kind::Windows, Given::Is("prod".to_owned()), Given::Is("https://x".to_owned()))
    );
    assert!(found.certificate_authority && found.kubelet.labels == ["a"]);
}

#[test]
fn node_configs_are_laid_over_each_other() {
    let part = |spec: &str| {
        format!(
            "--B\nContent-Type: application/node.eks.aws\n\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\n{spec}\n"
        )
    };
    let message = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n{}{}--B--\n",
        part("spec:\n  kubelet:\n    config:\n      maxPods: 110\n    flags:\n    - --node-labels=a=b,c=d"),
        part(
            "spec:\n  cluster:\n    name: prod\n    apiServerEndpoint: https://x\n    certificateAuthority: Y2E=\n    cidr: 10.100.0.0/16"
        )
    );
    let found = only(read(&message));
    assert_eq!((found.cluster, found.endpoint), (Given::Is("prod".to_owned()), Given::Is("https://x".to_owned())));
    assert!(found.certificate_authority && found.service_cidr);
    assert_eq!((found.kubelet.max_pods, found.kubelet.labels), (Some(110), vec!["a".to_owned(), "c".to_owned()]));
}

#[test]
fn nothing_and_something_else() {
    assert!(UserData::read("").empty && read(" \n").empty);
    for text in ["#!/bin/bash\necho hi\n", "[other]\na = 1\n", "just words", "kind: NodeConfig\n"] {
        assert_eq!(read(text), UserData { empty: false, bootstraps: vec![] }, "{text}");
    }
}

/// A script with secrets leaves nothing of them behind.
#[test]
fn no_secret_is_kept() {
    let script = "#!/bin/bash\nexport TOKEN=hunter2\nPASSWORD='hunter2'\n/etc/eks/bootstrap.sh prod --docker-config-json '{\"x\":\"hunter2\"}' \
                  --b64-cluster-ca hunter2 --kubelet-extra-args '--bootstrap-token=hunter2 --node-labels=a=hunter2' --cluster-id $TOKEN\n";
    let settings = "[settings.kubernetes]\ncluster-name = \"prod\"\ncluster-certificate = \"hunter2\"\nbootstrap-token = \"hunter2\"\n";
    let misplaced = "/etc/eks/bootstrap.sh prod:hunter2 --apiserver-endpoint https://prod:hunter2@host/\n";
    for text in [script, settings, misplaced] {
        let kept = serde_json::to_string(&read(text)).unwrap();
        assert!(!read(text).bootstraps.is_empty() && !kept.contains("hunter2"), "{kept}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_an_end(data: Vec<u8>) {
        for text in [STANDARD.encode(&data), String::from_utf8_lossy(&data).into_owned()] {
            prop_assert!(serde_json::to_string(&UserData::read(&text)).is_ok());
        }
    }

    /// Words that mean something, in any order.
    #[test]
    fn any_mixture_is_read_to_an_end(words in proptest::collection::vec(prop_oneof![
        Just("Content-Type: multipart/mixed; boundary=B\n"), Just("MIME-Version: 1.0\n"), Just("\n"), Just("--B\n"), Just("--B--\n"),
        Just("Content-Type: application/node.eks.aws\n"), Just("apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\n"), Just("spec:\n"),
        Just("  cluster: {name: &a [*a"), Just("/etc/eks/bootstrap.sh "), Just("$X"), Just("X="), Just("'"), Just("\""), Just("\\\n"), Just("`"),
        Just("-EKSClusterName "), Just("[settings.kubernetes]\n"), Just("cluster-name = \"x\"\n"), Just("--kubelet-extra-args "), Just("ü "),
        Just("Content-Transfer-Encoding: base64\n"), Just("--node-labels=a,,=b"), Just("\r\n"), Just("#cloud-config\n"), Just("\u{1f}\u{8b}"),
    ], 0..40)) {
        let text = words.concat();
        prop_assert_eq!(read(&text), UserData::read(&STANDARD.encode(gzip(&text))));
    }
}
