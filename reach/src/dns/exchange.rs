//! One question and its answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::{Trouble, without_dot};
use crate::cause::Cause;
use crate::ladder::Transport;

/// A datagram may be lost without anybody's fault; then it is sent once more.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// No EDNS is sent, so that 512 bytes are the most (RFC 1035, 4.2.1); who sends more is listened to as well.
const MOST_DATAGRAM: usize = 4096;

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) truncated: bool,
}

/// Asks, and waits for as long as it takes.
pub(super) async fn exchange(
    server: SocketAddr,
    transport: Transport,
    name: &Name,
    kind: RecordType,
) -> Result<Reply, Trouble> {
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name.clone(), kind));
    let bytes = question.to_vec().map_err(|error| Trouble::new(Cause::DnsMalformed, error.to_string()))?;
    let answer = match transport {
        Transport::Udp => over_udp(server, &question, &bytes).await,
        Transport::Tcp => over_tcp(server, &question, &bytes).await,
    };
    read(&answer.map_err(|error| unreachable(&error))?, name)
}

/// A datagram to a port where nobody listens comes back as ICMP, which a connected socket is told of.
fn unreachable(error: &std::io::Error) -> Trouble {
    use std::io::ErrorKind;
    let what = match error.kind() {
        ErrorKind::ConnectionRefused => "is not there (connection refused)".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => "cuts the connection".to_owned(),
        ErrorKind::InvalidData => return Trouble::new(Cause::DnsMalformed, "answers something else than DNS"),
        _ => format!("cannot be reached ({error})"),
    };
    Trouble::new(Cause::DnsUnreachable, what)
}

async fn over_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> std::io::Result<Message> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(bytes).await?;
    if let Ok(answer) = timeout(AGAIN_AFTER, receive(&socket, question)).await {
        return answer;
    }
    socket.send(bytes).await?;
    receive(&socket, question).await
}

async fn receive(socket: &UdpSocket, question: &Message) -> std::io::Result<Message> {
    let mut buffer = [0; MOST_DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let bytes = buffer.get(..length).unwrap_or_default();
        match Message::from_vec(bytes) {
            Ok(answer) if answers(&answer, question) => return Ok(answer),
            // Somebody else's answer, a late or a forged one.
            Ok(_) => {}
            Err(error) => return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, error)),
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> std::io::Result<Message> {
    let invalid = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
    let length = stream.read_u16().await?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await?;
    let answer = Message::from_vec(&buffer).map_err(invalid)?;
    if answers(&answer, question) {
        return Ok(answer);
    }
    Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the answer is to another question"))
}

fn answers(answer: &Message, question: &Message) -> bool {
    answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == question.metadata.id
        // Some servers leave the question out of an error.
        && (answer.queries.is_empty() || answer.queries == question.queries)
}

fn read(answer: &Message, name: &Name) -> Result<Reply, Trouble> {
    let name = without_dot(name);
    match answer.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => {
            return Err(Trouble::new(Cause::DnsNxdomain, format!("says that {name} does not exist")));
        }
        ResponseCode::ServFail => {
            return Err(Trouble::new(Cause::DnsServfail, format!("fails to look {name} up (SERVFAIL)")));
        }
        ResponseCode::Refused | ResponseCode::NotImp => {
            return Err(Trouble::new(Cause::DnsRefused, format!("refuses to look {name} up")));
        }
        code => return Err(Trouble::new(Cause::DnsMalformed, format!("answers {code}"))),
    }
    let addresses = answer.answers.iter().filter_map(|record| record.data.ip_addr()).collect();
    Ok(Reply { addresses, truncated: answer.metadata.truncation })
}
