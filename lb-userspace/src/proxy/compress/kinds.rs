//! Which types of content become smaller. Pictures, sound and archives have been made small by who wrote them.

/// Types besides `text/*`, and those that end in one of [`SUFFIXES`]. The list is in docs/layer7.md, too.
const KINDS: [&str; 17] = [
    "application/ecmascript",
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/toml",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "image/x-icon",
];

/// Syntaxes that a type may be of (RFC 6839): `image/svg+xml`, `application/ld+json`.
const SUFFIXES: [&str; 3] = ["+json", "+xml", "+yaml"];

/// Whether a `Content-Type` is that of something that becomes smaller.
pub(super) fn is_compressible(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let begins =
        |with: &str| kind.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    let ends = |with: &&str| {
        let end = kind.len().checked_sub(with.len()).and_then(|start| kind.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(with))
    };
    // Messages of gRPC have codings of their own, and come one by one.
    !begins("application/grpc")
        && (begins("text/")
            || KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind))
            || SUFFIXES.iter().any(ends))
}
