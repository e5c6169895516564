//! The suppression list, which is Okite's own: the addresses that it sends nothing to.
//!
//! SES has two reasons. An address that the recipient's complaint suppressed has `COMPLAINT`, and every other one has
//! `BOUNCE`, so that a client sees all of them.

use aws::{Evidence, NewestFrom};
use domain::suppression::{Suppression, SuppressionEntry, SuppressionReason};
use suppression::{added, evidence, in_force};

use super::Call;
use crate::answer::ApiAnswer;
use crate::fault::{ApiFault, FaultKind};
use crate::v2::{self, ListSuppressed, ListedReason, PutSuppressed, SuppressedDestination};

impl Call<'_> {
    pub(super) async fn put_suppressed(&self, put: &PutSuppressed) -> Result<ApiAnswer, ApiFault> {
        let reason = match put.reason {
            ListedReason::Bounce => SuppressionReason::Bounce,
            ListedReason::Complaint => SuppressionReason::Complaint,
        };
        let source = format!("key {}", self.api_key.id);
        let evidence = Evidence {
            source: &source,
            ..Evidence::default()
        };
        let (now, id) = (self.deadlines.arrived, self.ids.message);
        let recorded = self.state.suppressions.record(&put.address, reason, now, evidence, id);
        self.deadlines.before_answering(recorded).await??;
        // An address that has an entry already keeps its id.
        let entry = self.state.suppressions.get(&put.address);
        let entry = self.deadlines.before_answering(entry).await??;
        let event = added(entry.map_or(id, |entry| entry.id), &put.address, reason, now);
        let emitter = &self.state.lifting.emitter;
        emitter.emit_or_log(&[event], self.deadlines.now()).await;
        Ok(v2::empty(self.request_id))
    }

    pub(super) async fn get_suppressed(&self, address: &str) -> Result<ApiAnswer, ApiFault> {
        let found = self.find(address).await?;
        let entry = found.map(|(entry, suppression)| listed(&entry, suppression));
        v2::suppressed(entry.as_ref(), self.request_id)
    }

    pub(super) async fn delete_suppressed(&self, address: &str) -> Result<ApiAnswer, ApiFault> {
        // SES answers 404 for an address that is not on its list.
        let Some((entry, suppression)) = self.find(address).await? else {
            return v2::suppressed(None, self.request_id);
        };
        let lifted = self.state.lifting.lift(&entry, suppression, || self.deadlines.now());
        self.deadlines.before_answering(lifted).await??;
        Ok(v2::empty(self.request_id))
    }

    pub(super) async fn list_suppressed(&self, list: &ListSuppressed) -> Result<ApiAnswer, ApiFault> {
        let from =
            match &list.next_token {
                None => NewestFrom::Newest,
                Some(token) => NewestFrom::After(token.parse().map_err(|_| {
                    ApiFault::new(FaultKind::InvalidNextToken, "The token is not one of this operation.")
                })?),
            };
        let listed = |entry: &SuppressionEntry| {
            let listed = listed(entry, self.in_force(entry)?);
            let is_asked_for = (list.reasons.is_empty() || list.reasons.contains(&listed.reason))
                && list.from.is_none_or(|from| listed.updated_at >= from)
                && list.to.is_none_or(|to| listed.updated_at <= to);
            is_asked_for.then_some(listed)
        };
        let page = self
            .state
            .suppressions
            .newest(from, list.page_size, |entry| listed(entry).is_some());
        let page = self.deadlines.before_answering(page).await??;
        let entries: Vec<SuppressedDestination> = page.entries.iter().filter_map(listed).collect();
        let next = page.next.map(|id| id.to_string());
        Ok(v2::suppressed_list(&entries, next.as_deref(), self.request_id))
    }

    async fn find(&self, address: &str) -> Result<Option<(SuppressionEntry, Suppression)>, ApiFault> {
        let address = v2::destination(address)?;
        let found = self.state.suppressions.get(&address);
        let found = self.deadlines.before_answering(found).await??;
        Ok(found.and_then(|entry| {
            let suppression = self.in_force(&entry)?;
            Some((entry, suppression))
        }))
    }

    fn in_force(&self, entry: &SuppressionEntry) -> Option<Suppression> {
        let tiers = &self.state.sending.rules.soft_bounce_tiers;
        in_force(entry, self.deadlines.arrived, tiers)
    }
}

fn listed(entry: &SuppressionEntry, suppression: Suppression) -> SuppressedDestination {
    let reason = match suppression.reason {
        SuppressionReason::Complaint => ListedReason::Complaint,
        SuppressionReason::Bounce
        | SuppressionReason::Blocked
        | SuppressionReason::Soft
        | SuppressionReason::Manual
        | SuppressionReason::Unreadable
        | SuppressionReason::Unsubscribed => ListedReason::Bounce,
    };
    let source = evidence(entry, suppression.reason).map(|evidence| evidence.source.as_str());
    SuppressedDestination {
        address: entry.address.normalised().to_owned(),
        reason,
        updated_at: suppression.since,
        message_id: source.and_then(domain::suppression::mail_of).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use domain::address::EmailAddress;
    use domain::suppression::{Register, RegisterEvidence, Registers};
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn shown(reason: SuppressionReason, recorded: &[(Register, &str)]) -> SuppressedDestination {
        let evidence = |source: &str| RegisterEvidence {
            address: "Anna@Example.net".to_owned(),
            subtype: String::new(),
            diagnostic: None,
            bounce_reason: None,
            source: source.to_owned(),
        };
        let entry = SuppressionEntry {
            id: Uuid::nil(),
            address: EmailAddress::parse("Anna@Example.net").unwrap(),
            registers: Registers::default(),
            soft_bounces: Vec::new(),
            evidence: recorded
                .iter()
                .map(|(register, source)| (*register, evidence(source)))
                .collect(),
        };
        let since = Timestamp::UNIX_EPOCH;
        listed(&entry, Suppression { reason, since })
    }

    #[test]
    fn every_reason_is_one_of_the_two_of_ses() {
        for (reason, shown_as) in [
            (SuppressionReason::Bounce, ListedReason::Bounce),
            (SuppressionReason::Complaint, ListedReason::Complaint),
            (SuppressionReason::Blocked, ListedReason::Bounce),
            (SuppressionReason::Soft, ListedReason::Bounce),
            (SuppressionReason::Manual, ListedReason::Bounce),
            (SuppressionReason::Unreadable, ListedReason::Bounce),
        ] {
            let shown = shown(reason, &[]);
            assert_eq!(shown.reason, shown_as, "{reason:?}");
            assert_eq!(shown.address, "anna@example.net");
            assert_eq!((shown.updated_at, shown.message_id), (Timestamp::UNIX_EPOCH, None));
        }
    }

    #[test]
    fn the_mail_of_an_event_is_named_and_no_other_source_is() {
        let bounce = Register::from(SuppressionReason::Bounce);
        let complaint = Register::from(SuppressionReason::Complaint);
        for (recorded, message_id) in [
            (vec![(bounce, "f-1#m-1")], Some("m-1")),
            (vec![(bounce, "key 17"), (complaint, "f-1#m-1")], None),
            (vec![(Register::BounceEcho, "f-1#m-2")], Some("m-2")),
            (vec![(bounce, "f-1#")], None),
        ] {
            let shown = shown(SuppressionReason::Bounce, &recorded);
            assert_eq!(shown.message_id.as_deref(), message_id, "{recorded:?}");
        }
    }
}
