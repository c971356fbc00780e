//! A request without a signature, and the time that its answer tells.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::header::{CONNECTION, DATE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::cause::Cause;
use crate::dns::{Trouble, secs};
use crate::ladder::{Outcome, Skip};

/// AWS takes signatures that are no further off (IAM user guide, "Elements of an AWS API request signature").
const MOST_SKEW: Duration = Duration::from_secs(5 * 60);
/// chrony keeps a node within milliseconds; a minute is on its way to trouble.
const SKEW_TO_SEE_TO: Duration = Duration::from_secs(60);

/// An answer, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// AWS's time, to the second.
    pub(crate) date: Option<SystemTime>,
}

/// Asks for `/`. Any status shows that somebody who speaks HTTP is there.
pub(crate) async fn get<S>(stream: S, authority: &str, deadline: Duration) -> Result<Answer, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match timeout(deadline, exchange(stream, authority)).await {
        Err(_) => Err(Trouble::new(Cause::HttpTimeout, format!("gives no answer within {}", secs(deadline)))),
        Ok(Err(error)) => Err(refused(&error)),
        Ok(Ok(answer)) => Ok(answer),
    }
}

async fn exchange<S>(stream: S, authority: &str) -> hyper::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request =
        Request::get("/").header(HOST, authority).header(USER_AGENT, "headroom-reach").header(CONNECTION, "close");
    let request = request.body(Empty::<Bytes>::new()).expect("the authority of an endpoint is a header's value");
    let answer = async move {
        let response = sender.send_request(request).await?;
        let date = response.headers().get(DATE).and_then(|date| read(date.to_str().ok()?));
        Ok(Answer { status: response.status().as_u16(), date })
    };
    // The connection moves only while it is polled, and ends when `sender` is gone. An error of it is that of the answer.
    let (answer, _) = tokio::join!(answer, connection);
    answer
}

/// An HTTP date is one of RFC 2822 (RFC 9110, 5.6.7).
fn read(date: &str) -> Option<SystemTime> {
    jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp().into())
}

fn refused(error: &hyper::Error) -> Trouble {
    if error.is_parse() {
        Trouble::new(Cause::HttpMalformed, format!("does not answer in HTTP ({error})"))
    } else {
        Trouble::new(Cause::HttpClosed, "cuts the connection before it answers")
    }
}

/// How far apart the clocks are, `now` being this machine's.
pub(crate) fn clock(answer: &Answer, now: SystemTime) -> Outcome {
    let Some(theirs) = answer.date else { return Outcome::skipped(Skip::NoDate) };
    let (apart, which) = match now.duration_since(theirs) {
        Ok(ahead) => (ahead, "behind"),
        Err(behind) => (behind.duration(), "ahead of"),
    };
    let detail = format!("is {} {which} this machine's clock", apart_text(apart));
    if apart > MOST_SKEW {
        Outcome::failed(Cause::ClockSkew, detail)
    } else if apart > SKEW_TO_SEE_TO {
        Outcome::warning(Cause::ClockDrift, detail)
    } else {
        Outcome::passed("agrees with this machine's clock")
    }
}

fn apart_text(apart: Duration) -> String {
    let secs = apart.as_secs();
    match secs {
        0..120 => format!("{secs} s"),
        120..7200 => format!("{} min", secs / 60),
        _ => format!("{} h", secs / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_are_too_much_and_one_is_to_be_seen_to() {
        let theirs = read("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let at = |now: SystemTime| clock(&Answer { status: 200, date: Some(theirs) }, now);
        let secs = Duration::from_secs;
        assert_eq!(at(theirs + secs(59)).label(), "passed");
        assert_eq!(at(theirs + secs(61)), Outcome::warning(Cause::ClockDrift, "is 61 s behind this machine's clock"));
        assert_eq!(at(theirs - secs(301)), Outcome::failed(Cause::ClockSkew, "is 5 min ahead of this machine's clock"));
        assert_eq!(at(theirs + secs(300)).label(), "warning");
        let no_date = clock(&Answer { status: 200, date: None }, theirs);
        assert_eq!(no_date, Outcome::skipped(Skip::NoDate));
    }
}
