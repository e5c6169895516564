//! `okite suppressions export`: all registers of all addresses, as CSV.

use std::io;
use std::path::Path;

use super::line::{COLUMNS, lines_of};
use super::{List, ListMoveError};
use crate::output;
use crate::patience::patiently;
use crate::place::Place;

/// How many entries are read at a time.
const PAGE: i32 = 500;

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Addresses.
    pub addresses: u64,
    /// Lines, one for each register.
    pub lines: u64,
    /// Items of the table that are no entries.
    pub unreadable: u64,
}

/// Writes the list of `place` to a file that is not there yet, or to standard output, page by page; `progress` is told after
/// each.
///
/// # Errors
/// [`ListMoveError`] says what to do.
pub async fn export(
    place: &Place,
    file: Option<&Path>,
    progress: impl Fn(Exported),
) -> Result<Exported, ListMoveError> {
    let list = List::of(place).await?;
    let name = output::name(file);
    let file_error = |source: io::Error| ListMoveError::File {
        file: name.clone(),
        source,
    };
    let sink = output::open(file).map_err(file_error)?;
    let mut writer = csv::Writer::from_writer(sink);
    let csv_error = |error: csv::Error| file_error(error.into());
    writer.write_record(COLUMNS).map_err(csv_error)?;
    let (mut exported, mut after) = (Exported::default(), None::<String>);
    loop {
        let page = patiently(async || list.suppressions.page(after.as_deref(), PAGE).await)
            .await
            .map_err(|error| list.error(&error))?;
        for entry in &page.entries {
            exported.addresses += 1;
            for line in lines_of(entry) {
                exported.lines += 1;
                writer.write_record(&line).map_err(csv_error)?;
            }
        }
        exported.unreadable += page.unreadable as u64;
        progress(exported);
        after = page.next;
        if after.is_none() {
            writer.flush().map_err(file_error)?;
            return Ok(exported);
        }
    }
}
