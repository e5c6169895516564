//! `bench link-check`: searches a function's dependencies and its program for code that it must not contain.
//!
//! AWS-LC gathers CPU jitter as entropy at its first handshake, some 420 million instructions; a second TLS stack costs
//! megabytes, and milliseconds of every cold start.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use memchr::memmem;

use crate::subject::{Subject, workspace};

/// The target for which the functions are built.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The cryptographic libraries that rustls supports. A function has one.
const PROVIDERS: [&str; 2] = ["ring", "aws-lc-rs"];
/// Other TLS stacks, and the sources of CPU jitter.
const BANNED: [&str; 7] = [
    "native-tls",
    "openssl",
    "openssl-sys",
    "s2n-tls",
    "aws-lc-sys",
    "aws-lc-fips-sys",
    "boring-sys",
];
/// Traces of these libraries in a program: names of functions, texts, and folders of sources, which the places of
/// panics keep in a stripped program.
const TRACES: [&str; 11] = [
    "jent_",
    "jitterentropy",
    "AWS-LC",
    "aws-lc-rs-",
    "aws-lc-sys-",
    "aws_lc_",
    "BoringSSL",
    "OpenSSL 3",
    "native-tls-",
    "/rustls-0.21.",
    "/hyper-0.14.",
];

/// The arguments of `bench link-check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Programs to check: NAME or NAME=PATH [default: Okite's functions]
    subjects: Vec<String>,
}

/// Runs `bench link-check`.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let subjects = Subject::all(&arguments.subjects, |job| job.is_ours)?;
    let mut code = ExitCode::SUCCESS;
    for Subject {
        label, job, program, ..
    } in &subjects
    {
        // A floor belongs to another workspace.
        let mut faults = if job.is_ours {
            of_the_tree(&tree(job.name)?)
        } else {
            Vec::new()
        };
        faults.extend(of_the_program(program)?);
        if faults.is_empty() {
            println!("{label}: one TLS stack and no CPU jitter.");
        }
        for fault in faults {
            println!("FAILED: {label}: {fault}");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Asks cargo for every package from which the function `name` is built.
fn tree(name: &str) -> Result<String> {
    let asked = [
        "tree",
        "--locked",
        "--edges",
        "normal",
        "--target",
        TARGET,
        "--prefix",
        "none",
        "--package",
        name,
    ];
    let said = Command::new("cargo")
        .args(asked)
        .current_dir(workspace())
        .output()
        .context("cargo does not run")?;
    if !said.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&said.stderr));
    }
    Ok(String::from_utf8(said.stdout)?)
}

/// Finds forbidden crates in cargo's output, which has one `name vVERSION …` a line.
fn of_the_tree(tree: &str) -> Vec<String> {
    let packages: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect();
    let versions = |name: &str| -> Vec<&str> {
        let named = packages.iter().filter(|(known, _)| *known == name);
        named.map(|(_, version)| *version).collect()
    };
    let mut faults: Vec<String> = BANNED
        .iter()
        .filter(|name| !versions(name).is_empty())
        .map(|name| format!("it is built from {name}"))
        .collect();
    let providers: Vec<&str> = PROVIDERS
        .into_iter()
        .filter(|name| !versions(name).is_empty())
        .collect();
    if providers.len() != 1 {
        faults.push(format!(
            "it has {} cryptographic libraries: {}",
            providers.len(),
            providers.join(", ")
        ));
    }
    for name in ["rustls", "hyper"] {
        let versions = versions(name);
        if versions.len() != 1 {
            faults.push(format!(
                "it has {} versions of {name}: {}",
                versions.len(),
                versions.join(", ")
            ));
        }
    }
    faults
}

/// Finds forbidden code in a program.
fn of_the_program(program: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(program).with_context(|| format!("{} cannot be read", program.display()))?;
    let found = TRACES
        .iter()
        .filter(|trace| memmem::find(&bytes, trace.as_bytes()).is_some());
    Ok(found.map(|trace| format!("the program contains {trace:?}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "send-api v0.1.0 (/somewhere)\nrustls v0.23.46\nring v0.17.14\nhyper v1.12.0\nring v0.17.14 (*)\n";

    #[test]
    fn accepts_one_stack_however_often_it_is_named() {
        assert!(of_the_tree(GOOD).is_empty());
    }

    #[test]
    fn finds_a_second_library_a_second_version_and_a_banned_one() {
        for (added, said) in [
            ("aws-lc-rs v1.0.0", "2 cryptographic libraries"),
            ("rustls v0.21.12", "2 versions of rustls: 0.21.12, 0.23.46"),
            ("hyper v0.14.32", "2 versions of hyper"),
            ("openssl-sys v0.9.1", "openssl-sys"),
        ] {
            let faults = of_the_tree(&format!("{GOOD}{added}\n"));
            assert!(faults.len() == 1 && faults[0].contains(said), "{faults:?}");
        }
    }

    #[test]
    fn a_function_without_any_tls_is_a_fault_too() {
        assert_eq!(of_the_tree("send-api v0.1.0\n").len(), 3);
    }

    #[test]
    fn finds_traces_in_a_program() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("bootstrap");
        fs::write(&program, b"\x7fELF\0jent_entropy_init\0").unwrap();
        assert_eq!(of_the_program(&program).unwrap(), ["the program contains \"jent_\""]);
    }
}
