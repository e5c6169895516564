//! Holds the tables in docs/ERRORS.md to those of the code, and the errors in docs/openapi.json too.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use domain::ses_error::{self, ErrorSign, RetryAdvice, TABLE};
use serde_json::Value;

use crate::error::not_sent::status;
use crate::error::problem::{PROBLEMS, ProblemRow, RetryWhen};
use crate::openapi::DOCUMENT;
use crate::route::OPERATIONS;

fn own_table() -> String {
    let mut table = String::from("| answer | `retry-after` | message |\n|---|---|---|\n");
    for ProblemRow {
        status,
        name,
        retry,
        message,
        ..
    } in &PROBLEMS
    {
        let retry_after = match retry {
            RetryWhen::Never => "–".to_owned(),
            RetryWhen::After(seconds) => format!("{seconds} s"),
            RetryWhen::Varies => "yes".to_owned(),
        };
        writeln!(table, "| {status} `{name}` | {retry_after} | {message} |").unwrap();
    }
    table
}

fn ses_table() -> String {
    let mut table = String::from("| SES's error | answer | retry? | cause | remedy |\n|---|---|---|---|---|\n");
    for ses_error::SesErrorRow {
        refusal,
        signs,
        retry,
        cause,
        remedy,
    } in &TABLE
    {
        let (status, name) = status(*refusal);
        let signs = signs.iter().map(shown).collect::<Vec<_>>().join("; ");
        let retry = match retry {
            RetryAdvice::AtOnceThenAfter(seconds) => {
                format!("Okite retries while the send may wait; then retry after {seconds} s")
            }
            RetryAdvice::After(seconds) => format!("after {seconds} s"),
            RetryAdvice::Never => "no".to_owned(),
            RetryAdvice::AtTheRiskOfTwo => "only if a duplicate is better than no mail".to_owned(),
        };
        writeln!(table, "| {signs} | {status} `{name}` | {retry} | {cause}. | {remedy} |").unwrap();
    }
    table
}

/// Returns a sign as the document shows it.
fn shown(sign: &ErrorSign) -> String {
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
        ErrorSign::Type(names) => types(names),
        ErrorSign::Saying(names, said) => format!("{} with {}", types(names), phrases(said)),
        ErrorSign::Phrase(said) => format!("any error with {}", phrases(&[said])),
        ErrorSign::UnverifiedSender => {
            "`MessageRejected` with “not verified” about the sender, or about no named address".to_owned()
        }
        ErrorSign::Status(statuses) => {
            let statuses = statuses.iter().map(|range| match (range.start(), range.end()) {
                (start, end) if start == end => start.to_string(),
                (start, end) => format!("{start}–{end}"),
            });
            format!(
                "any other error with status {}",
                statuses.collect::<Vec<_>>().join(", ")
            )
        }
        ErrorSign::NoAnswer(seen) => (*seen).to_owned(),
    }
}

/// Replaces the text between the two markers of a table.
fn with_table(document: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = document.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}\n{table}\n{end}{after}")
}

#[test]
fn errors_md_shows_the_tables_of_the_code() {
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
fn openapi_json_lists_every_error_and_no_others() {
    let own = PROBLEMS.iter().map(|row| (row.status, row.name));
    let errors = own.chain(TABLE.iter().map(|row| status(row.refusal)));
    let errors: BTreeSet<_> = errors.map(|(status, name)| (status.into(), name.to_owned())).collect();
    assert_eq!(contract(), errors);
}

#[test]
fn names_a_retry_time_exactly_where_waiting_helps() {
    for row in &PROBLEMS {
        let waits = matches!(row.status, 429 | 503) || row.name == "concurrent_idempotent_requests";
        assert_eq!(row.retry != RetryWhen::Never, waits, "{:?}", row.problem);
    }
}

#[test]
fn openapi_json_lists_the_parameters_of_each_query() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    for (method, path, operation) in OPERATIONS {
        let listed = document["paths"][path][method.to_lowercase()]["parameters"].as_array();
        let of_query = listed
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query");
        let names: BTreeSet<_> = of_query.filter_map(|parameter| parameter["name"].as_str()).collect();
        assert_eq!(
            names,
            operation.parameters().iter().copied().collect(),
            "{method} {path}"
        );
    }
}
