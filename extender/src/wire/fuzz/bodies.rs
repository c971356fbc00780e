//! Requests as kube-scheduler writes them, and what can happen to their bytes.

use fastrand::Rng;

/// Pods of every kind of demand, with and without the fields that decide; escapes as Go writes them. The first is what Go's `json.Marshal`
/// makes of a whole pod in an `ExtenderArgs` (k8s.io/kube-scheduler v0.36.3).
const PODS: [&str; 8] = [
    include_str!("../../../benches/pod.json"),
    r#"{"metadata":{"name":"web-0","namespace":"default","uid":"5f1c9a52-7a53-4b5e-9c2e-0d6f7e1c2b3a","resourceVersion":"4711","labels":{"app":"web"},"annotations":{"note":"a \u003cb\u003e \u0026 c"}},"spec":{"containers":[{"name":"c","image":"nginx","resources":{"limits":{"cpu":"1"},"requests":{"cpu":"500m"}}}],"priority":100},"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/2 nodes are available"}]}}"#,
    r#"{"metadata":{"name":"proxy","uid":"u1"},"spec":{"containers":null,"hostNetwork":true},"status":{}}"#,
    r#"{"metadata":{"name":"eni","uid":"u2","resourceVersion":"9"},"spec":{"containers":[{"resources":{"limits":{"vpc.amazonaws.com/pod-eni":"1"}}}],"initContainers":[{}]},"status":{"conditions":[]}}"#,
    r#"{"metadata":{"name":"win","uid":"u3"},"spec":{"containers":[{"resources":{"requests":{"cpu":"1","vpc.amazonaws.com/PrivateIPv4Address":"1"}}}],"priority":-2147483648},"status":null}"#,
    r#"{"metadata":{"uid":"\u0075\ud83d\ude004","namespace":"caf\u00e9","name":"é漢😀"},"spec":{"containers":[]}}"#,
    r#"{"metadata":null,"spec":null,"status":null}"#,
    r#"{"metadata":{"uid":"u5"},"spec":{"containers":[],"affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1}]}},"topologySpreadConstraints":[{"maxSkew":1,"whenUnsatisfiable":"ScheduleAnyway"}]}}"#,
];

const NAMES: [&str; 10] = [
    "n1",
    "n2",
    "ip-10-0-0-3.ec2.internal",
    "ip-10-0-113-255.eu-central-1.compute.internal",
    "i-0123456789abcdef0",
    "",
    "a,b",
    "[x]",
    "nœud-漢-😀",
    "\u{7f}",
];

/// What a parser trips over: put in, or in place of something.
const TOKENS: [&[u8]; 44] = [
    b"\"",
    b"\\",
    b",",
    b":",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"\"",
    b"\",\"",
    b"],[",
    b" ",
    b"\n",
    b"\t",
    b"\r",
    b"\0",
    b"\x1f",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"184467440737095516150000000000000",
    b"\\\"",
    b"\\\\",
    b"\\u0031",
    b"\\u0000",
    b"\\ud800",
    b"\\ud83d\\ude00",
    b"\\x",
    b"\\/",
    b"{\"a\":[1,{}]}",
    b"\"Nodes\":{\"items\":[]},",
    b"\"NodeNames\":null,",
    b"\"nodenames\":[\"n2\"],",
    b"\"POD\":null,",
    b"\"Pod\":{\"metadata\":{\"uid\":\"z\"}},",
    b",\"x\":1",
    b"]}",
];

/// Nesting beyond what serde_json allows a typed value, which is 128.
const NESTING: usize = 200;

/// A source of requests, the same for the same seed.
pub(super) struct Bodies {
    rng: Rng,
}

impl Bodies {
    pub(super) fn seeded(seed: u64) -> Bodies {
        Bodies { rng: Rng::with_seed(seed) }
    }

    /// One in four is whole; the others suffered one to four times.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut body = self.whole();
        if self.rng.u8(..4) > 0 {
            for _ in 0..self.rng.u8(1..=4) {
                self.damage(&mut body);
            }
        }
        body
    }

    fn whole(&mut self) -> Vec<u8> {
        let most = if self.rng.u8(..50) == 0 { 600 } else { 6 };
        let count = self.rng.usize(..=most);
        let names: Vec<&str> = (0..count).map(|_| self.name()).collect();
        let names = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>();
        let pod = self.pod();
        let (comma, nodes) = match self.rng.u8(..20) {
            0 => (", ", r#""Nodes":null,"#),
            1 => (",", r#""Nodes": {"items":[]},"#),
            2 => (",", ""),
            _ => (",", r#""Nodes":null,"#),
        };
        let names = if self.rng.u8(..30) == 0 { "null".to_owned() } else { format!("[{}]", names.join(comma)) };
        match self.rng.u8(..20) {
            0 => format!(r#"{{"NodeNames":{names},{nodes}"Pod":{pod}}}"#),
            1 => format!(r#"{{"pod":{pod},{nodes}"nodeNAMES":{names}}}"#),
            2 => format!(" {{ \"Pod\" : {pod} , {nodes} \"NodeNames\" : {names} }} \n"),
            _ => format!(r#"{{"Pod":{pod},{nodes}"NodeNames":{names}}}"#),
        }
        .into_bytes()
    }

    /// The first ones are what clusters have.
    fn name(&mut self) -> &'static str {
        let among = if self.rng.u8(..8) == 0 { NAMES.len() } else { 5 };
        NAMES[self.rng.usize(..among)]
    }

    fn pod(&mut self) -> &'static str {
        let among = if self.rng.u8(..8) == 0 { PODS.len() } else { 6 };
        PODS[self.rng.usize(..among)]
    }

    fn token(&mut self) -> &'static [u8] {
        TOKENS[self.rng.usize(..TOKENS.len())]
    }

    /// Half of the time in the last bytes, where the names are, and half of the time at a byte that has a meaning.
    fn place(&mut self, body: &[u8]) -> usize {
        let from = if self.rng.bool() { body.len().saturating_sub(60) } else { 0 };
        let at = self.rng.usize(from..=body.len());
        if self.rng.bool() {
            return at;
        }
        body[at..].iter().position(|byte| b"\"\\,:[]{}".contains(byte)).map_or(at, |ahead| at + ahead)
    }

    /// A stretch, mostly short.
    fn stretch(&mut self, body: &[u8]) -> std::ops::Range<usize> {
        let from = self.place(body);
        let most = if self.rng.u8(..4) == 0 { 300 } else { 12 };
        from..(from + self.rng.usize(..=most)).min(body.len())
    }

    fn damage(&mut self, body: &mut Vec<u8>) {
        let stretch = self.stretch(body);
        let at = stretch.start;
        match self.rng.u8(..11) {
            0 => {
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= 1 << self.rng.u8(..8);
                }
            }
            1 => {
                if let Some(byte) = body.get_mut(at) {
                    *byte = self.rng.u8(..);
                }
            }
            2 => body.insert(at, self.rng.u8(..)),
            3 => drop(body.drain(stretch)),
            4 => {
                let copy = body[stretch].to_vec();
                let to = self.place(body);
                body.splice(to..to, copy);
            }
            5 => drop(body.splice(at..at, self.token().iter().copied())),
            6 => drop(body.splice(stretch, self.token().iter().copied())),
            7 => body.truncate(at),
            8 => {
                let other = self.whole();
                let from = self.place(&other);
                body.splice(at.., other[from..].iter().copied());
            }
            9 => body[stretch].iter_mut().for_each(|byte| {
                if byte.is_ascii_alphabetic() {
                    *byte ^= 0x20;
                }
            }),
            _ => {
                let open: &[u8] = if self.rng.bool() { b"[" } else { b"{\"a\":" };
                let close: &[u8] = if open == b"[" { b"]" } else { b"}" };
                let depth = self.rng.usize(1..=NESTING);
                let nested =
                    [b"\"x\":".to_vec(), open.repeat(depth), b"1".to_vec(), close.repeat(depth), b",".to_vec()];
                body.splice(at..at, nested.concat());
            }
        }
    }
}
