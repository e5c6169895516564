//! `domain` holds rules alone: it depends on no AWS SDK, no async runtime and no HTTP library, and reads no clock.

/// The crates that `domain` may depend on. Each is pure computation.
const ALLOWED: [&str; 15] = [
    "base64",
    "email-encoding",
    "hmac",
    "html5gum",
    "idna",
    "jiff",
    "mail-parser",
    "mime_guess",
    "serde",
    "serde_json",
    "sha2",
    "subtle",
    "thiserror",
    "url",
    "uuid",
];

#[test]
fn depends_on_pure_crates_alone() {
    let manifest = include_str!("../Cargo.toml");
    let (_, rest) = manifest.split_once("\n[dependencies]\n").unwrap();
    let section = rest.split("\n[").next().unwrap();
    let names: Vec<&str> = section
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split(['.', ' ', '=']).next().unwrap())
        .collect();
    assert_eq!(
        names, ALLOWED,
        "a rule needs no other crate: async, SDKs and HTTP belong to `aws`, `sending` or a function"
    );
}

#[test]
fn has_one_table_of_dependencies() {
    let manifest = include_str!("../Cargo.toml");
    let tables: Vec<&str> = manifest
        .lines()
        .filter(|line| line.starts_with('[') && line.contains("dependencies"))
        .collect();
    assert_eq!(tables, ["[dependencies]", "[dev-dependencies]"]);
}
