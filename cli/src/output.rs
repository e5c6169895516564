//! The output of a command: a new file, standard output, and notes on standard error.
//!
//! A reader may close its end at any time (`okite doctor | head -1`). That is no failure of the command:
//!
//! - What is written to [`stdout`], by [`say!`] or by [`note!`] is then dropped, and the command goes on to its own
//!   exit code. A change that has begun is never cut off because nobody reads about it.
//! - A list or a report that nobody reads ends at once, with [`ReaderGone`], which [`crate::execution`] does not print.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Prints a line to standard output, as `println!` does, but drops it if nobody reads.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::print_line(format_args!($($text)*))
    };
}

/// Prints a line to standard error, as `eprintln!` does, but drops it if nobody reads.
macro_rules! note {
    ($($text:tt)*) => {
        $crate::output::print_note(format_args!($($text)*))
    };
}

/// Prints a line about work that goes on to standard error, if a person watches it.
macro_rules! progress {
    ($($text:tt)*) => {
        $crate::output::print_progress(format_args!($($text)*))
    };
}

pub(crate) use {note, progress, say};

/// Why an output could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error("{0} already exists: name another file with --output")]
    Exists(String),
    #[error("{output} could not be written: {}", cause(source))]
    Write { output: String, source: io::Error },
}

/// Nobody reads standard output any more.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
pub(crate) struct ReaderGone;

impl ReaderGone {
    /// Returns whether this is the cause of an error.
    pub(crate) fn caused(error: &(dyn std::error::Error + 'static)) -> bool {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let mut inner = causes.filter_map(|error| error.downcast_ref::<io::Error>()?.get_ref());
        inner.any(|inner| inner.downcast_ref::<Self>().is_some())
    }
}

impl OutputError {
    /// Makes the error of an output that has this file name, or is standard output.
    pub(crate) fn of(file: Option<&Path>, source: io::Error) -> Self {
        let output = file.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists(output),
            _ => Self::Write { output, source },
        }
    }
}

/// The consequence for text that nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    /// It is dropped.
    Dropped,
    /// The writer gets [`ReaderGone`].
    Refused,
}

/// A writer whose reader may close its end.
struct Pipe<W> {
    writer: W,
    unread: Unread,
}

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(text);
        self.after(written, text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.writer.flush();
        self.after(flushed, ())
    }
}

impl<W> Pipe<W> {
    /// Returns the result of a write, or what it is if nobody reads: `dropped`, or an error.
    fn after<T>(&self, result: io::Result<T>, dropped: T) -> io::Result<T> {
        match (result, self.unread) {
            (Err(error), Unread::Dropped) if error.kind() == io::ErrorKind::BrokenPipe => Ok(dropped),
            (Err(error), Unread::Refused) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(io::Error::new(io::ErrorKind::BrokenPipe, ReaderGone))
            }
            (result, _) => result,
        }
    }
}

/// Returns standard output. What nobody reads is dropped.
pub(crate) fn stdout() -> impl Write {
    Pipe {
        writer: io::stdout(),
        unread: Unread::Dropped,
    }
}

/// Returns standard error. What nobody reads is dropped.
pub(crate) fn stderr() -> impl Write {
    Pipe {
        writer: io::stderr(),
        unread: Unread::Dropped,
    }
}

/// Returns the cause of an error of a file, without the number that the operating system gives it.
pub(crate) fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((cause, _)) => cause.to_lowercase(),
        None => text,
    }
}

/// Prints a line to standard output.
///
/// # Errors
/// If it cannot be written for another reason than that nobody reads it, such as a full disk.
pub(crate) fn print_line(text: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(stdout(), "{text}")
}

/// Prints a line to standard error. There is nowhere to tell that it cannot be written.
pub(crate) fn print_note(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a line about work that goes on. A log or a script needs the end of the work alone.
pub(crate) fn print_progress(text: fmt::Arguments<'_>) {
    if io::stderr().is_terminal() {
        print_note(text);
    }
}

/// Checks that [`open`] can create the file, before the long work for it. It leaves no file behind.
///
/// # Errors
/// [`OutputError`] if the file already exists or cannot be created.
pub(crate) fn check(file: Option<&Path>) -> Result<(), OutputError> {
    let Some(path) = file else { return Ok(()) };
    open(file)?;
    fs::remove_file(path).map_err(|source| OutputError::of(file, source))
}

/// Creates the file for its owner alone (mode 0600), or returns standard output if there is no file name.
///
/// # Errors
/// [`OutputError`] if the file already exists or cannot be created.
pub(crate) fn open(file: Option<&Path>) -> Result<Box<dyn Write>, OutputError> {
    let Some(path) = file else {
        return Ok(Box::new(Pipe {
            writer: io::stdout(),
            unread: Unread::Refused,
        }));
    };
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    Ok(Box::new(created.map_err(|source| OutputError::of(file, source))?))
}
