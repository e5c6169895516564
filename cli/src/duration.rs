//! A duration on the command line.

use std::time::Duration;

/// The longest duration: records of messages are kept for at most ten years.
const MAX: Duration = Duration::from_hours(24 * 3_650);

/// Parses a duration such as `30m`, `12h` or `7d`.
///
/// # Errors
/// The message for a text that is not a duration from one minute to ten years.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time has the form 30m, 12h or 7d, from 1m to 3650d".to_owned();
    let (number, seconds) = text
        .strip_suffix('m')
        .map(|number| (number, 60))
        .or(text.strip_suffix('h').map(|number| (number, 3_600)))
        .or(text.strip_suffix('d').map(|number| (number, 86_400)))
        .ok_or_else(wrong)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let duration = number.checked_mul(seconds).map(Duration::from_secs);
    let fits = |duration: &Duration| !duration.is_zero() && *duration <= MAX;
    duration.filter(fits).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_minutes_hours_and_days_and_rejects_everything_else() {
        for (text, minutes) in [("1m", 1), ("12h", 720), ("7d", 10_080), ("3650d", 5_256_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_mins(minutes)), "{text}");
        }
        for wrong in [
            "",
            "d",
            "7",
            "0d",
            "-1d",
            "+1d",
            "1.5h",
            "7 d",
            "7w",
            "3651d",
            "99999999999999999999d",
            "ü",
            "7ü",
        ] {
            assert!(parse_duration(wrong).unwrap_err().contains("7d"), "{wrong}");
        }
    }
}
