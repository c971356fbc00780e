//! Where what EC2 shows comes from.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use serde::{Deserialize, Deserializer, Serialize};

use super::ConfigError;

/// The advisor's stream of capacity (`headroom.v1.CapacityFeed`). It is never waited for: without it, or while it is silent, the
/// extender goes by Kubernetes alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Feed {
    /// The advisor's gRPC address, `http://headroom-advisor:9280`, or a list of them, of which the next is tried where one fails. With
    /// `https://` TLS. Default null: no feed.
    #[serde(deserialize_with = "one_or_more")]
    pub endpoint: Vec<String>,
    /// CAs of the advisor's certificate, a file in PEM form; required with `https://`. Read for each connection, as the next two.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, then its intermediates; null shows none. Needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
    /// What EC2 showed longer ago than this counts for nothing. 30 to 86400, default 180: three times the default interval at which the
    /// advisor reads ENIs.
    pub stale_after_secs: u64,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed { endpoint: Vec::new(), ca_file: None, cert_file: None, key_file: None, stale_after_secs: 180 }
    }
}

impl Feed {
    /// Whether there is one.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.endpoint.is_empty()
    }

    /// As a duration.
    #[must_use]
    pub const fn stale_after(&self) -> Duration {
        Duration::from_secs(self.stale_after_secs)
    }

    /// The advisors, in the order in which they are tried.
    pub fn endpoints(&self) -> impl Iterator<Item = Uri> {
        self.endpoint.iter().filter_map(|endpoint| endpoint.parse().ok())
    }

    /// # Errors
    /// When an endpoint is none, or files are missing beside others.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refused =
            |key, value: &str, problem| Err(ConfigError::Value { key, problem: format!("{value}: {problem}") });
        for endpoint in &self.endpoint {
            let uri: Option<Uri> = endpoint.parse().ok();
            let is_base = |uri: &Uri| uri.host().is_some() && uri.path().trim_matches('/').is_empty();
            match uri.as_ref().filter(|uri| is_base(uri)).and_then(Uri::scheme_str) {
                Some("http") => {}
                Some("https") if self.ca_file.is_some() => {}
                Some("https") => {
                    return refused("feed.ca_file", "null", "required for an endpoint that begins with https://");
                }
                _ => {
                    return refused("feed.endpoint", endpoint, "not of the form http://host:port or https://host:port");
                }
            }
        }
        if self.cert_file.is_some() != self.key_file.is_some() {
            return refused("feed.cert_file", "given or left out", "must come together with feed.key_file");
        }
        Ok(())
    }
}

/// `null`, a text, or a list of texts.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        None(()),
        One(String),
        More(Vec<String>),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::None(()) => Vec::new(),
        Given::One(endpoint) => vec![endpoint],
        Given::More(endpoints) => endpoints,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigFile as _};

    #[test]
    fn an_endpoint_may_be_none_one_or_several() {
        let feed = |text: &str| Config::parse(text).unwrap().feed;
        assert!(!feed("").is_on() && !feed("feed: {endpoint: null}").is_on());
        assert_eq!(feed("feed: {endpoint: 'http://a:9280'}").endpoint, ["http://a:9280"]);
        let several = Config::parse("feed: {endpoint: ['http://a:9280', 'http://[::1]:9280']}").unwrap();
        let hosts: Vec<_> = several.feed.endpoints().map(|uri| uri.host().unwrap().to_owned()).collect();
        assert_eq!(hosts, ["a", "[::1]"]);
        assert_eq!(Config::parse(&several.to_yaml().unwrap()).unwrap(), several);
        assert_eq!(Config::parse(&Config::default().to_yaml().unwrap()).unwrap(), Config::default());
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused_with_its_key() {
        let error = |feed: &str| Config::parse(&format!("feed: {feed}")).unwrap_err().to_string();
        for endpoint in ["headroom-advisor:9280", "grpc://a:1", "http://a:1/path", "'http://'"] {
            let error = error(&format!("{{endpoint: {endpoint}}}"));
            assert!(error.starts_with("config: feed.endpoint: "), "{error}");
        }
        assert!(error("{endpoint: 'https://a:1'}").starts_with("config: feed.ca_file: null: required"));
        assert!(error("{endpoint: 'http://a:1', key_file: k}").contains("feed.cert_file"));
        assert!(error("{stale_after_secs: 29}").starts_with("config: feed.stale_after_secs: 29 is not in 30..=86400"));
        assert!(error("{endpoints: []}").contains("did you mean 'endpoint'"));
    }
}
