//! Curves as SVG.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 32.0;
/// Told apart by the colour-blind (Okabe and Ito 2008), and by their dashes.
const STYLES: [(&str, &str); 5] = [
    ("#0072b2", ""),
    ("#d55e00", "6 3"),
    ("#009e73", "2 2"),
    ("#cc79a7", "8 3 2 3"),
    ("#e69f00", "1 3"),
];
/// Points a curve is drawn with at most.
const POINTS: usize = 400;

/// A plot of curves, each a name and its points (step, value). `None` if there is no finite point.
pub fn svg_plot(title: &str, curves: &[(&str, Vec<(f64, f64)>)]) -> Option<String> {
    let finite = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
    let points = || {
        curves
            .iter()
            .flat_map(|(_, points)| points.iter().filter(finite))
    };
    let range = |pick: fn(&(f64, f64)) -> f64| {
        points()
            .map(pick)
            .fold(None, |range: Option<(f64, f64)>, value| {
                let (low, high) = range.unwrap_or((value, value));
                Some((low.min(value), high.max(value)))
            })
    };
    let ((x0, x1), (y0, y1)) = (range(|p| p.0)?, range(|p| p.1)?);
    let scale = |value: f64, low: f64, high: f64| {
        if high > low {
            (value - low) / (high - low)
        } else {
            0.5
        }
    };
    let x = |value: f64| LEFT + scale(value, x0, x1) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - scale(value, y0, y1) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\" role=\"img\"><title>{}</title><text x=\"{LEFT}\" y=\"14\" font-weight=\"bold\">{}</text>",
        escaped(title),
        escaped(title)
    );
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let (vertical, horizontal) = (y0 + share * (y1 - y0), x0 + share * (x1 - x0));
        let (down, along) = (y(vertical), x(horizontal));
        let _ = write!(
            svg,
            "<path d=\"M{LEFT} {down:.1}H{:.1}\" stroke=\"#8884\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><text x=\"{along:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            down + 4.0,
            label(vertical),
            HEIGHT - 12.0,
            label(horizontal)
        );
    }
    for (index, (name, points)) in curves.iter().enumerate() {
        let (colour, dashes) = STYLES[index % STYLES.len()];
        let every = points.len().div_ceil(POINTS).max(1);
        let last = points.len().saturating_sub(1);
        let line: Vec<String> = points
            .iter()
            .enumerate()
            .filter(|(place, point)| (place % every == 0 || *place == last) && finite(point))
            .map(|(_, point)| format!("{:.1},{:.1}", x(point.0), y(point.1)))
            .collect();
        let legend = LEFT + 150.0 + 120.0 * index as f64;
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-dasharray=\"{dashes}\"/><path d=\"M{legend} 10h20\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/><text x=\"{}\" y=\"14\">{}</text>",
            line.join(" "),
            legend + 25.0,
            escaped(name)
        );
    }
    svg.push_str("</svg>");
    Some(svg)
}

fn label(value: f64) -> String {
    if value.abs() >= 100.0 || value == value.trunc() {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_left_out() {
        let curve = vec![(1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0)];
        let svg = svg_plot("loss <a>", &[("a", curve)]).unwrap();
        assert!(!svg.contains("NaN") && svg.contains("loss &lt;a&gt;"));
        assert_eq!(svg_plot("none", &[("a", vec![(1.0, f64::INFINITY)])]), None);
    }
}
