//! Connecting.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cause::Cause;
use crate::dns::{Trouble, secs};

pub(crate) async fn connect(address: SocketAddr, deadline: Duration) -> Result<TcpStream, Trouble> {
    match timeout(deadline, TcpStream::connect(address)).await {
        Err(_) => Err(Trouble::new(Cause::TcpTimeout, format!("does not answer the SYN within {}", secs(deadline)))),
        Ok(Err(error)) => Err(refused(&error)),
        Ok(Ok(stream)) => Ok(stream),
    }
}

fn refused(error: &io::Error) -> Trouble {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            Trouble::new(Cause::TcpRefused, "answers the SYN with RST (connection refused)")
        }
        ErrorKind::ConnectionReset => Trouble::new(Cause::TcpRefused, "resets the connection"),
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
            Trouble::new(Cause::TcpUnreachable, format!("cannot be reached ({error})"))
        }
        // The kernel gave up before the deadline.
        ErrorKind::TimedOut => Trouble::new(Cause::TcpTimeout, "does not answer the SYN"),
        _ => Trouble::new(Cause::TcpFailed, format!("cannot be connected to ({error})")),
    }
}
