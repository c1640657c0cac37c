//! gRPC through listeners, with and without TLS, to a pool of HTTP/2: messages in both directions, and the
//! status that comes after them.

mod ends;

use std::{
    net::{SocketAddr, TcpStream as Blocking},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt as _;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tests::{blob::blob, netns::Netns, topology::Family};
use tokio::{net::TcpStream, sync::mpsc};
use tokio_rustls::TlsConnector;
use tonic::{Code, Request, Status, client::Grpc, metadata::MetadataMap};

use self::ends::{BACKEND, Channel, REFUSAL, Raw, TAG, serve};
use super::{
    super::scene::{Network, Scene, backend_name},
    EDGE, HTTP, HTTPS, Site, pool, run, wants,
};

/// Where backends serve.
const SERVED: u16 = 9002;
/// For all of it.
const BOUND: Duration = Duration::from_mins(1);
const LARGE: usize = 1 << 20;
const MESSAGES: u8 = 200;

#[test]
fn calls_v4() {
    calls(Family::V4);
}

#[test]
fn calls_v6() {
    calls(Family::V6);
}

fn calls(family: Family) {
    run(wants(family, 2), &[], config, |scene, site| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let all = async { tokio::time::timeout(BOUND, all_calls(scene, site)).await };
        runtime.block_on(all).context("not done in time")?
    });
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn config(network: &Network, site: &Site) -> Result<String> {
    let to = "pool = \"grpc\"\n[[listener.route]]\npath-prefix = \"/test.Gone\"\nrespond = 503\n";
    Ok(pool(network, "grpc", SERVED, &[], "protocol = \"h2\"")
        + &site.listener("edge", HTTP, to)
        + &site.https("tls", HTTPS, to))
}

async fn all_calls(scene: &Scene, site: &Site) -> Result<()> {
    for n in [1, 2] {
        let address = SocketAddr::new(scene.network.backend(n).ip(), SERVED);
        serve(scene.network.topology.backend(n), address, backend_name(n))?;
    }
    let client = &scene.network.topology.client;
    for port in [HTTP, HTTPS] {
        let stream = connect(client, site.at(port))?;
        let channel = if port == HTTP {
            Channel::open(stream).await?
        } else {
            let name = ServerName::try_from(EDGE)?;
            Channel::open(connector(site.authority.roots()?)?.connect(name, stream).await?).await?
        };
        let scheme = if port == HTTP { "http" } else { "https" };
        let origin = format!("{scheme}://{EDGE}:{port}").parse()?;
        let mut grpc = Grpc::with_origin(channel, origin);
        one_message_each_way(&mut grpc).await.with_context(|| format!("port {port}"))?;
        a_status_without_an_answer(&mut grpc).await.with_context(|| format!("port {port}"))?;
        a_stream_and_its_status(&mut grpc).await.with_context(|| format!("port {port}"))?;
        messages_while_others_come(&mut grpc).await.with_context(|| format!("port {port}"))?;
    }
    Ok(())
}

fn connect(netns: &Netns, at: SocketAddr) -> Result<TcpStream> {
    let stream = netns.enter(|| Ok(Blocking::connect_timeout(&at, BOUND)?))?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(TcpStream::from_std(stream)?)
}

fn connector(roots: RootCertStore) -> Result<TlsConnector> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config).into())
}

/// A request with a tag.
fn tagged<T>(message: T) -> Result<Request<T>> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(TAG, "7".parse()?);
    Ok(request)
}

/// Whether metadata are those of an answer to a request with a tag.
fn is_answer(metadata: &MetadataMap) -> bool {
    metadata.contains_key(BACKEND) && metadata.get(TAG).is_some_and(|tag| tag == "7")
}

fn path(method: &str) -> Result<hyper::http::uri::PathAndQuery> {
    Ok(format!("/test.Echo/{method}").parse()?)
}

async fn one_message_each_way(grpc: &mut Grpc<Channel>) -> Result<()> {
    let mut served = std::collections::BTreeSet::new();
    for length in [1, 100, LARGE].into_iter().cycle().take(12) {
        let message = blob(3, length);
        grpc.ready().await?;
        let answer = grpc.unary(tagged(message.clone())?, path("One")?, Raw).await?;
        ensure!(is_answer(answer.metadata()), "{:?}", answer.metadata());
        ensure!(answer.get_ref() == &message, "{length} bytes came back otherwise");
        served.insert(answer.metadata().get(BACKEND).context("no backend")?.to_str()?.to_owned());
    }
    ensure!(served.len() == 2, "requests of one connection went to {served:?} alone");
    Ok(())
}

fn is_refusal(status: &Status) -> bool {
    status.code() == Code::FailedPrecondition
        && status.message() == REFUSAL
        && is_answer(status.metadata())
}

async fn a_status_without_an_answer(grpc: &mut Grpc<Channel>) -> Result<()> {
    grpc.ready().await?;
    let refused = grpc.unary(tagged(Vec::new())?, path("One")?, Raw).await;
    ensure!(refused.as_ref().is_err_and(is_refusal), "{refused:?}");
    let unknown = grpc.unary(tagged(vec![1])?, path("None")?, Raw).await;
    ensure!(unknown.as_ref().is_err_and(|it| it.code() == Code::Unimplemented), "{unknown:?}");
    // What we answer ourselves is no gRPC, and its clients know what a 503 is.
    let gone = grpc.unary(tagged(vec![1])?, "/test.Gone/One".parse()?, Raw).await;
    ensure!(gone.as_ref().is_err_and(|it| it.code() == Code::Unavailable), "{gone:?}");
    Ok(())
}

async fn a_stream_and_its_status(grpc: &mut Grpc<Channel>) -> Result<()> {
    for last in [MESSAGES, 0] {
        let bytes: Vec<_> = (1..MESSAGES).chain([last]).collect();
        grpc.ready().await?;
        let answer = grpc.server_streaming(tagged(bytes.clone())?, path("Bytes")?, Raw).await?;
        ensure!(is_answer(answer.metadata()), "{:?}", answer.metadata());
        let mut messages = answer.into_inner();
        for byte in bytes {
            let message = messages.message().await?.context("too few messages")?;
            ensure!(message == [byte], "{message:?} instead of {byte}");
        }
        let end = messages.message().await;
        let right =
            if last == 0 { end.as_ref().is_err_and(is_refusal) } else { matches!(end, Ok(None)) };
        ensure!(right, "the end is {end:?}");
    }
    Ok(())
}

/// Each message is sent when the one before has come back: nobody on the way waits for more.
async fn messages_while_others_come(grpc: &mut Grpc<Channel>) -> Result<()> {
    let (sender, receiver) = mpsc::channel(1);
    let asked = futures_util::stream::unfold(receiver, async |mut from: mpsc::Receiver<_>| {
        Some((from.recv().await?, from))
    });
    sender.send(vec![0]).await?;
    grpc.ready().await?;
    let answer = grpc.streaming(tagged(asked.boxed())?, path("Both")?, Raw).await?;
    let mut messages = answer.into_inner();
    for byte in 1..=MESSAGES {
        let message = messages.message().await?.context("it ended early")?;
        ensure!(message == [byte - 1], "{message:?} instead of {}", byte - 1);
        sender.send(vec![byte]).await?;
    }
    drop(sender);
    ensure!(messages.message().await? == Some(vec![MESSAGES]));
    ensure!(messages.message().await?.is_none(), "more than was sent");
    Ok(())
}
