//! TLS towards backends: whom to trust, which name to ask for, and who we are.

use std::{io, net::SocketAddr, sync::Arc};

use rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName, sign::SingleCertAndKey};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::TlsError;
use crate::{
    model::upstream::{Speaks, UpstreamTls},
    tls::{AnyCertificate, certified, trusted},
};

/// TLS of the backends of a pool, ready to be used.
pub(in crate::proxy) struct Originator {
    connector: TlsConnector,
    /// For what only HTTP/1.1 can do.
    h1: TlsConnector,
    name: Option<ServerName<'static>>,
    made_of: (UpstreamTls, Speaks),
}

impl std::fmt::Debug for Originator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Originator").field("made_of", &self.made_of).finish_non_exhaustive()
    }
}

impl Originator {
    /// Reads the files.
    pub(in crate::proxy) fn new(settings: &UpstreamTls, speaks: Speaks) -> Result<Self, TlsError> {
        let setup = |error: &dyn ToString| TlsError::Setup { reason: error.to_string() };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(&error))?;
        let builder = match &settings.ca {
            Some(path) => builder.with_root_certificates(trusted(path)?),
            None => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(Arc::clone(&provider)))),
        };
        let mut config = match &settings.own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let certified = certified(&own.certificate, &own.key, &provider)?;
                let one = SingleCertAndKey::from(certified);
                builder.with_client_cert_resolver(Arc::new(one))
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let h1 = TlsConnector::from(Arc::new(config.clone()));
        match speaks {
            Speaks::H1 => {}
            Speaks::H2 => config.alpn_protocols = vec![b"h2".to_vec()],
            Speaks::Auto => config.alpn_protocols.insert(0, b"h2".to_vec()),
        }
        let name = settings.name.clone().map(ServerName::try_from).transpose();
        let name = name.map_err(|error| setup(&error))?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, h1, name, made_of: (settings.clone(), speaks) })
    }

    /// Whether it was made of these settings.
    pub(in crate::proxy) fn is_of(&self, settings: &UpstreamTls, speaks: Speaks) -> bool {
        self.made_of.0 == *settings && self.made_of.1 == speaks
    }

    /// Begins a session, in which nothing but HTTP/1.1 is spoken if `only_h1`. Says whether HTTP/2 is.
    pub(in crate::proxy) async fn begin(
        &self,
        stream: TcpStream,
        backend: SocketAddr,
        only_h1: bool,
    ) -> io::Result<(TlsStream<TcpStream>, bool)> {
        let name = self.name.clone().unwrap_or_else(|| backend.ip().into());
        let connector = if only_h1 { &self.h1 } else { &self.connector };
        let stream = connector.connect(name, stream).await?;
        let agreed = stream.get_ref().1.alpn_protocol();
        let h2 = !only_h1 && (agreed == Some(b"h2") || self.made_of.1 == Speaks::H2);
        Ok((stream, h2))
    }
}
