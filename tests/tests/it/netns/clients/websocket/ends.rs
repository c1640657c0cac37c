//! Both ends of a WebSocket, by a library: servers that return what they get, and clients inside a namespace.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::aws_lc_rs,
    pki_types::ServerName,
};
use tests::{accepting::Accepting, netns::Netns};
use tungstenite::{
    ClientRequestBuilder, Message, WebSocket, accept_hdr,
    handshake::server::{ErrorResponse, Request, Response},
    http::HeaderValue,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// How long an end may be silent.
const SILENCE: Duration = Duration::from_secs(20);
/// The protocol inside the protocol.
pub(crate) const SPOKEN: &str = "echo";
/// What makes the server leave.
pub(crate) const LEAVE: &str = "leave";

/// A server; dropping it ends it.
pub(crate) struct Server {
    _accepting: Accepting,
}

impl Server {
    /// One that gives its name in a header of its handshake.
    pub(crate) fn start(netns: &Netns, address: SocketAddr, name: &str) -> Result<Self> {
        let name = HeaderValue::from_str(name)?;
        let serve = move |stream| {
            let name = name.clone();
            // The client's end of a broken connection tells more than ours.
            thread::spawn(move || _ = serve(stream, name));
        };
        Ok(Self { _accepting: Accepting::start(netns, address, serve)? })
    }
}

fn serve(stream: TcpStream, name: HeaderValue) -> Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    #[expect(clippy::result_large_err, reason = "the library's")]
    let greet = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let headers = response.headers_mut();
        headers.insert("x-backend", name);
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(SPOKEN));
        Ok(response)
    };
    let mut socket = accept_hdr(stream, greet).map_err(|error| anyhow::anyhow!("{error}"))?;
    loop {
        match socket.read()? {
            Message::Text(text) if text.as_str() == LEAVE => {
                let frame = CloseFrame { code: CloseCode::Away, reason: "as you wish".into() };
                socket.close(Some(frame))?;
            }
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message)?,
            // Answered by the library.
            _ => socket.flush()?,
        }
    }
}

/// A connection, with TLS or without.
pub(crate) trait Wire: Read + Write + Send {}

impl<T: Read + Write + Send> Wire for T {}

/// A client.
pub(crate) struct Client {
    pub(crate) socket: WebSocket<Box<dyn Wire>>,
    /// Who answers.
    pub(crate) backend: String,
}

impl Client {
    /// Connects from the namespace of this thread; with TLS if there is somebody to trust.
    pub(crate) fn connect(
        at: SocketAddr,
        name: &str,
        path: &str,
        roots: Option<&RootCertStore>,
    ) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&at, SILENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        let (scheme, wire): (_, Box<dyn Wire>) = match roots {
            None => ("ws", Box::new(stream)),
            Some(roots) => ("wss", Box::new(session(stream, name, roots)?)),
        };
        let uri = format!("{scheme}://{name}:{}{path}", at.port()).parse()?;
        let request = ClientRequestBuilder::new(uri).with_sub_protocol(SPOKEN);
        let (socket, response) = tungstenite::client(request, wire)
            .map_err(|error| anyhow::anyhow!("no handshake: {error}"))?;
        let backend = response.headers().get("x-backend").context("no name of a backend")?;
        Ok(Self { backend: backend.to_str()?.to_owned(), socket })
    }

    /// Sends a message, which must come back as it was.
    pub(crate) fn echo(&mut self, message: &Message) -> Result<()> {
        self.socket.send(message.clone())?;
        let back = self.socket.read()?;
        ensure!(back == *message, "{} bytes came back as {}", message.len(), back.len());
        Ok(())
    }

    /// Says goodbye and waits for the other's.
    pub(crate) fn close(&mut self) -> Result<()> {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
        self.socket.close(Some(frame.clone()))?;
        let said = self.socket.read()?;
        ensure!(said == Message::Close(Some(frame)), "not a goodbye: {said}");
        self.ended()
    }

    /// Waits for the end, after goodbyes.
    pub(crate) fn ended(&mut self) -> Result<()> {
        match self.socket.read() {
            Err(tungstenite::Error::ConnectionClosed) => Ok(()),
            other => anyhow::bail!("not closed in order: {other:?}"),
        }
    }
}

fn session(
    stream: TcpStream,
    name: &str,
    roots: &RootCertStore,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned())?;
    Ok(StreamOwned::new(ClientConnection::new(Arc::new(config), name)?, stream))
}
