//! Access logs, opened anew after their files have been renamed.

use tracing::{error, info};

use super::Controller;
use crate::admin::{RequestError, types::Changed};

impl Controller {
    /// Opens every access log anew. One that cannot be opened goes on as it was; the others are opened all the same.
    pub(in crate::app) async fn reopen_logs(&mut self) -> Result<Changed, RequestError> {
        let (mut operations, mut errors) = (Vec::new(), Vec::new());
        for (to, done) in self.proxy.reopen_logs().await {
            match done {
                Ok(()) => {
                    info!("access log {to} is open anew");
                    operations.push(format!("access log {to}: open anew"));
                }
                Err(reason) => {
                    let error = format!("access log {to} goes on as it was: {reason}");
                    error!("{error}");
                    errors.push(error);
                }
            }
        }
        if errors.is_empty() {
            Ok(Changed { operations })
        } else {
            Err(RequestError::Invalid(errors))
        }
    }
}
