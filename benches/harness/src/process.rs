//! The process of a function. It starts with an environment and nothing else, and ends when this value is dropped.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::time::ClockId;
use nix::unistd::Pid;

/// The interval between two looks at a process that was asked to end.
const LOOK: Duration = Duration::from_millis(10);

/// The CPU time of a process, in all of its threads, including ended ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuClock(ClockId);

impl CpuClock {
    /// Reads the CPU time of a process.
    pub(crate) fn read(self) -> io::Result<Duration> {
        Ok(self.0.now()?.into())
    }
}

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: Pid,
}

impl Process {
    /// Starts `program` with this environment only. Its output goes into the file `log`.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        environment: Vec<(String, String)>,
        log: &Path,
    ) -> io::Result<Self> {
        let log = File::create(log)?;
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        let pid = Pid::from_raw(pid);
        Ok(Self { child, pid })
    }

    /// Returns the id of the process.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns the CPU time that the process has used.
    pub(crate) fn cpu_clock(&self) -> io::Result<CpuClock> {
        Ok(CpuClock(ClockId::pid_cpu_clock_id(self.pid)?))
    }

    /// The peak memory of the process, in bytes.
    pub(crate) fn peak_memory(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        peak_memory(&status).ok_or_else(|| io::Error::other("the kernel does not say how much memory a process had"))
    }

    /// Returns the exit status, if the process has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Asks the process to end, and returns when it has ended, or after `patience`.
    pub(crate) fn terminate(&mut self, patience: Duration) -> io::Result<()> {
        kill(self.pid, Signal::SIGTERM)?;
        for _ in 0..patience.as_millis() / LOOK.as_millis() {
            if self.ended()?.is_some() {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "a process does not end"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Neither call has an effect on a process that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads `VmHWM` from `/proc/<pid>/status`.
fn peak_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_peak_of_memory() {
        assert_eq!(
            peak_memory("VmPeak:\t  9000 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(peak_memory("Name:\tkthread\n"), None);
    }
}
