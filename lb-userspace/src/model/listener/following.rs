//! How requests are followed from hop to hop: what backends are told of who has asked, and by what a request can be
//! found again.

use hyper::header::HeaderName;

/// In which headers backends are told who has asked. The same goes before the other where a trusted proxy says
/// it in both.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ForwardingHeaders {
    /// `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// In both.
    Both,
    /// In none.
    None,
}

impl ForwardingHeaders {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwarded => "x-forwarded",
            Self::Forwarded => "forwarded",
            Self::Both => "both",
            Self::None => "none",
        }
    }

    /// Whether `X-Forwarded-*` are written.
    pub const fn has_x_forwarded(self) -> bool {
        matches!(self, Self::XForwarded | Self::Both)
    }

    /// Whether `Forwarded` is written.
    pub const fn has_forwarded(self) -> bool {
        matches!(self, Self::Forwarded | Self::Both)
    }
}

/// How the requests of a listener are followed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Following {
    /// In which headers backends are told who has asked.
    pub forwarding_headers: ForwardingHeaders,
    /// The header that has the id of a request.
    pub request_id: Option<HeaderName>,
    /// Whether each request is part of a trace (W3C Trace Context).
    pub trace_context: bool,
}

impl Following {
    /// Every setting in the words of the file, always in the same order.
    pub fn words(&self) -> [(&'static str, String); 3] {
        let request_id = self.request_id.as_ref().map_or("none", HeaderName::as_str);
        [
            ("forwarding-headers", self.forwarding_headers.name().to_owned()),
            ("request-id", request_id.to_owned()),
            ("trace-context", self.trace_context.to_string()),
        ]
    }
}
