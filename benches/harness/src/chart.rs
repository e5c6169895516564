//! The chart: bars for the time of a cold start and the cost of a warm mail.
//!
//! Its colours are readable on a light and on a dark page alike, and it has no background of its own.

use std::fmt::Write;

use crate::summary::Summary;
use crate::table::short;

const WIDTH: f64 = 760.0;
const BAR_LEFT: f64 = 130.0;
const BAR_MAX: f64 = 520.0;
const BAR_HEIGHT: f64 = 18.0;
const ROW: f64 = 26.0;
const HEAD: f64 = 44.0;

const STYLE: &str = "\
    text { font: 13px system-ui, sans-serif; fill: #57606a }\n\
    .title { font-weight: 600 }\n\
    .ours { fill: #2f81f7 }\n\
    .floor { fill: #8b949e }\n\
    @media (prefers-color-scheme: dark) { text { fill: #c9d1d9 } }\n";

/// The scale of the bars.
#[derive(Clone, Copy, Debug)]
enum Scale {
    Linear,
    /// Logarithmic, for values that differ a hundredfold.
    Logarithmic,
}

/// One bar.
#[derive(Clone, Debug)]
struct Bar<'a> {
    label: &'a str,
    is_ours: bool,
    value: f64,
}

/// Draws the chart. `is_ours` tells Okite's functions from the floors, by their labels.
pub(crate) fn draw(summaries: &[Summary], is_ours: impl Fn(&str) -> bool) -> String {
    let bars = |value: fn(&Summary) -> f64| -> Vec<Bar<'_>> {
        let labelled = summaries.iter().map(|summary| (summary.label.as_str(), value(summary)));
        let bars = labelled.map(|(label, value)| Bar {
            label,
            is_ours: is_ours(label),
            value,
        });
        bars.collect()
    };
    let limited = summaries.iter().all(|summary| summary.limited.is_some());
    let at = if limited {
        "with the CPU of 128 MB"
    } else {
        "without a CPU quota"
    };
    let cold = bars(|summary| summary.limited.as_ref().unwrap_or(&summary.free).cold);
    let warm = bars(|summary| summary.cpu_warm);

    let mut body = String::new();
    let title = format!("Cold start and first event, {at}, in ms (logarithmic)");
    let below = panel(&mut body, 0.0, &title, Scale::Logarithmic, &cold);
    let height = panel(
        &mut body,
        below,
        "CPU of each event after it, in ms",
        Scale::Linear,
        &warm,
    );
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"What Okite's functions cost\">\n<style>\n{STYLE}</style>\n{body}</svg>\n"
    )
}

/// Draws one title with its bars from `top` on, and returns the lower end.
fn panel(body: &mut String, top: f64, title: &str, scale: Scale, bars: &[Bar<'_>]) -> f64 {
    let greatest = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let mut y = top + HEAD;
    // Writing to a string does not fail.
    let _ = writeln!(body, "<text class=\"title\" x=\"0\" y=\"{}\">{title}</text>", y - 18.0);
    for Bar { label, is_ours, value } in bars {
        let width = length(*value, greatest, scale);
        let class = if *is_ours { "ours" } else { "floor" };
        let text = y + BAR_HEIGHT - 4.0;
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}</text>\n\
             <rect class=\"{class}\" x=\"{BAR_LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" rx=\"2\"/>\n\
             <text x=\"{:.1}\" y=\"{text}\">{}</text>",
            BAR_LEFT - 8.0,
            escaped(label),
            BAR_LEFT + width + 8.0,
            short(*value),
        );
        y += ROW;
    }
    y
}

fn length(value: f64, greatest: f64, scale: Scale) -> f64 {
    let share = match scale {
        Scale::Linear => value / greatest,
        Scale::Logarithmic => value.max(0.0).ln_1p() / greatest.ln_1p(),
    };
    share.clamp(0.0, 1.0) * BAR_MAX
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Times;

    fn summary(label: &str, cold: f64) -> Summary {
        let times = Times {
            cold,
            ..Times::default()
        };
        Summary {
            label: label.to_owned(),
            limited: Some(times),
            cpu_warm: cold / 100.0,
            ..Summary::default()
        }
    }

    #[test]
    fn draws_a_bar_for_each_function_and_figure() {
        let chart = draw(&[summary("send-api", 4.2), summary("a<b", 490.0)], |label| {
            label == "send-api"
        });
        assert_eq!(chart.matches("<rect class=\"ours\"").count(), 2);
        assert_eq!(chart.matches("<rect class=\"floor\"").count(), 2);
        assert!(
            chart.contains(">a&lt;b</text>") && chart.contains("the CPU of 128 MB"),
            "{chart}"
        );
    }

    #[test]
    fn the_greatest_value_takes_all_the_room() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            assert!((length(490.0, 490.0, scale) - BAR_MAX).abs() < 1e-9);
            assert!(length(0.0, 490.0, scale).abs() < 1e-9);
        }
    }
}
