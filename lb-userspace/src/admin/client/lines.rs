//! Answers that go on: JSON, a line at a time.

use http_body_util::BodyExt as _;
use hyper::{
    Method, StatusCode,
    body::{Bytes, Incoming},
};
use serde::de::DeserializeOwned;
use tokio::time;

use super::{Client, ClientError};

/// Lines that are still to come. Dropping them tells the daemon that they are wanted no more.
#[derive(Debug)]
pub struct Lines {
    client: Client,
    body: Incoming,
    /// What has come of lines that were not taken yet.
    read: Vec<u8>,
}

impl Client {
    /// Asks for what goes on at a path. Returns once the daemon has begun.
    pub async fn lines(&self, path: &str) -> Result<Lines, ClientError> {
        let slow = |_| ClientError::Slow { path: self.socket.clone(), patience: self.patience };
        let opened = self.open(Method::GET, path, Vec::new());
        let answer = time::timeout(self.patience, opened).await.map_err(slow)??;
        let (status, mut body) = (answer.status(), answer.into_body());
        if status == StatusCode::OK {
            return Ok(Lines { client: self.clone(), body, read: Vec::new() });
        }
        let whole = time::timeout(self.patience, (&mut body).collect()).await.map_err(slow)?;
        let whole: Bytes = whole.map_err(|error| self.protocol(&error))?.to_bytes();
        Err(self.refused(status, &whole))
    }
}

impl Lines {
    /// The next line; nothing after the last. It may be called again after it was interrupted.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                let line = serde_json::from_slice(&line);
                return line.map(Some).map_err(|error| self.client.protocol(&error));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| self.client.protocol(&error))?;
            if let Some(data) = frame.data_ref() {
                self.read.extend_from_slice(data);
            }
        }
    }
}
