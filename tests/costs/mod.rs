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

use cases::Cases;
use document::{Document, Numbers};
use prices::Prices;

/// With this variable, the test writes the tables instead of comparing them: `scripts/costs --write`.
const WRITE: &str = "OKITE_WRITE_COSTS";

/// How often the cases are measured before a difference counts. What a busy machine adds, such as a request that is
/// repeated after a timeout, is not there every time.
const TRIES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_mail_consumes() {
    let write = std::env::var_os(WRITE).is_some();
    let mut differences = Vec::new();
    for _ in 0..TRIES {
        let cases = cases::measure_all().await;
        let [costs, deploy] = &mut ["docs/COSTS.md", "docs/DEPLOY.md"].map(Document::read);
        differences = put_all(&cases, costs, deploy);
        if differences.is_empty() {
            return;
        }
        if write && !cases.are_disturbed() {
            costs.write();
            deploy.write();
            return;
        }
    }
    panic!(
        "mail consumes something else than the documents say. If it should, run scripts/costs --write.\n{}",
        differences.join("\n")
    );
}

/// Puts all tables into the documents. Returns the differences from what was there.
fn put_all(cases: &Cases, costs: &mut Document, deploy: &mut Document) -> Vec<String> {
    let prices = Prices::read(&costs.text);
    let tables = [
        ("total", Numbers::Approximate, tables::total(cases, &prices)),
        ("requests", Numbers::Exact, tables::requests(&cases.simple)),
        ("cases", Numbers::Exact, tables::cases(&cases.all)),
        (
            "case-costs",
            Numbers::Approximate,
            tables::case_costs(&cases.all, &prices),
        ),
        ("parameters", Numbers::Approximate, tables::parameters(cases, &prices)),
    ];
    let tables = tables
        .iter()
        .map(|(name, numbers, table)| costs.put(name, *numbers, table));
    let mut differences: Vec<String> = tables.flatten().collect();
    differences.extend(deploy.put("sentence", Numbers::Approximate, &tables::sentence(cases, &prices)));
    differences
}
