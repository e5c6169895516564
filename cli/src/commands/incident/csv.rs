//! The counts as CSV (RFC 4180): one line for each kind of event on a day.

use std::io;

use ::csv::{Terminator, WriterBuilder};

use super::counts::Counts;
use crate::csv_cell::disarmed;

const COLUMNS: [&str; 8] = ["day", "kind", "stream", "domain", "class", "tags", "key", "count"];

/// Returns the header and all lines, ordered by day.
pub(super) fn of(counts: &Counts) -> io::Result<String> {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for (event, count) in &counts.events {
        let cells = [
            event.day.to_string(),
            event.kind.as_str().to_owned(),
            event.stream.to_owned(),
            event.domain.clone(),
            event.class.clone(),
            event.tags.join("; "),
            event.key.clone(),
            count.to_string(),
        ];
        writer.write_record(cells.map(disarmed))?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| io::Error::other(error.to_string()))?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use domain::feedback::MarkKind;

    use super::super::counts::tests::{counts, event};
    use super::*;

    #[test]
    fn has_a_header_and_one_line_for_each_kind_of_event() {
        let wanted = "\
day,kind,stream,domain,class,tags,key,count\r
2026-03-01,bounce,bulk,example.org,hard_bounce,b=1; campaign=spring,not on record,2\r
2026-03-01,complaint,bulk,example.org,hard_bounce,campaign=spring,not on record,1\r
2026-03-02,bounce,bulk,example.net,hard_bounce,,not on record,1\r
2026-03-02,block,bulk,example.com,hard_bounce,,not on record,1\r
";
        assert_eq!(of(&counts()).unwrap(), wanted);
        assert_eq!(of(&Counts::default()).unwrap().lines().count(), 1);
    }

    #[test]
    fn quotes_cells_and_disarms_formulas() {
        let mut counts = Counts::default();
        let mut event = event(MarkKind::Bounce, "2026-03-01", "example.org", &["=cmd()", "a=\"b\""]);
        event.key = "+shop, main (a1)".to_owned();
        counts.add(event);
        let text = of(&counts).unwrap();
        assert!(
            text.contains(",\"'=cmd(); a=\"\"b\"\"\",\"'+shop, main (a1)\",1\r\n"),
            "{text}"
        );
    }
}
