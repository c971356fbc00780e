//! A place where connections go astray.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::held::Held;

/// Connections that wait for `accept` before Linux drops the next SYN (one more than is asked for: `sk_acceptq_is_full`).
const SHORT_BACKLOG: u32 = 1;
const BACKLOG: u32 = 128;
/// Loopback answers a SYN at once, or never.
const ANSWERS_WITHIN: Duration = Duration::from_millis(200);

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is led on.
    Pass,
    /// It is led elsewhere.
    Divert(SocketAddr),
    /// It is accepted, and nothing more happens.
    Stall,
    /// It is accepted, and reset once the client has spoken.
    Reset,
    /// Its SYN is answered with RST.
    Refuse,
    /// Its SYN is dropped.
    Blackhole,
}

/// A listener on loopback before another. A change of its mode cuts the connections that there are.
#[derive(Debug)]
pub struct Gate {
    addr: SocketAddr,
    modes: mpsc::Sender<(Mode, oneshot::Sender<io::Result<()>>)>,
    _task: Held,
}

impl Gate {
    /// One that leads to `target`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(target: SocketAddr) -> io::Result<Gate> {
        let place = Place::open(reserve((Ipv4Addr::LOCALHOST, 0).into())?, Mode::Pass).await?;
        let addr = place.addr()?;
        let (modes, changes) = mpsc::channel(1);
        Ok(Gate { addr, modes, _task: Held::spawn(serve(place, addr, target, changes)) })
    }

    /// Where it is.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes what becomes of connections; it is so when this returns.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub async fn set(&self, mode: Mode) -> io::Result<()> {
        let stopped = || io::Error::other("the gate has stopped");
        let (done, changed) = oneshot::channel();
        self.modes.send((mode, done)).await.map_err(|_| stopped())?;
        changed.await.map_err(|_| stopped())?
    }
}

async fn serve(
    mut place: Place,
    addr: SocketAddr,
    target: SocketAddr,
    mut changes: mpsc::Receiver<(Mode, oneshot::Sender<io::Result<()>>)>,
) {
    let mut mode = Mode::Pass;
    loop {
        let change = tokio::select! {
            change = changes.recv() => change,
            () = run(&place, mode, target) => None,
        };
        let Some((next, done)) = change else { return };
        // The next holds the port before this one lets it go: somebody else's connection might take it.
        let socket = reserve(addr);
        drop(place);
        let opened = async { Place::open(socket?, next).await };
        match opened.await {
            Ok(opened) => (place, mode) = (opened, next),
            Err(error) => {
                done.send(Err(error)).ok();
                return;
            }
        }
        done.send(Ok(())).ok();
    }
}

/// A port, held in a way that suits the mode.
enum Place {
    Open(TcpListener),
    /// Bound, and nobody listens.
    Shut(TcpSocket),
    /// Nobody accepts, and all places in the queue are taken.
    Full {
        listener: TcpListener,
        _waiting: Vec<TcpStream>,
    },
}

/// A socket at a port that another of ours may hold too.
fn reserve(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

impl Place {
    async fn open(socket: TcpSocket, mode: Mode) -> io::Result<Place> {
        match mode {
            Mode::Pass | Mode::Divert(_) | Mode::Stall | Mode::Reset => Ok(Place::Open(socket.listen(BACKLOG)?)),
            Mode::Refuse => Ok(Place::Shut(socket)),
            Mode::Blackhole => {
                let listener = socket.listen(SHORT_BACKLOG)?;
                let mut waiting = Vec::new();
                while let Ok(Ok(stream)) = timeout(ANSWERS_WITHIN, TcpStream::connect(listener.local_addr()?)).await {
                    waiting.push(stream);
                }
                Ok(Place::Full { listener, _waiting: waiting })
            }
        }
    }

    fn addr(&self) -> io::Result<SocketAddr> {
        match self {
            Place::Open(listener) | Place::Full { listener, .. } => listener.local_addr(),
            Place::Shut(socket) => socket.local_addr(),
        }
    }
}

/// Never ends.
async fn run(place: &Place, mode: Mode, target: SocketAddr) {
    let Place::Open(listener) = place else { return std::future::pending().await };
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        connections.spawn(lead(stream, mode, target));
        while connections.try_join_next().is_some() {}
    }
}

async fn lead(stream: TcpStream, mode: Mode, target: SocketAddr) {
    match mode {
        Mode::Reset => {
            stream.peek(&mut [0]).await.ok();
            // What is closed without lingering is reset.
            stream.set_zero_linger().ok();
        }
        Mode::Pass => onward(stream, target).await,
        Mode::Divert(elsewhere) => onward(stream, elsewhere).await,
        Mode::Stall | Mode::Refuse | Mode::Blackhole => std::future::pending().await,
    }
}

async fn onward(mut stream: TcpStream, target: SocketAddr) {
    if let Ok(mut onward) = TcpStream::connect(target).await {
        copy_bidirectional(&mut stream, &mut onward).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn each_mode_does_what_it_says_and_may_follow_any_other() {
        let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = Gate::start(echo.local_addr().unwrap()).await.unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = echo.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await.ok();
                });
            }
        });
        let orders = [Mode::Pass, Mode::Blackhole, Mode::Refuse, Mode::Reset, Mode::Stall, Mode::Blackhole, Mode::Pass];
        for mode in orders {
            gate.set(mode).await.unwrap();
            assert_eq!(seen(gate.addr()).await, mode);
        }
    }

    #[tokio::test]
    async fn who_is_diverted_ends_elsewhere() {
        let (meant, other) =
            (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let gate = Gate::start(meant.local_addr().unwrap()).await.unwrap();
        gate.set(Mode::Divert(other.local_addr().unwrap())).await.unwrap();
        let _client = TcpStream::connect(gate.addr()).await.unwrap();
        tokio::select! {
            _ = other.accept() => {}
            _ = meant.accept() => panic!("it was led on"),
        }
    }

    async fn seen(addr: SocketAddr) -> Mode {
        let mut stream = match timeout(ANSWERS_WITHIN, TcpStream::connect(addr)).await {
            Err(_) => return Mode::Blackhole,
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return Mode::Refuse,
            Ok(stream) => stream.unwrap(),
        };
        let echoed = async {
            stream.write_all(b"x").await?;
            stream.read_u8().await
        };
        match timeout(ANSWERS_WITHIN, echoed).await {
            Err(_) => Mode::Stall,
            Ok(Ok(_)) => Mode::Pass,
            Ok(Err(_)) => Mode::Reset,
        }
    }
}
