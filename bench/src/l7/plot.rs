//! The table of layers as a picture: what each adds to a request.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    report::{LAYERS, Layer},
    samples::Row,
};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

const SIZE: (u32, u32) = (1100, 640);
const FONT: &str = "sans-serif";
const SHUNT: RGBColor = RGBColor(8, 69, 148);
const NGINX: RGBColor = RGBColor(150, 150, 150);
/// Room for the names.
const LABELS: f64 = 0.42;

/// Draws the rows into an SVG file.
pub(crate) fn draw(rows: &[Row], path: &Path) -> Result<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    paint(&root, rows).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn paint(root: &Area<'_>, rows: &[Row]) -> Drawn {
    root.fill(&WHITE)?;
    let titles = [
        "Added to a request on a kept connection (µs of CPU; lower is better)",
        "Added to a request with a connection of its own",
    ];
    let panels = root.split_evenly((2, 1));
    for (place, (panel, title)) in panels.iter().zip(titles).enumerate() {
        let values = LAYERS.each_ref().map(|layer| (layer, layer.added(rows)[place]));
        bars(panel, title, &values)?;
    }
    Ok(root.present()?)
}

/// Bars that lie, longest as long as there is room.
fn bars(area: &Area<'_>, title: &str, values: &[(&Layer, Option<f64>)]) -> Drawn {
    let area = area.margin(8, 8, 16, 16).titled(title, (FONT, 19))?;
    let (width, height) = area.dim_in_pixel();
    let most = values.iter().filter_map(|(_, value)| *value).fold(1.0, f64::max);
    let left = f64::from(width) * LABELS;
    let scale = (f64::from(width) * (0.92 - LABELS)) / most;
    #[expect(clippy::cast_precision_loss, reason = "a handful of bars")]
    let step = f64::from(height) / values.len() as f64;
    let style = TextStyle::from((FONT, 16).into_font()).pos(Pos::new(HPos::Right, VPos::Center));
    for (row, (layer, value)) in (0_u32..).zip(values) {
        let (top, bottom) =
            (f64::from(row) * step + step * 0.15, f64::from(row + 1) * step - step * 0.15);
        let middle = pixel(f64::midpoint(top, bottom));
        let name = layer.name.replace('`', "");
        area.draw(&Text::new(name, (pixel(left) - 8, middle), style.clone()))?;
        let Some(value) = value else { continue };
        let colour = if layer.name.starts_with("Shunt") { SHUNT } else { NGINX };
        let end = left + value.max(0.0) * scale;
        let corners = [(pixel(left), pixel(top)), (pixel(end), pixel(bottom))];
        area.draw(&Rectangle::new(corners, colour.filled()))?;
        let right = style.clone().pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(format!("{value:.1}"), (pixel(end) + 6, middle), right))?;
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "a picture is small")]
fn pixel(value: f64) -> i32 {
    value.round() as i32
}
