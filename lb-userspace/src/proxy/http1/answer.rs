//! The head of an answer to a client.

use std::{cell::RefCell, task::Context, time::SystemTime};

use hyper::{
    StatusCode,
    body::Body,
    ext::ReasonPhrase,
    header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING},
    http::response::Parts,
};
use jiff::Timestamp;

use super::{
    request::Asked,
    sending::{Framed, Sending, frame, write, write_field, write_length},
    switches,
};
use crate::proxy::{body::Reply, headers::tokens};

/// What an answer says that is there only once.
#[derive(Default)]
struct Said {
    length: bool,
    date: bool,
    close: bool,
}

impl Sending<Reply> {
    /// Begins with another answer. Whether the connection goes on after it, as it may if it `persists`.
    pub(super) fn answer(
        &mut self,
        parts: &Parts,
        body: Reply,
        asked: &Asked,
        persists: bool,
    ) -> bool {
        let status = parts.status;
        let is_bodiless = status.is_informational() || status == StatusCode::NO_CONTENT;
        let has_length = !is_bodiless && status != StatusCode::NOT_MODIFIED;
        let has_body = has_length && !asked.head_only && !body.is_end_stream();
        (self.has_begun, self.broken) = (false, false);
        let out = self.bytes.own();
        write_status(parts, asked.old, out);
        let keeps_length = has_body || asked.head_only && !is_bodiless;
        let said = write_fields(parts, keeps_length, out);
        let mut persists = persists && !said.close && !switches(status);
        if !said.date {
            write_date(out);
        }
        self.body = None;
        if has_body {
            let framed = if said.length {
                Framed::Plain
            } else if asked.old && body.size_hint().exact().is_none() {
                // HTTP/1.0 has no chunks: the end of the connection is the end of the body.
                persists = false;
                Framed::Plain
            } else {
                frame(&parts.headers, &body, out)
            };
            self.body = Some((body, framed));
        } else if has_length && !asked.head_only {
            write_length(0, out);
        }
        if !persists && !said.close && !switches(status) {
            write(out, &["connection: close\r\n"]);
        } else if persists && asked.old {
            write(out, &["connection: keep-alive\r\n"]);
        }
        write(out, &["\r\n"]);
        persists
    }

    /// Sends more of the request to the backend, if the answer stands still because the client takes nothing of it: it may
    /// listen only when it has said all.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let Some((body, _)) = &mut self.body
            && !self.bytes.is_empty()
        {
            body.poll_upload(cx);
        }
    }
}

/// The first line. Of the reason nothing is known if there is neither one of its own nor one that all use.
fn write_status(parts: &Parts, old: bool, out: &mut Vec<u8>) {
    let reason = parts.extensions.get::<ReasonPhrase>().map(ReasonPhrase::as_bytes);
    let usual = || parts.status.canonical_reason().unwrap_or_default().as_bytes();
    write(out, &[if old { "HTTP/1.0 " } else { "HTTP/1.1 " }, parts.status.as_str(), " "]);
    out.extend_from_slice(reason.unwrap_or_else(usual));
    write(out, &["\r\n"]);
}

fn write_fields(parts: &Parts, keeps_length: bool, out: &mut Vec<u8>) -> Said {
    let mut said = Said::default();
    for (name, value) in &parts.headers {
        match *name {
            CONTENT_LENGTH if !keeps_length || said.length => continue,
            CONTENT_LENGTH => said.length = true,
            // How the body is framed here is told by who does it.
            TRANSFER_ENCODING => continue,
            CONNECTION => {
                said.close |= tokens(value).any(|option| option.eq_ignore_ascii_case("close"));
            }
            DATE => said.date = true,
            _ => {}
        }
        write_field(name, value, out);
    }
    said
}

thread_local! {
    /// A second, and how it is written.
    static PRESENT: RefCell<(i64, String)> = const { RefCell::new((-1, String::new())) };
}

/// What a server with a clock says (RFC 9110 section 6.6.1).
fn write_date(out: &mut Vec<u8>) {
    let now = Timestamp::try_from(SystemTime::now()).unwrap_or_default();
    PRESENT.with_borrow_mut(|(second, text)| {
        if *second != now.as_second() {
            (*second, *text) =
                (now.as_second(), now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        }
        write(out, &["date: ", text, "\r\n"]);
    });
}
