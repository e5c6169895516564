//! The figures that a reader wants first, as a list: a cold start, a warm mail, memory and the package.

use crate::summary::Summary;
use crate::table::{millions, short};

/// The program whose figures come first: most users begin with it.
const MAIN: &str = "send-api";
/// The program that it is compared with.
const DRAFT: &str = "naive";

/// The longest line of a document, with its end.
const WIDTH: usize = 121;

/// Writes the list, or returns `None` if the program was not measured.
pub(crate) fn write(summaries: &[Summary]) -> Option<String> {
    let of = |label: &str| summaries.iter().find(|summary| summary.label == label);
    let main = of(MAIN)?;
    let times = |summary: &Summary| summary.limited.unwrap_or(summary.free);
    let at = if main.limited.is_some() {
        "at 128 MB"
    } else {
        "without a quota"
    };
    let draft = of(DRAFT).map_or_else(String::new, |draft| {
        format!(
            " A first draft with default features (`{DRAFT}`) takes {} ms.",
            short(times(draft).cold)
        )
    });
    let counted = main.instructions.map_or_else(String::new, |counted| {
        format!(", {} instructions", millions(counted.warm))
    });
    #[expect(clippy::cast_precision_loss, reason = "files are megabytes, not petabytes")]
    let zip = short(main.sizes.zip as f64 / 1e6);
    let lines = [
        format!(
            "- **Cold start**: `{MAIN}` starts and answers its first mail in {} ms {at}.{draft}",
            short(times(main).cold),
        ),
        format!(
            "- **Each further mail**: {} ms of CPU{counted}. The answer takes {} ms {at} (median), where AWS answers \
             at once.",
            short(main.cpu_warm),
            short(times(main).warm_p50),
        ),
        format!(
            "- **Memory and package**: {} MB at its peak, and a zip of {zip} MB.",
            short(main.peak_memory / 1e6),
        ),
    ];
    Some(lines.map(|line| wrapped(&line)).concat())
}

/// Breaks an entry of a list into lines that are not too long, and ends it.
fn wrapped(entry: &str) -> String {
    let mut text = String::new();
    let mut length = 0;
    for word in entry.split(' ') {
        let wide = word.chars().count() + 1;
        if length + wide > WIDTH {
            text.push_str("\n  ");
            length = 2;
        } else if length > 0 {
            text.push(' ');
        }
        text.push_str(word);
        length += wide;
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Sizes;
    use crate::summary::{Instructions, Times};

    fn measured(label: &str, cold: f64) -> Summary {
        let times = Times {
            cold,
            warm_p50: 2.5,
            ..Times::default()
        };
        Summary {
            label: label.to_owned(),
            free: times,
            limited: Some(times),
            cpu_warm: 0.75,
            peak_memory: 9_500_000.0,
            sizes: Sizes {
                binary: 8_000_000,
                zip: 2_900_000,
            },
            instructions: Some(Instructions {
                cold: 8_000_000,
                warm: 1_800_000,
            }),
            ..Summary::default()
        }
    }

    #[test]
    fn says_what_a_mail_costs_beside_a_first_draft() {
        let text = write(&[measured("send-api", 7.25), measured("naive", 500.0)]).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
        let entries = text.replace("\n  ", " ");
        let expected = [
            "- **Cold start**: `send-api` starts and answers its first mail in 7.25 ms at 128 MB. A first draft with \
             default features (`naive`) takes 500 ms.\n",
            "- **Each further mail**: 0.75 ms of CPU, 1.80 M instructions. The answer takes 2.50 ms at 128 MB \
             (median), where AWS answers at once.\n",
            "- **Memory and package**: 9.50 MB at its peak, and a zip of 2.90 MB.\n",
        ];
        assert_eq!(entries, expected.concat());
    }

    #[test]
    fn leaves_out_figures_that_there_are_not() {
        let mut main = measured("send-api", 7.25);
        (main.limited, main.instructions) = (None, None);
        let text = write(&[main]).unwrap();
        assert!(text.contains("in 7.25 ms without a quota.\n"), "{text}");
        assert!(text.contains("0.75 ms of CPU. The answer"), "{text}");
        assert_eq!(write(&[measured("feedback", 5.0)]), None);
    }
}
