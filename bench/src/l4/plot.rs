//! The results as a picture: cost above, rate below; IPv4 left, IPv6 right.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    case::{Family, Mode, Who},
    samples::Row,
    targets::flows_in_words,
};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const SIZE: (u32, u32) = (1200, 900);
const FONT: &str = "sans-serif";
/// From few flows to many.
const COLOURS: [RGBColor; 3] =
    [RGBColor(158, 202, 225), RGBColor(66, 146, 198), RGBColor(8, 69, 148)];
/// The bare program with the same changes.
const BARE: RGBColor = RGBColor(203, 24, 29);

/// A group of bars, one for each number of flows.
struct Group {
    label: &'static str,
    bars: Vec<Option<f64>>,
    /// What a bare program with the same changes comes to.
    bare: Vec<Option<f64>>,
}

/// Draws the rows into an SVG file.
pub(crate) fn draw(rows: &[Row], flows: &[u32], path: &Path) -> Result<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    paint(&root, rows, flows).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn paint(root: &Area<'_>, rows: &[Row], flows: &[u32]) -> Result<(), Box<dyn std::error::Error>> {
    root.fill(&WHITE)?;
    let (head, body) = root.split_vertically(40);
    legend(&head, flows)?;
    let panels = body.split_evenly((2, 2));
    for (place, panel) in panels.iter().enumerate() {
        let (family, name) =
            if place % 2 == 0 { (Family::V4, "IPv4") } else { (Family::V6, "IPv6") };
        if place < 2 {
            let groups = groups(rows, family, flows, false, |row| row.ns_per_packet);
            let title = format!("Cost per packet by test run, {name} (ns; lower is better)");
            bars(panel, &title, &groups)?;
        } else {
            let groups = groups(rows, family, flows, true, |row| row.mpps);
            let title = format!("Rate over veth, {name} (Mpps for a CPU second; higher is better)");
            bars(panel, &title, &groups)?;
        }
    }
    Ok(root.present()?)
}

/// What is drawn beside each other.
fn groups(
    rows: &[Row],
    family: Family,
    flows: &[u32],
    with_kernel: bool,
    value: impl Fn(&Row) -> Option<f64>,
) -> Vec<Group> {
    let find = |who: Who, mode: Option<Mode>| -> Vec<Option<f64>> {
        let of = |flows: &u32| {
            let wanted = (who, mode.map(Mode::name), family.name(), *flows);
            let row = rows.iter().find(|r| (r.who, r.mode, r.family, r.flows) == wanted);
            row.and_then(&value)
        };
        flows.iter().map(of).collect()
    };
    let plain = |label, who| Group { label, bars: find(who, None), bare: Vec::new() };
    let mut groups = vec![plain("bare XDP_TX", Who::Bare)];
    groups.extend(Mode::ALL.map(|mode| Group {
        label: mode.name(),
        bars: find(Who::Shunt, Some(mode)),
        bare: find(Who::Edits, Some(mode)),
    }));
    if with_kernel {
        groups.push(plain("kernel", Who::Kernel));
        groups.push(plain("nftables", Who::Nftables));
    }
    groups
}

/// The top of the axis: what is far above the rest is cut off there, and its number stands beside.
fn top(groups: &[Group]) -> f64 {
    let mut all: Vec<f64> =
        groups.iter().flat_map(|group| &group.bars).copied().flatten().collect();
    all.sort_unstable_by(f64::total_cmp);
    let most = all.last().copied().unwrap_or(1.0);
    let usual = all.get(all.len() * 3 / 4).copied().unwrap_or(most);
    most.min(usual * 2.0) * 1.18
}

fn bars(area: &Area<'_>, title: &str, groups: &[Group]) -> Result<(), Box<dyn std::error::Error>> {
    let top = top(groups);
    #[expect(clippy::cast_precision_loss, reason = "a handful of groups")]
    let right = groups.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 17))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..right, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(WHITE)
        .bold_line_style(BLACK.mix(0.12))
        .y_labels(8)
        .label_style((FONT, 13))
        .draw()?;
    let number = (FONT, 10).into_font().into_text_style(area);
    let number = number.pos(Pos::new(HPos::Center, VPos::Bottom));
    let below = (FONT, 13).into_font().into_text_style(area);
    let below = below.pos(Pos::new(HPos::Center, VPos::Top));
    let mut left = 0.0;
    for group in groups {
        let width = 0.84 / 3.0;
        let mut x = left + 0.08;
        for (place, bar) in group.bars.iter().enumerate() {
            let colour = COLOURS.get(place).unwrap_or(&BLACK);
            if let Some(value) = *bar {
                let height = value.min(top * 0.94);
                let corners = [(x, 0.0), (x + width * 0.92, height)];
                chart.draw_series([Rectangle::new(corners, colour.filled())])?;
                let text = if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") };
                let at = (x + width / 2.0, height + top * 0.008);
                chart.draw_series([Text::new(text, at, number.clone())])?;
            }
            if let Some(bare) = group.bare.get(place).copied().flatten() {
                let line = vec![(x, bare), (x + width * 0.92, bare)];
                chart.draw_series([PathElement::new(line, BARE.stroke_width(2))])?;
            }
            x += width;
        }
        let at = (left + 0.5, -top * 0.02);
        chart.draw_series([Text::new(group.label, at, below.clone())])?;
        left += 1.0;
    }
    Ok(())
}

fn legend(area: &Area<'_>, flows: &[u32]) -> Result<(), Box<dyn std::error::Error>> {
    let style = (FONT, 14).into_font().into_text_style(area);
    let mut x = 60;
    for (flows, colour) in flows.iter().zip(COLOURS) {
        area.draw(&Rectangle::new([(x, 16), (x + 14, 30)], colour.filled()))?;
        area.draw(&Text::new(flows_in_words(*flows), (x + 20, 16), style.clone()))?;
        x += 120;
    }
    area.draw(&PathElement::new(vec![(x, 23), (x + 18, 23)], BARE.stroke_width(2)))?;
    let text = "a bare program that makes the same changes to the bytes";
    area.draw(&Text::new(text, (x + 24, 16), style))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Group, top};

    #[test]
    fn one_outlier_does_not_flatten_the_rest() {
        let group = |value| Group { label: "", bars: vec![Some(value); 3], bare: Vec::new() };
        let groups = [group(40.0), group(45.0), group(50.0), group(50.0), group(600.0)];
        assert!(top(&groups) < 150.0);
        assert!(top(&groups[..2]) > 45.0);
    }
}
