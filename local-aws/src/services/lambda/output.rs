//! The output of functions: metrics are kept, and everything else goes to the log.
//!
//! The output of a process is a pipe that this process reads. Everything that a function printed before its answer is
//! in the log before the caller gets the answer: [`Outputs::settle`] empties the pipe without waiting for more.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::unix::pipe::Receiver;
use uuid::Uuid;

use crate::consumption::Consumption;
use crate::services::cloudwatch::PrintedMetrics;

/// The longest line that is kept back until its end arrives, in bytes.
const LINE_MAX: usize = 1024 * 1024;

/// The outputs of the running processes, by their environments. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Outputs {
    open: Arc<Mutex<HashMap<Uuid, Arc<Mutex<Output>>>>>,
    metrics: PrintedMetrics,
    consumption: Consumption,
}

/// The output of one process.
#[derive(Debug)]
struct Output {
    pipe: PipeReader,
    /// The name of the function.
    function: String,
    consumption: Consumption,
    /// The bytes of a line whose end has not arrived.
    begun: Vec<u8>,
    /// The log file. Without one, the output goes to our own.
    log: Option<File>,
}

impl Outputs {
    /// Returns the metrics that functions printed.
    pub(super) fn metrics(&self) -> &PrintedMetrics {
        &self.metrics
    }

    /// Returns the record of what the functions printed.
    pub(super) fn consumption(&self) -> &Consumption {
        &self.consumption
    }

    /// Makes the pipe of an environment of a function and returns the end that its process writes to. The output goes
    /// to the file `log`, or to our own output.
    pub(super) fn open(&self, environment: Uuid, function: &str, log: Option<&Path>) -> io::Result<PipeWriter> {
        let log = match log {
            Some(file) => Some(OpenOptions::new().create(true).append(true).open(file)?),
            None => None,
        };
        let (pipe, end) = io::pipe()?;
        // It makes reads of the pipe non-blocking, for both readers.
        let readable = Receiver::from_owned_fd(pipe.try_clone()?.into())?;
        let output = Arc::new(Mutex::new(Output {
            pipe,
            function: function.to_owned(),
            consumption: self.consumption.clone(),
            begun: Vec::new(),
            log,
        }));
        self.lock().insert(environment, Arc::clone(&output));
        let metrics = self.metrics.clone();
        tokio::spawn(async move {
            while readable.readable().await.is_ok() && copy(&output, |chunk| readable.try_read(chunk), &metrics) {}
        });
        Ok(end)
    }

    /// Copies the output of an environment's process so far.
    pub(super) fn settle(&self, environment: Uuid) {
        let output = self.lock().get(&environment).cloned();
        if let Some(output) = output {
            // Tokio's knowledge of the pipe may be a moment old, so this reads the pipe itself.
            let pipe = lock(&output).pipe.try_clone();
            if let Ok(mut pipe) = pipe {
                copy(&output, |chunk| pipe.read(chunk), &self.metrics);
            }
        }
    }

    /// Copies the rest of the output of an environment whose process is gone.
    pub(super) fn close(&self, environment: Uuid) {
        self.settle(environment);
        self.lock().remove(&environment);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Mutex<Output>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies what `read` finds in the pipe. Returns whether more may come.
fn copy(
    output: &Mutex<Output>,
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    metrics: &PrintedMetrics,
) -> bool {
    let mut output = lock(output);
    let mut chunk = [0; 8 * 1024];
    loop {
        match read(&mut chunk) {
            Ok(0) => {
                output.write(true, metrics);
                return false;
            }
            Ok(length) => {
                output.begun.extend_from_slice(&chunk[..length]);
                let too_long = output.begun.len() > LINE_MAX;
                output.write(too_long, metrics);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

fn lock(output: &Mutex<Output>) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Output {
    /// Writes the complete lines, or everything, to the log, and keeps metrics out of it.
    fn write(&mut self, all: bool, metrics: &PrintedMetrics) {
        let whole = match self.begun.iter().rposition(|byte| *byte == b'\n') {
            _ if all => self.begun.len(),
            Some(last) => last + 1,
            None => 0,
        };
        let lines: Vec<u8> = self.begun.drain(..whole).collect();
        if !lines.is_empty() {
            // A line of metrics is ingested as any other.
            self.consumption.printed(&self.function, &lines);
        }
        let lines = lines.split_inclusive(|byte| *byte == b'\n');
        let ordinary: Vec<u8> = lines.filter(|line| !metrics.take(line)).flatten().copied().collect();
        let written = match &mut self.log {
            _ if ordinary.is_empty() => Ok(()),
            Some(file) => file.write_all(&ordinary),
            None => io::stdout().write_all(&ordinary),
        };
        if let Err(error) = written {
            tracing::error!("the output of a function could not be written: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = concat!(
        r#"{"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"N","Dimensions":[[]],"Metrics":[{"Name":"M"}]}]},"M":1}"#,
        "\n"
    );

    /// Returns a pipe, its outputs, and a function that reads the log.
    fn piped() -> (PipeWriter, Outputs, impl Fn() -> String) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let outputs = Outputs::default();
        let end = outputs.open(Uuid::nil(), "worker", Some(&log)).unwrap();
        (end, outputs, move || {
            let _ = &folder;
            std::fs::read_to_string(&log).unwrap()
        })
    }

    #[tokio::test]
    async fn a_printed_line_is_in_the_log_or_the_metrics_at_once() {
        let (mut end, outputs, log) = piped();
        end.write_all(format!("one\n{METRICS}two\nthree").as_bytes()).unwrap();
        outputs.settle(Uuid::nil());
        assert_eq!((log().as_str(), outputs.metrics().list().len()), ("one\ntwo\n", 1));
        end.write_all(b"!\n").unwrap();
        outputs.settle(Uuid::nil());
        assert_eq!(log(), "one\ntwo\nthree!\n");
    }

    #[tokio::test]
    async fn a_last_line_without_its_end_is_kept() {
        let (mut end, outputs, log) = piped();
        end.write_all(b"last words").unwrap();
        drop(end);
        outputs.close(Uuid::nil());
        assert_eq!(log(), "last words");
    }

    #[tokio::test]
    async fn a_process_that_prints_without_end_is_not_held_up() {
        let (mut end, outputs, log) = piped();
        let lines = "0123456789abcde\n".repeat(64 * 1024);
        let printed = lines.clone();
        tokio::task::spawn_blocking(move || end.write_all(printed.as_bytes()).unwrap())
            .await
            .unwrap();
        outputs.close(Uuid::nil());
        assert!(log() == lines);
    }
}
