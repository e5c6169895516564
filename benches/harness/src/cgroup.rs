//! The CPU of a function with 128 MB: the quota of a control group, if this machine allows one.
//!
//! Lambda gives CPU in proportion to memory, a whole one at 1769 MB, so 128 MB are 1.447 ms of every 20 ms. It does so
//! from the first event on: init runs at full speed.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nix::unistd::Pid;

/// The period of a quota, and the quota, in microseconds.
const PERIOD: u32 = 20_000;
const QUOTA: u32 = 1_447;

/// The default mount points of version 2 and version 1 of the file system.
const UNIFIED: &str = "/sys/fs/cgroup";
const CPU: [&str; 2] = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"];

/// The number of groups that this process made, so that each has its own name.
static COUNT: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone, Copy, Debug)]
enum Version {
    One,
    Two,
}

/// A control group that is removed when this value is dropped. Its process must have ended by then.
#[derive(Debug)]
pub(crate) struct Group(Limit);

/// A handle that sets the quota of a group.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    path: PathBuf,
    version: Version,
}

impl Group {
    /// Makes a group without a quota.
    pub(crate) fn create() -> io::Result<Self> {
        let (parent, version) = parent().ok_or_else(|| io::Error::other("no cgroup has a CPU controller"))?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("okite-bench-{}-{number}", process::id()));
        fs::create_dir(&path)?;
        let group = Self(Limit { path, version });
        // The quota is set once before a process runs in the group, so that a failure is noticed now.
        fs::metadata(group.0.path.join(version.quota_file()))?;
        Ok(group)
    }

    /// Checks whether control groups can be made on this machine. The error has the reason.
    pub(crate) fn available() -> Result<(), String> {
        Self::create().map(drop).map_err(|error| error.to_string())
    }

    /// Puts a process into the group.
    pub(crate) fn take(&self, process: Pid) -> io::Result<()> {
        fs::write(self.0.path.join("cgroup.procs"), process.to_string())
    }

    /// Returns the handle that sets the group's quota later.
    pub(crate) fn limit(&self) -> Limit {
        self.0.clone()
    }
}

impl Limit {
    /// Sets the quota.
    pub(crate) fn set(&self) -> io::Result<()> {
        let quota = self.path.join(self.version.quota_file());
        match self.version {
            Version::One => {
                fs::write(self.path.join("cpu.cfs_period_us"), PERIOD.to_string())?;
                fs::write(quota, QUOTA.to_string())
            }
            Version::Two => fs::write(quota, format!("{QUOTA} {PERIOD}")),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel removes a process from its group a moment after the wait for it returns.
        for _ in 0..100 {
            if fs::remove_dir(&self.0.path).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Version {
    fn quota_file(self) -> &'static str {
        match self {
            Self::One => "cpu.cfs_quota_us",
            Self::Two => "cpu.max",
        }
    }
}

/// Returns the directory in which a group can be made.
fn parent() -> Option<(PathBuf, Version)> {
    let controllers = fs::read_to_string(Path::new(UNIFIED).join("cgroup.controllers")).unwrap_or_default();
    if controllers.split_whitespace().any(|controller| controller == "cpu") {
        // Without this, the groups below have no quota. It fails without permission, and the caller notices that.
        let _ = fs::write(Path::new(UNIFIED).join("cgroup.subtree_control"), "+cpu");
        return Some((PathBuf::from(UNIFIED), Version::Two));
    }
    let version_1 = CPU
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.join("cpu.shares").exists())?;
    Some((version_1, Version::One))
}
