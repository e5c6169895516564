//! SES's times, in all the spellings that were seen.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::time;

/// Reads a time: RFC 3339 with `Z` or an offset (with or without a space before it), RFC 2822, or a civil time without
/// a zone, which is taken as UTC. `None` for everything else. A time that cannot be is [clamped](time::clamped).
pub(super) fn read(value: &Value) -> Option<Timestamp> {
    read_any(value).map(time::clamped)
}

fn read_any(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?.trim();
    let compact = text.replace(" +", "+").replace(" -", "-");
    compact
        .parse()
        .ok()
        .or_else(|| {
            compact
                .parse::<DateTime>()
                .ok()?
                .to_zoned(TimeZone::UTC)
                .ok()
                .map(|time| time.timestamp())
        })
        .or_else(|| rfc2822::DateTimeParser::new().parse_timestamp(text).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_every_spelling_that_was_seen() {
        for (text, expected) in [
            ("2016-10-19T23:20:52.240Z", "2016-10-19T23:20:52.24Z"),
            ("2016-10-19T23:20:45 +0000", "2016-10-19T23:20:45Z"),
            ("2016-10-19T23:20:45-05:00", "2016-10-20T04:20:45Z"),
            ("2016-10-19T23:20:45 -0500", "2016-10-20T04:20:45Z"),
            ("2016-10-19T23:20:45", "2016-10-19T23:20:45Z"),
            ("2016-10-19 23:20:45", "2016-10-19T23:20:45Z"),
            ("Wed, 19 Oct 2016 23:20:45 +0000", "2016-10-19T23:20:45Z"),
        ] {
            assert_eq!(
                read(&json!(text)).map(|time| time.to_string()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn moves_a_time_that_cannot_be_to_the_nearest_end() {
        for (text, expected) in [
            ("-009999-01-02T01:59:59Z", "1970-01-01T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("9999-12-30T22:00:00.001Z", "2200-01-01T00:00:00Z"),
        ] {
            assert_eq!(read(&json!(text)).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn gives_up_on_the_rest() {
        for value in [
            json!(""),
            json!("yesterday"),
            json!(1),
            json!(null),
            json!("2016-13-45T00:00:00Z"),
        ] {
            assert_eq!(read(&value), None, "{value}");
        }
    }
}
