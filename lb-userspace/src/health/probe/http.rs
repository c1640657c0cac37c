//! A GET request over HTTP/1.1, of whose answer only the status counts.

use std::{net::SocketAddr, pin::pin};

use http_body_util::Empty;
use hyper::{
    Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{ACCEPT, CONNECTION, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Deadline, Failure};
use crate::model::health::{Host, HttpProbe, Path, Statuses};

/// Who asks, for the logs of servers.
const AGENT: &str = concat!("shunt/", env!("CARGO_PKG_VERSION"), " (health check)");

/// What is asked, and what must be answered.
pub(super) struct Request {
    path: Path,
    host: Option<Host>,
    status: Statuses,
}

impl Request {
    pub(super) fn new(probe: &HttpProbe) -> Self {
        let HttpProbe { path, host, status } = probe.clone();
        Self { path, host, status }
    }

    /// Asks over a connection.
    pub(super) async fn send(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        target: SocketAddr,
        deadline: Deadline,
    ) -> Result<String, Failure> {
        let answer = deadline.of("answer", self.exchange(stream, target)).await?;
        let status = answer.map_err(|error| Failure::of_talk("no answer", &*error))?.status();
        if self.status.contains(status.as_u16()) {
            Ok(text(status))
        } else {
            Err(Failure::Backend(text(status)))
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        target: SocketAddr,
    ) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
        let host = self.host.as_ref().map_or_else(|| target.to_string(), ToString::to_string);
        let request = hyper::Request::get(self.path.as_str())
            .header(HOST, host)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "*/*")
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut connection = pin!(connection);
        let mut answer = pin!(sender.send_request(request));
        // The connection moves the bytes; when it ends first, the answer knows why.
        let answer = tokio::select! {
            biased;
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        };
        Ok(answer?)
    }
}

fn text(status: StatusCode) -> String {
    format!("status {status}")
}
