//! The costs of mail in docs/COSTS.md: what a stack consumes for it, at the prices of AWS.
//!
//! | module | contents |
//! |---|---|
//! | `cases` | the cases, and the stacks that carry them out |
//! | `bill` | what a case consumes |
//! | `prices` | what a bill costs |
//! | `tables` | the tables of the document |
//! | `document` | the document: its tables are compared, or written |

mod bill;
mod cases;
mod document;
mod prices;
mod tables;

use document::{Document, Numbers};
use prices::Prices;

/// With this variable, the test writes the tables instead of comparing them: `scripts/costs --write`.
const WRITE: &str = "OKITE_WRITE_COSTS";

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_mail_consumes() {
    let cases = cases::measure_all().await;
    let mut costs = Document::read("docs/COSTS.md");
    let mut deploy = Document::read("docs/DEPLOY.md");
    let prices = Prices::read(&costs.text);
    let tables = [
        ("total", Numbers::Approximate, tables::total(&cases, &prices)),
        ("requests", Numbers::Exact, tables::requests(&cases.simple)),
        ("cases", Numbers::Exact, tables::cases(&cases.all)),
        (
            "case-costs",
            Numbers::Approximate,
            tables::case_costs(&cases.all, &prices),
        ),
        ("parameters", Numbers::Approximate, tables::parameters(&cases, &prices)),
    ];
    let tables = tables
        .iter()
        .map(|(name, numbers, table)| costs.put(name, *numbers, table));
    let mut differences: Vec<String> = tables.flatten().collect();
    differences.extend(deploy.put("sentence", Numbers::Approximate, &tables::sentence(&cases, &prices)));
    if std::env::var_os(WRITE).is_some() {
        costs.write();
        deploy.write();
        return;
    }
    assert!(
        differences.is_empty(),
        "mail consumes something else than the documents say. If it should, run scripts/costs --write.\n{}",
        differences.join("\n")
    );
}
