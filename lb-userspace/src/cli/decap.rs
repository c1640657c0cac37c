//! `shunt decap`: the backend's end of `ipip` and `gue`.

use std::fmt::{Display, Write};

use lb_common::decap::Reason;

use super::{
    Outcome,
    args::DecapArgs,
    table::{
        self,
        Column::{Number, Text},
        Table,
    },
};
use crate::{
    admin::types::DecapView,
    model::{AttachMode, DecapSettings, DecapTarget},
};

/// What is done for `shunt decap`. The command line is below it, so the binary hands it in.
#[derive(Clone, Copy, Debug)]
pub struct Decap {
    /// Sets a decapsulator up, or an existing one anew; says what it did, a line each.
    pub attach: fn(&DecapTarget, &DecapSettings) -> anyhow::Result<Vec<String>>,
    /// Looks at one.
    pub view: fn(&DecapTarget) -> anyhow::Result<DecapView>,
    /// Removes one; says what went, a line each.
    pub detach: fn(&DecapTarget) -> anyhow::Result<Vec<String>>,
}

pub(super) fn decap(decap: &Decap, args: DecapArgs) -> anyhow::Result<Outcome> {
    let target = DecapTarget { interface: args.interface, pin_dir: args.pin_dir };
    if args.status {
        return Outcome::view(&(decap.view)(&target)?, args.json, words);
    }
    let mut lines = if args.detach {
        (decap.detach)(&target)?
    } else {
        let settings = DecapSettings {
            mode: args.mode,
            addresses: args.addresses.into_iter().collect(),
            from: args.from.into_iter().collect(),
        };
        (decap.attach)(&target, &settings)?
    };
    if lines.is_empty() {
        lines.push(format!("nothing to remove: {} does not exist", target.directory().display()));
    }
    Ok(Outcome::text(lines.join("\n") + "\n"))
}

fn words(view: &DecapView) -> String {
    let mut out = String::new();
    let attached = view.attached.map_or("! not attached", AttachMode::name);
    let from = if view.from.is_empty() { "anywhere".to_owned() } else { list(&view.from) };
    _ = writeln!(out, "decapsulator on {}", view.interface);
    _ = writeln!(out, "  attached   {attached}");
    _ = writeln!(out, "  addresses  {}", list(&view.addresses));
    _ = writeln!(out, "  from       {from}");
    _ = writeln!(out, "  pinned in  {}", view.pin_dir.display());
    if !view.packets.is_empty() {
        _ = write!(out, "\n{}", packets(view));
    }
    out
}

fn packets(view: &DecapView) -> Table {
    let mut table =
        Table::new(&[Text("REASON"), Number("PACKETS"), Number("BYTES"), Text("MEANING")]);
    for (name, &counter) in &view.packets {
        let known = Reason::ALL.iter().find(|reason| reason.name() == name);
        let [packets, bytes] = table::counter(counter);
        let meaning = known.map_or("", |reason| reason.explanation());
        table.row([name.clone(), packets, bytes, meaning.to_owned()]);
    }
    table
}

fn list(values: &[impl Display]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
