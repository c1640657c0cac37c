//! Both ends of gRPC, by a library, over connections of HTTP/2 by another. Messages are bytes; what a schema
//! would add is nobody's business on the way.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    pin::Pin,
    task::{Context as Waker, Poll},
};

use anyhow::Result;
use bytes::{Buf, BufMut};
use futures_util::stream;
use hyper::{
    Request as HttpRequest, Response as HttpResponse,
    body::Incoming,
    client::conn::http2::{self, SendRequest},
    server::conn::http2 as server,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tests::netns::Netns;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    client::GrpcService,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    server::{Grpc, ServerStreamingService, StreamingService, UnaryService},
};

/// Metadata of answers: who gave them.
pub(crate) const BACKEND: &str = "x-backend";
/// Metadata of requests, which comes back.
pub(crate) const TAG: &str = "x-tag";
/// What a refusal says. Such characters are escaped on the way.
pub(crate) const REFUSAL: &str = "not today: \u{e4} %";

/// Messages as they are.
#[derive(Clone, Copy, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; from.remaining()];
        from.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}

/// Serves inside a namespace, as long as the run-time of this thread lives.
pub(crate) fn serve(netns: &Netns, address: SocketAddr, name: String) -> Result<()> {
    let listener = netns.enter(|| {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    })?;
    let listener = TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let name = name.clone();
            let answer = service_fn(move |request| answer(name.clone(), request));
            let io = TokioIo::new(stream);
            let connection =
                server::Builder::new(TokioExecutor::new()).serve_connection(io, answer);
            // The client's end of a broken connection tells more than ours.
            tokio::spawn(connection);
        }
    });
    Ok(())
}

async fn answer(
    name: String,
    request: HttpRequest<Incoming>,
) -> Result<HttpResponse<Body>, Infallible> {
    let (mut grpc, echo) = (Grpc::new(Raw), Echo { name });
    let path = request.uri().path().to_owned();
    Ok(match path.as_str() {
        "/test.Echo/One" => grpc.unary(echo, request).await,
        "/test.Echo/Bytes" => grpc.server_streaming(echo, request).await,
        "/test.Echo/Both" => grpc.streaming(echo, request).await,
        _ => Status::unimplemented(path).into_http(),
    })
}

/// The service.
struct Echo {
    name: String,
}

impl Echo {
    /// Metadata of an answer.
    fn metadata(&self, asked: &MetadataMap) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        if let Ok(name) = self.name.parse() {
            metadata.insert(BACKEND, name);
        }
        if let Some(tag) = asked.get(TAG) {
            metadata.insert(TAG, tag.clone());
        }
        metadata
    }

    fn response<T>(&self, asked: &MetadataMap, message: T) -> Response<T> {
        let mut response = Response::new(message);
        *response.metadata_mut() = self.metadata(asked);
        response
    }

    fn refusal(&self, asked: &MetadataMap) -> Status {
        Status::with_metadata(Code::FailedPrecondition, REFUSAL, self.metadata(asked))
    }
}

/// One message comes back; an empty one is refused, without an answer before.
impl UnaryService<Vec<u8>> for Echo {
    type Response = Vec<u8>;
    type Future = Ready<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let (metadata, _, message) = request.into_parts();
        let refused = message.is_empty();
        ready(if refused {
            Err(self.refusal(&metadata))
        } else {
            Ok(self.response(&metadata, message))
        })
    }
}

/// Each byte comes back as a message of its own; after them, the stream is refused if the last byte is 0.
impl ServerStreamingService<Vec<u8>> for Echo {
    type Response = Vec<u8>;
    type ResponseStream = stream::Iter<std::vec::IntoIter<Result<Vec<u8>, Status>>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let (metadata, _, bytes) = request.into_parts();
        let mut messages: Vec<_> = bytes.iter().map(|byte| Ok(vec![*byte])).collect();
        if bytes.last() == Some(&0) {
            messages.push(Err(self.refusal(&metadata)));
        }
        ready(Ok(self.response(&metadata, stream::iter(messages))))
    }
}

/// Each message comes back when it has arrived.
impl StreamingService<Vec<u8>> for Echo {
    type Response = Vec<u8>;
    type ResponseStream = Streaming<Vec<u8>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Vec<u8>>>) -> Self::Future {
        let (metadata, _, messages) = request.into_parts();
        ready(Ok(self.response(&metadata, messages)))
    }
}

/// A client's connection.
#[derive(Clone)]
pub(crate) struct Channel(SendRequest<Body>);

impl Channel {
    /// Begins with HTTP/2 on an open connection.
    pub(crate) async fn open<S>(stream: S) -> Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // What breaks it is told by its requests.
        tokio::spawn(connection);
        Ok(Self(sender))
    }
}

impl GrpcService<Body> for Channel {
    type ResponseBody = Incoming;
    type Error = hyper::Error;
    type Future =
        Pin<Box<dyn Future<Output = Result<HttpResponse<Incoming>, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, waker: &mut Waker<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(waker)
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
