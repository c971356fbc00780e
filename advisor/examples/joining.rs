//! What the advisor reads of one instance for `doctor join`, as JSON: for a comparison with what another client reads there.
//!
//! usage: `joining <endpoint of every AWS API> <cluster> <instance>`

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use aws_credential_types::Credentials;
use headroom_advisor::aws::{Api, Connection};
use headroom_advisor::config::Config;
use headroom_advisor::doctor::join;
use headroom_capacity::time::Time;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().context("usage: joining <endpoint> <cluster> <instance>");
    let (endpoint, cluster, instance) = (next()?, next()?, next()?);
    let mut config = Config::default();
    config.aws.region = Some("us-west-2".to_owned());
    let keys = Credentials::new("AKID", "secret", None, None, "test");
    let connection = Connection::at(&config.aws, &endpoint, keys).await?;
    let now = Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH)?;
    let nobody = Err("there is no Kubernetes here".to_owned());
    let facts = join::read(Ok(&Api::new(&connection)), nobody, &cluster, &instance, now).await;
    println!("{}", serde_json::to_string(&facts)?);
    Ok(())
}
