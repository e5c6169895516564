//! The prices and the assumptions, as docs/COSTS.md lists them, and the costs of a bill by them.

use std::collections::BTreeMap;

use local_aws::consumption::{Unit, Use};
use okite::application::APPLICATION;

use super::bill::Bill;

/// The heading of the part of the document that lists them.
const HEADING: &str = "\n## Prices and assumptions\n";
/// The memory in MB with which a function has a whole core.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
const WHOLE_CORE_MB: f64 = 1_769.0;
const MILLION: f64 = 1e6;
const GB: f64 = 1e9;

/// The prices in USD and the assumptions, by their names.
pub(super) struct Prices(BTreeMap<String, (f64, f64)>);

/// What one kind of thing costs.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) what: &'static str,
    pub(super) usd: f64,
    /// The same without what is free each month.
    pub(super) usd_beyond_free: f64,
}

impl Prices {
    /// Reads the rows whose second cell is a number: `| name | number | what is free of it each month |`.
    pub(super) fn read(document: &str) -> Self {
        let (_, part) = document.split_once(HEADING).unwrap();
        let part = part.split("\n## ").next().unwrap();
        let row = |line: &str| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            let (name, number) = (cells.next()?, cells.next()?.parse().ok()?);
            let free = cells.next().and_then(|cell| cell.parse().ok()).unwrap_or_default();
            Some((name.to_owned(), (number, free)))
        };
        Self(part.lines().filter_map(row).collect())
    }

    /// Returns a price, or the number of an assumption.
    pub(super) fn of(&self, name: &str) -> f64 {
        self.entry(name).0
    }

    fn entry(&self, name: &str) -> (f64, f64) {
        *self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("docs/COSTS.md has no number for {name:?}"))
    }

    fn line(&self, what: &'static str, price: &str, amount: f64) -> Line {
        let (usd, free) = self.entry(price);
        Line {
            what,
            usd: amount * usd,
            usd_beyond_free: (amount - free).max(0.0) * usd,
        }
    }

    /// Lists what the requests of a bill cost, `times` over.
    pub(super) fn requests(&self, bill: &Bill, times: f64) -> Vec<Line> {
        let millions = |unit| times * bill.all(unit) / MILLION;
        let log_bytes =
            bill.all(Unit::LogByte) + bill.all(Unit::LogLine) * self.of("bytes that CloudWatch adds to a line");
        vec![
            self.line(
                "API Gateway",
                "HTTP API, a million requests",
                millions(Unit::HttpRequest),
            ),
            self.line(
                "Lambda, invocations",
                "Lambda, a million invocations",
                millions(Unit::Invocation),
            ),
            self.line(
                "Lambda, time",
                "Lambda, a million GB-seconds",
                times * self.gb_seconds(bill) / MILLION,
            ),
            self.line(
                "DynamoDB, writes",
                "DynamoDB, a million write units",
                millions(Unit::WriteUnit),
            ),
            self.line(
                "DynamoDB, reads",
                "DynamoDB, a million read units",
                millions(Unit::ReadUnit),
            ),
            self.line("SNS", "SNS, a million publications", millions(Unit::Publication)),
            self.line("SQS", "SQS, a million requests", millions(Unit::QueueRequest)),
            self.line("Logs", "CloudWatch, a GB of logs", times * log_bytes / GB),
        ]
    }

    /// Returns what the requests of a bill cost together, `times` over.
    pub(super) fn total(&self, bill: &Bill, times: f64) -> f64 {
        self.requests(bill, times).iter().map(|line| line.usd).sum()
    }

    /// Lists what a bill stores for a month, and what the backup of it costs, `times` over.
    pub(super) fn storage(&self, bill: &Bill, times: f64) -> [Line; 2] {
        let stored = as_float(bill.stored_bytes());
        let backed_up = bill.stored.iter().filter(|(table, _)| is_backed_up(table));
        let backed_up = as_float(backed_up.map(|(_, stored)| stored.table).sum());
        [
            self.line(
                "DynamoDB, stored for 30 days",
                "DynamoDB, a GB stored for a month",
                times * stored / GB,
            ),
            self.line(
                "DynamoDB, point-in-time recovery of it",
                "DynamoDB, a GB of point-in-time recovery for a month",
                times * backed_up / GB,
            ),
        ]
    }

    /// Returns the GB-seconds of all invocations of a bill, by the formula of the document.
    fn gb_seconds(&self, bill: &Bill) -> f64 {
        let of_function = |function: &str| self.milliseconds(bill, function) / 1_000.0 * memory_mb(function) / 1_024.0;
        bill.functions().into_iter().map(of_function).sum()
    }

    /// Returns the billed milliseconds of all invocations of a function together.
    pub(super) fn milliseconds(&self, bill: &Bill, function: &str) -> f64 {
        let calls = |to_ses: bool| bill.sum(Unit::Call, |used| used.by == function && (used.of == "SES") == to_ses);
        let (others, to_ses) = (calls(false), calls(true));
        let waits =
            others * self.of("ms that a request to DynamoDB or SQS takes") + to_ses * self.of("ms that SES takes");
        // The requests of a batch wait side by side.
        let waits = match to_ses {
            0.0..=1.0 => waits,
            _ => waits.min(self.of("ms that the requests of a batch take together")),
        };
        let cpu = self.of("ms of CPU of a request, on a whole core") * WHOLE_CORE_MB / memory_mb(function);
        let receiver = match function {
            "webhooks" => deliveries(bill) * self.of("ms that the endpoint of a webhook takes") / 2.0,
            _ => 0.0,
        };
        let invocations = bill.by(function, Unit::Invocation) * self.of("ms of an invocation beside its requests");
        invocations + waits + (others + to_ses) * cpu + receiver
    }
}

/// Returns the number of events that were delivered: each is a row that the function writes.
fn deliveries(bill: &Bill) -> f64 {
    let is_write = |used: &Use| ["PutItem", "UpdateItem"].contains(&used.operation.as_str());
    bill.sum(Unit::Call, |used| {
        used.by == "webhooks" && used.of == "DeliveriesTable" && is_write(used)
    })
}

/// Returns the memory of a function in MB by the template.
fn memory_mb(function: &str) -> f64 {
    let words = function.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    let own = section(&format!("{}Function", words.collect::<String>()));
    let number = |text: &str, field: &str| {
        let (_, value) = text.split_once(field)?;
        value.lines().next()?.trim().parse().ok()
    };
    let of_parameter = || {
        let (_, parameter) = own.split_once("MemorySize: !Ref ")?;
        number(section(parameter.lines().next()?), "Default: ")
    };
    let of_all = || number(APPLICATION.template, "MemorySize: ");
    number(own, "MemorySize: ")
        .or_else(of_parameter)
        .or_else(of_all)
        .unwrap()
}

/// Returns whether a table has point-in-time recovery.
fn is_backed_up(table: &str) -> bool {
    section(table).contains("PointInTimeRecoveryEnabled: true")
}

/// Returns the part of the template that defines a resource or a parameter.
fn section(name: &str) -> &'static str {
    let (_, from) = APPLICATION.template.split_once(&format!("\n  {name}:\n")).unwrap();
    let is_within = |line: &&str| line.is_empty() || line.starts_with("   ");
    let length: usize = from.lines().take_while(is_within).map(|line| line.len() + 1).sum();
    &from[..length.min(from.len())]
}

#[expect(clippy::cast_precision_loss, reason = "sizes of a few mails")]
pub(super) fn as_float(bytes: i64) -> f64 {
    bytes as f64
}
