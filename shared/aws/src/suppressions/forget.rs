//! Erasure: what is known of a person goes, and the person stays suppressed.

use uuid::Uuid;

use super::entries::entry_of;
use super::{Evidence, REGISTERS, Suppressions};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::s;
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
            let Some(item) = self.item(address).await? else {
                return Ok(false);
            };
            let (mut set, mut removed, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
            let mut update = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("address", s(address.normalised()));
            for name in Register::WITH_ONE_TIME.map(Register::as_str) {
                let Some(evidence) = item.get(name) else { continue };
                update = update.expression_attribute_names(format!("#{name}"), name);
                if evidence.is_m() {
                    set.push(format!("#{name}.#address = :nothing"));
                    removed.push(format!("#{name}.#diagnostic"));
                    conditions.push(format!("attribute_type(#{name}, :map)"));
                } else {
                    // It cannot be read, and may hold anything.
                    removed.push(format!("#{name}"));
                    conditions.push(format!("NOT attribute_type(#{name}, :map)"));
                }
            }
            if conditions.is_empty() {
                return Ok(true);
            }
            let mut expression = format!("REMOVE {}", removed.join(", "));
            if !set.is_empty() {
                expression = format!("SET {} {expression}", set.join(", "));
                update = update
                    .expression_attribute_names("#address", "address")
                    .expression_attribute_names("#diagnostic", "diagnostic")
                    .expression_attribute_values(":nothing", s(""));
            }
            let update = update
                .update_expression(expression)
                .condition_expression(conditions.join(" AND "))
                .expression_attribute_values(":map", s("M"));
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
            let Some(item) = self.item(address).await? else {
                return Ok(round > 0);
            };
            self.copy(&entry_of(&item, address.clone()), &pseudonym, &new_id)
                .await?;
            let mut delete = self
                .client
                .delete_item()
                .table_name(&self.table)
                .key("address", s(address.normalised()));
            let mut conditions = Vec::new();
            // Only an entry that still has the registers that were read is deleted.
            for name in REGISTERS.into_iter().filter(|name| *name != "address") {
                delete = delete.expression_attribute_names(format!("#{name}"), name);
                match item.get(name) {
                    Some(value) => {
                        delete = delete.expression_attribute_values(format!(":{name}"), value.clone());
                        conditions.push(format!("#{name} = :{name}"));
                    }
                    None => conditions.push(format!("attribute_not_exists(#{name})")),
                }
            }
            let deleted = delete.condition_expression(conditions.join(" AND ")).send().await;
            if let Written::Done(_) = written(deleted)? {
                return Ok(true);
            }
            // Something was recorded since the entry was read, and has to be moved as well.
        }
        Err(StoreError::new(OPERATION, "ChangedMeanwhile"))
    }

    /// Records everything of an entry under another address, without the texts of servers. What cannot be read is not
    /// copied, because it may hold anything; a mark keeps the person suppressed.
    async fn copy(
        &self,
        entry: &SuppressionEntry,
        to: &EmailAddress,
        new_id: &impl Fn() -> Uuid,
    ) -> Result<(), StoreError> {
        let registers = &entry.registers;
        if registers.unreadable {
            self.mark_unreadable(to, new_id()).await?;
        }
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
        for (topic, choice) in &registers.topics.by_topic {
            self.record_choice(to, topic, choice, new_id()).await?;
        }
        if let Some(others) = &registers.topics.others {
            self.record_others_left(to, others, new_id()).await?;
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
