//! The part at layer 7: requests go to pools by their routes, over the servers of the service and
//! beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::{client::End, load::Record, wait};

use super::{
    EXAMPLE,
    answers::{Row, table},
    report,
    site::{Ask, Pool, Site},
    stage::{POOL, Stage},
    steps::{outcome, while_opening},
};

/// The configuration.
pub(super) const HTTP: &str = "examples/http.toml";
/// Its listener, and the port of that.
pub(super) const LISTENER: &str = "edge";
const PORT: u16 = 8080;
/// Requests of each kind: as many for each of the four backends.
const TIMES: usize = 40;
/// How long the daemon may take to count a request that has been answered.
const BOUND: Duration = Duration::from_secs(10);

const BACKEND: Pool = Pool { name: POOL, backends: &[1, 2, 3, 4] };
const IMAGES: Pool = Pool { name: "images", backends: &[3] };
const PLACES: Pool = Pool { name: "places", backends: &[2] };
const BETA: Pool = Pool { name: "beta", backends: &[4] };

/// Two routes fit.
const CONTESTED: Ask = Ask { path: "/location/map.jpg", header: None, pool: IMAGES };
/// No route fits, though the header of one is there.
const LEFT_OVER: Ask = Ask { path: "/", header: Some("X-Beta: 2"), pool: BACKEND };

/// What is asked for, and whom the routes give it to.
const ASKS: [Ask; 8] = [
    Ask { path: "/a.jpg", header: None, pool: IMAGES },
    Ask { path: "/far/down/b.jpg", header: None, pool: IMAGES },
    Ask { path: "/location", header: None, pool: PLACES },
    Ask { path: "/location/7", header: None, pool: PLACES },
    CONTESTED,
    Ask { path: "/", header: Some("X-Beta: 1"), pool: BETA },
    LEFT_OVER,
    Ask { path: "/", header: None, pool: BACKEND },
];

/// The listener, as curl reaches it.
pub(super) fn site(stage: &Stage) -> Site {
    Site { url: format!("http://{}", stage.listener(PORT)), args: Vec::new() }
}

/// Adds the listener and asks it while the service goes on, and lets the daemon explain.
pub(super) fn over_http(stage: &Stage) -> Result<()> {
    report::heading(&format!("Layer 7 beside layer 4: {HTTP}"));
    let site = site(stage);
    let ((), connections) = while_opening(stage, || add_and_ask(stage, &site))?;
    beside(stage, &connections)?;

    println!("\n  Which route takes a request, and why:\n");
    for ask in [CONTESTED, LEFT_OVER] {
        explain(stage, &site, &ask)?;
        println!();
    }
    stage.shunt(&["listener", "show", LISTENER])
}

fn add_and_ask(stage: &Stage, site: &Site) -> Result<()> {
    stage.apply(HTTP, EXAMPLE)?;
    println!("  What commands had changed in the pool is again as the file says.");
    report::heading(&format!("Requests to {}/", site.url));
    println!(
        "  {TIMES} requests of each kind, over one connection for each kind. At layer 4 a connection has a\n  backend; at layer 7 each request of a connection has its own."
    );
    ask_all(stage, site, LISTENER).map(drop)
}

/// Asks a listener everything; the versions of HTTP that curl and the listener agreed on.
pub(super) fn ask_all(stage: &Stage, site: &Site, listener: &str) -> Result<String> {
    println!("\n$ {}", site.shown(&ASKS[0], TIMES));
    let asked = ASKS.iter().map(|ask| site.ask(stage, ask, TIMES));
    let (rows, answers): (Vec<_>, Vec<_>) = asked.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    print!("{}", table(&rows));
    rows.iter().try_for_each(Row::verify)?;
    verify_counts(stage, listener)?;

    let (balancer, client) = stage.own_addresses();
    let seen: BTreeSet<_> = answers.iter().flat_map(|answers| &answers.clients).collect();
    let expected = format!("{balancer} for {client}");
    ensure!(
        seen.iter().all(|seen| **seen == expected),
        "backends should have seen `{expected}`, but saw {seen:?}"
    );
    println!(
        "  The backends saw {balancer}, the balancer, and in X-Forwarded-For {client}, the client."
    );
    let versions: BTreeSet<_> = answers.into_iter().flat_map(|answers| answers.versions).collect();
    Ok(versions.into_iter().collect::<Vec<_>>().join(", "))
}

/// Compares what the daemon has counted for each pool with what was sent.
fn verify_counts(stage: &Stage, listener: &str) -> Result<()> {
    let mut sent = BTreeMap::new();
    for ask in &ASKS {
        *sent.entry(format!("pool {}", ask.pool.name)).or_insert(0) += TIMES as u64;
    }
    wait::until("the daemon to count the requests", BOUND, || {
        let view = stage.daemon.json(&["listener", "show", listener])?;
        let routes = view["routes"].as_array().context("the listener has no `routes`")?;
        let count = |route: &Value| {
            Some((route["action"].as_str()?.to_owned(), route["requests"].as_u64()?))
        };
        let counted: BTreeMap<_, _> = routes.iter().filter_map(count).collect();
        ensure!(counted == sent, "it has counted {counted:?}, but {sent:?} were sent");
        Ok(())
    })
}

/// What became of the connections to the service meanwhile.
fn beside(stage: &Stage, records: &[Record]) -> Result<()> {
    println!(
        "\n  Meanwhile, since before the listener was added, {} connections went by layer 4 to\n  http://{}/: {}.",
        records.len(),
        stage.vip(),
        outcome(records)
    );
    let own = |record: &&Record| {
        record.end == End::Whole && record.seen.is_some() && record.seen == record.client
    };
    let good = records.iter().filter(own).count();
    ensure!(
        good == records.len() && good > 0,
        "of {} connections only {good} reached a backend that saw the client's own address",
        records.len()
    );
    println!("  There each backend saw the client's own address and port.");
    Ok(())
}

/// Shows what the daemon says of a request, which must be what we say.
fn explain(stage: &Stage, site: &Site, ask: &Ask) -> Result<()> {
    let url = format!("{}{}", site.url, ask.path);
    let header: Vec<_> = ask.header.into_iter().flat_map(|header| ["-H", header]).collect();
    let words = [&["route", "GET", &url], &header[..]].concat();
    stage.shunt(&words)?;
    let view = stage.daemon.json(&words)?;
    ensure!(
        view["pools"][0] == ask.pool.name,
        "the request is for pool {}, but `shunt route` says {}",
        ask.pool.name,
        view["pools"]
    );
    Ok(())
}
