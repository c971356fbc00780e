//! The system resolver of a pod whose nameserver the lab is.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// glibc's (resolv.conf(5), `timeout` and `attempts`).
const TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 2;
/// No EDNS is sent, so that 512 bytes are the most (RFC 1035, 4.2.1).
const MOST_DATAGRAM: usize = 512;

/// glibc's `getaddrinfo`, were this the only nameserver in `/etc/resolv.conf`: that file cannot name a port. It asks for IPv4 only and has
/// no search list.
#[derive(Clone, Copy, Debug)]
pub struct Stub {
    nameserver: SocketAddr,
}

impl Stub {
    /// One that asks this nameserver.
    #[must_use]
    pub fn new(nameserver: SocketAddr) -> Stub {
        Stub { nameserver }
    }

    /// The addresses of a name.
    ///
    /// # Errors
    /// As the standard library words `EAI_NONAME` and `EAI_AGAIN`.
    pub async fn getaddrinfo(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let fail = |text| Err(io::Error::other(format!("failed to lookup address information: {text}")));
        let name = Name::from_ascii(host).map_err(io::Error::other)?;
        for _ in 0..ATTEMPTS {
            // Where nobody listens the attempt is over at once.
            let Ok(Ok(answer)) = timeout(TIMEOUT, self.ask(&name)).await else { continue };
            match answer.metadata.response_code {
                ResponseCode::NoError => {
                    let found: Vec<IpAddr> = answer.answers.iter().filter_map(|record| record.data.ip_addr()).collect();
                    return if found.is_empty() { fail("No address associated with hostname") } else { Ok(found) };
                }
                ResponseCode::NXDomain => return fail("Name or service not known"),
                // Another nameserver might know.
                _ => {}
            }
        }
        fail("Temporary failure in name resolution")
    }

    async fn ask(&self, name: &Name) -> io::Result<Message> {
        let mut question = Message::query();
        question.metadata.recursion_desired = true;
        question.add_query(Query::query(name.clone(), RecordType::A));
        let bytes = question.to_vec().map_err(io::Error::other)?;
        let answer = self.over_udp(&question, &bytes).await?;
        if answer.metadata.truncation { self.over_tcp(&bytes).await } else { Ok(answer) }
    }

    async fn over_udp(&self, question: &Message, bytes: &[u8]) -> io::Result<Message> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.connect(self.nameserver).await?;
        socket.send(bytes).await?;
        let mut buffer = [0; MOST_DATAGRAM];
        loop {
            let length = socket.recv(&mut buffer).await?;
            let answer = Message::from_vec(buffer.get(..length).unwrap_or_default()).map_err(io::Error::other)?;
            if answer.metadata.id == question.metadata.id {
                return Ok(answer);
            }
        }
    }

    async fn over_tcp(&self, bytes: &[u8]) -> io::Result<Message> {
        let mut stream = TcpStream::connect(self.nameserver).await?;
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        Message::from_vec(&answer).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::net::{DnsFault, DnsServer};

    #[tokio::test]
    async fn what_the_nameserver_says_is_said_as_glibc_does() {
        let records = BTreeMap::from([("a.example.com".to_owned(), vec![Ipv4Addr::new(10, 0, 0, 1)])]);
        let dns = DnsServer::start(records).await.unwrap();
        let stub = Stub::new(dns.addr());
        let said = async |host: &str| stub.getaddrinfo(host).await.map_err(|error| error.to_string());
        let known = Ok(vec![IpAddr::from([10, 0, 0, 1])]);
        assert_eq!(said("a.example.com").await, known);
        assert!(said("b.example.com").await.unwrap_err().ends_with("Name or service not known"));
        dns.set(DnsFault::TruncateUdp);
        assert_eq!(said("a.example.com").await, known, "over TCP");
        dns.set(DnsFault::NxDomain);
        assert!(said("a.example.com").await.unwrap_err().ends_with("Name or service not known"));
        dns.set(DnsFault::ServFail);
        assert!(said("a.example.com").await.unwrap_err().ends_with("Temporary failure in name resolution"));
        drop(dns);
        assert!(said("a.example.com").await.unwrap_err().ends_with("Temporary failure in name resolution"));
    }
}
