//! The keys of routes.

use super::{Refusal::Instead, Vocabulary, word};

/// `[[listener.route]]`.
pub(in crate::config) const ROUTE: Vocabulary = Vocabulary {
    key: "route",
    header: "[[listener.route]]",
    title: "this [[listener.route]]",
    noun: "key",
    known: &[
        word("host", "host = \"www.example.org\""),
        word("path", "path = \"/*.jpg\""),
        word("path-prefix", "path-prefix = \"/api\""),
        word("path-regex", "path-regex = \"^/v[0-9]+/\""),
        word("method", "method = [\"GET\", \"HEAD\"]"),
        word("header", "header = { x-beta = \"1\" }"),
        word("cookie", "cookie = { beta = \"1\" }"),
        word("query", "query = { v = \"2\" }"),
        word("client", "client = [\"192.0.2.0/24\"]"),
        word("pool", "pool = \"web\""),
        word("pools", "pools = [{ pool = \"a\", weight = 9 }, { pool = \"b\" }]"),
        word("redirect", "redirect = \"https://{host}{uri}\""),
        word("respond", "respond = 404"),
        word("rewrite-prefix", "rewrite-prefix = \"/\""),
        word("rewrite-regex", "rewrite-regex = { match = \"^/old/\", to = \"/new/\" }"),
        word("rewrite-host", "rewrite-host = \"app.example.org\""),
        word("set-request-headers", "set-request-headers = { x-from = \"edge\" }"),
        word("add-request-headers", "add-request-headers = { x-from = \"edge\" }"),
        word("remove-request-headers", "remove-request-headers = [\"x-debug\"]"),
        word("set-response-headers", "set-response-headers = { x-from = \"edge\" }"),
        word("add-response-headers", "add-response-headers = { x-from = \"edge\" }"),
        word("remove-response-headers", "remove-response-headers = [\"server\"]"),
    ],
    refused: &[
        ("hosts", Instead("host", "write `host`; it takes a list, too")),
        ("server_name", Instead("host", "this is nginx's word: write `host`")),
        ("location", Instead("path", "this is nginx's word: write `path` or `path-prefix`")),
        ("uri", Instead("path", "write `path`")),
        ("prefix", Instead("path-prefix", "write `path-prefix`")),
        ("regex", Instead("path-regex", "write `path-regex`")),
        ("methods", Instead("method", "write `method`; it takes a list")),
        ("headers", Instead("header", "write `header`, or `set-request-headers` to change some")),
        ("cookies", Instead("cookie", "write `cookie`")),
        ("backend", Instead("pool", "write `pool`")),
        ("upstream", Instead("pool", "this is nginx's word: write `pool`")),
        ("proxy_pass", Instead("pool", "this is nginx's word: write `pool = \"NAME\"`")),
        ("return", Instead("respond", "this is nginx's word: write `respond`, or `redirect`")),
        ("rewrite", Instead("", "write `rewrite-prefix` or `rewrite-regex`")),
        ("timeout", Instead("", "timeouts belong to the [[pool]]; write them in [pool.http]")),
        ("retries", Instead("", "retries belong to the [[pool]]; write them in [pool.http]")),
        (
            "weight",
            Instead("", "a weight belongs to a pool of `pools`: `{ pool = \"a\", weight = 9 }`"),
        ),
    ],
};

/// One of the `pools` of a route.
pub(in crate::config) const SHARE: Vocabulary = Vocabulary {
    key: "pools",
    header: "{ ... }",
    title: "this pool of a route",
    noun: "key",
    known: &[word("pool", "pool = \"web\""), word("weight", "weight = 9")],
    refused: &[("name", Instead("pool", "write `pool`"))],
};

/// A `redirect` with more than its place.
pub(in crate::config) const REDIRECT: Vocabulary = Vocabulary {
    key: "redirect",
    header: "{ ... }",
    title: "`redirect`",
    noun: "key",
    known: &[word("to", "to = \"https://{host}{uri}\""), word("status", "status = 308")],
    refused: &[("url", Instead("to", "write `to`")), ("code", Instead("status", "write `status`"))],
};

/// A `respond` with more than its status.
pub(in crate::config) const RESPOND: Vocabulary = Vocabulary {
    key: "respond",
    header: "{ ... }",
    title: "`respond`",
    noun: "key",
    known: &[
        word("status", "status = 404"),
        word("body", "body = \"not here\\n\""),
        word("type", "type = \"text/plain; charset=utf-8\""),
    ],
    refused: &[
        ("code", Instead("status", "write `status`")),
        ("content-type", Instead("type", "write `type`")),
        ("headers", Instead("", "write `set-response-headers` in the route")),
    ],
};

/// A `rewrite-regex`.
pub(in crate::config) const REWRITE: Vocabulary = Vocabulary {
    key: "rewrite-regex",
    header: "{ ... }",
    title: "`rewrite-regex`",
    noun: "key",
    known: &[word("match", "match = \"^/old/(.*)\""), word("to", "to = \"/new/$1\"")],
    refused: &[
        ("from", Instead("match", "write `match`")),
        ("regex", Instead("match", "write `match`")),
        ("replace", Instead("to", "write `to`")),
    ],
};
