//! What is wrong with what a client sent.

use hyper::StatusCode;
use thiserror::Error;

/// Why a client is refused. The text is for the log and the body of the answer; it repeats nothing that the
/// client sent.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(in crate::proxy) enum Fault {
    /// A line that ends with LF alone.
    #[error("a line ends with LF alone (RFC 9112 section 2.2)")]
    BareLf,
    /// A CR that no LF follows.
    #[error("a line contains a CR (RFC 9112 section 2.2)")]
    BareCr,
    /// More empty lines in front of a request than are skipped.
    #[error("too many empty lines in front of the request line (RFC 9112 section 2.2)")]
    EmptyLines,
    /// Not method, target and version with one space between them.
    #[error("the request line is not METHOD SP TARGET SP VERSION (RFC 9112 section 3)")]
    RequestLine,
    /// The method has a character that no token has.
    #[error("the method is no token (RFC 9110 section 9.1)")]
    Method,
    /// The target has a character that none has.
    #[error("the request target has a character that is not allowed there (RFC 9112 section 3.2)")]
    TargetCharacter,
    /// The target has a fragment.
    #[error("the request target has a fragment (RFC 9112 section 3.2)")]
    Fragment,
    /// The target is of no form that fits the method.
    #[error("the request target has none of the forms for its method (RFC 9112 section 3.2)")]
    TargetForm,
    /// A version that is not spoken.
    #[error("the version is neither HTTP/1.1 nor HTTP/1.0 (RFC 9112 section 2.3)")]
    Version,
    /// A field line that begins with white space.
    #[error("a field is folded over several lines (RFC 9112 section 5.2)")]
    Folding,
    /// A field line without a colon.
    #[error("a field line has no colon (RFC 9112 section 5)")]
    NoColon,
    /// The name of a field is no token.
    #[error("the name of a field is no token (RFC 9110 section 5.1)")]
    FieldName,
    /// White space between the name of a field and the colon.
    #[error(
        "there is white space between the name of a field and the colon (RFC 9112 section 5.1)"
    )]
    SpaceBeforeColon,
    /// The value of a field has a character that none has.
    #[error("the value of a field has a character that is not allowed (RFC 9110 section 5.5)")]
    FieldValue,
    /// HTTP/1.1 without Host.
    #[error("there is no Host (RFC 9112 section 3.2)")]
    NoHost,
    /// Host twice.
    #[error("there is more than one Host (RFC 9112 section 3.2)")]
    SeveralHosts,
    /// Host is no host.
    #[error("Host is not a host with an optional port (RFC 9110 section 7.2)")]
    BadHost,
    /// The target names another host than Host.
    #[error("the request target names another host than Host (RFC 9112 section 3.2.2)")]
    OtherHost,
    /// Content-Length twice, or as a list.
    #[error("there is more than one Content-Length (RFC 9112 section 6.3)")]
    SeveralLengths,
    /// Content-Length is no number, or beyond any.
    #[error("Content-Length is no number of bytes (RFC 9110 section 8.6)")]
    BadLength,
    /// Content-Length and Transfer-Encoding.
    #[error("there are both Content-Length and Transfer-Encoding (RFC 9112 section 6.1)")]
    LengthAndCoding,
    /// Transfer-Encoding in HTTP/1.0.
    #[error("there is a Transfer-Encoding in HTTP/1.0 (RFC 9112 section 6.1)")]
    CodingInOldVersion,
    /// Transfer-Encoding twice, or `chunked` not as the only coding, or twice.
    #[error(
        "Transfer-Encoding is repeated or does not end with one `chunked` (RFC 9112 section 6.1)"
    )]
    SeveralCodings,
    /// A transfer coding that is not known.
    #[error("Transfer-Encoding names a coding other than `chunked` (RFC 9112 section 7)")]
    UnknownCoding,
    /// The size of a chunk.
    #[error("the size of a chunk is no hexadecimal number (RFC 9112 section 7.1)")]
    ChunkSize,
    /// The extension of a chunk.
    #[error(
        "the extension of a chunk has a character that is not allowed (RFC 9112 section 7.1.1)"
    )]
    ChunkExtension,
    /// What stands behind the data of a chunk.
    #[error("the data of a chunk does not end where it should (RFC 9112 section 7.1)")]
    ChunkEnd,
    /// A field in a trailer that says something about the framing.
    #[error("a trailer has a field that belongs into the head (RFC 9110 section 6.5.1)")]
    Trailer,
    /// The request line is too long.
    #[error("the request line is too long")]
    LongRequestLine,
    /// A field line is too long.
    #[error("a field is too long")]
    LongField,
    /// The head is too long.
    #[error("the head is too long")]
    LongHead,
    /// There are too many fields.
    #[error("there are too many fields")]
    ManyFields,
    /// The line in front of a chunk is too long.
    #[error("the line in front of a chunk is too long")]
    LongChunkLine,
    /// An expectation that is not met.
    #[error("Expect asks for something other than `100-continue` (RFC 9110 section 10.1.1)")]
    Expectation,
    /// Bytes behind a fault.
    #[error("the connection was refused before")]
    AfterRefusal,
}

impl Fault {
    /// Status code of the answer (RFC 9110 section 15, RFC 6585 section 5).
    pub(in crate::proxy) const fn status(self) -> StatusCode {
        match self {
            Self::LongRequestLine => StatusCode::URI_TOO_LONG,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::LongField | Self::LongHead | Self::ManyFields => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
