//! The AWS side alone, for clients in other languages: prints one line of JSON that says where and what, and serves until
//! standard input ends.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use headroom_capacity::subnet::Cidr;
use headroom_lab::aws::{self, Config, NewGroup, NewSubnet, Tags, Vpc};
use headroom_lab::clock::Clock;

/// Lab seconds per real second: instances boot while a test waits.
const RATE: f64 = 60.0;

#[tokio::main]
async fn main() -> Result<()> {
    let clock = Clock::running(RATE);
    let now = clock.now();
    let mut vpc = Vpc::new(Config::new(1, Cidr::parse("10.0.0.0/16")?));
    let mut subnets = Vec::new();
    for (cidr, az) in [("10.0.0.0/24", "us-west-2a"), ("10.0.1.0/24", "us-west-2b"), ("10.0.2.0/28", "us-west-2a")] {
        let tags = Tags::from([("Name".into(), cidr.into())]);
        subnets.push(vpc.create_subnet(NewSubnet { cidr: Cidr::parse(cidr)?, az: az.into(), tags }, now)?);
    }
    for (name, subnets) in [("workers", &subnets[..2]), ("cramped", &subnets[2..])] {
        let group = NewGroup {
            name: name.into(),
            min: 0,
            max: 20,
            desired: 1,
            subnets: subnets.to_vec(),
            instance_type: "c5.large".into(),
            tags: Tags::from([("team".into(), "a".into())]),
            protect_new: false,
            cooldown: Duration::from_secs(300),
        };
        vpc.create_group(group, now)?;
    }
    vpc.create_endpoint("autoscaling", &subnets[..1], now)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let subnets: Vec<&str> = subnets.iter().map(|id| id.as_str()).collect();
    let world = serde_json::json!({
        "url": format!("http://{}", listener.local_addr()?),
        "vpc": vpc.id(),
        "subnets": subnets,
        "group": "workers",
        "cramped_group": "cramped",
    });
    println!("{world}");
    let router = aws::router(Arc::new(Mutex::new(vpc)), clock);
    let stop = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        served = axum::serve(listener, router).into_future() => served?,
        ended = stop => drop(ended??),
    }
    Ok(())
}
