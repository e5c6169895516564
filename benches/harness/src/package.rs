//! The deployed artefacts: the program and its zip.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::DeflateEncoder;

/// The bytes of a zip with one file called `bootstrap`, besides its data: a local and a central header, and the end
/// record.
const ZIP_RECORDS: usize = 30 + 46 + 22 + 2 * "bootstrap".len();

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) binary: usize,
    pub(crate) zip: usize,
}

/// Measures a program and its zip.
pub(crate) fn sizes(program: &Path) -> Result<Sizes> {
    let bytes = fs::read(program).with_context(|| format!("{} cannot be read", program.display()))?;
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
    deflated.write_all(&bytes)?;
    Ok(Sizes {
        binary: bytes.len(),
        zip: deflated.finish()?.len() + ZIP_RECORDS,
    })
}
