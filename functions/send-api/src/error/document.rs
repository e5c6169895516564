//! docs/ERRORS.md shows every error a caller can get. The tables in it are these, word for word.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use domain::idempotency::LEASE;
use domain::recipient::Outcome;
use domain::ses_error::{Retry, Row, Sign, TABLE};
use domain::suppression::{Reason, Suppression};
use serde_json::Value;

use super::*;
use crate::openapi::DOCUMENT;

/// The errors that are not SES's, in the order of the checks, by the constructor of each.
fn own() -> Vec<(&'static str, ApiError)> {
    let placeholder = |text: &str| text.to_owned();
    let field = || placeholder("FIELD");
    let problem = || placeholder("what is wrong with it");
    vec![
        ("too_large", ApiError::too_large()),
        ("not_found", ApiError::not_found()),
        ("method_not_allowed", ApiError::method_not_allowed("METHODS")),
        ("missing_api_key", ApiError::missing_api_key()),
        ("invalid_api_key", ApiError::invalid_api_key()),
        ("restricted_api_key", ApiError::restricted_api_key()),
        ("email_not_found", ApiError::email_not_found()),
        ("suppression_not_found", ApiError::suppression_not_found()),
        ("no_report", ApiError::no_report()),
        ("invalid_idempotency_key", ApiError::invalid_idempotency_key()),
        (
            "invalid_parameter",
            ApiError::invalid_parameter("PARAMETER", "what it must be"),
        ),
        ("not_json", ApiError::not_json("what is wrong with it")),
        ("not_supported", ApiError::not_supported("FIELD", "What to do instead.")),
        (
            "from",
            InvalidEmail::Missing(placeholder("Which field is missing.")).into(),
        ),
        (
            "from",
            InvalidEmail::Whole(placeholder("What is wrong with the email.")).into(),
        ),
        (
            "from",
            InvalidEmail::Field {
                field: field(),
                problem: problem(),
            }
            .into(),
        ),
        (
            "from",
            InvalidEmail::Attachment {
                field: field(),
                problem: problem(),
            }
            .into(),
        ),
        ("sender_not_allowed", ApiError::sender_not_allowed()),
        ("invalid_idempotent_request", ApiError::invalid_idempotent_request()),
        (
            "concurrent",
            ApiError::concurrent(Timestamp::UNIX_EPOCH + LEASE, Timestamp::UNIX_EPOCH),
        ),
        ("overtaken", ApiError::overtaken()),
        ("unsettled", ApiError::unsettled(Uuid::nil())),
        ("suppressed", ApiError::suppressed(some_suppressed())),
        (
            "held_back",
            ApiError::held_back(permit::Refusal::Rate {
                retry_after: Duration::from_secs(3),
                interval: 75_188,
            }),
        ),
        (
            "held_back",
            ApiError::held_back(permit::Refusal::Quota { reserved: false }),
        ),
        (
            "held_back",
            ApiError::held_back(permit::Refusal::Quota { reserved: true }),
        ),
        ("held_back", ApiError::held_back(permit::Refusal::Brake(Brake::All))),
        ("held_back", ApiError::held_back(permit::Refusal::Brake(Brake::Bulk))),
        ("store_down", ApiError::store_down()),
        ("batch_too_large", ApiError::batch_too_large(140)),
    ]
}

/// Three recipients of whom two are suppressed.
fn some_suppressed() -> Vec<Verdict> {
    let suppressed = |reason| {
        Outcome::Suppressed(Suppression {
            reason,
            since: Timestamp::UNIX_EPOCH,
        })
    };
    [
        suppressed(Reason::Bounce),
        Outcome::NotSent,
        suppressed(Reason::Complaint),
    ]
    .map(|outcome| Verdict {
        address: EmailAddress::parse("anna@example.org").unwrap(),
        outcome,
    })
    .into()
}

/// Functions that make no error of their own: those whose errors are in the table of SES's, and questions.
const NOT_OWN: [&str; 4] = ["refused", "ambiguous", "frees_key", "of_item"];

fn own_table() -> String {
    let mut table = String::from("| answer | `retry-after` | message |\n|---|---|---|\n");
    for (_, error) in own() {
        let retry_after = error
            .retry_after
            .map_or("–".to_owned(), |seconds| format!("{seconds} s"));
        let ApiError {
            status, name, message, ..
        } = error;
        writeln!(table, "| {status} `{name}` | {retry_after} | {message} |").unwrap();
    }
    table
}

fn ses_table() -> String {
    let mut table = String::from("| SES says | answer | try again? | cause | remedy |\n|---|---|---|---|---|\n");
    for Row {
        signs,
        status,
        name,
        retry,
        cause,
        remedy,
        ..
    } in &TABLE
    {
        let signs = signs.iter().map(shown).collect::<Vec<_>>().join("; ");
        let retry = match retry {
            Retry::AtOnceThenAfter(seconds) => {
                format!("Okite does, for as long as a send may wait; then you, after {seconds} s")
            }
            Retry::After(seconds) => format!("after {seconds} s"),
            Retry::Never => "no".to_owned(),
            Retry::AtTheRiskOfTwo => "only if two mails are better than none".to_owned(),
        };
        writeln!(table, "| {signs} | {status} `{name}` | {retry} | {cause}. | {remedy} |").unwrap();
    }
    table
}

/// Writes a sign for a reader of the document.
fn shown(sign: &Sign) -> String {
    let types = |types: &[&str]| {
        types
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let phrases = |phrases: &[&str]| {
        phrases
            .iter()
            .map(|phrase| format!("“{phrase}”"))
            .collect::<Vec<_>>()
            .join(" or ")
    };
    match sign {
        Sign::Type(names) => types(names),
        Sign::Saying(names, said) => format!("{} saying {}", types(names), phrases(said)),
        Sign::Phrase(said) => format!("any error saying {}", phrases(&[said])),
        Sign::UnverifiedSender => {
            "`MessageRejected` saying “not verified” of the sender, or of nobody by name".to_owned()
        }
        Sign::Status(statuses) => {
            let statuses = statuses.iter().map(|range| match (range.start(), range.end()) {
                (start, end) if start == end => start.to_string(),
                (start, end) => format!("{start}–{end}"),
            });
            format!(
                "any other error with status {}",
                statuses.collect::<Vec<_>>().join(", ")
            )
        }
        Sign::NoAnswer(seen) => (*seen).to_owned(),
    }
}

/// Replaces what stands between the two markers of a table.
fn with_table(document: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = document.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}\n{table}\n{end}{after}")
}

#[test]
fn the_document_shows_the_tables_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ERRORS.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let right = with_table(&document, "own", &own_table());
    let right = with_table(&right, "ses", &ses_table());
    if std::env::var_os("OKITE_BLESS").is_some() {
        std::fs::write(&path, right).unwrap();
        return;
    }
    for (line, (is, should_be)) in document.lines().zip(right.lines()).enumerate() {
        assert_eq!(
            is,
            should_be,
            "docs/ERRORS.md:{}: run the tests with OKITE_BLESS=1 to write the tables",
            line + 1
        );
    }
    assert_eq!(
        document, right,
        "docs/ERRORS.md: run the tests with OKITE_BLESS=1 to write the tables"
    );
}

#[test]
fn the_document_has_every_error_there_is() {
    let source = include_str!("../error.rs");
    let constructors = source.lines().filter_map(|line| {
        let (name, _) = line.trim_start().strip_prefix("pub(crate) fn ")?.split_once('(')?;
        Some(name)
    });
    let own = own();
    for name in constructors {
        let is_there = NOT_OWN.contains(&name) || own.iter().any(|(constructor, _)| *constructor == name);
        assert!(
            is_there,
            "ApiError::{name} is missing in `own` of error/document.rs, which docs/ERRORS.md is made of"
        );
    }
}

/// The statuses and names of the contract's errors, from docs/openapi.json.
fn contract() -> BTreeSet<(u64, String)> {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let own = schemas
        .values()
        .filter_map(|schema| Some(&schema.get("allOf")?[1]["properties"]));
    let errors = own.filter_map(|own| {
        let status = own["statusCode"]["const"].as_u64()?;
        let names = own["name"]["enum"].as_array().unwrap().iter();
        Some(names.map(move |name| (status, name.as_str().unwrap().to_owned())))
    });
    errors.flatten().collect()
}

#[test]
fn the_contract_has_every_error_and_no_other() {
    let own = own().into_iter().map(|(_, error)| (error.status, error.name));
    let errors = own.chain(TABLE.iter().map(|row| (row.status, row.name)));
    let errors: BTreeSet<_> = errors.map(|(status, name)| (status.into(), name.to_owned())).collect();
    assert_eq!(contract(), errors);
}

#[test]
fn waiting_is_told_where_it_helps_and_nowhere_else() {
    for (constructor, error) in own() {
        assert_eq!(
            error.retry_after.is_some(),
            matches!(error.status, 429 | 503) || error.name == "concurrent_idempotent_requests",
            "{constructor}"
        );
    }
}
