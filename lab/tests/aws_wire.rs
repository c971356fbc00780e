//! EC2's Query protocol byte by byte: there is no EC2 SDK for Rust here, it is too large to build.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_lab::aws::{self, Config, NewEni, NewGroup, NewSubnet, Tags, Vpc};
use headroom_lab::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-west-2/ec2/aws4_request, SignedHeaders=host, Signature=0";

struct Server {
    address: std::net::SocketAddr,
    subnet: String,
}

/// One subnet with `enis` ENIs.
async fn serve(enis: u32) -> Server {
    let now = Time::from_secs(1_700_000_000);
    let mut vpc = Vpc::new(Config::new(3, Cidr::parse("10.0.0.0/16").unwrap()));
    let tags = Tags::from([("Name".into(), "<a> & \"b\"".into())]);
    let new = NewSubnet { cidr: Cidr::parse("10.0.0.0/24").unwrap(), az: "us-west-2a".into(), tags };
    let subnet = vpc.create_subnet(new, now).unwrap();
    for _ in 0..enis {
        vpc.create_eni(NewEni::in_subnet(subnet.clone()), now).unwrap();
    }
    Server { address: bind(vpc, now).await, subnet: subnet.to_string() }
}

async fn bind(vpc: Vpc, now: Time) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = aws::router(Arc::new(Mutex::new(vpc)), Clock::manual(now));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

impl Server {
    /// Status and body of the answer to one request.
    async fn send(&self, authorization: Option<&str>, request_line: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let authorization = authorization.map(|value| format!("authorization: {value}\r\n")).unwrap_or_default();
        let request = format!(
            "{request_line} HTTP/1.1\r\nhost: ec2\r\nconnection: close\r\ncontent-length: {}\r\n{authorization}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn ec2(&self, body: &str) -> (u16, String) {
        self.send(Some(SIGNED), "POST /", &format!("{body}&Version=2016-11-15")).await
    }
}

/// Texts of every element of that name.
fn texts<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    body.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap()).collect()
}

#[tokio::test]
async fn subnets_are_escaped_xml() {
    let server = serve(1).await;
    let (status, body) = server.ec2("Action=DescribeSubnets&Filter.1.Name=tag%3AName&Filter.1.Value.1=%3Ca%3E*").await;
    assert_eq!(status, 200);
    assert!(body.contains("<DescribeSubnetsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">"));
    assert_eq!(texts(&body, "subnetId"), [server.subnet.as_str()]);
    assert_eq!(texts(&body, "value"), ["&lt;a&gt; &amp; &quot;b&quot;"]);
    assert_eq!(texts(&body, "availableIpAddressCount"), ["251"], "the ENI is too new to be counted");
    let (_, none) = server.ec2("Action=DescribeSubnets&Filter.1.Name=state&Filter.1.Value.1=pending").await;
    assert!(texts(&none, "subnetId").is_empty());
}

#[tokio::test]
async fn errors_have_ec2s_envelope() {
    let server = serve(0).await;
    let (status, body) = server.ec2("Action=DescribeSubnets&SubnetId.1=subnet-x").await;
    assert_eq!(status, 400);
    assert!(body.contains(
        "<Response><Errors><Error><Code>InvalidSubnetID.NotFound</Code><Message>The subnet ID 'subnet-x' does not \
         exist</Message></Error></Errors><RequestID>"
    ));
    let cases = [
        ("Action=DescribeSubnets&Filter.1.Name=color&Filter.1.Value.1=red", 400, "InvalidParameterValue"),
        ("Action=DescribeSubnets&MaxResults=2", 400, "InvalidParameterValue"),
        ("Action=DescribeSubnets&DryRun=true", 412, "DryRunOperation"),
        ("Action=DeleteNetworkInterface", 400, "MissingParameter"),
        ("Action=DeleteSubnet", 400, "InvalidAction"),
        (
            "Action=RunInstances&InstanceType=c5.large&SubnetId=subnet-x&MinCount=1&MaxCount=1",
            400,
            "InvalidSubnetID.NotFound",
        ),
    ];
    for (request, status, code) in cases {
        let answer = server.ec2(request).await;
        assert_eq!((answer.0, texts(&answer.1, "Code")), (status, vec![code]), "{request}");
    }
}

#[tokio::test]
async fn only_signed_requests_are_served() {
    let server = serve(0).await;
    let form = "Action=DescribeSubnets&Version=2016-11-15";
    for (authorization, request_line, body, status, code) in [
        (None, "POST /", form, 403, "MissingAuthenticationToken"),
        (Some("Bearer x"), "POST /", form, 400, "IncompleteSignature"),
        (
            Some("AWS4-HMAC-SHA256 Credential=AKID/x, SignedHeaders=host, Signature=0"),
            "POST /",
            form,
            400,
            "IncompleteSignature",
        ),
        (None, "GET /", "", 403, "MissingAuthenticationToken"),
        (Some(SIGNED), "POST /", "Action=DescribeSubnets&Version=2000-01-01", 400, "NoSuchVersion"),
    ] {
        let answer = server.send(authorization, request_line, body).await;
        assert_eq!(
            (answer.0, texts(&answer.1, "Code")),
            (status, vec![code]),
            "{authorization:?} {request_line} {body}"
        );
    }
}

#[tokio::test]
async fn pages_are_complete_and_do_not_repeat() {
    let server = serve(12).await;
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let next = format!("Action=DescribeNetworkInterfaces&MaxResults=5&NextToken={token}");
        let (_, body) = server.ec2(&next).await;
        seen.extend(texts(&body, "networkInterfaceId").into_iter().map(str::to_owned));
        match texts(&body, "nextToken").first() {
            Some(next) => token = (*next).to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 12);
    assert!(seen.is_sorted_by(|a, b| a < b));
}

#[tokio::test]
async fn instance_types_show_all_cards_together() {
    let server = serve(0).await;
    let (_, body) =
        server.ec2("Action=DescribeInstanceTypes&InstanceType.1=c5.xlarge&InstanceType.2=p4d.24xlarge").await;
    assert_eq!(texts(&body, "ipv4AddressesPerInterface"), ["15", "50"]);
    let limits = headroom_capacity::instance::lookup("p4d.24xlarge").unwrap();
    let sums = texts(&body, "maximumNetworkCards");
    assert_eq!(sums, ["1", limits.network_cards.to_string().as_str()]);
    assert_eq!(texts(&body, "networkCardIndex").len(), 1 + limits.network_cards as usize);
}

#[tokio::test]
async fn parameters_that_the_lab_does_not_serve_are_refused() {
    let server = serve(0).await;
    let create = format!("Action=CreateNetworkInterface&SubnetId={}", server.subnet);
    for parameter in [
        "PrivateIpAddresses.1.PrivateIpAddress=10.0.0.77",
        "Ipv4Prefix.1.Ipv4Prefix=10.0.0.64%2F28",
        "Ipv6AddressCount=1",
    ] {
        let (status, body) = server.ec2(&format!("{create}&{parameter}")).await;
        assert_eq!((status, texts(&body, "Code")), (400, vec!["UnsupportedOperation"]), "{parameter}");
    }
}

#[tokio::test]
async fn instances_are_terminated_only_in_their_own_group() {
    let start = Time::from_secs(1_700_000_000);
    let mut vpc = Vpc::new(Config::new(3, Cidr::parse("10.0.0.0/16").unwrap()));
    let new = NewSubnet { cidr: Cidr::parse("10.0.0.0/24").unwrap(), az: "us-west-2a".into(), tags: Tags::new() };
    let subnet = vpc.create_subnet(new, start).unwrap();
    let group = NewGroup {
        name: "workers".into(),
        min: 0,
        max: 1,
        desired: 1,
        subnets: vec![subnet.clone()],
        instance_type: "c5.large".into(),
        tags: Tags::new(),
        protect_new: false,
        cooldown: Duration::ZERO,
    };
    vpc.create_group(group, start).unwrap();
    let now = start + Duration::from_secs(60);
    vpc.advance(now);
    let id = vpc.instances().next().unwrap().id.to_string();
    let server = Server { address: bind(vpc, now).await, subnet: subnet.to_string() };
    for (name, status) in [("nobody", 400), ("workers", 200)] {
        let form = format!(
            "Action=TerminateInstanceInAutoScalingGroup&Version=2011-01-01&AutoScalingGroupName={name}\
             &InstanceIds.member.1={id}&ShouldDecrementDesiredCapacity=true"
        );
        let answer = server.send(Some(SIGNED), "POST /", &form).await;
        assert_eq!(answer.0, status, "{name}: {}", answer.1);
    }
}
