//! A nameserver.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::held::Held;

/// A port that is free for UDP may be taken for TCP; then another is tried.
const TRIES: usize = 16;
/// A client's longest question.
const MOST_BYTES: usize = 4096;

/// How the nameserver misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsFault {
    /// It does not.
    #[default]
    None,
    /// It answers nothing.
    Drop,
    /// It knows no name.
    NxDomain,
    /// Whom it asks does not answer.
    ServFail,
    /// Every answer takes so much longer.
    Delay(Duration),
    /// Nothing fits in UDP.
    TruncateUdp,
    /// Every name that it knows has this address.
    Wrong(Ipv4Addr),
}

/// A nameserver on loopback, over UDP and TCP. It knows the A records that it is given.
#[derive(Debug)]
pub struct DnsServer {
    addr: SocketAddr,
    zone: Arc<Zone>,
    _task: Held,
}

#[derive(Debug)]
struct Zone {
    records: BTreeMap<String, Vec<Ipv4Addr>>,
    fault: Mutex<DnsFault>,
}

impl DnsServer {
    /// Starts one. Names are written without a final dot, in lower case.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(records: BTreeMap<String, Vec<Ipv4Addr>>) -> io::Result<DnsServer> {
        let zone = Arc::new(Zone { records, fault: Mutex::default() });
        let (udp, tcp) = bind().await?;
        let addr = udp.local_addr()?;
        let (for_udp, for_tcp) = (Arc::clone(&zone), Arc::clone(&zone));
        let task = Held::spawn(async move {
            tokio::join!(serve_udp(Arc::new(udp), for_udp), serve_tcp(tcp, for_tcp));
        });
        Ok(DnsServer { addr, zone, _task: task })
    }

    /// Where it is.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// From now on it misbehaves like this.
    pub fn set(&self, fault: DnsFault) {
        *self.zone.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

async fn bind() -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = None;
    for _ in 0..TRIES {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

impl Zone {
    fn fault(&self) -> DnsFault {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str) -> Option<Vec<Ipv4Addr>> {
        let known = self.records.get(&name.trim_end_matches('.').to_ascii_lowercase())?;
        Some(match self.fault() {
            DnsFault::Wrong(address) => vec![address],
            _ => known.clone(),
        })
    }

    /// The answer, when it is time for it; `None` for what gets none.
    async fn answer(&self, bytes: &[u8], over_udp: bool) -> Option<Vec<u8>> {
        let question = Message::from_vec(bytes).ok()?;
        let query = question.queries.first()?;
        let fault = self.fault();
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        let found = self.find(&query.name.to_ascii());
        match fault {
            DnsFault::Drop => return None,
            DnsFault::Delay(by) => tokio::time::sleep(by).await,
            DnsFault::None | DnsFault::NxDomain | DnsFault::ServFail | DnsFault::TruncateUdp | DnsFault::Wrong(_) => {}
        }
        match (fault, found) {
            (DnsFault::ServFail, _) => answer.metadata.response_code = ResponseCode::ServFail,
            (DnsFault::NxDomain, _) | (_, None) => answer.metadata.response_code = ResponseCode::NXDomain,
            (DnsFault::TruncateUdp, _) if over_udp => answer.metadata.truncation = true,
            (_, Some(addresses)) if query.query_type == RecordType::A => {
                let record = |address| {
                    Record::from_rdata(query.name.clone(), 60, RData::A(hickory_proto::rr::rdata::A(address)))
                };
                answer.add_answers(addresses.into_iter().map(record));
            }
            (_, Some(_)) => {}
        }
        answer.to_vec().ok()
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, zone: Arc<Zone>) {
    let mut answers = JoinSet::new();
    let mut buffer = [0; MOST_BYTES];
    loop {
        // An error is a client's that is gone.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
        let question = buffer.get(..length).unwrap_or_default().to_vec();
        let (socket, zone) = (Arc::clone(&socket), Arc::clone(&zone));
        answers.spawn(async move {
            if let Some(answer) = zone.answer(&question, true).await {
                socket.send_to(&answer, client).await.ok();
            }
        });
        while answers.try_join_next().is_some() {}
    }
}

async fn serve_tcp(listener: TcpListener, zone: Arc<Zone>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let zone = Arc::clone(&zone);
        connections.spawn(async move { converse(stream, &zone).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(mut stream: TcpStream, zone: &Zone) -> io::Result<()> {
    loop {
        let mut question = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut question).await?;
        let Some(answer) = zone.answer(&question, false).await else {
            return std::future::pending().await;
        };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), &answer[..]].concat()).await?;
    }
}
