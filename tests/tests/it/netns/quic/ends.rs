//! Both ends of QUIC connections, by a real library: servers that say who they are, and clients that
//! can change their address.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use lb_userspace::model::quic::{PREFIX_LEN, cid_prefix};
use quinn::{
    ClientConfig, Connection, ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig,
    Incoming, ServerConfig, TokioRuntime,
    rustls::{
        RootCertStore,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};
use tests::{netns::Netns, random::Random};

/// The name in the servers' certificate.
const NAME: &str = "shunt.example";
/// Bytes of a connection id: its prefix and a nonce.
const CID_LEN: usize = PREFIX_LEN + 7;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);
/// Longest request or answer.
const LARGEST: usize = 1 << 16;

/// What servers and clients trust in.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Identity {
    pub(crate) fn new() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let key = made.signing_key.serialize_der().into();
        Ok(Self { certificate: made.cert.into(), key })
    }

    fn server(&self) -> Result<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(self.key.clone_key());
        Ok(ServerConfig::with_single_cert(vec![self.certificate.clone()], key)?)
    }

    fn client(&self) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        Ok(ClientConfig::with_root_certificates(Arc::new(roots))?)
    }
}

/// Connection ids that begin with the id of their server.
struct Naming {
    prefix: [u8; PREFIX_LEN],
    random: Random,
}

impl ConnectionIdGenerator for Naming {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; CID_LEN];
        id[..PREFIX_LEN].copy_from_slice(&self.prefix);
        id[PREFIX_LEN..].copy_from_slice(&self.random.next().to_be_bytes()[..CID_LEN - PREFIX_LEN]);
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        CID_LEN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Starts a server that calls itself `name`. With a server id, its connection ids begin with that;
/// without, they are random.
pub(crate) fn serve(
    netns: &Netns,
    identity: &Identity,
    address: SocketAddr,
    name: String,
    server_id: Option<u32>,
) -> Result<()> {
    let mut config = EndpointConfig::default();
    if let Some(id) = server_id {
        let prefix = cid_prefix(id);
        config.cid_generator(move || Box::new(Naming { prefix, random: Random::new(id.into()) }));
    }
    let socket = bind(netns, address)?;
    let endpoint = Endpoint::new(config, Some(identity.server()?), socket, Arc::new(TokioRuntime))?;
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            // The client's end of a broken connection tells more than ours.
            tokio::spawn(answer(incoming, name.clone()));
        }
    });
    Ok(())
}

/// Answers every request of a connection with the server's name, the client it sees, and the request.
async fn answer(incoming: Incoming, name: String) -> Result<()> {
    let connection = incoming.await?;
    loop {
        let (mut to, mut from) = connection.accept_bi().await?;
        let request = from.read_to_end(LARGEST).await?;
        let head = format!("{name} {} ", connection.remote_address());
        to.write_all(&[head.as_bytes(), &request].concat()).await?;
        to.finish()?;
    }
}

/// A client with one connection.
pub(crate) struct Client {
    endpoint: Endpoint,
    connection: Connection,
}

/// What a server said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its name.
    pub(crate) backend: String,
    /// The client that it sees.
    pub(crate) client: SocketAddr,
}

impl Client {
    /// Connects from an address inside a namespace.
    pub(crate) async fn connect(
        netns: &Netns,
        identity: &Identity,
        from: SocketAddr,
        server: SocketAddr,
    ) -> Result<Self> {
        let socket = bind(netns, from)?;
        let config = EndpointConfig::default();
        let mut endpoint = Endpoint::new(config, None, socket, Arc::new(TokioRuntime))?;
        endpoint.set_default_client_config(identity.client()?);
        let connecting = endpoint.connect(server, NAME)?;
        let connection = tokio::time::timeout(ANSWER, connecting).await;
        let connection = connection.context("no connection")?.context("no connection")?;
        Ok(Self { endpoint, connection })
    }

    /// Sends something and waits for the answer.
    pub(crate) async fn ask(&self, payload: &[u8]) -> Result<Answer> {
        let answer = tokio::time::timeout(ANSWER, self.exchange(payload)).await;
        let answer = answer.context("no answer")??;
        let mut words = answer.splitn(3, |byte| *byte == b' ');
        let mut word = || words.next().context("the answer is too short");
        let backend = String::from_utf8(word()?.to_vec())?;
        let client = std::str::from_utf8(word()?)?.parse()?;
        anyhow::ensure!(word()? == payload, "the payload came back changed");
        Ok(Answer { backend, client })
    }

    async fn exchange(&self, payload: &[u8]) -> Result<Vec<u8>> {
        let (mut to, mut from) = self.connection.open_bi().await?;
        to.write_all(payload).await?;
        to.finish()?;
        Ok(from.read_to_end(LARGEST).await?)
    }

    /// Goes on from another address.
    pub(crate) fn rebind(&self, netns: &Netns, to: SocketAddr) -> Result<()> {
        Ok(self.endpoint.rebind(bind(netns, to)?)?)
    }
}

fn bind(netns: &Netns, address: SocketAddr) -> Result<UdpSocket> {
    netns.enter(|| UdpSocket::bind(address).with_context(|| format!("cannot bind to {address}")))
}
