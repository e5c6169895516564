//! The tables of docs/COSTS.md.

use std::fmt::Write;

use local_aws::consumption::{Unit, Use};

use super::bill::Bill;
use super::cases::{Case, Cases, Parameter};
use super::prices::{Line, Prices, as_float};

const THOUSAND: f64 = 1e3;
const MILLION: f64 = 1e6;
/// The mails of a batch.
const BATCH: f64 = 100.0;
/// The names of SES's prices, as the document lists them.
const SES: [(&str, &str); 2] = [
    ("à la carte", "SES à la carte, a million recipients"),
    ("Essentials", "SES Essentials, a million recipients"),
];

/// Writes what mails to one recipient cost: each alone, and in batches.
pub(super) fn total(cases: &Cases, prices: &Prices) -> String {
    let mut table =
        "| USD | 1,000 mails | 1,000,000 mails | 1,000,000, beyond the free tiers | 1,000,000 in batches of 100 |\n\
                     |---|--:|--:|--:|--:|\n"
            .to_owned();
    let mut row = |name: &str, [thousand, million, beyond_free, batch]: [f64; 4]| {
        writeln!(
            table,
            "| {name} | {thousand:.4} | {million:.2} | {beyond_free:.2} | {batch:.2} |"
        )
        .unwrap();
    };
    let figures = |one: &[Line], batch: &[Line]| -> Vec<(&'static str, [f64; 4])> {
        let both = one.iter().zip(batch);
        both.map(|(one, batch)| (one.what, [one.usd / THOUSAND, one.usd, one.usd_beyond_free, batch.usd]))
            .collect()
    };
    let requests = figures(
        &prices.requests(&cases.simple, MILLION),
        &prices.requests(&cases.batch, MILLION / BATCH),
    );
    let storage = figures(
        &prices.storage(&cases.simple, MILLION),
        &prices.storage(&cases.batch, MILLION / BATCH),
    );
    let sum = |figures: &[(&str, [f64; 4])]| {
        let add =
            |sum: [f64; 4], (_, figure): &(&str, [f64; 4])| std::array::from_fn(|column| sum[column] + figure[column]);
        figures.iter().fold([0.0; 4], add)
    };
    for (what, figures) in requests.iter().filter(|(_, figures)| figures[1] > 0.0) {
        row(what, *figures);
    }
    row("**Okite's requests**", sum(&requests));
    for (what, figures) in &storage {
        row(what, *figures);
    }
    let own: [f64; 4] = sum(&[requests, storage].concat());
    row("**Okite's own part**", own);
    for (plan, price) in SES {
        let ses = prices.of(price);
        row(&format!("Amazon SES, {plan}"), [ses / THOUSAND, ses, ses, ses]);
    }
    for (plan, price) in SES {
        let ses = prices.of(price);
        let ses = [ses / THOUSAND, ses, ses, ses];
        row(
            &format!("**together, {plan}**"),
            std::array::from_fn(|column| own[column] + ses[column]),
        );
    }
    table
}

/// Writes the sentence with the totals.
pub(super) fn sentence(cases: &Cases, prices: &Prices) -> String {
    let requests = prices.total(&cases.simple, MILLION);
    let storage: f64 = prices.storage(&cases.simple, MILLION).iter().map(|line| line.usd).sum();
    let [(_, low), (_, high)] = SES;
    let (low, high) = (prices.of(low), prices.of(high));
    format!(
        "A million mails to one recipient each cost {requests:.2} USD for Okite's requests and {storage:.2} USD to \
         store their\nrecords for 30 days, beside the {low:.0} or {high:.0} USD of SES.\n"
    )
}

/// Writes each request of one mail, with its units.
pub(super) fn requests(bill: &Bill) -> String {
    let mut table = "| function | request | times | write units | read units |\n|---|---|--:|---|---|\n".to_owned();
    let mut calls: Vec<_> = bill.uses().filter(|(used, _)| used.unit == Unit::Call).collect();
    // The function that sends comes before those that hear of it.
    calls.sort_by(|a, b| b.0.by.cmp(&a.0.by));
    for (used, times) in calls {
        let [write, read] = [Unit::WriteUnit, Unit::ReadUnit].map(|unit| units(bill, used, unit));
        writeln!(
            table,
            "| {} | `{}` on {} | {times} | {write} | {read} |",
            used.by, used.operation, used.of
        )
        .unwrap();
    }
    table
}

/// Writes the units of a request: those of its tables and indexes, each with its name.
fn units(bill: &Bill, call: &Use, unit: Unit) -> String {
    let tables: Vec<&str> = call.of.split(" and ").collect();
    let of_call = |used: &Use| {
        let (table, _) = used.of.split_once('/').unwrap_or((&used.of, ""));
        used.unit == unit && used.by == call.by && used.operation == call.operation && tables.contains(&table)
    };
    let units = bill.uses().filter(|(used, _)| of_call(used));
    let name = |used: &Use| match used.of.split_once('/') {
        Some((_, index)) => format!(" {index}"),
        None if tables.len() == 1 => String::new(),
        None => format!(" {}", used.of),
    };
    let units: Vec<_> = units.map(|(used, amount)| format!("{amount}{}", name(used))).collect();
    units.join(" + ")
}

/// Writes what each case consumes.
pub(super) fn cases(cases: &[Case]) -> String {
    let mut table =
        "| case | HTTP requests | invocations | write units | of these in indexes | read units | SNS | SQS |\n\
                     |---|--:|--:|--:|--:|--:|--:|--:|\n"
            .to_owned();
    for Case { name, bill } in cases {
        let indexes = number(bill.sum(Unit::WriteUnit, |used| used.of.contains('/')));
        let [requests, invocations, writes, reads, publications, queues] = [
            Unit::HttpRequest,
            Unit::Invocation,
            Unit::WriteUnit,
            Unit::ReadUnit,
            Unit::Publication,
            Unit::QueueRequest,
        ]
        .map(|unit| number(bill.all(unit)));
        writeln!(
            table,
            "| {name} | {requests} | {invocations} | {writes} | {indexes} | {reads} | {publications} | {queues} |"
        )
        .unwrap();
    }
    table
}

/// Writes a number with two decimals at most. What differs by less is a rounding error.
fn number(amount: f64) -> String {
    let rounded = format!("{amount:.2}");
    let short = rounded.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0" } else { short }.to_owned()
}

/// Writes what each case costs.
pub(super) fn case_costs(cases: &[Case], prices: &Prices) -> String {
    let mut table = "| case | USD a thousand | USD a million | of which writes | log, kB | stored, kB | \
                     a month of it, USD a million |\n\
                     |---|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for Case { name, bill } in cases {
        let storage: f64 = prices.storage(bill, MILLION).iter().map(|line| line.usd).sum();
        let writes = bill.all(Unit::WriteUnit) * prices.of("DynamoDB, a million write units");
        writeln!(
            table,
            "| {name} | {:.4} | {:.2} | {writes:.2} | {:.1} | {:.1} | {storage:.2} |",
            prices.total(bill, THOUSAND),
            prices.total(bill, MILLION),
            bill.all(Unit::LogByte) / THOUSAND,
            as_float(bill.stored_bytes()) / THOUSAND,
        )
        .unwrap();
    }
    table
}

/// Writes what parameters save.
pub(super) fn parameters(cases: &Cases, prices: &Prices) -> String {
    let mut table = "| parameter | effect | Okite's requests, USD a million | saved | storage and backup | saved |\n\
                     |---|---|--:|--:|--:|--:|\n"
        .to_owned();
    let storage = |bill: &Bill| -> f64 { prices.storage(bill, MILLION).iter().map(|line| line.usd).sum() };
    let (requests_before, stored_before) = (prices.total(&cases.simple, MILLION), storage(&cases.simple));
    let mut row = |name: &str, effect: &str, requests: f64, stored: f64| {
        let (less, stored_less) = (requests_before - requests, stored_before - stored);
        writeln!(
            table,
            "| {name} | {effect} | {requests:.2} | {less:.2} | {stored:.2} | {stored_less:.2} |"
        )
        .unwrap();
    };
    row("the defaults", "", requests_before, stored_before);
    for Parameter { name, effect, bill } in &cases.parameters {
        row(
            &format!("`{name}=false`"),
            effect,
            prices.total(bill, MILLION),
            storage(bill),
        );
    }
    let lines = prices.requests(&cases.simple, MILLION);
    let logs: f64 = lines
        .iter()
        .filter(|line| line.what == "Logs")
        .map(|line| line.usd)
        .sum();
    row(
        "`LogLevel=warn`",
        "the log has no line about a mail",
        requests_before - logs,
        stored_before,
    );
    row(
        "`MessageRetentionDays=7`",
        "records are kept for a shorter time",
        requests_before,
        stored_before * 7.0 / 30.0,
    );
    let events = cases.simple.by("feedback", Unit::Invocation);
    // Each event is sent, and each ten are received and deleted together.
    let by_queue = events * 1.2 * prices.of("SQS, a million requests");
    let by_invocation = events * 0.9 * prices.of("Lambda, a million invocations");
    row(
        "`FeedbackVia=sqs`",
        "a queue hands over ten events at a time",
        requests_before + by_queue - by_invocation,
        stored_before,
    );
    table
}
