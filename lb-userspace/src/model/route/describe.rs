//! Routes in words: those of the configuration.

use std::fmt;

use super::{Action, Edits, Matches, PathRewrite, Route};

impl Matches {
    /// Each condition as the file has it; none if everything matches.
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        if !self.hosts.is_empty() {
            words.push(format!("host {}", list(&self.hosts)));
        }
        words.extend(self.path.as_ref().map(ToString::to_string));
        if !self.methods.is_empty() {
            words.push(format!("method {}", list(&self.methods)));
        }
        words.extend(self.headers.iter().map(|(name, value)| format!("header {name}={value}")));
        let cookies = self.cookies.iter();
        words.extend(cookies.map(|(name, value)| format!("cookie {}={value}", name.as_str())));
        words.extend(self.query.iter().map(|(name, value)| format!("query {name}={value}")));
        if !self.clients.is_empty() {
            words.push(format!("client {}", list(&self.clients)));
        }
        words
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pools(shares) => match &shares[..] {
                [share] => write!(f, "pool {}", share.pool),
                shares => {
                    let shares = shares.iter().map(|it| format!("{} ({})", it.pool, it.weight));
                    write!(f, "pools {}", list(&shares.collect::<Vec<_>>()))
                }
            },
            Self::Redirect(it) => write!(f, "redirect {} to {}", it.status.as_u16(), it.to),
            Self::Respond(it) => write!(f, "respond {}", it.status.as_u16()),
        }
    }
}

impl Edits {
    /// What is changed, a word or two each.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(self.path.as_ref().map(|path| match path {
            PathRewrite::Prefix(to) if to.is_empty() => "rewrite-prefix /".to_owned(),
            PathRewrite::Prefix(to) => format!("rewrite-prefix {to}"),
            PathRewrite::Regex(pattern, to) => {
                format!("rewrite-regex {} to {to}", pattern.as_str())
            }
        }));
        let host = self.host.as_ref().map(|host| String::from_utf8_lossy(host.as_bytes()));
        words.extend(host.map(|host| format!("rewrite-host {host}")));
        for (which, edits) in [("request", &self.request), ("response", &self.response)] {
            let named = [
                ("remove", edits.remove.iter().collect::<Vec<_>>()),
                ("set", edits.set.iter().map(|(name, _)| name).collect()),
                ("add", edits.add.iter().map(|(name, _)| name).collect()),
            ];
            for (what, names) in named {
                if !names.is_empty() {
                    words.push(format!("{what}-{which}-headers {}", list(&names)));
                }
            }
        }
        words
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = self.matches.words();
        let conditions =
            if conditions.is_empty() { "everything".to_owned() } else { conditions.join(", ") };
        write!(f, "{conditions}: {}", self.action)?;
        self.edits.words().iter().try_for_each(|edit| write!(f, ", {edit}"))
    }
}

fn list(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
