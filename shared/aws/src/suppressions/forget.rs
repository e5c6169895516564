//! Erasure: what is known of a person goes, and the person stays suppressed.

use aws_sdk_dynamodb::types::AttributeValue;
use uuid::Uuid;

use super::{Evidence, Suppressions, soft};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{names, s, time};
use domain::address::EmailAddress;
use domain::suppression::{Register, RegisterEvidence, SoftBounce, SuppressionEntry, SuppressionReason};

/// How often an entry is read again that changed while it was being forgotten.
const ROUNDS_MAX: u32 = 5;
impl Suppressions {
    /// Removes the spellings of an address and the texts of servers from its entry. The key stays. Returns whether
    /// there is an entry. May be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if part of it may still be there.
    pub async fn forget_evidence(&self, address: &EmailAddress) -> Result<bool, StoreError> {
        const OPERATION: &str = "UpdateItem";
        for _ in 0..ROUNDS_MAX {
            let Some(entry) = self.row(address).await? else {
                return Ok(false);
            };
            let with_evidence: Vec<Register> = entry.evidence.keys().copied().collect();
            if with_evidence.is_empty() {
                return Ok(true);
            }
            let clauses = |form: &dyn Fn(&str) -> String, between: &str| {
                let clauses: Vec<String> = with_evidence.iter().map(|register| form(register.as_str())).collect();
                clauses.join(between)
            };
            let mut update = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("address", s(address.normalised()))
                .update_expression(format!(
                    "SET {} REMOVE {}",
                    clauses(&|name| format!("#{name}.#address = :nothing"), ", "),
                    clauses(&|name| format!("#{name}.#diagnostic"), ", "),
                ))
                .condition_expression(clauses(&|name| format!("attribute_exists(#{name})"), " AND "))
                .set_expression_attribute_names(names(["address", "diagnostic"]))
                .expression_attribute_values(":nothing", s(""));
            for register in &with_evidence {
                update = update.expression_attribute_names(format!("#{}", register.as_str()), register.as_str());
            }
            if let Written::Done(_) = written(update.send().await)? {
                return Ok(true);
            }
            // The entry was deleted in the meantime.
        }
        Err(StoreError::new(OPERATION, "ChangedMeanwhile"))
    }

    /// Moves the entry of an address to its pseudonym. The entry is written there first and deleted here afterwards, so
    /// that a crash in between leaves the address suppressed by both. Returns whether there was an entry here. May be
    /// repeated.
    ///
    /// # Errors
    /// [`StoreError`] if the entry may still be here.
    pub async fn forget_address(&self, address: &EmailAddress, new_id: impl Fn() -> Uuid) -> Result<bool, StoreError> {
        const OPERATION: &str = "DeleteItem";
        let pseudonym = address.pseudonym();
        for round in 0..ROUNDS_MAX {
            let Some(entry) = self.row(address).await? else {
                return Ok(round > 0);
            };
            self.copy(&entry, &pseudonym, &new_id).await?;
            let mut delete = self
                .client
                .delete_item()
                .table_name(&self.table)
                .key("address", s(address.normalised()));
            let mut conditions = Vec::new();
            // Only an entry that still has the registers that were read is deleted. The days of blocks are no condition:
            // a newer block moves its register, and one that came late is one day less.
            for (name, value) in registers_of(&entry) {
                delete = delete.expression_attribute_names(format!("#{name}"), name.as_str());
                match value {
                    Some(value) => {
                        delete = delete.expression_attribute_values(format!(":{name}"), value);
                        conditions.push(format!("#{name} = :{name}"));
                    }
                    None => conditions.push(format!("attribute_not_exists(#{name})")),
                }
            }
            let soft: Vec<String> = entry.soft_bounces.iter().map(soft::as_text).collect();
            delete = delete.expression_attribute_names("#soft", "soft");
            if soft.is_empty() {
                conditions.push("attribute_not_exists(#soft)".to_owned());
            } else {
                conditions.push("#soft = :soft".to_owned());
                delete = delete.expression_attribute_values(":soft", AttributeValue::Ss(soft));
            }
            let deleted = delete.condition_expression(conditions.join(" AND ")).send().await;
            if let Written::Done(_) = written(deleted)? {
                return Ok(true);
            }
            // Something was recorded since the entry was read, and has to be moved as well.
        }
        Err(StoreError::new(OPERATION, "ChangedMeanwhile"))
    }

    /// Records everything of an entry under another address, without the texts of servers.
    async fn copy(
        &self,
        entry: &SuppressionEntry,
        to: &EmailAddress,
        new_id: &impl Fn() -> Uuid,
    ) -> Result<(), StoreError> {
        let registers = &entry.registers;
        for register in Register::WITH_ONE_TIME {
            let Some(at) = registers.at(register) else { continue };
            let recorded = entry.evidence.get(&register).cloned();
            let RegisterEvidence {
                subtype,
                bounce_reason,
                source,
                ..
            } = recorded.unwrap_or_default();
            let evidence = Evidence {
                subtype: &subtype,
                bounce_reason,
                source: &source,
                ..Evidence::default()
            };
            if register == SuppressionReason::Manual.into() {
                let until = registers.manual_expires_at;
                self.record_manual(to, at, until, evidence, new_id()).await?;
            } else {
                self.record(to, register, at, evidence, new_id()).await?;
            }
        }
        for at in &registers.blocked_on {
            self.record(to, SuppressionReason::Blocked, *at, Evidence::default(), new_id())
                .await?;
        }
        if let Some(at) = registers.lifted_at {
            self.record_lift(to, at, new_id()).await?;
        }
        for SoftBounce { at, source, reason } in &entry.soft_bounces {
            let evidence = Evidence {
                bounce_reason: *reason,
                source,
                ..Evidence::default()
            };
            self.record(to, SuppressionReason::Soft, *at, evidence, new_id())
                .await?;
        }
        Ok(())
    }
}

/// Returns the attributes of the registers that hold one time, with their values.
fn registers_of(entry: &SuppressionEntry) -> Vec<(String, Option<AttributeValue>)> {
    let registers = &entry.registers;
    let with_evidence =
        Register::WITH_ONE_TIME.map(|register| (format!("{}_at", register.as_str()), registers.at(register)));
    let others = [
        ("manual_expires_at".to_owned(), registers.manual_expires_at),
        ("lifted_at".to_owned(), registers.lifted_at),
    ];
    let all = with_evidence.into_iter().chain(others);
    all.map(|(name, at)| (name, at.map(time))).collect()
}
