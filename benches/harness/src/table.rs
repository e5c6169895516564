//! Figures as a Markdown table.

use crate::summary::{Summary, Times};

/// Makes a table. Every row has as many cells as the head.
pub(crate) fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!(
        "| {} |\n|---|{}\n",
        head.join(" | "),
        "--:|".repeat(head.len().saturating_sub(1))
    );
    for row in rows {
        text.extend(["| ", &row.join(" | "), " |\n"]);
    }
    text
}

/// Writes a number with a comma after every thousand.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes three significant digits, or two of small numbers.
pub(crate) fn short(number: f64) -> String {
    match number {
        small if small < 10.0 => format!("{small:.2}"),
        middle if middle < 100.0 => format!("{middle:.1}"),
        large => format!("{large:.0}"),
    }
}

/// The times: with the CPU of 128 MB, where a quota can be set, and without a quota.
pub(crate) fn times(summaries: &[Summary]) -> String {
    let head = [
        "milliseconds",
        "cold total, 128 MB",
        "init",
        "first invoke, 128 MB",
        "warm p50 / p99, 128 MB",
        "cold total, no quota",
        "first invoke, no quota",
        "warm p50 / p99, no quota",
    ];
    let pair = |times: &Times| format!("{} / {}", short(times.warm_p50), short(times.warm_p99));
    let row = |summary: &Summary| {
        let (free, limited) = (&summary.free, summary.limited.as_ref());
        let or_none = |figure: Option<String>| figure.unwrap_or_else(|| "no cgroup".to_owned());
        vec![
            summary.label.clone(),
            or_none(limited.map(|times| short(times.cold))),
            short(limited.unwrap_or(free).init),
            or_none(limited.map(|times| short(times.first))),
            or_none(limited.map(pair)),
            short(free.cold),
            short(free.first),
            pair(free),
        ]
    };
    markdown(&head, &summaries.iter().map(row).collect::<Vec<_>>())
}

/// The figures that do not depend on a quota: CPU, instructions, memory and sizes.
pub(crate) fn costs(summaries: &[Summary]) -> String {
    let head = [
        "",
        "CPU init + first, ms",
        "CPU warm, ms",
        "instructions cold / warm",
        "peak memory, MB",
        "binary / zip, MB",
    ];
    let megabytes = |bytes: f64| short(bytes / 1e6);
    let row = |summary: &Summary| {
        let instructions = summary.instructions.map_or_else(
            || "not counted".to_owned(),
            |counted| format!("{} / {}", millions(counted.cold), millions(counted.warm)),
        );
        #[expect(clippy::cast_precision_loss, reason = "files are megabytes, not petabytes")]
        let [binary, zip] = [summary.sizes.binary, summary.sizes.zip].map(|bytes| megabytes(bytes as f64));
        vec![
            summary.label.clone(),
            format!("{} + {}", short(summary.cpu_init), short(summary.cpu_first)),
            short(summary.cpu_warm),
            instructions,
            megabytes(summary.peak_memory),
            format!("{binary} / {zip}"),
        ]
    };
    markdown(&head, &summaries.iter().map(row).collect::<Vec<_>>())
}

/// Writes a count in millions.
#[expect(
    clippy::cast_precision_loss,
    reason = "instructions are counted in millions, not in 2^53"
)]
pub(crate) fn millions(count: u64) -> String {
    format!("{} M", short(count as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Sizes;
    use crate::summary::Instructions;

    #[test]
    fn separates_thousands() {
        let shown = [0, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn shows_the_digits_that_matter() {
        assert_eq!([0.061, 4.249, 49.04, 490.4].map(short), ["0.06", "4.25", "49.0", "490"]);
    }

    #[test]
    fn says_where_there_was_no_quota_and_no_count() {
        let summary = Summary {
            label: "send-api".to_owned(),
            ..Summary::default()
        };
        let shown = times(std::slice::from_ref(&summary));
        assert!(shown.contains("| send-api | no cgroup | 0.00 | no cgroup |"), "{shown}");
        assert!(costs(&[summary]).contains("not counted"));
    }

    #[test]
    fn shows_costs_in_millions_and_megabytes() {
        let summary = Summary {
            label: "send-api".to_owned(),
            cpu_init: 2.9,
            cpu_first: 0.4,
            cpu_warm: 0.37,
            peak_memory: 7_300_000.0,
            sizes: Sizes {
                binary: 5_200_000,
                zip: 2_300_000,
            },
            instructions: Some(Instructions {
                cold: 6_400_000,
                warm: 1_060_000,
            }),
            ..Summary::default()
        };
        let row = "| send-api | 2.90 + 0.40 | 0.37 | 6.40 M / 1.06 M | 7.30 | 5.20 / 2.30 |";
        assert!(costs(&[summary]).contains(row));
    }
}
