//! From a request to its answer, by way of the event loop.

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request as Call, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::{
    body, query,
    route::Route,
    stream::{Body, Streaming},
};
use crate::{
    admin::{
        Request, RequestError,
        types::{
            BackendPatch, Changed, ListenerView, NewBackend, PoolView, Refusal, ServiceView, Status,
        },
    },
    model::{Change, ChangeError, Name},
};

type Requests = mpsc::Sender<Request>;

/// What a call comes to.
enum Answer {
    /// JSON, whole.
    Json(Vec<u8>),
    /// Lines of JSON, as they come.
    Lines(mpsc::Receiver<Bytes>),
}

/// A refusal on its way to the client.
#[derive(Debug)]
pub(super) struct Rejection {
    status: StatusCode,
    errors: Vec<String>,
    /// Methods to use instead.
    allow: Option<&'static str>,
    /// Whether the connection cannot go on, because the rest of the request was not read.
    last: bool,
}

impl Rejection {
    pub(super) fn new(status: StatusCode, error: String) -> Self {
        Self { status, errors: vec![error], allow: None, last: false }
    }

    pub(super) fn malformed(error: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub(super) fn last(status: StatusCode, error: String) -> Self {
        Self { last: true, ..Self::new(status, error) }
    }

    pub(super) fn method(method: &Method, allowed: &'static str) -> Self {
        let error = format!("{method} is not possible here; use {}", allowed.replace(", ", " or "));
        Self { allow: Some(allowed), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, error) }
    }

    fn ended() -> Self {
        let error = "the daemon is ending; call again when it has been started again".to_owned();
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error)
    }

    fn into_response(self) -> Response<Body> {
        let refusal = Refusal { errors: self.errors };
        // A list of strings can always be written.
        let mut response = respond(self.status, serde_json::to_vec(&refusal).unwrap_or_default());
        let headers = response.headers_mut();
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.last {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<RequestError> for Rejection {
    fn from(error: RequestError) -> Self {
        let (status, errors) = match error {
            RequestError::NotFound(error) => (StatusCode::NOT_FOUND, vec![error]),
            RequestError::Conflict(error) => (StatusCode::CONFLICT, vec![error]),
            RequestError::Invalid(errors) => (StatusCode::UNPROCESSABLE_ENTITY, errors),
            RequestError::Failed(error) => (StatusCode::INTERNAL_SERVER_ERROR, vec![error]),
        };
        Self { status, errors, allow: None, last: false }
    }
}

/// Answers one request.
pub(super) async fn answer(
    call: Call<Incoming>,
    requests: &Requests,
    patience: Duration,
    streaming: &Streaming,
) -> Response<Body> {
    match dispatch(call, requests, patience).await {
        Ok(Answer::Json(json)) => respond(StatusCode::OK, json),
        Ok(Answer::Lines(lines)) => streaming.respond(lines),
        Err(rejection) => rejection.into_response(),
    }
}

fn respond(status: StatusCode, json: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Full::from(json).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn dispatch(
    call: Call<Incoming>,
    requests: &Requests,
    patience: Duration,
) -> Result<Answer, Rejection> {
    let route = Route::parse(call.uri().path())?;
    route.check(call.method())?;
    let posted = call.method() == Method::POST;
    let removed = call.method() == Method::DELETE;
    let asked = call.uri().query().map(str::to_owned);
    let body = call.into_body();
    match route {
        Route::Status => json(&status(requests).await?),
        Route::Services => json(&status(requests).await?.services),
        Route::Service(name) => json(&service(status(requests).await?, &name)?),
        Route::Listeners => json(&status(requests).await?.listeners),
        Route::Listener(name) => json(&listener(status(requests).await?, &name)?),
        Route::Sources(service, list) => {
            json(&ask(requests, |reply| Request::Sources { service, list, reply }).await??)
        }
        Route::Pools => json(&status(requests).await?.pools),
        Route::Pool(name) => json(&pool(status(requests).await?, name)?),
        Route::Backends(pool) if posted => {
            let NewBackend { address, weight } = body::read(body, patience).await?;
            json(&change(requests, vec![Change::AddBackend { pool, address, weight }]).await?)
        }
        Route::Backends(name) => json(&pool(status(requests).await?, name)?.backends),
        Route::Backend(pool, address) if removed => {
            json(&change(requests, vec![Change::RemoveBackend { pool, address }]).await?)
        }
        Route::Backend(pool, address) => {
            let patch = body::read(body, patience).await?;
            json(&change(requests, patched(&pool, address, &patch)).await?)
        }
        Route::Flow => {
            let query = query::flow(asked.as_deref())?;
            json(&ask(requests, |reply| Request::Flow { query, reply }).await??)
        }
        Route::Request => {
            let query = query::request(asked.as_deref())?;
            json(&ask(requests, |reply| Request::Route { query, reply }).await??)
        }
        Route::Trace => {
            let query = query::trace(asked.as_deref())?;
            let lines = ask(requests, |reply| Request::Trace { query, reply }).await??;
            Ok(Answer::Lines(lines))
        }
        Route::Changes => json(&change(requests, body::read(body, patience).await?).await?),
        Route::Apply => {
            let apply = body::read(body, patience).await?;
            json(&ask(requests, |reply| Request::Apply { apply, reply }).await??)
        }
        Route::Logs => json(&ask(requests, |reply| Request::Reopen { reply }).await??),
        Route::Detach => json(&ask(requests, |reply| Request::Detach { reply }).await??),
    }
}

fn json(view: &impl Serialize) -> Result<Answer, Rejection> {
    serde_json::to_vec(view).map(Answer::Json).map_err(|error| {
        let error = format!("the answer cannot be written: {error}; please report this");
        Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    })
}

/// Puts a question to the event loop and waits for its answer.
async fn ask<T>(
    requests: &Requests,
    question: impl FnOnce(oneshot::Sender<T>) -> Request,
) -> Result<T, Rejection> {
    let (reply, answer) = oneshot::channel();
    requests.send(question(reply)).await.map_err(|_| Rejection::ended())?;
    answer.await.map_err(|_| Rejection::ended())
}

async fn status(requests: &Requests) -> Result<Status, Rejection> {
    Ok(*ask(requests, |reply| Request::Status { reply }).await?)
}

async fn change(requests: &Requests, changes: Vec<Change>) -> Result<Changed, Rejection> {
    Ok(ask(requests, |reply| Request::Change { changes, reply }).await??)
}

fn patched(pool: &Name, address: SocketAddr, patch: &BackendPatch) -> Vec<Change> {
    let weight =
        patch.weight.map(|weight| Change::SetWeight { pool: pool.clone(), address, weight });
    let state = patch.state.map(|state| Change::SetState { pool: pool.clone(), address, state });
    weight.into_iter().chain(state).collect()
}

fn service(status: Status, name: &Name) -> Result<ServiceView, Rejection> {
    status.services.into_iter().find(|service| service.name == *name).ok_or_else(|| {
        let error =
            format!("there is no service `{name}`; `shunt service list` shows those there are");
        Rejection::new(StatusCode::NOT_FOUND, error)
    })
}

fn listener(status: Status, name: &Name) -> Result<ListenerView, Rejection> {
    status.listeners.into_iter().find(|listener| listener.name == *name).ok_or_else(|| {
        let error =
            format!("there is no listener `{name}`; `shunt listener list` shows those there are");
        Rejection::new(StatusCode::NOT_FOUND, error)
    })
}

fn pool(status: Status, name: Name) -> Result<PoolView, Rejection> {
    status.pools.into_iter().find(|pool| pool.name == name).ok_or_else(|| {
        let error = ChangeError::UnknownPool { pool: name }.to_string();
        Rejection::new(StatusCode::NOT_FOUND, error)
    })
}
