//! `okite suppressions import`: a list in CSV, or SES's own, into ours.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aws::{self, Evidence, Pace, SesSuppressionList, StoreError, Suppressions, TAKEN_AT_ONCE};
use csv::{ByteRecord, ReaderBuilder};
use domain::suppression::{Drift, Reason, Register};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use uuid::Uuid;

use super::line::{Columns, Line, Sets};
use super::{BadLine, List, ListMoveError};
use crate::patience::patiently;
use crate::place::Place;

/// How many lines are read before they are written.
const LINES_AT_ONCE: usize = 1000;
/// How many writes are under way at the same time.
const WRITES_AT_ONCE: usize = 32;

/// What was imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines that were taken in, or would have been.
    pub lines: u64,
    /// Lines that were skipped.
    pub skipped: u64,
}

/// What was taken from SES's own list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportedFromSes {
    /// What was found and done; nothing is lifted there.
    pub drift: Drift,
    /// What ours has let go, and SES is to let go as well: the reporter's daily pass does that.
    pub to_lift: u64,
}

/// Takes a file in, or standard input for `-`; with `dry_run`, reads it only. `bad_line` is told each line that is skipped, by
/// its number, and `progress` how far it is.
///
/// # Errors
/// [`ListMoveError`] says what to do; what was taken in until then is in the list.
#[expect(clippy::disallowed_methods, reason = "the outermost function reads the clock")]
pub async fn import(
    place: &Place,
    file: &Path,
    dry_run: bool,
    bad_line: impl Fn(u64, BadLine),
    progress: impl Fn(Imported),
) -> Result<Imported, ListMoveError> {
    let now = Timestamp::now();
    let name = file.display().to_string();
    let file_error = |source: io::Error| ListMoveError::File {
        file: name.clone(),
        source,
    };
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(file_error)?)
    };
    let list = List::of(place).await?;
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(source);
    let header = reader.byte_headers().map_err(|error| file_error(error.into()))?;
    let columns = Columns::read(header).ok_or_else(|| ListMoveError::NoAddressColumn(name.clone()))?;
    let (mut imported, mut record) = (Imported::default(), ByteRecord::new());
    loop {
        let mut lines = Vec::with_capacity(LINES_AT_ONCE);
        let mut more = true;
        while more && lines.len() < LINES_AT_ONCE {
            more = reader
                .read_byte_record(&mut record)
                .map_err(|error| file_error(error.into()))?;
            if !more {
                break;
            }
            match columns.line(&record, now) {
                Ok(line) => lines.push(line),
                Err(error) => {
                    imported.skipped += 1;
                    bad_line(record.position().map_or(0, csv::Position::line), error);
                }
            }
        }
        imported.lines += lines.len() as u64;
        if !dry_run {
            write(&list.suppressions, &lines)
                .await
                .map_err(|error| list.error(&error))?;
        }
        progress(imported);
        if !more {
            return Ok(imported);
        }
    }
}

async fn write(suppressions: &Suppressions, lines: &[Line]) -> Result<(), StoreError> {
    stream::iter(lines)
        .map(|line| patiently(async || write_line(suppressions, line).await))
        .buffer_unordered(WRITES_AT_ONCE)
        .try_collect::<()>()
        .await
}

#[expect(clippy::disallowed_methods, reason = "a command makes its own ids")]
async fn write_line(suppressions: &Suppressions, line: &Line) -> Result<(), StoreError> {
    let id = Uuid::now_v7();
    let evidence = Evidence {
        subtype: &line.subtype,
        diagnostic: line.diagnostic.as_deref(),
        source: &line.source,
    };
    match line.sets {
        Sets::Lifted => suppressions.record_lift(&line.address, line.since, id).await,
        Sets::Register(Register::Of(Reason::Manual)) => {
            let until = line.expires_at;
            suppressions
                .record_manual(&line.address, line.since, until, evidence, id)
                .await
        }
        Sets::Register(register) => {
            suppressions
                .record(&line.address, register, line.since, evidence, id)
                .await
        }
    }
}

/// Takes SES's own list of the place's account and region in, a page a second.
///
/// # Errors
/// [`ListMoveError`] says what to do; what was taken in until then is in the list.
#[expect(
    clippy::disallowed_methods,
    reason = "the outermost function reads the clock and makes the ids"
)]
pub async fn from_ses(place: &Place, progress: impl Fn(ImportedFromSes)) -> Result<ImportedFromSes, ListMoveError> {
    let list = List::of(place).await?;
    let ses = SesSuppressionList::new(aws::sesv2(&list.located.ses_config));
    let (mut imported, mut token, mut calls) = (ImportedFromSes::default(), None::<String>, Pace::new(false));
    loop {
        calls.wait().await;
        let page = ses.page(token.as_deref()).await?;
        for part in page.listed.chunks(TAKEN_AT_ONCE) {
            let now = Timestamp::now();
            let found = patiently(async || list.suppressions.take_from_ses(part, now, Uuid::now_v7).await)
                .await
                .map_err(|error| list.error(&error))?;
            imported.drift.add(found.drift);
            imported.to_lift += found.to_lift.len() as u64;
        }
        progress(imported);
        token = page.next;
        if token.is_none() {
            return Ok(imported);
        }
    }
}
