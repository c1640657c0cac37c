//! From a request to its route, by an index that does not slow with the number of routes.
//!
//! The host finds a table of paths by its hash; there the whole path is looked up, then all globs and
//! regular expressions of that host at once (they are one automaton), then the prefixes that end where
//! a segment does, from the longest on. Only routes that say the same of host and path are gone through one
//! after the other. The order in which things are tried is the order of specificity, so the first
//! route whose other conditions hold is the one.

mod conditions;
mod target;
#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use hyper::{HeaderMap, Method};
use regex::{RegexSet, RegexSetBuilder};

pub(crate) use self::conditions::Miss;
pub(super) use self::target::{cookie, host_name, normal_path};
use crate::model::{
    Route,
    route::{HostPattern, Matches, PathPattern},
};

/// Bytes that the automaton of the globs and expressions of one host may have.
const AUTOMATON: usize = 64 << 20;

/// What is asked for: the parts of a request that routes look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The method.
    pub(crate) method: &'a Method,
    /// The host in lower case, without a port.
    pub(crate) host: &'a str,
    /// The path, with escapes of what needs none resolved.
    pub(crate) path: &'a str,
    /// What stands behind the `?`.
    pub(crate) query: Option<&'a str>,
    /// The headers.
    pub(crate) headers: &'a HeaderMap,
    /// The client.
    pub(crate) client: IpAddr,
}

/// The routes of a listener, indexed. Routes are known by their place in the file.
#[derive(Debug)]
pub(super) struct Table {
    exact: HashMap<String, Paths>,
    /// By the name that they are below.
    below: HashMap<String, Paths>,
    any: Paths,
    conditions: Vec<Matches>,
}

/// The routes of one host.
#[derive(Debug, Default)]
struct Paths {
    exact: HashMap<String, Vec<usize>>,
    expressions: Option<RegexSet>,
    /// Routes of the expressions, the most specific first.
    expressed: Vec<usize>,
    prefixes: HashMap<String, Vec<usize>>,
    /// Slashes of the prefix that has most of them.
    deepest: usize,
    any: Vec<usize>,
}

impl Table {
    /// Indexes routes. Fails if the expressions of a host are too large together.
    pub(super) fn new(routes: &[Route]) -> Result<Self, regex::Error> {
        Self::of_some(routes, |_| true)
    }

    /// Indexes only some routes, each by its place among all.
    pub(super) fn of_some(
        routes: &[Route],
        counts: impl Fn(&Route) -> bool,
    ) -> Result<Self, regex::Error> {
        let counts = |nth: &usize| routes.get(*nth).is_some_and(&counts);
        let mut order: Vec<usize> = (0..routes.len()).filter(counts).collect();
        order.sort_by_key(|nth| Reverse(routes.get(*nth).map(Route::rank)));
        let mut hosts: BTreeMap<Option<&HostPattern>, Vec<usize>> = BTreeMap::new();
        for nth in order {
            let Some(route) = routes.get(nth) else { continue };
            for host in &route.matches.hosts {
                hosts.entry(Some(host)).or_default().push(nth);
            }
            if route.matches.hosts.is_empty() {
                hosts.entry(None).or_default().push(nth);
            }
        }
        let conditions = routes.iter().map(|route| route.matches.clone()).collect();
        let (exact, below) = (HashMap::new(), HashMap::new());
        let mut table = Self { exact, below, any: Paths::default(), conditions };
        for (host, members) in hosts {
            let paths = Paths::new(routes, &members)?;
            match host {
                None => table.any = paths,
                Some(HostPattern::Exact(name)) => _ = table.exact.insert(name.clone(), paths),
                Some(HostPattern::Below(name)) => _ = table.below.insert(name.clone(), paths),
            }
        }
        Ok(table)
    }

    /// The route of a request. `passed` hears of each that fits by host and path, but not otherwise.
    pub(super) fn find(
        &self,
        asked: &Asked<'_>,
        mut passed: impl FnMut(usize, Miss),
    ) -> Option<usize> {
        let mut fits = |nth: usize| match self.conditions.get(nth)?.miss(asked) {
            None => Some(nth),
            Some(miss) => {
                passed(nth, miss);
                None
            }
        };
        if let Some(paths) = self.exact.get(asked.host)
            && let Some(found) = paths.find(asked.path, &mut fits)
        {
            return Some(found);
        }
        let mut rest = asked.host;
        while !self.below.is_empty()
            && let Some((_, name)) = rest.split_once('.')
        {
            if let Some(paths) = self.below.get(name)
                && let Some(found) = paths.find(asked.path, &mut fits)
            {
                return Some(found);
            }
            rest = name;
        }
        self.any.find(asked.path, &mut fits)
    }
}

impl Paths {
    /// The routes of one host, the most specific first.
    fn new(routes: &[Route], members: &[usize]) -> Result<Self, regex::Error> {
        let mut paths = Self::default();
        let mut expressions = Vec::new();
        for &nth in members {
            match routes.get(nth).and_then(|route| route.matches.path.as_ref()) {
                None => paths.any.push(nth),
                Some(PathPattern::Exact(path)) => {
                    paths.exact.entry(path.clone()).or_default().push(nth);
                }
                Some(PathPattern::Prefix(prefix)) => {
                    paths.deepest = paths.deepest.max(prefix.matches('/').count());
                    paths.prefixes.entry(prefix.clone()).or_default().push(nth);
                }
                Some(pattern @ (PathPattern::Glob(_) | PathPattern::Regex(_))) => {
                    expressions.extend(pattern.expression());
                    paths.expressed.push(nth);
                }
            }
        }
        if !expressions.is_empty() {
            let set = RegexSetBuilder::new(expressions).size_limit(AUTOMATON).build()?;
            paths.expressions = Some(set);
        }
        Ok(paths)
    }

    fn find(&self, path: &str, fits: &mut impl FnMut(usize) -> Option<usize>) -> Option<usize> {
        let mut first = |list: &[usize]| list.iter().find_map(|nth| fits(*nth));
        if let Some(found) = self.exact.get(path).and_then(|list| first(list)) {
            return Some(found);
        }
        if let Some(set) = &self.expressions {
            for place in set.matches(path) {
                if let Some(found) = self.expressed.get(place).and_then(|nth| first(&[*nth])) {
                    return Some(found);
                }
            }
        }
        if !self.prefixes.is_empty() {
            for prefix in prefixes(path, self.deepest) {
                if let Some(found) = self.prefixes.get(prefix).and_then(|list| first(list)) {
                    return Some(found);
                }
            }
        }
        first(&self.any)
    }
}

/// What a path begins with and ends where a segment does, with at most so many slashes, the longest
/// first, down to nothing at all.
fn prefixes(path: &str, deepest: usize) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    let ends: Vec<usize> = ends.take(deepest).collect();
    let longest_first = ends.into_iter().rev().chain([0]);
    longest_first.filter_map(move |end| path.get(..end))
}
