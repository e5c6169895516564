//! `okite domains records`: the DNS records of a domain, with what SES and DNS know of them.

use std::io::Write;
use std::time::Duration;

use clap::Args;

use super::account::{Account, AccountArguments};
use super::report::{RecordReport, Report};
use super::watch::{Ended, until_agreed};
use super::{NotBelow, mail_from_of, parse_domain};
use crate::dns::{self, ResolverAddress};
use crate::duration::parse_duration;
use crate::execution::{CommandResult, Exit, Failure, block_on};
use crate::identity::records::{RequiredRecord, required};
use crate::identity::{self, Identity};
use crate::output::{self, note};
use crate::stop_signal::stop_signal;
use crate::target::TargetError;

/// Print the DNS records that a domain needs, and what SES and DNS know of each
///
/// A record is missing, differs, or is there. Exits with 0; with --watch only if all records are there and SES has
/// found them, and with 1 if that takes longer than --timeout or somebody presses Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  okite domains records example.com --region eu-west-1
  okite domains records example.com --region eu-west-1 --zone >> example.com.zone
  okite domains records example.com --region eu-west-1 --watch --timeout 12h")]
pub(super) struct RecordsCommand {
    /// Domain in the sender addresses, such as example.com
    #[arg(value_parser = parse_domain)]
    domain: String,
    /// Print the records of this subdomain as the MAIL FROM domain [default: the one that SES has]
    #[arg(long, value_name = "SUBDOMAIN")]
    mail_from: Option<String>,
    #[command(flatten)]
    account: AccountArguments,
    #[command(flatten)]
    options: RecordsOptions,
}

/// The options of everything that prints records.
#[derive(Debug, Args)]
pub(super) struct RecordsOptions {
    /// DNS resolver, such as 9.9.9.9 or 127.0.0.1:5353 [default: the resolvers of this machine; none for `okite up`,
    /// whose domains are in no DNS]
    #[arg(long, value_name = "IP[:PORT]")]
    resolver: Option<ResolverAddress>,
    /// Print lines for a zone file. A record that is there is a comment
    #[arg(long, conflicts_with = "json")]
    zone: bool,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    /// Wait until all records are there and SES has found them
    #[arg(long)]
    watch: bool,
    /// Longest wait of --watch. SES looks for up to 72 hours
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration, requires = "watch")]
    timeout: Duration,
}

/// Why the records of a domain are not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordsError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    NotBelow(#[from] NotBelow),
    #[error("SES in {region} does not have {domain}. Run: okite domains create {domain}{options}")]
    NoIdentity {
        domain: String,
        region: String,
        options: String,
    },
    #[error("{0}")]
    Ses(String),
}

impl RecordsCommand {
    pub(super) fn run(self) -> CommandResult {
        block_on(async {
            let Self {
                domain,
                mail_from,
                account,
                options,
            } = self;
            let mail_from = mail_from.map(|given| mail_from_of(&domain, &given)).transpose()?;
            let account = account.open().await?;
            show(&account, &domain, mail_from.as_deref(), &options).await
        })
    }
}

/// Prints the records, at once or when SES and DNS agree.
pub(super) async fn show(
    account: &Account,
    domain: &str,
    mail_from: Option<&str>,
    options: &RecordsOptions,
) -> CommandResult {
    // Before the first look, so that Ctrl-C always ends a wait in the same way.
    let stop = options.watch.then(stop_signal).transpose()?;
    let mut report = read(account, domain, mail_from, options.resolver).await?;
    let mut exit = Exit::Success;
    if let Some(stop) = stop {
        let look = async || read(account, domain, mail_from, options.resolver).await;
        let waited = until_agreed(report, look, options.timeout, stop).await;
        report = waited.last;
        match waited.ended {
            Ended::Agreed => {}
            Ended::TimedOut => note!("okite: not everything agreed within --timeout. SES looks for up to 72 hours"),
            Ended::Stopped => note!("okite: stopped before everything agreed"),
        }
        if waited.ended != Ended::Agreed {
            exit = Exit::Failed;
        }
    }
    let mut output = output::stdout();
    let written = if options.json {
        writeln!(output, "{:#}", report.json())
    } else if options.zone {
        write!(output, "{}", report.zone())
    } else {
        write!(output, "{}", report.text(&account.options))
    };
    written.map_err(Failure::from)?;
    Ok(exit)
}

/// Reads what SES and DNS know.
async fn read(
    account: &Account,
    domain: &str,
    mail_from: Option<&str>,
    resolver: Option<ResolverAddress>,
) -> Result<Report, RecordsError> {
    let state = identity::read(&account.client, domain)
        .await
        .map_err(RecordsError::Ses)?;
    let state = state.ok_or_else(|| RecordsError::NoIdentity {
        domain: domain.to_owned(),
        region: account.region.clone(),
        options: account.options.clone(),
    })?;
    let identity = Identity {
        name: domain.to_owned(),
        state: Ok(None),
    };
    let mail_from = mail_from.or(state.mail_from.as_ref().map(|(domain, _)| domain.as_str()));
    let mail_from = mail_from.map(str::to_owned);
    let required = required(&identity, &state, mail_from.as_deref(), &account.region);
    let is_in_dns = !account.is_simulated || resolver.is_some();
    let dns = if is_in_dns {
        let queries = required.iter().flat_map(RequiredRecord::queries).collect();
        Some(dns::query(queries, resolver).await.0)
    } else {
        None
    };
    let records = required.into_iter().map(|required| RecordReport {
        dns: dns.as_ref().map(|dns| required.state_in(dns)),
        required,
    });
    Ok(Report {
        domain: domain.to_owned(),
        region: account.region.clone(),
        records: records.collect(),
        mail_from,
        state,
    })
}
