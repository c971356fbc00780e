//! What is to be reached.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use thiserror::Error;

/// An API of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Auto Scaling.
    AutoScaling,
    /// EC2.
    Ec2,
    /// STS, from which IRSA has its credentials.
    Sts,
    /// CloudWatch.
    Monitoring,
    /// EKS Auth, from which Pod Identity has its credentials.
    EksAuth,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 5] =
        [Service::AutoScaling, Service::Ec2, Service::Sts, Service::Monitoring, Service::EksAuth];

    /// The metric label: the first label of the endpoint's name and the last of the PrivateLink service's
    /// (`com.amazonaws.us-west-2.autoscaling`).
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Service::AutoScaling => "autoscaling",
            Service::Ec2 => "ec2",
            Service::Sts => "sts",
            Service::Monitoring => "monitoring",
            Service::EksAuth => "eks-auth",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// How it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain, as with a simulator.
    Http,
    /// Over TLS.
    Https,
}

/// Where an API is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Which API.
    pub service: Service,
    /// How it is spoken to.
    pub scheme: Scheme,
    /// A name without a final dot, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A URL that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the endpoint '{url}' of {service} is no URL of a host: write https://HOST or http://HOST:PORT")]
pub struct EndpointError {
    service: Service,
    url: String,
}

impl Endpoint {
    /// Reads a URL; its path does not matter.
    ///
    /// # Errors
    /// When it has no host, or another scheme than `http` and `https`.
    pub fn parse(service: Service, url: &str) -> Result<Endpoint, EndpointError> {
        let refused = || EndpointError { service, url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| refused())?;
        let (scheme, port) = match uri.scheme_str() {
            Some("http") => (Scheme::Http, 80),
            Some("https") => (Scheme::Https, 443),
            _ => return Err(refused()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(refused)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        Ok(Endpoint { service, scheme, host: host.to_owned(), port: uri.port_u16().unwrap_or(port) })
    }

    /// The host where it is an address and needs no lookup.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Host and port as in a URL.
    #[must_use]
    pub fn authority(&self) -> String {
        let Endpoint { scheme, host, port, .. } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        match (scheme, port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => host,
            _ => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.scheme == Scheme::Http { "http" } else { "https" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_written() {
        for url in ["https://ec2.us-west-2.amazonaws.com", "http://127.0.0.1:4566", "https://[fd00::1]:8443"] {
            assert_eq!(Endpoint::parse(Service::Ec2, url).unwrap().to_string(), url);
        }
        let endpoint = Endpoint::parse(Service::Sts, "https://sts.amazonaws.com.:443/x").unwrap();
        assert_eq!((endpoint.to_string().as_str(), endpoint.port), ("https://sts.amazonaws.com", 443));
        assert!(Endpoint::parse(Service::Ec2, "http://[::1]").unwrap().address().is_some());
        for wrong in ["", "ec2.amazonaws.com", "ftp://x", "https://"] {
            let error = Endpoint::parse(Service::Ec2, wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("'{wrong}' of ec2")), "{error}");
        }
    }
}
