//! The machine and the versions of a measurement.

use std::fs;
use std::process::Command;
use std::thread;

use crate::subject::workspace;

/// The crates whose versions have the most influence on the figures.
const CRATES: [&str; 7] = [
    "lambda_runtime",
    "aws-sdk-dynamodb",
    "aws-sdk-sesv2",
    "hyper",
    "rustls",
    "ring",
    "tokio",
];

/// Describes the machine: processor, cores, kernel.
pub(crate) fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let processor = processor(&read("/proc/cpuinfo"));
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{processor}, {cores} cores, Linux {}", kernel.trim())
}

/// Returns the version of the compiler.
pub(crate) fn rustc() -> String {
    let said = Command::new("rustc").arg("--version").output();
    said.ok()
        .and_then(|said| String::from_utf8(said.stdout).ok())
        .map_or_else(
            || "rustc of an unknown version".to_owned(),
            |text| text.trim().to_owned(),
        )
}

/// Returns the versions of the crates that matter, from the product's lock file.
pub(crate) fn crates() -> String {
    let lock = fs::read_to_string(workspace().join("Cargo.lock")).unwrap_or_default();
    let known = CRATES.map(|name| format!("{name} {}", versions(&lock, name).join(" and ")));
    known.join(", ")
}

fn processor(cpuinfo: &str) -> String {
    cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("an unknown processor", |(_, name)| name.trim())
        .to_owned()
}

/// Finds every version of a crate in a lock file.
fn versions<'a>(lock: &'a str, name: &str) -> Vec<&'a str> {
    let line = format!("name = \"{name}\"");
    lock.split("[[package]]")
        .filter(|package| package.lines().any(|known| known == line))
        .filter_map(|package| {
            let version = package.lines().find_map(|line| line.strip_prefix("version = "))?;
            Some(version.trim_matches('"'))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_versions_of_a_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"ab\"\nversion = \"2.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"3.0.0\"\n";
        assert_eq!(versions(lock, "a"), ["1.0.0", "3.0.0"]);
        assert!(versions(lock, "b").is_empty());
    }

    #[test]
    fn finds_the_processor() {
        assert_eq!(processor("processor\t: 0\nmodel name\t: Some CPU\n"), "Some CPU");
        assert_eq!(processor(""), "an unknown processor");
    }
}
