//! TLS to a backend, with or without a look at its certificate.

use std::{net::SocketAddr, path::Path, sync::Arc};

use rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Deadline, Failure};
use crate::{
    model::health::Host,
    tls::{AnyCertificate, roots},
};

/// How sessions begin.
pub(super) struct Tls {
    connector: TlsConnector,
    /// The server's name; its address if there is none.
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// Reads the certificates, if any are given. An error says what is wrong with them.
    pub(super) fn new(host: Option<&Host>, ca: Option<&Path>) -> Result<Self, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match ca {
            Some(ca) => builder.with_root_certificates(roots(ca)?),
            None => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        };
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Each probe shall show that a whole session can begin.
        config.resumption = rustls::client::Resumption::disabled();
        let name = host.map(|host| ServerName::try_from(host.name().to_owned()));
        let name = name.transpose().map_err(|error| error.to_string())?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// Begins a session.
    pub(super) async fn begin(
        &self,
        stream: TcpStream,
        target: SocketAddr,
        deadline: Deadline,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let name = self.name.clone().unwrap_or_else(|| target.ip().into());
        let session = deadline.of("TLS session", self.connector.connect(name, stream)).await?;
        session.map_err(|error| Failure::of_talk("no TLS session", &error))
    }
}
